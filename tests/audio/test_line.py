"""The capturing process itself, with a sounddevice of the tests' own in it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from fake_portaudio import TONE

import streamer
from streamer.audio import devices, link, portaudio
from streamer.audio.capture import Changes, follow, open_input
from streamer.audio.devices import Input
from streamer.audio.link import Process, list_inputs
from streamer.audio.microphone import MicrophoneSource
from streamer.audio.ring import Block
from streamer.errors import DeviceError


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sounddevice that the capturing process will find before any other."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # no pactl
    path = tmp_path / "sounddevice.py"
    path.write_text(TONE)
    return path


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def test_from_device_to_samples(module: Path) -> None:
    """Through callback, ring, pipe and source, each sample arrives once, in order."""
    microphone = MicrophoneSource("tone", duration_s=0.5)
    assert microphone.info.name == "Test tone"
    assert microphone.info.sample_rate == 8_000
    assert microphone.block_s == 0.02
    blocks = list(microphone.pieces())
    samples = np.concatenate([block for block in blocks if isinstance(block, np.ndarray)])
    assert len(blocks) == 25
    np.testing.assert_array_equal(samples, (np.arange(4_000) % 1000).astype(np.float32) / 1000)
    assert microphone.capture_time(4_000) is not None
    assert microphone.latency_clock == "monotonic clock at the callback's entry"


def test_blocks_are_gathered_as_the_listener_says(module: Path) -> None:
    """From the first awaited block on, the process sends those up to the next at once."""
    line = Process({"device": "tone", "rate": None, "block_s": 0.01})
    try:
        opened = line.receive()
        assert isinstance(opened, link.Opened)
        assert opened.block_s == 0.01
        line.gather(25, 0)
        blocks: list[Block] = []
        came: list[float] = []
        while len(blocks) < 100:
            message = line.receive()
            if isinstance(message, Block):
                blocks.append(message)
                came.append(time.monotonic())
    finally:
        line.end()
    samples = np.concatenate([block.samples for block in blocks])
    np.testing.assert_array_equal(samples, (np.arange(8_000) % 1000).astype(np.float32) / 1000)
    # The last three quarters of a second came in three goes, a quarter of a second each.
    waits = np.diff(came[24:])
    assert set(np.flatnonzero(waits > 0.1)) == {0, 25, 50}


def test_the_inputs_are_listed(module: Path) -> None:
    """Another process asks PortAudio; the records come back whole."""
    (each,) = list_inputs()
    assert (each.index, each.name, each.channels, each.rate) == (0, "Test tone", 2, 8_000)
    assert each.default


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("raise OSError('PortAudio library not found')", "PortAudio, which reaches sound devices"),
        ("def query_devices(): raise PortAudioError('broken')", "PortAudio failed: broken"),
        ("def query_devices(): return []", "there is no sound input"),
        ("import os; os._exit(3)", "ended before a device was open"),
    ],
)
def test_what_goes_wrong_there_is_a_sentence_here(module: Path, change: str, says: str) -> None:
    """A missing or broken PortAudio in the capturing process is an error in the listening one."""
    module.write_text(f"{TONE}\n{change}\n")
    with pytest.raises(DeviceError, match=says):
        MicrophoneSource()


def test_a_sound_system_that_hangs(module: Path) -> None:
    """A PortAudio that never returns is given up, and its process is killed."""
    module.write_text(f"{TONE}\ndef query_devices(): time.sleep(1000)\n")
    with pytest.raises(DeviceError, match=r"did not answer within 0\.5 s"):
        list_inputs(timeout_s=0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="waits for a stranger's end as Linux can")
def test_the_capturing_process_ends_with_the_listening_one(module: Path) -> None:
    """However the listening process dies, no capturing process stays behind."""
    program = textwrap.dedent(
        """
        import os, signal, sys
        from streamer.audio.microphone import MicrophoneSource
        microphone = MicrophoneSource()
        next(microphone.pieces())
        print(microphone._line.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    with contextlib.suppress(ProcessLookupError):
        ended = os.pidfd_open(pid)
        select.select([ended], [], [], 10.0)
        os.close(ended)
    assert not alive(pid)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_in_the_terminal_does_not_reach_it(module: Path) -> None:
    """Interrupts to the terminal's group, and to it alone, leave the capture running."""
    line = Process({"device": None, "rate": None})
    while not isinstance(line.receive(), link.Opened):
        pass
    assert os.getpgid(line.pid) != os.getpgid(0)
    os.kill(line.pid, signal.SIGINT)
    for _ in range(10):
        assert isinstance(line.receive(), Block | link.Tick | link.Clocked)
    line.cut()
    while line.receive() is not None:
        pass
    line.end()
    line.end()
    line.gather(5, 0)  # what was held is released when the line has ended
    assert not alive(line.pid)


@pytest.mark.parametrize("when", ["imported", "called"])
def test_what_a_library_prints_is_no_message(module: Path, when: str) -> None:
    """A C library that prints to descriptor 1 in the capturing process breaks nothing."""
    noise = 'import os; os.write(1, b"ALSA lib pcm.c: underrun occurred\\n")'
    if when == "imported":
        module.write_text(f"{noise}\n{TONE}")
    else:
        call = "            self.callback(np.stack"
        assert call in TONE
        module.write_text(TONE.replace(call, f"            {noise}\n{call}"))
    pieces = list(MicrophoneSource("tone", duration_s=0.5).pieces())
    assert all(isinstance(piece, np.ndarray) for piece in pieces)
    assert sum(len(piece) for piece in pieces if isinstance(piece, np.ndarray)) == 4_000


def test_the_capturing_process_has_this_very_package(module: Path, tmp_path: Path) -> None:
    """With an empty entry on the path, the working directory's copy is the child's copy, too."""
    checkout = Path(streamer.__file__).parent.parent
    other = tmp_path / "other"
    (other / "streamer").mkdir(parents=True)
    (other / "streamer" / "__init__.py").write_text("raise ImportError('another copy')")
    program = (
        "import sys\n"
        f"sys.path[:] = ['', {str(module.parent)!r}, {str(other)!r}, *sys.path]\n"
        "from streamer.audio.link import list_inputs\n"
        "print(list_inputs()[0].name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "Test tone\n", done.stderr


def test_a_system_without_a_process_to_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing fork is a fault of the device's kind: looking for it goes on."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(DeviceError, match="cannot start the capturing process"):
        Process({"device": None, "rate": None})


def test_the_default_output_is_followed() -> None:
    """Each change is told once; while nobody knows, nothing is."""
    answers = iter(["a.monitor", "a.monitor", None, "b.monitor", "b.monitor", "a.monitor"])
    told: list[link.Message] = []

    class OverError(Exception):
        pass

    def ask() -> str | None:
        try:
            return next(answers)
        except StopIteration:
            raise OverError from None

    with pytest.raises(OverError):
        follow(told.append, ask, lambda: None)
    assert told == [link.Moved("b.monitor"), link.Moved("a.monitor")]


@pytest.mark.skipif(sys.platform == "win32", reason="a script of Unix")
def test_a_change_of_the_server_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams that come and go are nobody's concern; where the server is gone, a pause follows."""
    program = tmp_path / "pactl"
    told = ["Event 'new' on sink-input #3", "Event 'change' on server #-1"]
    program.write_text(
        f'#!/bin/sh\necho $1 >> {tmp_path}/asked\nprintf "{told[0]}\\n"\n'
        f'sleep 0.1\nprintf "{told[1]}\\n"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    changes = Changes(devices.subscribe)
    changes.wait()
    assert pauses == [], "it was told before the program ended"
    changes.wait()
    assert len(pauses) == 1
    assert (tmp_path / "asked").read_text() == "subscribe\n"
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    changes.wait()
    assert len(pauses) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a script of Unix")
def test_channels_by_number(module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's source of many channels is recorded by ``parec``: the ones that were picked."""
    (tmp_path / "samples").write_bytes(np.tile(np.arange(12, dtype="<f4") / 16, 8_000).tobytes())
    program = tmp_path / "parec"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n/bin/cat {tmp_path}/samples\n')
    program.chmod(0o755)
    source = Input(None, "studio", 12, 8_000, "PulseAudio", False, False, numbered=True)
    monkeypatch.setattr(portaudio, "inputs", lambda _: [source])
    stream = open_input(None, "studio", None, (3, 5))
    assert (stream.name, stream.rate, stream.channels, stream.block_s) == (
        "studio",
        8_000,
        12,
        0.02,
    )
    samples = []
    while not stream.ended:
        stream.ring.wait(1.0)
    while (block := stream.ring.read()) is not None:
        assert isinstance(block, Block)
        samples.append(block.samples)
    np.testing.assert_array_equal(np.concatenate(samples), np.full(8_000, 3 / 16, np.float32))
    asked = (tmp_path / "asked").read_text().split()
    assert {"--no-remap", "--no-remix", "--device=studio", "--channels=12"} <= set(asked)
    with pytest.raises(DeviceError, match="studio has 12 channels, so there is no channel 13"):
        open_input(None, "studio", None, (13,))
