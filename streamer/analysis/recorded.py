"""The events of a recorded session, read line by line."""

from __future__ import annotations

import math
from collections.abc import Generator
from pathlib import Path

from streamer.errors import SessionFileError
from streamer.events import Estimate, Event, Gap, from_json


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
