"""A recorded session shown again: what is delivered, and when."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from streamer.errors import OutputError, SessionFileError
from streamer.events import End, Estimate, Event, Gap, Start
from streamer.session import Playback


def started(interval: float = 0.5) -> Start:
    return Start("0", "2026-01-01T00:00:00Z", "m", {"kind": "file"}, 16000, 0.02, interval, 0.0)


def at(t: float) -> Estimate:
    return Estimate(t, 0.1, 0.2, 0.3, 0.3, "happy", {"happy": 1.0}, "joyful", -20.0, False)


RECORDING: list[Event] = [
    started(),
    at(0.5),
    Gap(0.7, 0.6, 600, False, "overrun"),
    at(1.5),
    at(2.0),
    End(2.2, 3, 80, 1, 600, 0.01),
]


class FakeClock:
    """Time that passes only in ``sleep``; ``on_sleep`` is called then."""

    def __init__(self, on_sleep: Callable[[], None] = lambda: None) -> None:
        self.t = 100.0
        self.on_sleep = on_sleep

    def now(self) -> float:
        return self.t

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.on_sleep()
        self.t += seconds


class Recorder:
    """A sink that notes what came, and when."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.events: list[Event] = []
        self.times: list[float] = []

    def write(self, event: Event) -> None:
        self.events.append(event)
        self.times.append(round(self.clock.t - 100.0, 9))

    def close(self) -> None: ...


@pytest.mark.parametrize("speed", [0.5, 1.0, 10.0])
def test_events_come_when_they_happened(speed: float) -> None:
    """Every event is delivered, each at its stream time (a gap at its end) divided by the speed."""
    clock = FakeClock()
    sink = Recorder(clock)
    end = Playback(RECORDING, [sink], speed=speed, clock=clock).run()
    assert sink.events == RECORDING
    assert end == RECORDING[-1]
    wanted = [0, 0.5, 1.3, 1.5, 2.0, 2.2]
    assert sink.times == pytest.approx([t / speed for t in wanted])


def test_at_full_speed_nothing_waits() -> None:
    """An infinite speed delivers everything at once."""
    clock = FakeClock(on_sleep=lambda: pytest.fail("it waited"))
    sink = Recorder(clock)
    Playback(RECORDING, [sink], speed=math.inf, clock=clock).run()
    assert sink.events == RECORDING


def test_a_session_that_began_later_begins_at_once() -> None:
    """A recording of ``--start-at 60`` is not waited for a minute."""
    clock = FakeClock()
    sink = Recorder(clock)
    events = [started(), at(60.5), at(61.0), End(61.2, 2, 20, 0, 0, 0.01)]
    Playback(events, [sink], clock=clock).run()
    assert sink.times == pytest.approx([0, 0.5, 1.0, 1.2])


def test_a_stretch_of_a_session() -> None:
    """``start_s`` and ``duration_s`` choose a stretch; its end counts what was shown."""
    clock = FakeClock()
    sink = Recorder(clock)
    end = Playback(RECORDING, [sink], start_s=1.0, duration_s=0.5, clock=clock).run()
    assert sink.events[:-1] == [RECORDING[0], RECORDING[2], RECORDING[3]]
    assert sink.times == pytest.approx([0, 0.3, 0.5, 0.5])
    assert (end.t, end.estimates, end.gaps, end.lost_samples) == (1.5, 1, 1, 600)


def test_a_later_start_counts_what_was_shown() -> None:
    """An estimate at the start itself judges what lies before it; the recorded end counts more."""
    sink = Recorder()
    end = Playback(RECORDING, [sink], start_s=1.5, speed=math.inf).run()
    assert sink.events[:-1] == [RECORDING[0], RECORDING[4]]
    assert (end.t, end.estimates, end.frames, end.gaps) == (2.0, 1, 25, 0)
    # Nothing was passed over: the end is the recorded one.
    assert Playback(RECORDING, [], start_s=0.2, speed=math.inf).run() == RECORDING[-1]


def test_a_recording_cut_off_gets_an_end() -> None:
    """Readers of the lines always see an ``end``, even where the recording has none."""
    sink = Recorder()
    Playback(RECORDING[:-1], [sink], speed=math.inf).run()
    assert sink.events[:-1] == RECORDING[:-1]
    end = sink.events[-1]
    assert end == End(2.0, 3, 70, 1, 600, None)


def test_stop_ends_it_with_an_end() -> None:
    """Told to stop in the middle of a wait, it ends there, and says how far it came."""
    clock = FakeClock()
    sink = Recorder(clock)
    playback = Playback(RECORDING, [sink], clock=clock)
    clock.on_sleep = lambda: playback.stop(interrupt=True) if clock.t > 101 else None
    playback.run()
    assert sink.events[:-1] == RECORDING[:3]
    assert sink.events[-1] == End(pytest.approx(1.3), 1, 35, 1, 600, None)


def test_a_sink_that_fails_is_left_behind() -> None:
    """The others go on, the watcher sees everything, and the failure is told."""

    class Full(Recorder):
        def write(self, event: Event) -> None:
            raise OutputError("the disk is full")

    watcher, sink, told = Recorder(), Recorder(), []
    Playback(
        RECORDING, [Full(), sink], speed=math.inf, watcher=watcher, on_failure=told.append
    ).run()
    assert sink.events == watcher.events == RECORDING
    assert [str(error) for error in told] == ["the disk is full"]


def test_a_recording_that_cannot_be_read_on_ends_in_order() -> None:
    """A broken line in the middle ends the playback after an ``end``, with its reason."""

    def broken() -> object:
        yield from RECORDING[:3]
        raise SessionFileError("line 4 is no line of a session")

    sink = Recorder()
    with pytest.raises(SessionFileError, match="line 4"):
        Playback(broken(), [sink], speed=math.inf).run()
    assert isinstance(sink.events[-1], End)
    assert sink.events[-1].estimates == 1
