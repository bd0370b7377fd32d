"""The microphone as a source: faults become losses and remarks, on a clock that tests move."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamer import EmotionTracker, Event, Gap, Model, Session
from streamer.audio import link
from streamer.audio.microphone import MicrophoneSource, Steps
from streamer.audio.resample import Resampled
from streamer.audio.ring import OVERRUN, Block
from streamer.audio.source import Lost, Piece, Remark, SourceInfo
from streamer.errors import AudioError, DeviceError
from streamer.features.framing import Framing
from streamer.session import Stopped

RATE, SIZE = 48_000, 960
STEP = SIZE / RATE
OPENED = link.Opened("USB Mic", RATE, 2, STEP, "entry")

Script = Callable[["World"], Iterator[link.Message | None]]


class World:
    """A clock, and capturing processes that follow scripts, one after the other."""

    def __init__(self, *scripts: Script) -> None:
        self.time = 500.0
        self.sleeps: list[float] = []
        self.requests: list[dict[str, object]] = []
        self.lines: list[FakeLine] = []
        self._scripts = list(scripts)

    def now(self) -> float:
        """The time that scripts and sleeps have made."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Time passes, and is noted."""
        assert seconds > 0
        self.sleeps.append(seconds)
        self.time += seconds

    def launch(self, request: dict[str, object]) -> FakeLine:
        """Start the next script; the last one goes for all that follow."""
        self.requests.append(request)
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        self.lines.append(FakeLine(script(self)))
        return self.lines[-1]

    def microphone(
        self, device: str | int | None = None, duration_s: float | None = None
    ) -> MicrophoneSource:
        """A microphone in this world."""
        return MicrophoneSource(device, duration_s=duration_s, launch=self.launch, clock=self)

    def sound(self, blocks: int, value: float = 0.5, delay: float = 0.0) -> Iterator[link.Message]:
        """Blocks at the device's pace, captured ``delay`` seconds before they arrive."""
        for _ in range(blocks):
            self.time += STEP
            samples = np.full(SIZE, value, np.float32)
            yield Block(samples, self.time - delay, self.time, False)

    def ticks(self, seconds: float) -> Iterator[link.Message]:
        """Signs of life without sound."""
        for _ in range(round(seconds / 0.25)):
            self.time += 0.25
            yield link.Tick()


class FakeLine:
    """A line whose messages a script makes."""

    def __init__(self, messages: Iterator[link.Message | None]) -> None:
        self._messages = messages
        self.is_cut = False
        self.ended = False
        self.gathering: list[tuple[int, int]] = []

    def receive(self) -> link.Message | None:
        """The script's next message."""
        return None if self.is_cut else next(self._messages, None)

    def gather(self, every: int, turn: int) -> None:
        """What is asked for is noted."""
        self.gathering.append((every, turn))

    def cut(self) -> None:
        """No more messages."""
        self.is_cut = True

    def end(self) -> None:
        """No more messages, and nothing left behind."""
        self.is_cut = self.ended = True


def total(pieces: list[Piece]) -> int:
    """Samples heard and lost."""
    return sum(
        piece.samples if isinstance(piece, Lost) else len(piece)
        for piece in pieces
        if not isinstance(piece, Remark)
    )


def losses(pieces: list[Piece]) -> list[Lost]:
    """What was lost."""
    return [piece for piece in pieces if isinstance(piece, Lost)]


def remarks(pieces: list[Piece]) -> list[str]:
    """What was said."""
    return [piece.message for piece in pieces if isinstance(piece, Remark)]


def steady(world: World) -> Iterator[link.Message]:
    """A device that delivers for ever."""
    yield OPENED
    yield from world.sound(10**9)


def test_what_is_captured_is_heard() -> None:
    """The samples come in order, the info is the device's, the duration is exact."""
    world = World(steady)
    microphone = world.microphone("usb", duration_s=3.001)
    assert world.requests == [{"device": "usb", "rate": None}]
    info = microphone.info
    assert (info.kind, info.name, info.sample_rate, info.channels) == ("device", "USB Mic", RATE, 2)
    assert microphone.block_s == STEP
    pieces = list(microphone.pieces())
    assert total(pieces) == round(3.001 * RATE)
    assert losses(pieces) == []
    assert remarks(pieces) == []
    assert world.lines[0].ended


def test_capture_times() -> None:
    """A sample's capture time is its block's, less its distance from the block's end."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(3_000, delay=0.013)

    world = World(script)
    microphone = world.microphone()
    position = 0
    assert microphone.capture_time(1) is None
    for piece in microphone.pieces():
        assert isinstance(piece, np.ndarray)
        position += len(piece)
        end = 500.0 + position / RATE - 0.013
        assert microphone.capture_time(position) == pytest.approx(end)
        assert microphone.capture_time(position - 100) == pytest.approx(end - 100 / RATE)
        assert microphone.capture_time(position + 1) is None
        if position > 50 * RATE:
            break
    assert microphone.capture_time(1) is None, "memory must be bounded"
    assert microphone.capture_time(position - 5 * RATE) == pytest.approx(end - 5.0)


def test_capture_times_are_the_sound_card_s() -> None:
    """Callbacks come late by chance; samples come evenly: after a second no time is off by 2 ms."""
    chance = np.random.default_rng(3)

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        for number in range(1_000):
            world.time = 500.0 + (number + 1) * STEP * (1 + 1e-4)  # a slow sound card
            late = chance.exponential(0.008)
            yield Block(np.full(SIZE, 0.5, np.float32), world.time + late, world.time + late, False)

    microphone = World(script).microphone()
    position = 0
    for piece in itertools.islice(microphone.pieces(), 1_000):
        assert isinstance(piece, np.ndarray)
        position += len(piece)
        captured = microphone.capture_time(position)
        assert captured is not None
        if position > RATE:
            assert abs(captured - (500.0 + position / RATE * (1 + 1e-4))) < 0.002


def test_input_times_that_settle() -> None:
    """Input times that begin a fifth of a second off are within 2 ms after a second."""
    chance = np.random.default_rng(4)

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        for number in range(1_000):
            world.time = 500.0 + (number + 1) * STEP
            off = -0.2 if number < 10 else chance.normal(0, 0.0003)
            entered = world.time + 0.04 + chance.exponential(0.008)
            yield Block(np.full(SIZE, 0.5, np.float32), world.time + off, entered, False)

    microphone = World(script).microphone()
    position = 0
    for piece in itertools.islice(microphone.pieces(), 1_000):
        assert isinstance(piece, np.ndarray)
        position += len(piece)
        captured = microphone.capture_time(position)
        assert captured is not None
        if position > RATE:
            assert abs(captured - (500.0 + position / RATE)) < 0.002


def test_the_clock_that_times_are_taken_from() -> None:
    """The source says by which clock, and changes its word when the capture does."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield link.Clocked("PortAudio's")
        yield from world.sound(1)
        yield link.Failed("over")

    world = World(script, lambda _: iter([link.Failed("gone")]))
    microphone = world.microphone(duration_s=1.0)
    assert microphone.latency_clock == "entry"
    next(iter(microphone.pieces()))
    assert microphone.latency_clock == "PortAudio's"


def test_a_ring_overrun_is_exact_and_in_its_place() -> None:
    """What the ring refused is lost where it was refused, and time goes on."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(50)
        world.time += 50 * STEP
        yield Lost(50 * SIZE, OVERRUN)
        yield from world.sound(10**6)

    world = World(script)
    microphone = world.microphone(duration_s=4.0)
    pieces = list(microphone.pieces())
    assert losses(pieces) == [Lost(50 * SIZE, "ring overrun")]
    assert isinstance(pieces[50], Lost)
    assert total(pieces) == 4 * RATE
    assert microphone.capture_time(75 * SIZE) is None, "nobody captured what was refused"
    assert microphone.capture_time(101 * SIZE) == pytest.approx(500.0 + 101 * STEP)


def test_a_device_that_goes_away_and_returns() -> None:
    """One remark, attempts with back-off by name at the old rate, one estimated loss, sound."""

    def goes(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)
        yield link.Failed("USB Mic stopped delivering")

    def absent(world: World) -> Iterator[link.Message]:
        world.time += 0.1
        yield link.Failed("no input's name contains 'USB Mic'")

    def returns(world: World) -> Iterator[link.Message]:
        world.time += 0.3
        yield OPENED
        yield from world.sound(10**6)

    world = World(goes, absent, absent, absent, returns)
    pieces = list(world.microphone("usb", duration_s=20.0).pieces())
    assert world.requests[1:] == [{"device": "USB Mic", "rate": RATE, "again": True}] * 4
    assert sum(world.sleeps) == pytest.approx(0.5 + 1.0 + 2.0 + 4.0)
    (remark,) = remarks(pieces)
    assert remark.startswith("USB Mic stopped delivering sound")
    (lost,) = losses(pieces)
    assert (lost.cause, lost.estimated) == ("device lost", True)
    assert lost.samples == pytest.approx((7.5 + 3 * 0.1 + 0.3) * RATE, abs=2 * SIZE)
    assert [type(piece) for piece in pieces[99:103]] == [np.ndarray, Remark, Lost, np.ndarray]
    assert total(pieces) == 20 * RATE
    assert world.time - 500.0 == pytest.approx(20.0, abs=0.3)
    assert all(line.ended for line in world.lines), "a capturing process was left behind"


@pytest.mark.parametrize("how", ["ticks", "end", "failed"])
def test_ways_to_stop_delivering(how: str) -> None:
    """Silence on the line for a second, its end, or a word of it: each is the same fault."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(10)
        if how == "ticks":
            yield from world.ticks(60.0)
        elif how == "failed":
            yield link.Failed("over")

    world = World(script, steady)
    pieces = list(world.microphone(duration_s=10.0).pieces())
    assert len(remarks(pieces)) == 1
    assert len(losses(pieces)) == 1
    assert losses(pieces)[0].samples / RATE < 3.0
    assert total(pieces) == 10 * RATE


def test_a_short_pause_is_no_fault() -> None:
    """Nine tenths of a second without a block, whose samples then come, is only late."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)
        yield from world.ticks(0.75)
        for _ in range(37):
            world.time += 0.001
            yield Block(np.ones(SIZE, np.float32), world.time, world.time, False)
        world.time = 500.0 + 137 * STEP
        yield from world.sound(10**6)

    pieces = list(World(script).microphone(duration_s=6.0).pieces())
    assert losses(pieces) == []
    assert remarks(pieces) == []


def test_a_device_may_take_its_time_to_begin() -> None:
    """A device that was just opened may be silent for longer (null sinks take 1.5 s)."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.ticks(3.0)
        yield from world.sound(10**6)

    pieces = list(World(script).microphone(duration_s=2.0).pieces())
    assert remarks(pieces) == []
    assert losses(pieces) == []
    assert total(pieces) == 2 * RATE


def test_a_device_that_never_returns() -> None:
    """The duration ends the waiting, and the absence is in the count."""

    def goes(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)

    def absent(world: World) -> Iterator[link.Message]:
        yield from world.ticks(0.25)
        yield link.Failed("no such input")

    world = World(goes, absent)
    pieces = list(world.microphone(duration_s=30.0).pieces())
    assert total(pieces) == 30 * RATE
    assert len(remarks(pieces)) == 1
    (lost,) = losses(pieces)
    assert lost == Lost(30 * RATE - 100 * SIZE, "device lost", estimated=True)
    assert max(world.sleeps) <= 0.25, "a signal must not wait for a long sleep"
    assert len(world.requests) == pytest.approx(8, abs=2)


class Kept:
    """A sink that keeps events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        """Nothing to do."""


@pytest.mark.parametrize("when", ["waiting", "opening"])
def test_stopped_during_an_absence(small_model: Model, when: str) -> None:
    """Ctrl-C while the device is away: the absence is a gap before the end, to the sample."""

    def goes(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)
        yield link.Failed("USB Mic stopped delivering")

    def hangs(world: World) -> Iterator[link.Message]:
        for tick in world.ticks(2.0):
            if when == "opening":
                session.stop(interrupt=True)
            yield tick

    class Clock(World):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if when == "waiting" and self.time > 508:
                session.stop(interrupt=True)

    world, kept = Clock(goes, hangs), Kept()
    session = Session(world.microphone(), EmotionTracker(small_model), [kept], clock=world)
    end = session.run()
    (gap,) = [event for event in kept.events if isinstance(event, Gap)]
    assert (gap.cause, gap.estimated) == ("device lost", True)
    assert gap.t == pytest.approx(100 * STEP, abs=1e-3)
    assert gap.samples == round((world.time - 500) * RATE) - 100 * SIZE
    assert kept.events[-1] is end
    assert (end.gaps, end.lost_samples) == (1, gap.samples)
    assert end.t == pytest.approx(world.time - 500, abs=1e-3)
    assert all(line.ended for line in world.lines)


def test_closed_with_sound_unread_is_no_absence() -> None:
    """What a slow reader has not fetched yet when it stops was not lost by the device."""

    def hurried(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)
        world.time += 7  # the reader was elsewhere
        microphone.close()
        yield link.Tick()

    world = World(hurried)
    microphone = world.microphone()
    pieces = list(microphone.pieces())
    assert losses(pieces) == []
    assert total(pieces) == 100 * SIZE


def test_closing_ends_everything() -> None:
    """After close, in the middle of sound or of an absence, the pieces end and nothing runs."""
    world = World(steady)
    microphone = world.microphone()
    pieces = microphone.pieces()
    next(pieces)
    microphone.close()
    microphone.close()
    assert list(pieces) == []
    assert world.lines[0].ended

    def closes(world: World) -> Iterator[link.Message]:
        microphone.close()
        yield OPENED
        yield from world.sound(10)

    world = World(lambda world: iter([OPENED, *world.sound(1)]), closes)
    microphone = world.microphone()
    heard = list(microphone.pieces())
    assert len([piece for piece in heard if isinstance(piece, np.ndarray)]) == 1
    assert len(world.lines) == 2
    assert all(line.is_cut for line in world.lines)


def test_what_cannot_be_opened() -> None:
    """The capturing process's sentence is the error; its silence or death is one, too."""
    with pytest.raises(DeviceError, match=r"^no input's name contains 'tuba'$"):
        World(lambda _: iter([link.Failed("no input's name contains 'tuba'")])).microphone("tuba")
    with pytest.raises(DeviceError, match="ended before a device was open"):
        World(lambda _: iter([])).microphone()
    world = World(lambda world: world.ticks(60.0))
    with pytest.raises(DeviceError, match="did not answer within 10 s"):
        world.microphone()
    assert world.time - 500.0 < 11.0
    assert world.lines[0].ended


def test_zeros_are_warned_of_once_in_each_stretch() -> None:
    """Five seconds of zeros name their likely causes; sound, however soft, ends the stretch."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(200, 0.0)  # 4 s
        yield from world.sound(1, 1e-4)
        yield from world.sound(500, 0.0)  # 10 s
        yield from world.sound(1, -1e-4)
        yield from world.sound(500, 0.0)  # 10 s

    world = World(script, lambda _: iter([link.Failed("gone")]))
    pieces = list(world.microphone(duration_s=24.0).pieces())
    warned = [
        total(pieces[:index]) / RATE
        for index, piece in enumerate(pieces)
        if isinstance(piece, Remark)
    ]
    assert warned == pytest.approx([9.02, 19.04])
    said = remarks(pieces)
    assert all("zeros" in text and "muted" in text and "permission" in text for text in said)


def test_an_input_overflow_is_an_estimated_loss() -> None:
    """PortAudio's flag becomes a loss before the block that carries it."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)
        world.time += 0.06
        (block,) = world.sound(1)
        assert isinstance(block, Block)
        yield Block(block.samples, block.captured, block.entered, True)
        yield from world.sound(10**6)

    world = World(script)
    microphone = world.microphone(duration_s=5.0)
    pieces = list(microphone.pieces())
    assert losses(pieces) == [Lost(round(0.06 * RATE), "input overflow", estimated=True)]
    assert isinstance(pieces[100], Lost)
    assert total(pieces) == 5 * RATE
    # Held blocks keep the times at which they were captured.
    position = 101 * SIZE + round(0.06 * RATE)
    assert microphone.capture_time(position) == pytest.approx(500.06 + 101 * STEP)


def test_positions_and_times_agree_throughout_a_troubled_day() -> None:
    """After every kind of fault, stream time is still clock time, to within a block or two."""

    def troubled(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(200)
        world.time += 2.0
        yield Lost(2 * RATE, OVERRUN)
        yield from world.sound(200)
        world.time += 0.5
        yield from world.sound(200)

    world = World(troubled, troubled, steady)
    microphone = world.microphone(duration_s=60.0)
    position = 0
    errors = []
    for piece in microphone.pieces():
        if isinstance(piece, Remark):
            continue
        position += piece.samples if isinstance(piece, Lost) else len(piece)
        captured = microphone.capture_time(position)
        if isinstance(piece, np.ndarray) and captured is not None:
            errors.append(captured - 500.0 - position / RATE)
    assert position == 60 * RATE
    assert len(errors) > 1_000
    assert max(map(abs, errors)) <= 2 * STEP
    assert all(abs(two - one) <= 2 * STEP for one, two in pairwise(errors))


def test_another_device_of_a_like_name_is_not_taken_for_it() -> None:
    """What opens under another name is let go, and the search goes on; another hw:N is the same."""

    def goes(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)
        yield link.Failed("gone")

    def other(world: World) -> Iterator[link.Message]:
        yield link.Opened("USB Mic Loopback", RATE, 2, STEP, "entry")
        yield from world.sound(10**6, 0.9)

    def again(world: World) -> Iterator[link.Message]:
        yield link.Opened("USB Mic (hw:3,0)", RATE, 2, STEP, "entry")
        yield from world.sound(10**6)

    world = World(goes, other, other, again)
    pieces = list(world.microphone("USB", duration_s=10.0).pieces())
    heard = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    assert {float(piece[0]) for piece in heard} == {0.5}
    assert total(pieces) == 10 * RATE
    assert len(world.lines) == 4
    assert all(line.ended for line in world.lines)


def test_a_lost_default_is_the_default_again() -> None:
    """Where no input was named, the next one is the system's default by then, told by its name."""

    def goes(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)
        yield link.Failed("gone")

    def none(world: World) -> Iterator[link.Message]:
        yield link.Failed("the system has no default sound input")

    def another(world: World) -> Iterator[link.Message]:
        yield link.Opened("Built-in Microphone", RATE, 1, STEP, "entry")
        yield from world.sound(10**6, 0.25)

    world = World(goes, none, another)
    microphone = world.microphone(duration_s=10.0)
    pieces = list(microphone.pieces())
    assert world.requests == [
        {"device": None, "rate": None},
        {"device": None, "rate": RATE},
        {"device": None, "rate": RATE},
    ]
    assert remarks(pieces) == [
        "USB Mic stopped delivering sound: trying to open it again",
        "listening to Built-in Microphone now",
    ]
    heard = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    assert {float(piece[0]) for piece in heard} == {0.5, 0.25}
    assert [lost.cause for lost in losses(pieces)] == ["device lost"]
    assert total(pieces) == 10 * RATE


def test_a_fork_that_fails_while_a_device_is_looked_for() -> None:
    """The system had no process to spare: the search goes on, and finds the device."""

    def goes(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield from world.sound(100)

    world = World(goes, steady)
    failures = iter([False, True, True, False])

    def launch(request: dict[str, object]) -> FakeLine:
        if next(failures):
            raise AudioError("cannot start the capturing process: [Errno 11]")
        return world.launch(request)

    pieces = list(MicrophoneSource("USB", duration_s=8.0, launch=launch, clock=world).pieces())
    (lost,) = losses(pieces)
    assert lost.samples == pytest.approx((0.5 + 1.0 + 2.0) * RATE, abs=2 * SIZE)
    assert total(pieces) == 8 * RATE


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_monitor_follows_the_default_output(how: str) -> None:
    """It is opened again as "monitor", at once where nothing is broken, and told by its name."""
    music = link.Opened("music.monitor", RATE, 2, STEP, "entry")

    def first(world: World) -> Iterator[link.Message]:
        yield music
        yield from world.sound(100)
        yield link.Moved("headset.monitor") if how == "moved" else link.Failed("gone")

    def second(world: World) -> Iterator[link.Message]:
        world.time += 0.3
        yield link.Opened("headset.monitor", RATE, 2, STEP, "entry")
        yield from world.sound(10**6)

    world = World(first, second)
    pieces = list(world.microphone("monitor", duration_s=6.0).pieces())
    assert world.requests == [
        {"device": "monitor", "rate": None},
        {"device": "monitor", "rate": RATE},
    ]
    (lost,) = losses(pieces)
    waited = 0.3 if how == "moved" else 0.8
    assert lost.cause == ("output changed" if how == "moved" else "device lost")
    assert lost.samples == pytest.approx(waited * RATE, abs=2 * SIZE)
    assert "headset.monitor" in remarks(pieces)[-1]
    assert len(remarks(pieces)) == (1 if how == "moved" else 2)
    assert total(pieces) == 6 * RATE


def test_a_word_of_the_capture_is_passed_on() -> None:
    """What the mix of the channels says reaches the person at the screen; picks reach the mix."""

    def script(world: World) -> Iterator[link.Message]:
        yield OPENED
        yield link.Told("USB Mic: channel 2 is heard alone")
        yield from world.sound(10**6)

    world = World(script)
    microphone = MicrophoneSource(
        "USB", channels=(3, 4), duration_s=1.0, launch=world.launch, clock=world
    )
    assert remarks(list(microphone.pieces())) == ["USB Mic: channel 2 is heard alone"]
    assert world.requests == [{"device": "USB", "rate": None, "channels": [3, 4]}]


class Broken:
    """A source of a second of sound, then of what is none, until it is interrupted."""

    def __init__(self, blocks: int) -> None:
        self.info = SourceInfo("stdin", "broken", RATE, 1)
        self._blocks = blocks

    def pieces(self) -> Iterator[Piece]:
        yield np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
        for _ in range(self._blocks):
            yield np.full(RATE // 10, np.nan, np.float32)
        raise Stopped

    def close(self) -> None:
        """Nothing to do."""


@pytest.mark.parametrize(
    ("blocks", "duration_s", "t"), [(53, math.inf, 6.3), (53, 3.0, 3.0), (53, 2.25, 2.25)]
)
def test_sound_that_breaks_is_told_at_once(
    small_model: Model, blocks: int, duration_s: float, t: float
) -> None:
    """A run of NaN ends with the duration, or with Ctrl-C, and all of it up to there is lost."""
    kept = Kept()
    tracker = EmotionTracker(small_model)
    end = Session(Broken(blocks), tracker, [kept], duration_s=duration_s).run()
    assert end.t == pytest.approx(t, abs=1e-3)
    assert end.lost_samples == pytest.approx((t - 1.0) * RATE, abs=1)
    gaps = [event for event in kept.events if isinstance(event, Gap)]
    assert sum(gap.samples for gap in gaps) == end.lost_samples
    assert len(gaps) == end.gaps == math.ceil(t - 1.0)


class Counted:
    """A source whose samples are counted as they are handed out."""

    def __init__(self, source: MicrophoneSource) -> None:
        self._source = source
        self.info = source.info
        self.samples = 0

    def pieces(self) -> Iterator[Piece]:
        """The source's pieces."""
        for piece in self._source.pieces():
            self.samples += len(piece) if isinstance(piece, np.ndarray) else 0
            yield piece

    def close(self) -> None:
        """Close the source."""
        self._source.close()


@given(
    rate=st.sampled_from((8_000, 16_000, 22_050, 44_100, 48_000, 96_000)),
    hop=st.integers(2, 20).map(lambda tens: 160 * tens),
    overlap=st.integers(0, 3_200),
)
@settings(max_examples=25, deadline=None)
def test_blocks_end_where_a_frame_is_made(rate: int, hop: int, overlap: int) -> None:
    """From hops of 20 ms on no frame waits for samples behind those that its making takes."""
    steps = Steps(16_000, hop + overlap, hop)
    assert 0.01 <= steps.block_s <= 0.05
    assert steps.gathered * steps.block_s == pytest.approx(hop / 16_000), "each frame is awaited"
    block = round(steps.block_s * rate)
    assume(block == pytest.approx(steps.block_s * rate))  # otherwise they drift apart

    def script(world: World) -> Iterator[link.Message]:
        assert world.requests[-1]["block_s"] == steps.block_s
        yield link.Opened("USB Mic", rate, 1, block / rate, "entry")
        while True:
            world.time += block / rate
            yield Block(np.full(block, 0.1, np.float32), world.time, world.time, False)

    world, duration_s = World(script), 58 * block / rate
    counted = Counted(
        MicrophoneSource(duration_s=duration_s, launch=world.launch, clock=world, steps=steps)
    )
    resampled, framing = Resampled(counted, 16_000), Framing(steps.frame, hop)
    state, late = framing.initial(), []
    for piece in resampled:
        assert isinstance(piece, np.ndarray)
        _, ends, state = framing.cut(piece, state)
        late += [counted.samples / rate - end / 16_000 for end in ends]
    assert len(late) > 5
    assert max(late) < resampled.delay_s + 0.002


#: Frames of 64 ms every 32, of which each fourth is waited for; the device needs no resampling.
STEPS = Steps(RATE, 3_072, 1_536, 0.128)


def of_steps(world: World, blocks: int) -> Iterator[link.Message]:
    """Blocks of a hop of ``STEPS``, at the device's pace."""
    for number in range(blocks):
        world.time += 0.032
        yield Block(np.full(1_536, 0.5 + number, np.float32), world.time, world.time, False)


def test_what_nobody_waits_for_comes_together() -> None:
    """Blocks up to an awaited frame's are one piece; the capture is told once, and after a loss."""
    assert (STEPS.block_s, STEPS.gathered) == (pytest.approx(0.032), 4)

    def script(world: World) -> Iterator[link.Message]:
        yield link.Opened("USB Mic", RATE, 2, 0.032, "entry")
        yield from of_steps(world, 10)
        world.time += 0.032
        yield Lost(1_536, OVERRUN)
        yield from of_steps(world, 10**6)

    world = World(script)
    source = MicrophoneSource(launch=world.launch, clock=world, steps=STEPS, duration_s=1.0)
    pieces = list(source.pieces())
    assert world.requests[0]["block_s"] == STEPS.block_s
    lengths = [piece.samples if isinstance(piece, Lost) else len(piece) for piece in pieces]
    # Two blocks before the loss, itself, one behind it; then by four again; the rest at the end.
    assert lengths == [6_144, 6_144, 3_072, 1_536, 1_536, *[6_144] * 4, RATE - 43_008]
    assert isinstance(pieces[3], Lost)
    # The rest is less than four blocks: its end is waited for.
    assert world.lines[0].gathering == [(4, 0), (4, 3), (1, 0)]
    heard = np.concatenate([piece for piece in pieces if isinstance(piece, np.ndarray)])
    np.testing.assert_array_equal(heard[: 10 * 1_536 : 1_536], 0.5 + np.arange(10))
    assert source.capture_time(6_144) == pytest.approx(500.128)


def test_what_was_gathered_is_heard_before_a_remark() -> None:
    """A device that goes away between two awaited frames: what came before is not lost."""

    def goes(world: World) -> Iterator[link.Message]:
        yield link.Opened("USB Mic", RATE, 2, 0.032, "entry")
        yield from of_steps(world, 6)
        yield link.Failed("USB Mic stopped delivering")

    world = World(goes, lambda _: iter([link.Failed("gone")]))
    source = MicrophoneSource(launch=world.launch, clock=world, steps=STEPS)
    one, two, remark = itertools.islice(source.pieces(), 3)
    assert isinstance(one, np.ndarray)
    assert isinstance(two, np.ndarray)
    assert (len(one), len(two)) == (4 * 1_536, 2 * 1_536)
    assert isinstance(remark, Remark)


@pytest.mark.parametrize(
    ("interval_s", "gathered"), [(0.0, 2), (0.25, 2), (0.4, 8), (0.5, 10), (0.7, 2), (60.0, 10)]
)
def test_how_many_blocks_are_gathered(interval_s: float, gathered: int) -> None:
    """As many hops as divide the interval and last half a second at most; one where none do."""
    assert Steps(16_000, 3_200, 1_600, interval_s).gathered == gathered
