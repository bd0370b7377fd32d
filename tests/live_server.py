"""The bench's PulseAudio daemon without hardware, with what tests do to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.bench import live
from streamer.bench.live import SoundServer


def missing() -> str | None:
    """What these tests lack on this computer, if anything."""
    if (lack := live.missing()) is not None:
        return lack
    try:
        import sounddevice  # noqa: F401
    except OSError:
        return "PortAudio (libportaudio2) not installed"
    return None


def demand() -> None:
    """Skip the test where something is missing; fail it where STREAMER_REQUIRE_LIVE is 1."""
    if (lack := missing()) is not None:
        if os.environ.get("STREAMER_REQUIRE_LIVE") == "1":
            pytest.fail(f"STREAMER_REQUIRE_LIVE=1, but {lack}")
        pytest.skip(lack)


class Server(SoundServer):
    """A private PulseAudio daemon with a null sink, and the environment to reach it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._programs: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        super().start()
        wait_for(self.answers, "PulseAudio to start")

    def signal(self, number: signal.Signals) -> None:
        """Send the daemon a signal."""
        assert self.daemon is not None
        self.daemon.send_signal(number)

    def pactl(self, *words: str) -> str:
        """What the daemon answers."""
        done = subprocess.run(
            ["pactl", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return done.stdout

    def play_raw(self, sink: str, channels: int, path: Path) -> subprocess.Popen[str]:
        """Begin to play floats at 44.1 kHz into a sink, its channels by number."""
        form = ["--raw", "--format=float32le", "--rate=44100", "--no-remap", "--no-remix"]
        return self._run(["paplay", f"--device={sink}", *form, f"--channels={channels}", str(path)])

    def play(self, path: Path) -> subprocess.Popen[str]:
        """Begin to play a file into the sink."""
        return self._run(["paplay", str(path)])

    def streamer(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the real program, its two outputs in pipes."""
        return self._run([sys.executable, "-m", "streamer", *arguments])

    def _run(self, command: list[str]) -> subprocess.Popen[str]:
        self._programs.append(
            subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return self._programs[-1]

    def close(self) -> None:
        """End the daemon and all programs, and close their pipes."""
        self.stop()
        for program in self._programs:
            program.kill()
            program.communicate()


def wait_for(fact: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait until something outside of this process has become true."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
