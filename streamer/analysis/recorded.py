"""The events of a recorded session, read line by line."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from streamer.errors import SessionFileError
from streamer.events import Event, from_json


def read_events(path: Path) -> Generator[Event, None, None]:
    """The events of a file of JSON lines, one at a time; a last line cut off is left out.

    Raises ``SessionFileError`` where the file cannot be opened, is empty, or has a line that is no
    event.
    """
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    event = from_json(line)
                except ValueError as error:
                    if not line.endswith("\n") and number > 1:
                        return
                    raise SessionFileError(
                        f"{path}, line {number}, is no line of a session: {error}"
                    ) from None
                if event is not None:
                    yield event
    except OSError as error:
        raise SessionFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SessionFileError(f"{path}, line {number + 1}, is not UTF-8 text") from None
    if not number:
        raise SessionFileError(f"{path} is empty: record a session with --jsonl")
