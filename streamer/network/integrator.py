"""A leaky integrator: the mean of all so far, in which what is long past counts less and less."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: An array: NumPy takes as long to convert a Python number as to add it.
_ONE = np.array(1, dtype=np.float32)


def fading(frames: float) -> float:
    """What is left of a frame's weight after one step, for a time constant of so many frames."""
    return math.exp(-1 / frames)


class Integrator:
    """The leaky mean over time, from the first frame on: at the start it is the plain mean.

    A sum and the sum of its weights fade together, so that a stream's beginning is not drawn to 0
    (the bias correction of Kingma and Ba 2015, "Adam"). Step by step: a matrix product over many
    steps would be faster, and would round otherwise than the same frames one by one.
    """

    def __init__(self, frames: float) -> None:
        """``frames``: the time constant."""
        self._left = np.array(fading(frames), dtype=np.float32)

    def __call__(self, rows: Floats, runs: Sequence[tuple[int, int]], integral: Floats) -> Floats:
        """Means (rows, units) of packed ``rows`` (rows, units).

        ``runs`` are sequences and steps of each stretch (``lstm.Packing``). ``integral``
        (sequences, units + 1), the sums and their weights last, is moved on in place.
        """
        means = np.empty_like(rows)
        begin = 0
        for count, steps in runs:
            going = integral[:count]
            sums, weights = going[:, :-1], going[:, -1:]
            for _ in range(steps):
                end = begin + count
                going *= self._left
                sums += rows[begin:end]
                weights += _ONE
                np.divide(sums, weights, out=means[begin:end])
                begin = end
        return means
