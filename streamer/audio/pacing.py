"""A finished recording handed out as slowly as if it were being played now."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Protocol

from streamer.audio.source import Lost, Piece, Remark, Source, SourceInfo

#: Seconds of waiting between two pieces: a sound card's block.
_STEP_S = 0.02
#: Bound for the pieces at high speeds, in samples.
_MOST = 65_536


class Clock(Protocol):
    """A monotonic clock in seconds, and a way to wait by it."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait; an exception raised by a signal handler cuts it short."""


class SystemClock:
    """The computer's monotonic clock."""

    def now(self) -> float:
        """``time.monotonic()``."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """``time.sleep()``."""
        time.sleep(seconds)


#: How often a stoppable clock looks at the time, in seconds.
_LOOK_S = 0.1


class StoppableClock:
    """The computer's monotonic clock, without the time for which the process was stopped.

    Whoever sees the process go on (SIGCONT) says so; the clock then leaves out what went by since
    somebody last asked it, which a waiting program does every tenth of a second. So what is paced
    by it goes on where it was after Ctrl-Z and ``fg``.
    """

    def __init__(self) -> None:
        self._left_out = 0.0
        self._seen = time.monotonic()

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        self._seen = time.monotonic()
        return self._seen - self._left_out

    def sleep(self, seconds: float) -> None:
        """Wait; an exception raised by a signal handler cuts it short."""
        end = self.now() + seconds
        while (left := end - self.now()) > 0:
            time.sleep(min(left, _LOOK_S))

    def went_on(self) -> None:
        """Note that the process was stopped until now."""
        now = time.monotonic()
        self._left_out += now - self._seen
        self._seen = now


class Paced:
    """A source whose pieces come ``speed`` times as fast as they sound.

    The piece that ends at sample n (counted from the source's first) is handed out no earlier than
    n / rate / speed seconds after the first was asked for. The deadlines are absolute: a consumer
    that was late is not made to wait, and its delay does not add up. Pieces are cut to 20 ms of
    waiting, as a sound card would; ``speed=math.inf`` neither waits nor cuts.
    """

    def __init__(self, source: Source, speed: float, clock: Clock) -> None:
        if not speed > 0.0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self._source = source
        self._speed = speed
        self._clock = clock

    @property
    def info(self) -> SourceInfo:
        """What the paced source says of itself."""
        return self._source.info

    def pieces(self) -> Iterator[Piece]:
        """The source's pieces in order, cut and delayed."""
        if math.isinf(self._speed):
            yield from self._source.pieces()
            return
        per_second = self.info.sample_rate * self._speed
        step = max(1, min(_MOST, round(_STEP_S * per_second)))
        begin = self._clock.now()
        position = 0
        for piece in self._source.pieces():
            if isinstance(piece, Remark):
                yield piece
            elif isinstance(piece, Lost):
                position += piece.samples
                self._wait(begin + position / per_second)
                yield piece
            else:
                for first in range(0, len(piece), step):
                    part = piece[first : first + step]
                    position += len(part)
                    self._wait(begin + position / per_second)
                    yield part

    def close(self) -> None:
        """Close the paced source."""
        self._source.close()

    def _wait(self, deadline: float) -> None:
        left = deadline - self._clock.now()
        if left > 0.0:
            self._clock.sleep(left)
