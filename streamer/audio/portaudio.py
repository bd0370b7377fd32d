"""PortAudio, as the capturing process uses it: which inputs there are, a stream, its callback.

Nothing else imports sounddevice. ``sounddevice`` is an argument, so that tests can give a fake.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.audio import devices
from streamer.audio.devices import PULSE_API, Input, choose, is_loopback
from streamer.audio.ring import Ring
from streamer.audio.source import Downmix, check_layout
from streamer.errors import DeviceError

#: What one callback brings where the listener does not say: short against the latency that a person
#: notices. Each block costs a wake-up of the sound server, the callback and whoever listens.
BLOCK_S = 0.02
#: The ring holds what came while the listening process was suspended or busy.
RING_S = 10.0
#: An ALSA device that is no piece of hardware and claims more channels is a sound server's door,
#: which makes them up.
_MOST_CHANNELS = 8
BY_PORTAUDIO = "PortAudio's input time"
BY_ENTRY = "monotonic clock at the callback's entry"


def load() -> Any:
    """The ``sounddevice`` module; ``DeviceError`` where PortAudio is not installed."""
    try:
        import sounddevice
    except OSError as error:
        remedy = {
            "darwin": "brew install portaudio",
            "win32": "pip install --force-reinstall sounddevice",
        }.get(sys.platform, "apt install libportaudio2 (Fedora: dnf install portaudio)")
        raise DeviceError(
            f"PortAudio, which reaches sound devices, is not installed: {remedy}"
        ) from error
    except ImportError as error:
        raise DeviceError(
            "the Python package sounddevice is not installed: pip install sounddevice"
        ) from error
    return sounddevice


def inputs(sounddevice: Any) -> list[Input]:
    """PortAudio's inputs, then the sound server's sources that can be reached through it."""
    apis = sounddevice.query_hostapis()
    default = sounddevice.default.device[0]
    if default is None or default < 0:
        default = next((api["default_input_device"] for api in apis), -1)
    found = [
        Input(
            index=index,
            name=str(device["name"]),
            channels=int(device["max_input_channels"]),
            rate=round(device["default_samplerate"]),
            api=str(apis[device["hostapi"]]["name"]),
            default=index == default,
            loopback=is_loopback(str(device["name"])),
        )
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]
    if bridge(found) is not None:
        found += [
            Input(
                None,
                source.name,
                source.channels,
                source.rate,
                PULSE_API,
                default=False,
                loopback=is_loopback(source.name),
                numbered=source.numbered,
            )
            for source in devices.pulse_sources()
        ]
    return found


def bridge(found: list[Input]) -> Input | None:
    """The PortAudio device behind which PulseAudio's sources are."""
    return next((each for each in found if each.name == "pulse"), None)


def choose_input(wanted: str | int | None, found: list[Input]) -> Input:
    """As :func:`choose`, with the remedy where only the way to a server's source is missing."""
    try:
        return choose(wanted, found)
    except DeviceError:
        part = str(wanted).lower()
        if wanted is not None and bridge(found) is None:
            for source in devices.pulse_sources():
                if part in source.name.lower():
                    raise DeviceError(
                        f"{source.name} can only be reached through ALSA's device for PulseAudio, "
                        f"which is not installed: apt install libasound2-plugins"
                    ) from None
        raise


class Callback:
    """What PortAudio calls with each block: it mixes, stamps, stores, and nothing else."""

    def __init__(
        self,
        ring: Ring,
        rate: int,
        most: int,
        downmix: Downmix,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ring = ring
        self._downmix = downmix
        self._rate = rate
        self._mono = np.empty(most, np.float32)
        self._clock = clock
        self._last_adc = 0.0
        #: The blocks' input times advance: they, not our clock, say when a sample was captured.
        self.advances = False

    def __call__(self, indata: NDArray[np.float32], count: int, times: Any, status: Any, /) -> None:
        """Take ``indata`` of shape (count, channels)."""
        entered = self._clock()
        mono = self._mono[:count]
        self._downmix(indata, mono)
        captured = entered
        adc = times.inputBufferAdcTime  # of the block's first sample, on PortAudio's own clock
        self.advances = adc > self._last_adc > 0.0
        self._last_adc = adc
        if self.advances:
            age = times.currentTime - adc - count / self._rate
            if 0.0 < age < RING_S:
                captured = entered - age
        self._ring.write(mono, captured, entered, bool(status.input_overflow))


class Stream:
    """An open input: PortAudio's stream, the ring that it fills, and what it says of itself.

    ``device`` is one of ``found``, all inputs; ``rate`` in Hz, the device's own by default;
    ``picked``: numbers of the channels that are heard, all by default; ``block_s``: what a callback
    brings, in seconds. Raises ``DeviceError`` where the device refuses these.
    """

    def __init__(
        self,
        sounddevice: Any,
        device: Input,
        found: list[Input],
        rate: int | None = None,
        picked: Sequence[int] = (),
        block_s: float = BLOCK_S,
    ) -> None:
        index = device.index
        if index is None:
            door = bridge(found)
            assert door is not None, "a PulseAudio source is only listed where there is a bridge"
            os.environ["PULSE_SOURCE"] = device.name
            index = door.index
        self.name = device.name
        self.rate = rate if rate is not None else device.rate
        check_layout(self.rate, max(1, device.channels), self.name)
        check_picked(device, picked)
        self.ended = False
        most = round(self.rate * block_s)
        made_up = device.api == "ALSA" and "hw:" not in device.name
        channels = device.channels
        if made_up and channels > _MOST_CHANNELS:
            channels = max((2, *picked))
        self.downmix = Downmix(self.rate, channels, picked)
        self.ring = Ring(round(self.rate * RING_S), round(RING_S / block_s))
        self._callback = Callback(self.ring, self.rate, most, self.downmix)
        try:
            self._stream = sounddevice.InputStream(
                device=index,
                samplerate=self.rate,
                channels=channels,
                blocksize=most,
                dtype="float32",
                latency="low",
                callback=self._callback,
                finished_callback=self._finished,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            reason = str(error.args[0]) if error.args else str(error)
            raise DeviceError(
                f"{self.name} cannot be opened at {self.rate} Hz with {channels} channels "
                f"({reason}): is another program using it? Others: streamer devices"
            ) from error
        self.channels = channels
        self.block_s = most / self.rate

    @property
    def clock(self) -> str:
        """What capture times are taken from."""
        return BY_PORTAUDIO if self._callback.advances else BY_ENTRY

    def _finished(self) -> None:
        self.ended = True
        self.ring.wake()


def check_picked(device: Input, picked: Sequence[int]) -> None:
    """Raise ``DeviceError`` where ``device`` has not all of the ``picked`` channels."""
    if picked and max(picked) > device.channels:
        raise DeviceError(
            f"{device.name} has {device.channels} channels, so there is no channel {max(picked)}: "
            f"give others with --channels"
        )
