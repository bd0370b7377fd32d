"""Pacing by absolute deadlines, on a clock that only moves when told."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from given_source import Given

from streamer.audio import pacing
from streamer.audio.pacing import Paced, StoppableClock, SystemClock
from streamer.audio.source import Lost, Piece, Remark

RATE = 1_000


class FakeClock:
    """Time passes by sleeping, or when a test says so."""

    def __init__(self) -> None:
        self.time = 100.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        """The time that a test set."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Time passes, and is noted."""
        assert seconds > 0
        self.sleeps.append(seconds)
        self.time += seconds


SIGNAL = np.arange(1_000, dtype=np.float32)


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_each_piece_comes_when_it_has_sounded(speed: float) -> None:
    """A piece that ends at sample n comes n / rate / speed after the beginning."""
    clock = FakeClock()
    position = 0
    for piece in Paced(Given(RATE, [SIGNAL]), speed, clock).pieces():
        assert isinstance(piece, np.ndarray)
        np.testing.assert_array_equal(piece, SIGNAL[position : position + len(piece)])
        position += len(piece)
        assert clock.now() == pytest.approx(100.0 + position / RATE / speed)
        assert len(piece) / RATE / speed <= 0.021
    assert position == len(SIGNAL)
    assert clock.now() == pytest.approx(100.0 + 1.0 / speed)


def test_a_slow_consumer_does_not_fall_behind_for_good() -> None:
    """15 ms of work for every 20 ms of sound: the end still comes on time, not 75 % late."""
    clock = FakeClock()
    for _ in Paced(Given(RATE, [SIGNAL]), 1.0, clock).pieces():
        clock.time += 0.015
    assert clock.now() == pytest.approx(101.015)


def test_who_is_late_is_not_made_to_wait() -> None:
    """After a pause of half a second the missed pieces come at once, the rest on time."""
    clock = FakeClock()
    pieces = Paced(Given(RATE, [SIGNAL]), 1.0, clock).pieces()
    next(pieces)
    clock.time += 0.5
    slept = len(clock.sleeps)
    for _ in range(24):
        next(pieces)
    assert len(clock.sleeps) == slept
    for _ in pieces:
        pass
    assert clock.now() == pytest.approx(101.0)


def test_losses_take_their_time_and_remarks_none() -> None:
    """A lost stretch is waited for like a heard one."""
    clock = FakeClock()
    given: list[Piece] = [Remark("hello"), Lost(500, "x"), SIGNAL[:20]]
    times = [(piece, clock.now()) for piece in Paced(Given(RATE, given), 1.0, clock).pieces()]
    assert [piece for piece, _ in times[:2]] == given[:2]
    assert [time for _, time in times] == pytest.approx([100.0, 100.5, 100.52])


def test_infinite_speed_neither_waits_nor_cuts() -> None:
    """The pieces themselves come through."""
    clock = FakeClock()
    (piece,) = Paced(Given(RATE, [SIGNAL]), math.inf, clock).pieces()
    assert piece is SIGNAL
    assert clock.sleeps == []


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_none(speed: float) -> None:
    """Only a speed above zero is one."""
    with pytest.raises(ValueError, match="above 0"):
        Paced(Given(RATE, []), speed, FakeClock())


def test_close_and_info_are_the_source_s() -> None:
    """A paced source says of itself what its source says, and closing it closes that."""
    source = Given(RATE, [])
    paced = Paced(source, 1.0, FakeClock())
    assert paced.info == source.info
    paced.close()
    assert source.closed


def test_the_system_clock_moves_on() -> None:
    """The real clock is monotonic, and sleeping by it takes time."""
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.001)
    assert clock.now() >= before + 0.001


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The computer's clock, as the module sees it: a sleep takes a hair longer than asked for."""
    fake = FakeClock()

    def sleep(seconds: float) -> None:
        fake.sleep(seconds + 1e-6)

    monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=fake.now, sleep=sleep))
    return fake


def test_the_time_of_a_stop_is_left_out(computer: FakeClock) -> None:
    """A process that was stopped for an hour goes on where it was: nothing is rushed through."""
    clock = StoppableClock()
    came = []
    for number, _ in enumerate(Paced(Given(RATE, [SIGNAL]), 1.0, clock).pieces()):
        came.append(computer.now())
        if number == 9:
            computer.time += 3600.0
            clock.went_on()
    steps = np.diff(came)
    assert len(steps) == 49
    assert steps[9] == pytest.approx(3600.02, abs=1e-4)
    np.testing.assert_allclose(np.delete(steps, 9), 0.02, atol=1e-4)


def test_a_stop_in_a_long_wait_costs_a_moment_of_it(computer: FakeClock) -> None:
    """A wait goes on by what was left of it, to a tenth of a second."""
    stops = [1000.0]
    clock = StoppableClock()
    sleep = pacing.time.sleep

    def stopped(seconds: float) -> None:
        sleep(seconds)
        if computer.now() > 105.0 and stops:
            computer.time += stops.pop()
            clock.went_on()

    pacing.time.sleep = stopped
    clock.sleep(60.0)
    assert computer.now() == pytest.approx(100 + 60 + 1000, abs=0.2)
