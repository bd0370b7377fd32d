"""The program in processes of its own, with a device, limits and readers of the tests' making."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_portaudio import TONE

#: Blocks a second of the device that is too fast: thirty times as many as it says.
HASTE = 30


def hasty_device(folder: Path, haste: float = HASTE) -> dict[str, str]:
    """The environment in which PortAudio's one device delivers ``haste`` times too fast."""
    folder.mkdir(parents=True, exist_ok=True)
    slow = "begin + position / self.rate - time.monotonic()"
    assert slow in TONE
    fast = f"begin + position / self.rate / {haste} - time.monotonic()"
    (folder / "sounddevice.py").write_text(TONE.replace(slow, fast))
    path = os.pathsep.join([str(folder), *(entry for entry in sys.path if entry)])
    return {**os.environ, "PYTHONPATH": path, "PATH": str(folder), "OMP_NUM_THREADS": "1"}


def file_size_limit(size: int) -> Callable[[], None]:
    """For ``preexec_fn``: no file grows beyond ``size`` bytes, as on a disk that is full."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def streamer(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """The command; its pipes are read without a buffer of ours."""
    command = [sys.executable, "-m", "streamer", *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(command, bufsize=0, **options)


def most_memory(pid: int) -> int:
    """The most bytes of memory that a process (Linux) has had."""
    return _memory(pid, "VmHWM:")


def resident(pid: int) -> int:
    """The bytes of memory that a process (Linux) has now."""
    return _memory(pid, "VmRSS:")


def _memory(pid: int, kind: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
