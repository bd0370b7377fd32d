"""Taking the volume out of the first cepstral coefficient: the volume knob is not an emotion.

A gain moves the first coefficient alone, by a constant. Measured against the running level of the
same stream, the coefficient tells how loud the moment is within its music, and the gain is gone,
exactly. This running level is the one thing besides the LSTM that remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamer.features.state import State

#: Frames of full scale, of whatever length, have less.
_MOST_POWER = 1e12


@dataclass(frozen=True, slots=True)
class VolumeConfig:
    """What becomes of the first coefficient.

    ``first``: "relative" to the running level, or "raw" as it is (for ablations). ``seconds``:
    the time constant of the running level. ``floor`` and ``ceiling``: where the relative level is
    clipped, in nepers of power (1 is 4.3 dB).
    """

    first: Literal["relative", "raw"]
    seconds: float
    floor: float
    ceiling: float

    def __post_init__(self) -> None:
        if self.first not in ("relative", "raw"):
            raise ValueError(f"first must be 'relative' or 'raw', not {self.first!r}")
        if not 0 < self.seconds <= 3600:
            raise ValueError("seconds must be above 0 and at most 3600")
        if not -100 <= self.floor < self.ceiling <= 100:
            raise ValueError("floor must be under ceiling, both within 100 nepers")


@dataclass(frozen=True, slots=True, eq=False)
class VolumeState(State):
    """The running mean of the power, and the frames heard (capped once they no longer matter)."""

    power: float
    heard: int

    def _rules(self) -> dict[str, tuple[str, bool]]:
        most = _MOST_POWER if self.heard else 0
        return {"power": ("is none that sound can have", 0 <= self.power <= most)}


class Volume:
    """The first coefficient relative to a running level of the stream.

    ``scale`` is what the coefficient is multiplied by for a log power: the orthonormal DCT gives
    the sum of the log bands over the root of their number. The level is the log of an exponential
    mean of that power, a plain mean until the time constant is reached, so that the first frame
    stands at 0 and the loud moments, not the pauses, set the level.
    """

    def __init__(self, config: VolumeConfig, hop_s: float, scale: float) -> None:
        self.config = config
        self._scale = scale
        self._longest = max(1, round(config.seconds / hop_s))

    def initial(self) -> VolumeState:
        """The state before the first frame."""
        return VolumeState(0.0, 0)

    def level(
        self, rows: NDArray[np.float64], state: VolumeState
    ) -> tuple[NDArray[np.float64], VolumeState]:
        """``rows`` (count, coefficients) with the first coefficient levelled, and the new state.

        Row by row, from rows up to it alone; the same whatever the cuts.
        """
        levelled, (after,) = self.level_streams(rows, [len(rows)], [state])
        return levelled, after

    def level_streams(
        self, rows: NDArray[np.float64], lengths: Sequence[int], states: Sequence[VolumeState]
    ) -> tuple[NDArray[np.float64], list[VolumeState]]:
        """``level`` for several streams, their ``rows`` one after the other.

        ``lengths`` says how many rows each stream has.
        """
        if self.config.first == "raw" or not len(rows):
            return rows, list(states)
        logs = rows[:, 0] * self._scale
        powers = iter(np.exp(logs).tolist())
        running: list[float] = []
        after: list[VolumeState] = []
        for length, state in zip(lengths, states, strict=True):
            power, heard = state.power, state.heard
            for current in islice(powers, length):
                heard = min(heard + 1, self._longest)
                power += (current - power) / heard
                running.append(power)
            after.append(VolumeState(power, heard))
        relative = logs - np.log(running)
        np.maximum(relative, self.config.floor, out=relative)
        np.minimum(relative, self.config.ceiling, out=relative)
        levelled = rows.copy()
        levelled[:, 0] = relative / self._scale
        return levelled, after
