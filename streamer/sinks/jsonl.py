"""JSON lines: one event a line, written the moment it is known."""

from __future__ import annotations

from typing import BinaryIO

from streamer.errors import OutputError
from streamer.events import Event, Notice, to_json


class JsonLines:
    """Writes events to an unbuffered binary stream, which it leaves open.

    A reader that went away raises ``BrokenPipeError``. A full disk raises ``OutputError``; what was
    written stays readable to its last complete line.
    """

    def __init__(self, stream: BinaryIO, name: str = "standard output") -> None:
        self._stream = stream
        self._name = name

    def write(self, event: Event) -> None:
        """Write one line; notices, which are for people, are left out."""
        if isinstance(event, Notice):
            return
        # A name that is no text (of a model's folder) must not end the session.
        rest = memoryview(to_json(event).encode(errors="replace") + b"\n")
        try:
            while rest:
                rest = rest[self._stream.write(rest) :]
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{self._name} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Nothing to release: the stream belongs to the caller."""
