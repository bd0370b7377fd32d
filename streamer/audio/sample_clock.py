"""Sample clock of a capture, corrected for losses.

A sound device seldom says how many samples it lost: the clock judges by when its blocks came.
"""

from __future__ import annotations

import itertools
from collections import deque

from streamer.audio.ring import Block
from streamer.audio.source import Lost

#: A block this much later than the promptest of late is suspected to follow a loss.
_LATE_S = 0.1
#: What was suspended comes in a burst; samples are held back this long, then until it is over.
_HOLD_S = 0.25
#: A device whose bursts never end is believed after this.
_LONGEST_HOLD_S = 3.0
#: A smaller loss than this is not believed unless the device reports it.
_JITTER_S = 0.02
_BUCKET_S = 0.5
#: Ten seconds of the past say what prompt is: long against jitter, short against clocks' drift.
_BUCKETS = 20


class SampleClock:
    """Puts estimated losses between the blocks of a capture, so that samples and time agree.

    ``lateness`` is the time of a callback less the stream time of its newest sample: constant up to
    jitter and the drift of clocks, until samples are lost; then it grows by their length and stays.
    Where it grew, or the device reported a loss, the blocks that follow are held back until they
    come at their own pace again; by how much the promptest of them is late is the loss. What the
    device reports while blocks are held is a loss of its own, in its place among them.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        #: Samples of the stream so far, lost ones included, held ones not.
        self.position = 0
        self._minima: deque[tuple[int, float]] = deque(maxlen=_BUCKETS)
        self._held: list[Block | Lost] = []
        self._held_late: list[float] = []  # of each held block; of a held loss, nothing
        self._held_since = 0.0
        self._held_samples = 0
        self._cause = ""
        self._entered = 0.0

    def feed(self, block: Block) -> list[Block | Lost]:
        """What can be said now: the block, nothing (it is held), or losses and all held blocks."""
        pause = block.entered - self._entered
        self._entered = block.entered
        end = self.position + self._held_samples + len(block.samples)
        late = block.entered - end / self._rate
        if not self._held:
            if not self._minima:
                self._cause = ""  # before the first block nothing can be missing
                self._pass(late, block)
                return [block]
            if not (self._cause or block.overflow or late - self._base() > _LATE_S):
                self._pass(late, block)
                return [block]
            self._held_since = block.entered
        self._held.append(block)
        self._held_late.append(late)
        self._held_samples += len(block.samples)
        held_s = block.entered - self._held_since
        burst = pause < 0.5 * len(block.samples) / self._rate
        if (held_s >= _HOLD_S and not burst) or held_s >= _LONGEST_HOLD_S:
            return self.release()
        return []

    def lose(self, lost: Lost) -> list[Block | Lost]:
        """A loss that was counted elsewhere: itself, or nothing while blocks are held."""
        if self._held:
            self._held.append(lost)
            self._held_late.append(float("inf"))
            self._held_samples += lost.samples
            return []
        self.position += lost.samples
        return [lost]

    def interrupt(self, cause: str) -> list[Block | Lost]:
        """The device went away; what is held is released, what comes next follows a loss."""
        pieces = self.release()
        self._cause = cause
        return pieces

    def release(self) -> list[Block | Lost]:
        """End the holding: the held blocks, each loss before the one that follows it."""
        if not self._held:
            return []
        # Until a block came, no more can have been lost than the promptest one from it on is late.
        latest = reversed(list(itertools.accumulate(reversed(self._held_late), min)))
        base = self._base()
        pieces: list[Block | Lost] = []
        lost = 0
        for index, (piece, late) in enumerate(zip(self._held, latest, strict=True)):
            reported = isinstance(piece, Block) and piece.overflow
            if index == 0 or reported:
                more = round((late - base) * self._rate) - lost
                # So little could be jitter, unless the device itself said so.
                if more > _JITTER_S * self._rate or reported:
                    unknown = "input overflow" if reported else "samples missing"
                    cause = (self._cause if index == 0 else "") or unknown
                    loss = Lost(max(1, more), cause, estimated=True)
                    pieces.append(loss)
                    self.position += loss.samples
                    lost += loss.samples
            if isinstance(piece, Lost):
                self.position += piece.samples
            else:
                end = self.position + len(piece.samples)
                self._pass(piece.entered - end / self._rate, piece)
            pieces.append(piece)
        self._held = []
        self._held_late = []
        self._held_samples = 0
        self._cause = ""
        return pieces

    def missing(self, now: float) -> int:
        """Samples by which the stream is behind the clock at monotonic time ``now``."""
        if not self._minima:
            return 0
        return max(0, round((now - self._base()) * self._rate) - self.position)

    def _pass(self, late: float, block: Block) -> None:
        self.position += len(block.samples)
        bucket = int(block.entered / _BUCKET_S)
        if self._minima and self._minima[-1][0] == bucket:
            late = min(late, self._minima.pop()[1])
        self._minima.append((bucket, late))

    def _base(self) -> float:
        return min(late for _, late in self._minima)
