"""How long calls take, side by side: medians and 99th percentiles."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
