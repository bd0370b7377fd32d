"""Recorded sessions: the JSON lines of ``streamer live`` and ``replay``, read back whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamer.analysis.recorded import read_events
from streamer.errors import SessionFileError
from streamer.events import End, Estimate, Gap, Start


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded session: its events in order of writing; ``end`` is missing where it broke off."""

    path: Path
    start: Start | None
    estimates: tuple[Estimate, ...]
    gaps: tuple[Gap, ...]
    end: End | None

    @property
    def name(self) -> str:
        """What was listened to, or else the name of the file."""
        heard = str(self.start.source.get("name", "")) if self.start is not None else ""
        return Path(heard).name or self.path.stem

    @property
    def hop_s(self) -> float:
        """Seconds between estimates, as far as that is known; at least a little."""
        if self.start is not None:
            return max(self.start.interval_s, self.start.hop_s, 1e-3)
        return 0.5


def read_session(path: Path) -> Recording:
    """Read a recorded session whole; a torn last line is left out.

    Raises ``SessionFileError`` where the file cannot be read, a line is not an event of schema 1,
    or there is not one estimate in it.
    """
    events = list(read_events(path))
    estimates = tuple(event for event in events if isinstance(event, Estimate))
    if not estimates:
        raise SessionFileError(f"{path} holds no estimate: record a session with --jsonl")
    return Recording(
        path=path,
        start=next((event for event in events if isinstance(event, Start)), None),
        estimates=estimates,
        gaps=tuple(event for event in events if isinstance(event, Gap)),
        end=next((event for event in events if isinstance(event, End)), None),
    )
