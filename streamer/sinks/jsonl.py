"""JSON lines: one event a line, written the moment it is known, in one file or many.

With rotation, each file of a run of weeks is complete in itself.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from streamer.errors import OutputError
from streamer.events import End, Estimate, Event, Gap, Notice, Start, to_json


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
        self, path: Path, rotation: Rotation, clock: Callable[[], datetime] = _utc_now
    ) -> None:
        self._path = path
        self._rotation = rotation
        self._clock = clock
        self._start: Start | None = None
        self._end = End(0.0, 0, 0, 0, 0, None)
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
            self._line(self._end)
            self.close()
            self._frames += self._end.frames
            self._end = End(self._end.t, 0, 0, 0, 0, None)
            self._open()
            if self._start is not None:
                self._line(self._start)
        self._line(event)
        self._count(event)

    def close(self) -> None:
        """Close the current file."""
        self._stream.close()

    def _open(self) -> None:
        stamp = self._clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in itertools.count(1):
            again = f"_{number:02}" if number > 1 else ""  # so that names sort by age
            file = self._path.with_name(f"{self._path.stem}.{stamp}{again}{self._path.suffix}")
            try:
                # Unbuffered, as standard output: a line is out when it is known.
                self._stream: BinaryIO = file.open("xb", buffering=0)
            except FileExistsError:
                continue
            except OSError as error:
                raise OutputError(f"{file} cannot be written: {error.strerror}") from None
            break
        self._lines = JsonLines(self._stream, str(file))
        self._size = 0
        self._began: float | None = None

    def _is_full(self, event: Estimate | Gap) -> bool:
        if self._began is None:  # nothing but its start line
            return False
        long = event.t - self._began >= self._rotation.seconds
        return long or self._size + _length(event) + _ROOM > self._rotation.size

    def _line(self, event: Event) -> None:
        self._size += _length(event)
        self._lines.write(event)

    def _count(self, event: Event) -> None:
        """Bring the ``end`` line of this file up to date."""
        end = self._end
        if isinstance(event, Estimate | Gap) and self._began is None:
            self._began = event.t
            if end.t == 0.0 and self._start is not None:
                # A session that begins later (--start-at) tells it by its first event.
                interval = max(self._start.interval_s, self._start.hop_s)
                end = dataclasses.replace(end, t=max(0.0, event.t - interval))
        if isinstance(event, Estimate):
            # What was between the estimates: frames are not told one by one.
            hop_s = self._start.hop_s if self._start is not None else 0.0
            frames = round((event.t - end.t) / hop_s) if hop_s else 1
            self._end = dataclasses.replace(
                end,
                t=event.t,
                estimates=end.estimates + 1,
                frames=end.frames + max(0, frames),
            )
        elif isinstance(event, Gap):
            self._end = dataclasses.replace(
                end,
                t=max(end.t, event.t + event.seconds),
                gaps=end.gaps + 1,
                lost_samples=end.lost_samples + event.samples,
            )

    def _of_this_file(self, end: End) -> End:
        """The session's ``end``, with the counts of the last file."""
        return dataclasses.replace(
            end,
            estimates=self._end.estimates,
            frames=max(0, end.frames - self._frames),
            gaps=self._end.gaps,
            lost_samples=self._end.lost_samples,
        )


def _length(event: Event) -> int:
    return len(to_json(event).encode(errors="replace")) + 1
