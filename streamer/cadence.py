"""When an estimate is due."""

from __future__ import annotations

import math


class Cadence:
    """Which frames are due: the first whose end reaches each multiple of the interval.

    ``interval`` in seconds, 0 for every frame; ``rate`` in Hz.
    """

    def __init__(self, interval: float, rate: int) -> None:
        if not (math.isfinite(interval) and interval >= 0):
            raise ValueError(f"the interval must be 0 or more seconds, not {interval}")
        self._step = interval * rate

    def index(self, position: int) -> int:
        """How many multiples of the interval (zero apart) lie at or before a stream position."""
        # A hair is added so that 0.1 s at 16 kHz is due at sample 1,600 and not one frame later.
        return position if not self._step else math.floor(position / self._step + 1e-9)
