"""The ring: whatever the interleaving, what was written comes out in order, refusals in place."""

from __future__ import annotations

import threading
from itertools import count as counting

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamer.audio.ring import OVERRUN, Block, Ring
from streamer.audio.source import Lost

CAPACITY, BLOCKS = 50, 8


class RingMachine(RuleBasedStateMachine):
    """The ring beside a list that does the same without a bound on time or memory."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = Ring(CAPACITY, BLOCKS)
        self.model: list[Block | Lost] = []
        self.numbers = counting(1)
        self.time = 0.0
        self.flagged = False

    def held(self) -> list[Block]:
        """The blocks that the ring must hold now."""
        return [each for each in self.model if isinstance(each, Block)]

    @rule(length=st.integers(0, CAPACITY + 10), overflow=st.booleans())
    def write(self, length: int, overflow: bool) -> None:
        """A block is taken whole where it fits, and refused whole where not."""
        samples = np.array([next(self.numbers) for _ in range(length)], np.float32)
        self.time += 1.0
        used = sum(len(block.samples) for block in self.held())
        fits = used + length <= CAPACITY and len(self.held()) < BLOCKS
        assert self.ring.write(samples, self.time, self.time + 0.5, overflow) is fits
        flagged = overflow or self.flagged  # what a refused block was told comes with the next
        self.flagged = flagged and not fits
        if fits:
            self.model.append(Block(samples.copy(), self.time, self.time + 0.5, flagged))
        elif self.model and isinstance(self.model[-1], Lost):
            self.model[-1] = Lost(self.model[-1].samples + length, OVERRUN)
        elif length:
            self.model.append(Lost(length, OVERRUN))
        samples[:] = -1  # the ring must not have kept the writer's array

    @rule()
    def read(self) -> None:
        """The next thing out is the next in the list."""
        got = self.ring.read()
        if not self.model:
            assert got is None
            return
        wanted = self.model.pop(0)
        if isinstance(wanted, Lost):
            assert got == wanted
        else:
            assert isinstance(got, Block)
            np.testing.assert_array_equal(got.samples, wanted.samples)
            assert (got.captured, got.entered, got.overflow) == (
                wanted.captured,
                wanted.entered,
                wanted.overflow,
            )

    @precondition(lambda self: self.time > 0)
    @rule()
    def wait(self) -> None:
        """After a write the reader is awake, however many writes there were, once."""
        self.ring.write(np.zeros(0, np.float32), 0.0, 0.0, False)
        self.model_zero()
        assert self.ring.wait(0.0)
        assert not self.ring.wait(0.0)

    def model_zero(self) -> None:
        """An empty block takes a place among the blocks, or leaves nothing behind."""
        if len(self.held()) < BLOCKS:
            self.model.append(Block(np.zeros(0, np.float32), 0.0, 0.0, self.flagged))
            self.flagged = False

    @invariant()
    def bounded(self) -> None:
        """The ring never holds more than it says."""
        assert sum(len(block.samples) for block in self.held()) <= CAPACITY
        assert len(self.held()) <= BLOCKS


RingMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
TestRing = RingMachine.TestCase


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=100, max_size=300), capacity=st.integers(40, 200)
)
def test_two_threads(lengths: list[int], capacity: int) -> None:
    """A real writer beside a real reader: nothing torn, nothing lost that was not counted."""
    ring = Ring(capacity, 16)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    done = threading.Event()
    accepted: list[bool] = []

    def write() -> None:
        for start, length in zip(starts, lengths, strict=False):
            block = np.arange(start, start + length, dtype=np.float32)
            accepted.append(ring.write(block, float(start), 0.0, False))
        done.set()
        ring.wake()

    thread = threading.Thread(target=write)
    thread.start()
    position = 0
    blocks = 0
    while True:
        last = done.is_set()
        while (piece := ring.read()) is not None:
            if isinstance(piece, Lost):
                position += piece.samples
            else:
                wanted = np.arange(position, position + len(piece.samples), dtype=np.float32)
                np.testing.assert_array_equal(piece.samples, wanted)
                assert piece.captured == position
                position += len(piece.samples)
                blocks += 1
        if last:
            break
        ring.wait(5.0)
    thread.join()
    assert position == sum(lengths) > 0
    assert blocks == sum(accepted) > 0


def test_the_writer_never_waits_for_a_reader_that_sleeps() -> None:
    """Without any reader every write returns, and what did not fit is counted."""
    ring = Ring(10, 4)
    results = [ring.write(np.ones(4, np.float32), 0.0, 0.0, False) for _ in range(1_000)]
    assert results == [True, True] + [False] * 998
    assert isinstance(ring.read(), Block)
    assert isinstance(ring.read(), Block)
    assert ring.read() == Lost(4 * 998, OVERRUN)
    assert ring.read() is None


@pytest.mark.parametrize(("every", "turn"), [(1, 0), (2, 1), (3, 1), (5, 4)])
def test_blocks_that_are_gathered_wake_in_their_turn(every: int, turn: int) -> None:
    """Of so many blocks one wakes the reader: those whose number, less the turn, they divide."""
    ring = Ring(1_000, 100)
    ring.gather(every, turn)
    assert ring.wait(0.0)  # for what is there already
    woken = []
    for number in range(1, 21):
        ring.write(np.ones(4, np.float32), 0.0, 0.0, overflow=False)
        if ring.wait(0.0):
            woken.append(number)
    assert woken == [number for number in range(1, 21) if number % every == turn % every]


def test_waiting_ends_when_time_is_up() -> None:
    """Nothing written, nothing to wake up for."""
    assert not Ring(10, 4).wait(0.001)
