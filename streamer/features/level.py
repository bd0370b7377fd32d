"""How loud the last second was, which tells silence from music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.audio.source import LIMIT
from streamer.features.state import State

#: Levels are never under this, in dB relative to full scale.
FLOOR_DB = -120.0
_FLOOR = 10 ** (FLOOR_DB / 10)


@dataclass(frozen=True, slots=True, eq=False)
class LoudnessState(State):
    """Mean squares of the newest hops, oldest first (zeros where none was heard), and how many."""

    powers: NDArray[np.float64]
    heard: int

    def _rules(self) -> dict[str, tuple[str, bool]]:
        # The powers of a constant offset are 0 but for the rounding.
        low, high = -1e-6, 1.001 * float(LIMIT) ** 2
        unheard = self.powers[: max(0, len(self.powers) - self.heard)]
        return {
            "powers": (
                "must be those that sound can have, and 0 where none was heard",
                bool(((self.powers >= low) & (self.powers <= high)).all() and not unheard.any()),
            )
        }


class Loudness:
    """RMS of the last second, in dB relative to full scale, at each frame's end.

    Each hop's mean is taken out first: an input's constant offset is no sound, however large.
    """

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
        levels, (after,) = self.measure_streams(frames, [len(frames)], [state])
        return levels, after

    def measure_streams(
        self,
        frames: NDArray[np.float64],
        lengths: Sequence[int],
        states: Sequence[LoudnessState],
    ) -> tuple[NDArray[np.float64], list[LoudnessState]]:
        """``measure`` for several streams, their ``frames`` one after the other.

        ``lengths`` says how many frames each stream has.
        """
        if not len(frames):
            return np.empty(0), list(states)
        newest = frames[:, -self._newest :]
        squares = np.add.reduce(np.square(newest), axis=1)
        squares /= self._newest
        mean = np.add.reduce(newest, axis=1)
        mean /= self._newest
        squares -= np.square(mean, out=mean)
        # Each stream's earlier powers, then its new ones.
        joined: list[NDArray[np.float64]] = []
        begin = 0
        for length, state in zip(lengths, states, strict=True):
            joined += (state.powers, squares[begin : begin + length])
            begin += length
        powers = np.concatenate(joined)
        shape = (len(powers) - self._hops + 1, self._hops)
        seconds = np.ndarray(shape, powers.dtype, powers, 0, 2 * powers.strides)
        if len(lengths) > 1:
            # What spans two streams is left out.
            earlier = np.arange(len(lengths)) * (self._hops - 1)
            seconds = seconds[np.arange(len(frames)) + np.repeat(earlier, lengths)]
        heard: int | NDArray[np.intp] = self._hops
        if any(state.heard < self._hops for state in states):
            counts = [
                np.arange(state.heard + 1, state.heard + 1 + length)
                for length, state in zip(lengths, states, strict=True)
            ]
            heard = np.minimum(np.concatenate(counts), self._hops)
        levels = np.add.reduce(seconds, axis=1)
        levels /= heard
        # 10^-12 is -120 dB: silence has a level too, and no infinity.
        np.maximum(levels, _FLOOR, out=levels)
        np.log10(levels, out=levels)
        levels *= 10

        after: list[LoudnessState] = []
        end = 0
        for length, state in zip(lengths, states, strict=True):
            end += self._hops - 1 + length
            heard_now = min(state.heard + length, self._hops)
            after.append(LoudnessState(powers[end - self._hops + 1 : end].copy(), heard_now))
        return levels, after
