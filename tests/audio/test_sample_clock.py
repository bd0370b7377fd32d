"""Losses of unknown length, judged by when blocks arrive."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.audio.ring import Block
from streamer.audio.sample_clock import SampleClock
from streamer.audio.source import Lost

RATE, SIZE = 48_000, 960
STEP = SIZE / RATE


class Device:
    """A device whose blocks carry their true place in time as their samples' value."""

    def __init__(self) -> None:
        self.clock = SampleClock(RATE)
        self.time = 1_000.0
        self.pieces: list[Block | Lost] = []

    def deliver(
        self, blocks: int, *, jitter: float = 0.0, overflow: bool = False, every: float = STEP
    ) -> None:
        """Blocks at a pace; the first may carry the overflow flag."""
        for index in range(blocks):
            self.time += every
            late = jitter * (index % 3)
            samples = np.full(SIZE, self.time, np.float32)
            block = Block(samples, self.time + late, self.time + late, overflow and index == 0)
            self.pieces += self.clock.feed(block)

    @property
    def losses(self) -> list[Lost]:
        """What was reported lost."""
        return [piece for piece in self.pieces if isinstance(piece, Lost)]

    @property
    def total(self) -> int:
        """Samples delivered and lost."""
        return sum(
            piece.samples if isinstance(piece, Lost) else len(piece.samples)
            for piece in self.pieces
        )


@pytest.mark.parametrize("jitter", [0.0, 0.005, 0.03])
def test_a_steady_device_loses_nothing(jitter: float) -> None:
    """Jitter below a tenth of a second neither delays nor loses anything."""
    device = Device()
    device.deliver(500, jitter=jitter)
    assert device.losses == []
    assert len(device.pieces) == 500


def test_drifting_clocks_lose_nothing() -> None:
    """A device 200 ppm too slow for an hour (0.7 s behind at its end) has lost nothing."""
    device = Device()
    device.deliver(int(3600 / STEP), every=STEP * 1.0002)
    assert device.losses == []
    assert device.total == device.clock.position == int(3600 / STEP) * SIZE


@pytest.mark.parametrize("seconds", [0.15, 1.0, 3.0, 1_000.0])
def test_a_silent_loss_is_found(seconds: float) -> None:
    """Blocks that come later for good follow a loss of that length, placed before them."""
    device = Device()
    device.deliver(100, jitter=0.004)
    device.time += seconds
    device.deliver(100, jitter=0.004)
    (lost,) = device.losses
    assert lost.estimated
    assert lost.cause == "samples missing"
    assert lost.samples == pytest.approx(seconds * RATE, abs=SIZE)
    assert device.pieces.index(lost) == 100
    assert len(device.pieces) == 201


def test_a_pause_whose_samples_come_afterwards_is_no_loss() -> None:
    """Three seconds of suspension, then everything in a burst: late, but all there."""
    device = Device()
    device.deliver(100)
    device.time += 3.0
    device.deliver(150, every=0.0002)
    device.time = 1_000.0 + 250 * STEP
    device.deliver(100)
    assert device.losses == []
    assert device.total == 350 * SIZE


def test_a_pause_of_which_a_part_comes_afterwards() -> None:
    """Of three seconds one comes in a burst: two are lost."""
    device = Device()
    device.deliver(100)
    device.time += 3.0
    device.deliver(50, every=0.0002)
    device.time = 1_000.0 + 100 * STEP + 3.0
    device.deliver(100)
    (lost,) = device.losses
    assert lost.samples == pytest.approx(2.0 * RATE, abs=SIZE)
    assert device.total == pytest.approx((device.time - 1_000.0) * RATE, abs=SIZE)


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.06])
def test_an_overflow_is_a_loss_however_short(seconds: float) -> None:
    """PortAudio's flag says that something was lost: at least a sample, marked as estimated."""
    device = Device()
    device.deliver(100)
    device.time += seconds
    device.deliver(1, overflow=True)
    device.deliver(99)
    (lost,) = device.losses
    assert lost.cause == "input overflow"
    assert lost.estimated
    assert lost.samples == max(1, round(seconds * RATE))
    assert device.pieces.index(lost) == 100


def test_ten_seconds_of_the_past_say_what_prompt_is() -> None:
    """Of those, blocks that were held count as others do; what is older is forgotten."""
    device = Device()
    device.deliver(100)
    device.deliver(1, overflow=True)
    device.deliver(13)  # with these the hold ends
    assert len(device.pieces) == 100 + 1 + 14

    def deliver_late(seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            device.time += STEP
            late = device.time + 0.04
            samples = np.zeros(SIZE, np.float32)
            device.pieces += device.clock.feed(Block(samples, late, late, overflow=False))

    deliver_late(9.6)
    assert device.clock.missing(device.time + 0.1) == pytest.approx(0.1 * RATE, abs=2)
    deliver_late(0.9)
    assert device.clock.missing(device.time + 0.1) == pytest.approx(0.06 * RATE, abs=2)


def test_nothing_is_held_for_long() -> None:
    """Samples after a loss come out within half a second of sound."""
    device = Device()
    device.deliver(100)
    device.deliver(1, overflow=True)
    device.deliver(24)
    assert len(device.pieces) == 126


def test_a_burst_without_an_end_is_believed() -> None:
    """A device that delivers in pairs for ever is not held for ever."""
    device = Device()
    device.deliver(100)
    device.time += 1.0
    for _ in range(100):
        device.deliver(1, every=2 * STEP)
        device.deliver(1, every=0.0)
    assert len(device.losses) == 1
    assert device.losses[0].samples == pytest.approx(RATE, abs=2 * SIZE)
    assert device.total == pytest.approx((device.time - 1_000.0) * RATE, abs=2 * SIZE)


def test_an_absent_device() -> None:
    """The time between an interruption and the return is the loss, with its cause."""
    device = Device()
    device.deliver(100)
    assert device.clock.interrupt("device lost") == []
    device.time += 60.0
    assert device.clock.missing(device.time) == pytest.approx(60 * RATE, abs=SIZE)
    device.deliver(100, overflow=True)
    (lost,) = device.losses
    assert lost.cause == "device lost"
    assert lost.samples == pytest.approx(60 * RATE, abs=SIZE)
    assert device.clock.missing(device.time) <= SIZE


def test_a_counted_loss_stays_in_its_place() -> None:
    """The ring's refusals are exact: they are passed on, and not counted a second time."""
    device = Device()
    device.deliver(100)
    device.time += 2.0
    device.pieces += device.clock.lose(Lost(2 * RATE, "ring overrun"))
    device.deliver(100)
    assert device.losses == [Lost(2 * RATE, "ring overrun")]
    assert device.pieces.index(device.losses[0]) == 100


def test_a_counted_loss_among_held_blocks() -> None:
    """While blocks are held, a counted loss waits among them."""
    device = Device()
    device.deliver(100)
    device.deliver(3, overflow=True)
    device.time += 1.0
    assert device.clock.lose(Lost(RATE, "ring overrun")) == []
    device.deliver(100)
    assert [lost.cause for lost in device.losses] == ["input overflow", "ring overrun"]
    assert device.pieces.index(device.losses[1]) == 104
    assert device.total == pytest.approx((device.time - 1_000.0) * RATE, abs=SIZE)


@given(
    st.lists(
        st.one_of(
            st.integers(1, 60).map(lambda blocks: ("deliver", blocks)),
            st.integers(1, 400).map(lambda steps: ("lose", steps)),
            st.integers(1, 60).map(lambda blocks: ("overflow", blocks)),
            st.integers(1, 200).map(lambda blocks: ("late", blocks)),
        ),
        max_size=12,
    )
)
def test_samples_and_losses_follow_the_clock(story: list[tuple[str, int]]) -> None:
    """Whatever happens, delivered and lost samples equal elapsed time, to within a block or two."""
    device = Device()
    device.deliver(50)
    overflows = 0
    for what, amount in story:
        if what == "deliver":
            device.deliver(amount)
        elif what == "lose":
            device.time += amount * STEP
        elif what == "overflow":
            device.time += 2 * STEP
            device.deliver(amount, overflow=True)
            overflows += 1
        else:
            began = device.time
            device.time += amount * STEP
            device.deliver(amount, every=0.0)
            device.time = began + amount * STEP
        device.deliver(50)
    device.pieces += device.clock.release()
    late = (device.time - 1_000.0) * RATE - device.total
    # What is too short to be told from jitter (a tenth of a second at a time) may still be owed.
    assert abs(late) <= 0.1 * RATE + 2 * SIZE


@pytest.mark.parametrize(("lost_s", "samples"), [(0.01, 480), (0.0, 1), (0.3, 14_400)])
def test_an_overflow_while_blocks_are_held(lost_s: float, samples: int) -> None:
    """What the device reports in the middle of a hold is told, in its place among the blocks."""
    device = Device()
    device.deliver(100)
    device.deliver(1, jitter=0.0)
    device.time += 0.15  # a hiccup: one block late, nothing lost
    device.deliver(1)
    device.time -= 0.15
    device.deliver(2)
    device.time += lost_s
    device.deliver(1, overflow=True)
    device.deliver(100)
    (lost,) = device.losses
    assert (lost.samples, lost.cause, lost.estimated) == (samples, "input overflow", True)
    assert device.pieces.index(lost) == 104


def test_two_losses_in_one_hold() -> None:
    """A loss that began the hold and an overflow in it are two, each of its own length."""
    device = Device()
    device.deliver(100)
    device.time += 0.2
    device.deliver(3)
    device.time += 0.05
    device.deliver(1, overflow=True)
    device.deliver(100)
    assert [(lost.samples, lost.cause) for lost in device.losses] == [
        (round(0.2 * RATE), "samples missing"),
        (round(0.05 * RATE), "input overflow"),
    ]
    assert [device.pieces.index(lost) for lost in device.losses] == [100, 104]


def test_a_hold_lasts_a_quarter_of_a_second() -> None:
    """Blocks after a loss wait until they have come at their own pace for so long, and no longer.

    (Thirty seconds would be right about the loss, and wrong about when it is told.)
    """
    device = Device()
    device.deliver(100)
    device.time += 1.0
    device.deliver(12)
    assert len(device.pieces) == 100
    device.deliver(2)
    assert len(device.pieces) == 100 + 1 + 14


@pytest.mark.parametrize(("pace", "held"), [(0.6, False), (0.4, True)])
def test_what_comes_at_more_than_twice_its_pace_is_a_burst(pace: float, held: bool) -> None:
    """A hold ends after its quarter of a second unless blocks come faster than that."""
    device = Device()
    device.deliver(100)
    device.time += 2.0
    device.deliver(round(0.5 / (pace * STEP)), every=pace * STEP)  # half a second's worth of them
    assert (len(device.pieces) == 100) is held


@pytest.mark.parametrize(("seconds", "found"), [(0.015, 0), (0.03, 1)])
def test_a_small_loss_is_believed_beyond_the_jitter(seconds: float, found: int) -> None:
    """At the end of a hold, more than 20 ms are a loss; less could be jitter."""
    device = Device()
    device.deliver(100)
    device.time += 0.15
    device.deliver(1)
    device.time += seconds - 0.15
    device.deliver(100)
    assert len(device.losses) == found


@pytest.mark.parametrize(("quiet_s", "found"), [(4.0, 0), (20.0, 1)])
def test_what_is_prompt_is_judged_by_ten_seconds(quiet_s: float, found: int) -> None:
    """A clock that has crept away is no loss after ten seconds, and does not hide the next one.

    A single block that was 60 ms early counts for as long as it is remembered: 50 ms on top are
    suspicious within ten seconds of it, and nothing afterwards.
    """
    device = Device()
    device.deliver(50)
    device.time -= 0.06
    device.deliver(1)
    device.time += 0.06
    device.deliver(round(quiet_s / STEP))
    before = len(device.pieces)
    device.time += 0.05
    device.deliver(1)
    held = len(device.pieces) == before
    assert held is (found == 0)


def test_losses_while_held_move_the_clock() -> None:
    """What was counted while blocks are held is in the position, and is not lost a second time."""
    device = Device()
    device.deliver(100)
    device.time += 0.5
    device.deliver(3)
    device.time += 1.0
    assert device.clock.lose(Lost(RATE, "ring overrun")) == []
    device.deliver(100)
    assert [(lost.cause, lost.samples) for lost in device.losses] == [
        ("samples missing", RATE // 2),
        ("ring overrun", RATE),
    ]
    assert device.clock.position == device.total == round((device.time - 1_000.0) * RATE)
