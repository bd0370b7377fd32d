"""The distribution of latencies over a session of any length, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter

#: Bins are 2 % wide: percentiles are within 1 % of the truth, and an hour of lateness still fits.
_BASE = math.log(1.02)
_SMALLEST_S = 1e-5


class Latency:
    """Counts latencies in seconds in logarithmic bins."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self._longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one; what is not positive counts as ten microseconds."""
        self._longest = max(self._longest, seconds)
        self._bins[round(math.log(max(seconds, _SMALLEST_S)) / _BASE)] += 1

    def percentile(self, percent: float) -> float | None:
        """The latency that ``percent`` of those counted do not exceed; None before the first."""
        wanted = percent / 100 * self._bins.total()
        seen = 0
        for index in sorted(self._bins):
            seen += self._bins[index]
            if seen >= wanted:
                return math.exp(index * _BASE)
        return None

    def to_dict(self) -> dict[str, float | int | None]:
        """How many, the median, the 99th percentile and the longest, in seconds."""
        return {
            "count": self._bins.total(),
            "median_s": self.percentile(50),
            "p99_s": self.percentile(99),
            "max_s": self._longest,
        }
