"""Recorded sessions: the JSON lines of ``streamer live`` and ``replay``, read event by event."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import SessionFileError
from streamer.events import End, Estimate, Event, Gap, Start, from_json


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


def read_events(path: Path) -> Generator[Event, None, None]:
    """The events of a file of JSON lines, one at a time; a last line cut off is left out.

    Raises ``SessionFileError`` where the file cannot be opened, is empty, or has a line that is no
    event.
    """
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    event = from_json(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                    _check(event)
                except ValueError as error:
                    if not line.endswith(b"\n") and number > 1:
                        return
                    undecoded = isinstance(error, UnicodeDecodeError)
                    wrong = "not UTF-8 text" if undecoded else f"no line of a session: {error}"
                    raise SessionFileError(f"{path}, line {number}, is {wrong}") from None
                if event is not None:
                    yield event
    except OSError as error:
        raise SessionFileError(f"{path} cannot be read: {error.strerror}") from None
    if not number:
        raise SessionFileError(f"{path} is empty: record a session with --jsonl")


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
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):  # type: ignore[arg-type]
            raise ValueError(f"{value!r} stands where a number should")
