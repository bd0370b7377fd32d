"""A sound server's source recorded by its own program, ``parec``: its channels by number.

Through PortAudio (that is ALSA's device for PulseAudio) the server assigns channels by the places
that it believes they have, and gives zeros for those without one.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Sequence

import numpy as np

from streamer.audio.devices import Input
from streamer.audio.portaudio import BLOCK_S, BY_ENTRY, RING_S, check_picked
from streamer.audio.ring import Ring
from streamer.audio.source import Downmix, check_layout
from streamer.errors import DeviceError


def program() -> str | None:
    """The path of ``parec``, if it is installed."""
    return shutil.which("parec")


class Stream:
    """An open source of the sound server: the program, the ring that it fills, and what it is.

    As :class:`streamer.audio.portaudio.Stream`, with a thread of ours in the callback's place.
    """

    def __init__(
        self,
        program: str,
        device: Input,
        rate: int | None = None,
        picked: Sequence[int] = (),
        block_s: float = BLOCK_S,
    ) -> None:
        self.name = device.name
        self.rate = rate if rate is not None else device.rate
        self.channels = device.channels
        check_layout(self.rate, self.channels, self.name)
        check_picked(device, picked)
        self.ended = False
        self.clock = BY_ENTRY
        self._most = round(self.rate * block_s)
        self.block_s = self._most / self.rate
        self.downmix = Downmix(self.rate, self.channels, picked)
        self.ring = Ring(round(self.rate * RING_S), round(RING_S / block_s))
        command = [
            *(program, "--raw", "--format=float32le", "--no-remap", "--no-remix"),
            *(f"--device={self.name}", f"--rate={self.rate}", f"--channels={self.channels}"),
            f"--latency-msec={round(1000 * block_s)}",
        ]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise DeviceError(f"cannot start parec to record {self.name}: {error}") from error
        threading.Thread(target=self._fill, daemon=True).start()

    def _fill(self) -> None:
        """Blocks from the program into the ring until it ends."""
        pipe = self._process.stdout
        assert pipe is not None, "it was asked for"
        mono = np.empty(self._most, np.float32)
        width = 4 * self.channels
        while data := pipe.read(width * self._most):
            entered = time.monotonic()
            whole = data[: len(data) - len(data) % width]
            block = np.frombuffer(whole, "<f4").reshape(-1, self.channels)
            self.downmix(block, mono[: len(block)])
            self.ring.write(mono[: len(block)], entered, entered, False)
        pipe.close()
        self._process.wait()
        self.ended = True
        self.ring.wake()
