"""JSON lines: one event a line, written the moment it is known, in one file or many.

With rotation, each file of a run of weeks is complete in itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
import selectors
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from streamer.errors import writing
from streamer.events import End, Estimate, Event, Gap, Notice, Start, Tally, to_json
from streamer.sinks.sink import ReaderGone


class JsonLines:
    """Writes events to an unbuffered binary stream, which it leaves open.

    Raises ``OutputError`` where the disk is full or the reader went away; what was written stays
    readable to its last complete line.
    """

    def __init__(self, stream: BinaryIO, name: str = "the stream") -> None:
        self._stream = stream
        self._name = name

    def write(self, event: Event) -> None:
        """Write one line; notices, which are for people, are left out."""
        if isinstance(event, Notice):
            return
        # A name that is no text (of a model's folder) must not end the session.
        line = to_json(event).encode(errors="replace") + b"\n"
        with writing(self._name):
            self._send(line)

    def close(self) -> None:
        """Nothing to release: the stream belongs to the caller."""

    def _send(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            written = self._stream.write(rest)
            if written is not None:
                rest = rest[written:]
                continue
            # Whoever opened it does not wait, and its reader is slow: we do.
            with selectors.DefaultSelector() as selector:
                selector.register(self._stream, selectors.EVENT_WRITE)
                selector.select()
        self._stream.flush()


class StandardOutput(JsonLines):
    """JSON lines on standard output, for whose reader the session runs.

    Raises ``ReaderGone`` once nobody reads it any more.
    """

    def __init__(self) -> None:
        # Unbuffered: a line is out when it is known, and a dead reader is noticed at once.
        super().__init__(open(1, "wb", buffering=0, closefd=False), "standard output")  # noqa: SIM115

    def _send(self, line: bytes) -> None:
        try:
            super()._send(line)
        except BrokenPipeError:
            raise ReaderGone from None


class JsonLinesFile(JsonLines):
    """JSON lines in a file of its own, which is begun anew.

    A file that got no line is not left behind. Raises ``OutputError`` as :class:`JsonLines` does.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        with writing(self._path):
            stream: BinaryIO = self._path.open("wb", buffering=0)
        super().__init__(stream, str(path))

    def close(self) -> None:
        """Close the file."""
        if self._stream.closed:
            return
        status = os.fstat(self._stream.fileno())
        self._stream.close()
        if stat.S_ISREG(status.st_mode) and not status.st_size:
            with contextlib.suppress(OSError):
                self._path.unlink()


#: Bytes kept free for the ``end`` line of a file.
_ROOM = 256


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is full: after ``seconds`` of stream time, or before it outgrows ``size`` bytes.

    A file holds at least one estimate or gap.
    """

    seconds: float = math.inf
    size: float = math.inf


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RotatingJsonLines:
    """Writes ``moods.20261123T201503Z.jsonl`` and so on for ``path`` ``moods.jsonl``.

    The name tells when a file was begun (UTC, by ``clock``); a file that exists is never written
    to. Each file has the session's ``start`` line (its ``time`` and ``t`` are those of the session
    throughout), the lines of its stretch, and an ``end`` line that counts this stretch alone.
    Raises ``OutputError`` where a file cannot be created or written; those before it stay whole.
    """

    def __init__(
        self, path: Path | str, rotation: Rotation, clock: Callable[[], datetime] = _utc_now
    ) -> None:
        self._path = Path(path)
        self._rotation = rotation
        self._clock = clock
        self._start: Start | None = None
        self._tally = Tally()
        self._began: float | None = None
        self._frames = 0  # in the files before this one
        self._open()

    def write(self, event: Event) -> None:
        """Write one line, into a new file where the current one is full."""
        if isinstance(event, Notice):
            return
        if isinstance(event, End):
            self._line(self._of_this_file(event))
            return
        if isinstance(event, Start):
            self._start = event
        elif self._is_full(event):
            end = self._tally.end()
            self._line(end)
            self.close()
            self._frames += end.frames
            self._tally = Tally(end.t, self._start)
            self._open()
            if self._start is not None:
                self._line(self._start)
        self._line(event)
        self._tally.write(event)
        if isinstance(event, Estimate | Gap) and self._began is None:
            self._began = event.t

    def close(self) -> None:
        """Close the current file."""
        self._stream.close()

    def _open(self) -> None:
        stamp = self._clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in itertools.count(1):
            again = f"_{number:02}" if number > 1 else ""  # so that names sort by age
            file = self._path.with_name(f"{self._path.stem}.{stamp}{again}{self._path.suffix}")
            with writing(file):
                try:
                    # Unbuffered, as standard output: a line is out when it is known.
                    self._stream: BinaryIO = file.open("xb", buffering=0)
                except FileExistsError:
                    continue
            break
        self._lines = JsonLines(self._stream, str(file))
        self._size = 0
        self._began = None

    def _is_full(self, event: Estimate | Gap) -> bool:
        if self._began is None:  # nothing but its start line
            return False
        long = event.t - self._began >= self._rotation.seconds
        return long or self._size + _length(event) + _ROOM > self._rotation.size

    def _line(self, event: Event) -> None:
        self._size += _length(event)
        self._lines.write(event)

    def _of_this_file(self, end: End) -> End:
        """The session's ``end``, with the counts of the last file."""
        own = self._tally.end()
        return dataclasses.replace(
            end,
            estimates=own.estimates,
            frames=max(0, end.frames - self._frames),
            gaps=own.gaps,
            lost_samples=own.lost_samples,
        )


def _length(event: Event) -> int:
    return len(to_json(event).encode(errors="replace")) + 1
