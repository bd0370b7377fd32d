"""Between the paper and the sound: reading a line of music, and a hand that is not a machine."""

from collections.abc import Iterator

import numpy as np
from numpy.random import RandomState

from .synthesis import hertz


def score(text: str, beat: float) -> Iterator[tuple[float, float, list[float]]]:
    """Read a line of music such as `G5:.5 r:.5 C4+E4:1` (pitches, colon, beats; r is a rest).

    Yields start and length in seconds, for a `beat` of so many seconds, and the pitches in hertz;
    rests are counted and not yielded. Bar lines (`|`) are for the eye.
    """
    at = 0.0
    for token in text.replace("|", " ").split():
        pitches, beats = token.split(":")
        length = float(beats) * beat
        if pitches != "r":
            yield at, length, [hertz(name) for name in pitches.split("+")]
        at += length


class Feel:
    """A player's hand: notes a few milliseconds off the grid and never twice as strong."""

    def __init__(self, rng: RandomState, timing: float, touch: float) -> None:
        self.rng, self.timing, self.touch = rng, timing, touch

    def when(self, at: float) -> float:
        """`at` seconds, give or take `timing` (standard deviation), never before the start."""
        return max(0.0, at + self.timing * self.rng.standard_normal())

    def strength(self, velocity: float) -> float:
        """`velocity` times about 1 +/- `touch`, kept within .02 and 1."""
        return float(np.clip(velocity * (1 + self.touch * self.rng.standard_normal()), 0.02, 1.0))
