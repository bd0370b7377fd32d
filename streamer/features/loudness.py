"""How loud the last second was, which tells silence from music."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from streamer.features.state import State

#: Levels are never under this, in dB relative to full scale.
FLOOR_DB = -120.0


@dataclass(frozen=True, slots=True, eq=False)
class LoudnessState(State):
    """Mean squares of the newest hops, oldest first (zeros where none was heard), and how many."""

    powers: NDArray[np.float64]
    heard: int


class Loudness:
    """RMS of the last second, in dB relative to full scale, at each frame's end."""

    def __init__(self, sample_rate: int, frame: int, hop: int) -> None:
        self._newest = min(hop, frame)
        self._hops = max(1, -(-sample_rate // hop))

    def initial(self) -> LoudnessState:
        """The state before the first frame, and after a gap."""
        return LoudnessState(np.zeros(self._hops - 1), 0)

    def measure(
        self, frames: NDArray[np.float64], state: LoudnessState
    ) -> tuple[NDArray[np.float64], LoudnessState]:
        """Levels (count,) in dB, in [-120, ...), of ``frames`` (count, length + 1), and the state.

        Over the first second the mean is over what was heard so far.
        """
        if not len(frames):
            return np.empty(0), state
        newest = frames[:, -self._newest :]
        squares = np.einsum("ij,ij->i", newest, newest) / self._newest
        powers = np.concatenate([state.powers, squares])
        heard = np.minimum(state.heard + np.arange(1, len(frames) + 1), self._hops)
        mean = sliding_window_view(powers, self._hops).sum(axis=1) / heard
        # 10^-12 is -120 dB: silence has a level too, and no infinity.
        levels = 10 * np.log10(np.maximum(mean, 10 ** (FLOOR_DB / 10)))
        return levels, LoudnessState(powers[len(frames) :].copy(), int(heard[-1]))
