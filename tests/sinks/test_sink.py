"""Delivery to sinks: all get every event, and one that fails costs nobody but itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scripted_session import estimate, start

from streamer.audio.source import Piece, SourceInfo
from streamer.errors import OutputError
from streamer.events import End, Estimate, Event, Gap, Notice, Start
from streamer.network.model import Model
from streamer.session import Session
from streamer.sinks.jsonl import JsonLines, JsonLinesFile
from streamer.sinks.sink import Delivery, ReaderGone
from streamer.tracker import EmotionTracker


class Noise:
    """Two seconds of noise in blocks; says whether it was closed."""

    info = SourceInfo("generator", "noise", sample_rate=16_000, channels=1)
    closed = False

    def pieces(self) -> Iterator[Piece]:
        random = np.random.default_rng(0)
        for _ in range(20):
            yield random.normal(0, 0.1, 1_600).astype(np.float32)

    def close(self) -> None:
        self.closed = True


class Keeper:
    """Keeps what comes, and how often it was closed."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = 0

    def write(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


class Failing(Keeper):
    """Raises at its third event, and at its end."""

    def __init__(self, failure: BaseException) -> None:
        super().__init__()
        self.failure = failure

    def write(self, event: Event) -> None:
        super().write(event)
        if len(self.events) == 3:
            raise self.failure

    def close(self) -> None:
        super().close()
        raise self.failure


FAILURES = [
    RuntimeError("lamp unplugged"),
    BrokenPipeError(32, "Broken pipe"),
    ConnectionResetError("peer"),
    StopIteration(),
    OutputError("the disk is full"),
    SystemExit(3),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_sink_that_raises_ends_nothing(small_model: Model, failure: BaseException) -> None:
    """Whatever it raises: the session goes on to its ``end``, all are closed, one warning each."""
    broken, keeper = Failing(failure), Keeper()
    session = Session(Noise(), EmotionTracker(small_model), [broken, keeper])
    with pytest.warns(RuntimeWarning) as told:
        end = session.run()
    assert [type(event).__name__ for event in keeper.events] == ["Start", *["Estimate"] * 4, "End"]
    assert keeper.events[-1] == end
    assert len(broken.events) == 3
    assert (keeper.closed, broken.closed) == (1, 1)
    (said,) = [str(warning.message) for warning in told]
    if not isinstance(failure, OutputError):
        assert said.startswith(f"the sink Failing failed: {type(failure).__name__}")


def test_a_sink_that_cannot_be_closed_is_told_of(small_model: Model) -> None:
    """The others are closed all the same, after an ``end`` of the whole session."""

    class Stuck(Keeper):
        def close(self) -> None:
            raise RuntimeError("stuck")

    told: list[OutputError] = []
    keeper, source = Keeper(), Noise()
    tracker = EmotionTracker(small_model)
    Session(source, tracker, [Stuck(), keeper], on_failure=told.append).run()
    assert [str(error) for error in told] == [
        "the sink Stuck could not be closed: RuntimeError: stuck"
    ]
    assert keeper.closed == 1
    assert source.closed


def test_a_reader_that_went_away_ends_the_session_in_order(small_model: Model) -> None:
    """The sinks beside it get an ``end``, and it counts what they got."""
    gone, keeper, source = Failing(ReaderGone()), Keeper(), Noise()
    gone.close = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ReaderGone):
        Session(source, EmotionTracker(small_model), [gone, keeper]).run()
    assert [type(event).__name__ for event in keeper.events] == ["Start", *["Estimate"] * 2, "End"]
    assert isinstance(keeper.events[-1], End)
    assert keeper.events[-1].estimates == 2
    assert keeper.closed == 1
    assert source.closed


def test_a_watcher_that_raises_ends_nothing(small_model: Model) -> None:
    """What looks at each frame may break as any sink."""

    class Blind(Keeper):
        def hear(self, samples: np.ndarray, rate: int) -> None:
            raise RuntimeError("no eyes")

        def progress(self, t: float, frames: int, compute_s: float) -> None:
            raise AssertionError("it was left out")

    told: list[OutputError] = []
    keeper = Keeper()
    session = Session(
        Noise(), EmotionTracker(small_model), [keeper], watcher=Blind(), on_failure=told.append
    )
    assert session.run().estimates == 4
    assert [str(error) for error in told] == ["the sink Blind failed: RuntimeError: no eyes"]


def test_a_function_is_a_sink(small_model: Model) -> None:
    """It is called with every estimate and with nothing else; what is neither is refused."""
    got: list[Estimate] = []
    Session(Noise(), EmotionTracker(small_model), [got.append]).run()
    assert [round(each.t, 1) for each in got] == [0.5, 1.0, 1.5, 2.0]
    with pytest.raises(TypeError, match="or is a function: int"):
        Delivery([3])  # type: ignore[list-item]


def test_breaking_off_the_events_ends_them_in_order(small_model: Model) -> None:
    """A program that has seen enough leaves sinks that have their ``end``, and a closed source."""
    keeper, source = Keeper(), Noise()
    events = Session(source, EmotionTracker(small_model), [keeper]).events()
    for event in events:
        if isinstance(event, Estimate):
            break
    events.close()
    assert [type(event).__name__ for event in keeper.events] == ["Start", "Estimate", "End"]
    assert (keeper.closed, source.closed) == (1, True)


def test_an_absurd_duration_is_a_long_one(small_model: Model) -> None:
    """Seconds whose samples no integer counts are as good as no end."""
    tracker = EmotionTracker(small_model)
    assert Session(Noise(), tracker, duration_s=1e305).run().t == 2.0


def test_a_pipe_that_does_not_wait_is_waited_for() -> None:
    """A slow reader of a pipe in non-blocking mode gets every line; the writer sleeps meanwhile."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    lines = 3_000  # some ten times what the pipe holds
    got = bytearray()

    def read() -> None:
        while piece := os.read(reader, 65_536):
            got.extend(piece)

    slow = threading.Timer(0.5, read)
    slow.start()
    begun, busy = time.monotonic(), time.thread_time()
    with os.fdopen(writer, "wb", buffering=0) as stream:
        sink = JsonLines(stream)
        for _ in range(lines):
            sink.write(estimate(1.0))
    waited, worked = time.monotonic() - begun, time.thread_time() - busy
    slow.join()
    os.close(reader)
    assert got.count(b"\n") == lines
    assert waited > 0.4
    assert worked < waited - 0.3, "it spun while it had to wait"


def test_a_reader_of_a_stream_of_ones_own_may_go_away() -> None:
    """That is one sentence about the sink: it is standard output alone that a session runs for."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as stream:
        sink = JsonLines(stream, "the lamp")
        with pytest.raises(OutputError, match="the lamp cannot be written: Broken pipe"):
            sink.write(estimate(1.0))


def test_a_file_without_a_line_is_not_left_behind(tmp_path: Path) -> None:
    """What was opened for a session that never began is gone again; one with a line stays."""
    empty, used = JsonLinesFile(tmp_path / "empty"), JsonLinesFile(str(tmp_path / "used"))
    used.write(start())
    used.write(Gap(1.0, 0.5, 100, False, "why"))
    used.write(Notice(1.0, "for people"))
    for sink in (empty, used, used):
        sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["used"]
    assert (tmp_path / "used").read_bytes().count(b"\n") == 2
    with pytest.raises(OutputError, match="nowhere/x cannot be written: No such file"):
        JsonLinesFile(tmp_path / "nowhere" / "x")


class Interrupted(Keeper):
    """Ctrl-C finds it at work, whenever it is asked for anything."""

    def write(self, event: Event) -> None:
        super().write(event)
        if not isinstance(event, Start):
            raise KeyboardInterrupt

    def close(self) -> None:
        super().close()
        raise KeyboardInterrupt


def test_ctrl_c_in_a_sink_costs_the_others_neither_line_nor_end(
    small_model: Model,
) -> None:
    """The others get the event under way and the ``end``, and are closed; then it is raised."""
    before, after = Keeper(), Keeper()
    tracker = EmotionTracker(small_model, interval=0.5)
    session = Session(Noise(), tracker, [before, Interrupted(), after])
    with pytest.raises(KeyboardInterrupt):
        session.run()
    for keeper in (before, after):
        assert [type(event) for event in keeper.events] == [Start, Estimate, End]
        assert keeper.events == before.events
        assert keeper.closed == 1
