"""A ``sounddevice`` without a sound card: tests deliver its blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A ``sounddevice`` module for the capturing process: one device that delivers a ramp in real time.
TONE = """
import threading, time
from types import SimpleNamespace
import numpy as np

class PortAudioError(Exception):
    pass

default = SimpleNamespace(device=(0, -1))

def query_hostapis():
    return [{"name": "Fake", "default_input_device": 0}]

def query_devices():
    return [{"name": "Test tone", "max_input_channels": 2, "default_samplerate": 8000.0,
             "hostapi": 0}]

class InputStream:
    def __init__(self, *, callback, blocksize, samplerate, channels, **_):
        self.callback, self.size = callback, blocksize
        self.rate, self.channels = samplerate, channels

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        position, begin = 0, time.monotonic()
        while True:
            ramp = (np.arange(position, position + self.size) % 1000).astype(np.float32) / 1000
            position += self.size
            time.sleep(max(0.0, begin + position / self.rate - time.monotonic()))
            times = SimpleNamespace(inputBufferAdcTime=0.0, currentTime=0.0)
            self.callback(np.stack([ramp] * self.channels, axis=1), self.size, times,
                          SimpleNamespace(input_overflow=False))
"""


def ramp_from(first: float, count: int) -> NDArray[np.float32]:
    """What that device delivers once a recording has begun, less than 50 ms after it opened."""
    begun = round(first * 1000)
    assert begun < 400, f"the recording begins with sample {begun}"
    return ((np.arange(begun, begun + count) % 1000) / 1000).astype(np.float32)


class PortAudioError(Exception):
    """As sounddevice raises it."""


@dataclass
class FakeStream:
    """An input stream that is fed by hand."""

    options: dict[str, Any]
    started: bool = False

    def start(self) -> None:
        """Ready for blocks."""
        self.started = True

    def deliver(
        self,
        block: NDArray[np.float32],
        *,
        adc: float = 0.0,
        now: float = 0.0,
        overflow: bool = False,
    ) -> None:
        """Call the callback as PortAudio does: with a block that is overwritten afterwards."""
        times = SimpleNamespace(inputBufferAdcTime=adc, currentTime=now, outputBufferDacTime=0.0)
        lent = np.array(block, np.float32)
        self.options["callback"](lent, len(lent), times, SimpleNamespace(input_overflow=overflow))
        lent[:] = np.nan

    def finish(self) -> None:
        """The stream ends by itself."""
        self.options["finished_callback"]()


def device(name: str, channels: int = 2, rate: float = 44_100.0, api: int = 0) -> dict[str, Any]:
    """A device as ``query_devices`` lists it."""
    return {
        "name": name,
        "max_input_channels": channels,
        "default_samplerate": rate,
        "hostapi": api,
    }


@dataclass
class FakeSoundDevice:
    """The part of the ``sounddevice`` module that we use."""

    devices: list[dict[str, Any]]
    default_input: int = 0
    apis: tuple[str, ...] = ("ALSA",)
    refuse: str | None = None
    streams: list[FakeStream] = field(default_factory=list)
    PortAudioError: type[Exception] = PortAudioError

    @property
    def default(self) -> SimpleNamespace:
        """The default devices, input and output."""
        return SimpleNamespace(device=(self.default_input, -1))

    def query_devices(self) -> list[dict[str, Any]]:
        """All devices."""
        return self.devices

    def query_hostapis(self) -> list[dict[str, Any]]:
        """All host APIs."""
        return [{"name": name, "default_input_device": 0} for name in self.apis]

    @property
    def InputStream(self) -> Callable[..., FakeStream]:  # noqa: N802 - sounddevice's own name
        """What opens a stream."""

        def open_stream(**options: Any) -> FakeStream:
            if self.refuse is not None:
                raise PortAudioError(self.refuse, -9997)
            self.streams.append(FakeStream(options))
            return self.streams[-1]

        return open_stream
