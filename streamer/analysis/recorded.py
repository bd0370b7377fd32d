"""The events of a recorded session, read line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streamer.errors import SessionFileError
from streamer.events import Event, from_json


def read_events(path: Path) -> Iterator[Event]:
    """The events of a file of JSON lines, one at a time; a last line cut off is left out.

    Raises ``SessionFileError``, at once for a file that cannot be opened, and when it comes to a
    line that is no event.
    """
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        raise SessionFileError(f"{path} cannot be read: {error.strerror}") from None

    def events() -> Iterator[Event]:
        with file:
            number = 0
            try:
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
            except UnicodeDecodeError:
                raise SessionFileError(f"{path}, line {number + 1}, is not UTF-8 text") from None

    return events()
