"""The capturing process itself, with a sounddevice of the tests' own in it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from fake_portaudio import TONE

from streamer.audio import link
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
    assert not alive(line.pid)
