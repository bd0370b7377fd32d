"""A ring buffer between a sound card's callback and the thread that reads.

One writer, one reader, no lock between them: each changes only its own counters, a counter is
published after the samples that it speaks of, and reading or storing a Python integer is atomic.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streamer.audio.source import Lost, Samples

#: The cause of a loss by a ring that was full.
OVERRUN = "ring overrun"


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What one callback delivered.

    ``samples`` (samples,) mono float32; ``captured`` and ``entered`` are monotonic seconds: when
    the newest sample was captured, and when the callback was entered; ``overflow``: PortAudio said
    that it lost input before this block.
    """

    samples: Samples
    captured: float
    entered: float
    overflow: bool


class Ring:
    """Holds up to ``samples`` samples in up to ``blocks`` blocks.

    A block that does not fit is refused whole and counted; the reader gets the count as a loss, in
    its place between the blocks.
    """

    def __init__(self, samples: int, blocks: int) -> None:
        self._store = np.zeros(samples, np.float32)
        self._blocks = blocks
        # Of each block: its last position, the refused samples before it, its times, its flag.
        self._end = [0] * blocks
        self._refused_before = [0] * blocks
        self._captured = np.zeros(blocks)
        self._entered = np.zeros(blocks)
        self._overflow = [False] * blocks
        # Changed by the writer only, ever growing.
        self._written = 0
        self._blocks_written = 0
        self._refused = 0
        self._flagged = False  # a refused block said that the device had lost something
        # Changed by the reader only, ever growing.
        self._read = 0
        self._blocks_read = 0
        self._reported = 0
        # A lock as a binary semaphore: the writer opens it, the reader closes it by going through.
        # Nobody holds it while working, so the writer never waits.
        self._gate = threading.Lock()
        self._gate.acquire()
        #: Of so many blocks one wakes the reader.
        self.every = 1
        self._turn = 0

    def gather(self, every: int, turn: int) -> None:
        """Wake the reader from now on at each block whose number, less ``turn``, ``every`` divides.

        Blocks count from 1. The reader may look at any time; what is there is there.
        """
        self._turn, self.every = turn, every
        self.wake()

    def write(self, samples: Samples, captured: float, entered: float, overflow: bool) -> bool:
        """Copy a block in, wake the reader if it is time; ``False`` where it was refused.

        Never waits.
        """
        count = len(samples)
        size = len(self._store)
        first = self._written
        slot = self._blocks_written
        fits = first + count - self._read <= size and slot - self._blocks_read < self._blocks
        if fits:
            at = first % size
            until_wrap = min(count, size - at)
            self._store[at : at + until_wrap] = samples[:until_wrap]
            self._store[: count - until_wrap] = samples[until_wrap:]
            slot %= self._blocks
            self._end[slot] = first + count
            self._refused_before[slot] = self._refused
            self._captured[slot] = captured
            self._entered[slot] = entered
            self._overflow[slot] = overflow or self._flagged
            self._flagged = False
            self._written = first + count
            self._blocks_written += 1  # last: now the reader may see it
        else:
            self._refused += count
            self._flagged = self._flagged or overflow
        if (self._blocks_written - self._turn) % self.every == 0:
            self.wake()
        return fits

    def wake(self) -> None:
        """End the reader's :meth:`wait`, or its next one."""
        with contextlib.suppress(RuntimeError):  # it may be open already
            self._gate.release()

    def wait(self, seconds: float) -> bool:
        """Wait for a block that wakes since the last wait; ``False`` when time is up."""
        return self._gate.acquire(timeout=seconds)

    def read(self) -> Block | Lost | None:
        """The next block (a copy) or the refused samples before it; ``None``: nothing is there."""
        refused = self._refused  # before the look at the blocks: see below
        slot = self._blocks_read
        if slot == self._blocks_written:
            # No block came since `refused` was read, so all of it lies behind the last block.
            return self._report(refused)
        slot %= self._blocks
        if (report := self._report(self._refused_before[slot])) is not None:
            return report
        begin, end = self._read, self._end[slot]
        size = len(self._store)
        samples = np.empty(end - begin, np.float32)
        at = begin % size
        until_wrap = min(len(samples), size - at)
        samples[:until_wrap] = self._store[at : at + until_wrap]
        samples[until_wrap:] = self._store[: len(samples) - until_wrap]
        block = Block(
            samples,
            float(self._captured[slot]),
            float(self._entered[slot]),
            self._overflow[slot],
        )
        self._read = end
        self._blocks_read += 1  # last: now the writer may use the place again
        return block

    def blocks(self) -> Iterator[Block | Lost]:
        """What is there, in its order, as :meth:`read` gives it."""
        while (piece := self.read()) is not None:
            yield piece

    def _report(self, refused: int) -> Lost | None:
        new = refused - self._reported
        if new == 0:
            return None
        self._reported = refused
        return Lost(new, OVERRUN)
