"""How long calls take, side by side, on which machine, and with what music."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from streamer.processes import cores

#: What keeps every library to one thread; it must be set before NumPy is imported.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}


def describe_machine() -> dict[str, Any]:
    """Processor, cores, load, and the versions that matter."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "threads": int(os.environ.get("OMP_NUM_THREADS", "0")) or cores(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


#: What most files have.
FILE_RATE = 44_100
_BLOCK_S = 10


def music(seconds: float, rate: int, seed: int = 0) -> NDArray[np.float32]:
    """Chords with a beat and some noise: mono float32 of ``seconds`` at ``rate`` Hz."""
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    sound = random.normal(0, 0.02, len(t))
    for tone in random.choice((110, 131, 165, 196, 220, 262, 330, 392), 5, replace=False):
        swell = 1 + np.sin(2 * np.pi * random.uniform(0.05, 0.5) * t)
        sound += 0.05 * swell * np.sin(2 * np.pi * tone * t)
    sound *= 0.5 + 0.5 * np.exp(-4 * (t * 2 % 1))
    return sound.astype(np.float32)


def write(path: Path, seconds: float) -> None:
    """A stereo FLAC file of that length, written in pieces."""
    with soundfile.SoundFile(path, "w", FILE_RATE, 2, format="FLAC") as file:
        left = round(seconds * FILE_RATE)
        for seed in range(1 << 30):
            if left <= 0:
                return
            block = music(_BLOCK_S, FILE_RATE, seed)[:left]
            file.write(np.stack([block, block[::-1]], axis=1))
            left -= len(block)


Call = Callable[[], object]

#: A turn of one candidate lasts about this long before the next one has its turn.
_TURN_S = 0.005
_MOST_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds a call, over ``calls`` calls."""

    median_s: float
    p99_s: float
    calls: int


def side_by_side(
    calls: Mapping[str, Call], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Time each of ``calls`` for about ``seconds``, taking turns.

    What disturbs the machine disturbs them all: their ratios hold where their times do not.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    turns: dict[str, int] = {}
    for name, call in calls.items():
        call()  # the first call allocates, compiles and fills caches
        begin = clock()
        call()
        turns[name] = max(1, min(1000, int(_TURN_S / max(clock() - begin, 1e-7))))
    collecting = gc.isenabled()
    gc.disable()
    try:
        end = clock() + seconds * len(calls)
        while True:
            for name, call in calls.items():
                times = found[name]
                for _ in range(turns[name]):
                    begin = clock()
                    call()
                    times.append(clock() - begin)
            if clock() >= end or any(len(times) >= _MOST_CALLS for times in found.values()):
                break
    finally:
        if collecting:
            gc.enable()
    return {name: _timing(times) for name, times in found.items()}


def measure(call: Call, seconds: float) -> Timing:
    """Time one call."""
    return side_by_side({"": call}, seconds)[""]


def _timing(times: list[float]) -> Timing:
    ordered = sorted(times)
    last = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return Timing(statistics.median(ordered), last, len(ordered))
