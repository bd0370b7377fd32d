"""A long stream, and a device that comes and goes: nothing grows, nothing drifts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from soak import comings_and_goings, soak

from streamer import Model
from streamer.audio import link
from streamer.audio.microphone import MicrophoneSource
from streamer.audio.ring import Block
from streamer.audio.source import Lost, Remark


@pytest.mark.slow
@pytest.mark.parametrize("rough", [False, True])
def test_minutes_of_everything(small_model: Model, rough: bool) -> None:
    """Six minutes as one stream: no gap, all finite, memory within a few megabytes.

    After them it hears the next song as a stream that begins with it.
    """
    figures = soak(small_model, 0.1, rough=rough)
    assert figures.gaps == 0
    assert figures.finite
    assert figures.estimates == 720
    assert figures.frames == 0.1 * 3600 * 40 - 1
    memory = [point[1] for point in figures.points]
    assert max(memory) - memory[len(memory) // 5] < 10e6
    assert figures.drift is not None
    assert figures.drift < 0.15
    assert "slope" in figures.text()


class Intermittent:
    """A clock, and a capture that delivers a second of sound and then dies, over and over."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.open: set[object] = set()
        self.opened = 0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def launch(self, request: dict[str, object]) -> Intermittent.Line:
        self.opened += 1
        line = self.Line(self)
        self.open.add(line)
        return line

    class Line:
        """One capture's life."""

        def __init__(self, world: Intermittent) -> None:
            self._world = world
            self._messages = self._life()

        def _life(self) -> Iterator[link.Message]:
            yield link.Opened("USB", 8_000, 1, 0.02, "clock")
            for _ in range(50):
                self._world.time += 0.02
                samples = np.full(160, 0.1, np.float32)
                yield Block(samples, self._world.time, self._world.time, False)

        def receive(self) -> link.Message | None:
            return next(self._messages, None)

        def cut(self) -> None:
            pass

        def end(self) -> None:
            self._world.open.discard(self)


@pytest.mark.slow
def test_a_device_that_comes_and_goes_a_hundred_times() -> None:
    """A hundred absences are a hundred losses; time stays the clock's; nothing is left open."""
    world = Intermittent()
    begin = world.time
    source = MicrophoneSource("USB", launch=world.launch, clock=world)
    heard, lost, remarks = 0, [], 0
    for piece in source.pieces():
        if isinstance(piece, Remark):
            remarks += 1
            if remarks == 101:
                source.close()
        elif isinstance(piece, Lost):
            lost.append(piece.samples)
        else:
            heard += len(piece)
        assert len(world.open) <= 1
    assert len(lost) == 100
    assert heard == 101 * 8_000
    assert world.opened == 101
    assert world.open == set()
    assert (heard + sum(lost)) / 8_000 == pytest.approx(world.time - begin, abs=1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_a_capture_that_dies(tmp_path: Path, model_directory: Path) -> None:
    """The program survives its capturing processes, with the same handles and memory."""
    told = comings_and_goings(model_directory, tmp_path, 5)
    assert (told["returns"], told["exit"], told["causes"]) == (5, 143, ["device lost"])
    assert told["handles"][0] == told["handles"][1]
    assert told["memory_growth_mb"] < 5
    assert told["stream_s"] == pytest.approx(told["wall_s"], abs=4)
