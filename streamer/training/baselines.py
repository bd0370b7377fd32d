"""What any method must beat: a constant, and a ridge regression on mean MFCCs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.features.mfcc import Mfcc
from streamer.training.material import Song
from streamer.training.metrics import SCORED_FROM_S
from streamer.training.recipe import Recipe

Floats = NDArray[np.float64]
_STRENGTHS = 10.0 ** np.arange(-1, 5)


def constant(train: Sequence[Song], test: Sequence[Song]) -> list[Floats]:
    """The mean label of the training songs, (2,) for each test song."""
    mean = _targets(train).mean(axis=0)
    return [mean] * len(test)


def ridge(recipe: Recipe, train: Sequence[Song], test: Sequence[Song]) -> list[Floats]:
    """Ridge regression from mean MFCCs of the whole clip to its mean label, (2,) a test song.

    The strength is chosen by five folds inside the training songs. Not causal, and not invariant
    to volume: it sees the whole clip and its level.
    """
    x, y = _means(recipe, train), _targets(train)
    part = np.arange(len(x)) % 5

    def error(strength: float) -> float:
        apart = (
            Ridge.fit(x[part != k], y[part != k], strength).predict(x[part == k]) - y[part == k]
            for k in range(5)
        )
        return sum(float((difference**2).sum()) for difference in apart)

    best = Ridge.fit(x, y, min(_STRENGTHS.tolist(), key=error))
    return list(best.predict(_means(recipe, test)))


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Hoerl and Kennard 1970: least squares on standardised inputs with shrunken weights."""

    mean: Floats
    sd: Floats
    weights: Floats
    middle: Floats

    @classmethod
    def fit(cls, x: Floats, y: Floats, strength: float) -> Ridge:
        """Fit ``y`` (songs, 2) by ``x`` (songs, inputs)."""
        mean, sd, middle = x.mean(axis=0), x.std(axis=0) + 1e-9, y.mean(axis=0)
        z = (x - mean) / sd
        gram = z.T @ z + strength * np.eye(z.shape[1])
        return cls(mean, sd, np.linalg.solve(gram, z.T @ (y - middle)), middle)

    def predict(self, x: Floats) -> Floats:
        """Estimates (songs, 2) for ``x`` (songs, inputs)."""
        return np.asarray((x - self.mean) / self.sd @ self.weights + self.middle)


def _targets(songs: Sequence[Song]) -> Floats:
    return np.array(
        [song.clip.labels[song.clip.times > SCORED_FROM_S].mean(axis=0) for song in songs]
    )


def _means(recipe: Recipe, songs: Sequence[Song]) -> Floats:
    mfcc = Mfcc(recipe.features)
    return np.array([mfcc.from_log_mel(song.bands.astype(float)).mean(axis=0) for song in songs])
