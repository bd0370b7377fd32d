"""Recorded sessions: the JSON lines of ``streamer live`` and ``replay``, read back as events."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import SessionFileError
from streamer.events import End, Estimate, Event, Gap, Start, from_json


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded session: its events in order of writing.

    ``torn`` says that the last line broke off, as when a disk was full or the power went.
    """

    path: Path
    start: Start | None
    estimates: tuple[Estimate, ...]
    gaps: tuple[Gap, ...]
    end: End | None
    torn: bool = False

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
    """Read a recorded session; a torn last line is left out.

    Raises ``SessionFileError`` where the file cannot be read, a line is not an event of schema 1,
    or there is not one estimate in it.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SessionFileError(f"{path} cannot be read: {error.strerror}") from None
    events, torn = _events(path, raw)
    estimates = tuple(event for event in events if isinstance(event, Estimate))
    if not estimates:
        raise SessionFileError(
            f"{path} holds no estimate: give a file written by `streamer live` or `replay`"
        )
    return Recording(
        path=path,
        start=next((event for event in events if isinstance(event, Start)), None),
        estimates=estimates,
        gaps=tuple(event for event in events if isinstance(event, Gap)),
        end=next((event for event in events if isinstance(event, End)), None),
        torn=torn,
    )


def _check(event: Event | None) -> None:
    """Refuse what has the fields of an event and not their numbers; raises ``ValueError``."""
    numbers: tuple[object, ...] = ()
    if isinstance(event, Estimate):
        numbers = (event.t, event.level_db)
        judged = (event.valence, event.arousal, event.valence_sd, event.arousal_sd)
        if any(value is not None for value in judged):
            numbers += judged
    elif isinstance(event, Gap):
        numbers = (event.t, event.seconds)
    for value in numbers:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{value!r} stands where a number should")
        if not math.isfinite(value):
            raise ValueError(f"{value} stands where a number should")


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "not JSON"
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _events(path: Path, raw: bytes) -> tuple[list[Event], bool]:
    lines = raw.split(b"\n")
    # Every line that was written whole ends with a line feed, so that this is empty or torn.
    last = len(lines) - 1
    events: list[Event] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            event = from_json(line.decode("utf-8-sig" if number == 0 else "utf-8"))
            _check(event)
        except ValueError as error:
            if number == last and number > 0:
                return events, True
            raise SessionFileError(
                f"{path}, line {number + 1}: {_reason(error)}; "
                "give a file written by `streamer live` or `replay`"
            ) from None
        if event is not None:
            events.append(event)
    return events, False
