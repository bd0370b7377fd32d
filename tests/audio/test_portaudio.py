"""The callback and the opening of devices, on a PortAudio that tests play."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from fake_portaudio import FakeSoundDevice, device

from streamer.audio import (
    devices,
    link,
    portaudio,
)
from streamer.audio.capture import open_input, pump
from streamer.audio.devices import PulseSource
from streamer.audio.ring import OVERRUN, Block
from streamer.audio.source import Lost
from streamer.errors import DeviceError


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sound server that this computer may have is asked."""
    monkeypatch.setattr(devices, "pulse_sources", list)
    monkeypatch.setattr(devices, "_pactl", lambda *_: "")
    monkeypatch.setenv("PULSE_SOURCE", "as it was")


def test_a_block_is_mixed_copied_and_stamped() -> None:
    """The ring gets the mean of the channels, not PortAudio's memory, and the entry's time."""
    fake = FakeSoundDevice([device("Mic", channels=2)])
    stream = open_input(fake, None)
    assert (stream.name, stream.rate, stream.channels) == ("Mic", 44_100, 2)
    assert fake.streams[0].started
    block = np.random.default_rng(0).uniform(-1, 1, (882, 2)).astype(np.float32)
    fake.streams[0].deliver(block)
    got = stream.ring.read()
    assert isinstance(got, Block)
    np.testing.assert_allclose(got.samples, block.mean(axis=1), atol=1e-7)
    assert got.captured == got.entered > 0
    assert not got.overflow
    assert stream.clock == portaudio.BY_ENTRY
    assert stream.ring.read() is None


def test_the_overflow_flag_comes_with_its_block() -> None:
    """PortAudio's flag is passed on with the block that follows the loss."""
    fake = FakeSoundDevice([device("Mic")])
    stream = open_input(fake, None)
    for flag in (False, True, False):
        fake.streams[0].deliver(np.zeros((882, 2), np.float32), overflow=flag)
    blocks = [stream.ring.read() for _ in range(3)]
    assert [block.overflow for block in blocks if isinstance(block, Block)] == [False, True, False]


def test_capture_times_are_portaudio_s_where_its_clock_advances() -> None:
    """The newest sample's age comes from PortAudio's clock, whatever that clock's zero."""
    fake = FakeSoundDevice([device("Mic", rate=44_100)])
    stream = open_input(fake, None)
    ages = []
    for index in range(4):
        adc = 5_000.0 + index * 0.02
        # Called 30 ms after the first sample, that is 10 ms after the last of 20.
        fake.streams[0].deliver(np.zeros((882, 2), np.float32), adc=adc, now=adc + 0.03)
        block = stream.ring.read()
        assert isinstance(block, Block)
        ages.append(block.entered - block.captured)
    assert ages == pytest.approx([0.0, 0.01, 0.01, 0.01], abs=1e-6)
    assert stream.clock == portaudio.BY_PORTAUDIO


@pytest.mark.parametrize("adc", [0.0, 7.0])
def test_a_clock_that_stands_still_is_not_believed(adc: float) -> None:
    """Where the input time does not advance, the entry into the callback counts."""
    fake = FakeSoundDevice([device("Mic")])
    stream = open_input(fake, None)
    for _ in range(3):
        fake.streams[0].deliver(np.zeros((882, 2), np.float32), adc=adc, now=9.0)
        block = stream.ring.read()
        assert isinstance(block, Block)
        assert block.captured == block.entered
    assert stream.clock == portaudio.BY_ENTRY


def test_what_the_ring_refuses_is_counted() -> None:
    """Eleven seconds unread: ten are kept, one is refused."""
    fake = FakeSoundDevice([device("Mic", rate=8_000, channels=1)])
    stream = open_input(fake, None)
    for _ in range(550):
        fake.streams[0].deliver(np.zeros((160, 1), np.float32))
    read = []
    while (piece := stream.ring.read()) is not None:
        read.append(piece)
    assert read[-1] == Lost(8_000, OVERRUN)
    assert sum(len(piece.samples) for piece in read if isinstance(piece, Block)) == 80_000


def test_the_pump_passes_on_everything_and_tells_the_end() -> None:
    """Blocks in order, a word on the clock when it changes, and a failure when the stream ends."""
    fake = FakeSoundDevice([device("Mic")])
    stream = open_input(fake, None)
    sent: list[link.Message] = []
    for index in range(3):
        adc = 10.0 + index * 0.02
        fake.streams[0].deliver(np.full((882, 2), index, np.float32), adc=adc, now=adc + 0.02)
    ticks = 0

    def send(*messages: link.Message) -> None:
        nonlocal ticks
        sent.extend(messages)
        if any(isinstance(message, link.Tick) for message in messages):
            ticks += 1
            fake.streams[0].deliver(np.full((882, 2), 3, np.float32))
            fake.streams[0].finish()

    pump(stream, send)
    assert ticks == 1
    values = [float(block.samples[0]) for block in sent if isinstance(block, Block)]
    assert values == [0, 1, 2, 3]
    assert link.Clocked(portaudio.BY_PORTAUDIO) in sent
    assert sent[-1] == link.Failed("Mic stopped delivering")


@pytest.mark.parametrize(("claimed", "opened"), [(1, 1), (2, 2), (8, 8), (32, 2), (128, 2)])
def test_channels(claimed: int, opened: int) -> None:
    """All of a device's channels, but not the dozens that a sound server makes up."""
    fake = FakeSoundDevice([device("Mic", channels=claimed)])
    open_input(fake, None)
    assert fake.streams[0].options["channels"] == opened


def test_the_device_opens_at_its_own_rate_or_the_one_asked_for() -> None:
    """48 kHz stays 48 kHz unless another rate is wanted."""
    fake = FakeSoundDevice([device("Mic", rate=48_000.0)])
    assert open_input(fake, None).rate == 48_000
    assert open_input(fake, "mic", 16_000).rate == 16_000
    assert [stream.options["samplerate"] for stream in fake.streams] == [48_000, 16_000]
    assert [stream.options["blocksize"] for stream in fake.streams] == [960, 320]


def test_a_rate_that_the_device_refuses() -> None:
    """PortAudio's refusal is a sentence with the device, the rate and what to do."""
    fake = FakeSoundDevice([device("Mic")], refuse="Error opening InputStream: Invalid sample rate")
    with pytest.raises(DeviceError, match=r"Mic cannot be opened at 7000 Hz .*Invalid sample rate"):
        open_input(fake, None, 7_000)


def test_inputs_are_listed_with_what_is_known_of_them() -> None:
    """Outputs are left out; the default and the loopbacks are marked."""
    fake = FakeSoundDevice(
        [
            device("Speakers", channels=0),
            device("USB Mic", channels=1, rate=48_000.0),
            device("BlackHole 2ch", api=1),
        ],
        default_input=1,
        apis=("ALSA", "JACK"),
    )
    one, two = portaudio.inputs(fake)
    assert (one.index, one.name, one.channels, one.rate, one.api) == (
        1,
        "USB Mic",
        1,
        48_000,
        "ALSA",
    )
    assert one.default
    assert not one.loopback
    assert (two.index, two.name, two.api, two.default, two.loopback) == (
        2,
        "BlackHole 2ch",
        "JACK",
        False,
        True,
    )


def test_sources_of_a_sound_server_are_reached_through_its_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A monitor that PortAudio cannot name is recorded through "pulse", told by environment."""
    monkeypatch.setattr(
        devices, "pulse_sources", lambda: [PulseSource("music.monitor", 2, 48_000, numbered=False)]
    )
    fake = FakeSoundDevice([device("hw:0"), device("pulse", channels=32)])
    assert [each.name for each in portaudio.inputs(fake)] == ["hw:0", "pulse", "music.monitor"]
    stream = open_input(fake, "monitor")
    assert (stream.name, stream.rate) == ("music.monitor", 48_000)
    assert fake.streams[0].options["device"] == 1
    assert fake.streams[0].options["channels"] == 2
    import os

    assert os.environ["PULSE_SOURCE"] == "music.monitor"


def test_without_a_bridge_the_server_s_sources_are_not_offered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not be opened is not listed; who asks for it is told what is missing."""
    monkeypatch.setattr(
        devices, "pulse_sources", lambda: [PulseSource("music.monitor", 2, 48_000, numbered=False)]
    )
    fake = FakeSoundDevice([device("hw:0")])
    assert [each.name for each in portaudio.inputs(fake)] == ["hw:0"]
    with pytest.raises(DeviceError, match=r"music\.monitor .*: apt install libasound2-plugins"):
        open_input(fake, "monitor")
    with pytest.raises(DeviceError, match="no input's name contains 'tuba'"):
        open_input(fake, "tuba")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError("PortAudio library not found"), "PortAudio, which reaches sound devices"),
        (ImportError("No module named 'sounddevice'"), "pip install sounddevice"),
    ],
)
def test_portaudio_missing(monkeypatch: pytest.MonkeyPatch, error: Exception, says: str) -> None:
    """Without PortAudio there is one sentence with the package to install."""
    real = builtins.__import__

    def refuse(
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if name == "sounddevice":
            raise error
        return real(name, globals_, locals_, fromlist, level)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DeviceError, match=says) as caught:
        portaudio.load()
    assert "install" in str(caught.value)
