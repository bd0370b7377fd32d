"""How well estimates agree with labels: CCC, Pearson's r, RMSE; pooled, and within songs.

*Pooled* is over all labels together; *per song* is the mean over songs of the figure within a
song. For the same estimates the pooled correlation is far higher: always say which. CCC: Lin 1989,
"A concordance correlation coefficient to evaluate reproducibility".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Labels before this second of a clip count nowhere: the stream has only begun.
SCORED_FROM_S = 2.0
Floats = NDArray[np.float64]


def ccc(estimates: ArrayLike, labels: ArrayLike) -> float:
    """Concordance correlation coefficient of two (n,) arrays, in [-1, 1]; 0 if neither varies."""
    x, y = _pair(estimates, labels)
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return 2 * _covariance(x, y) / float(spread) if spread > 0 else 0.0


def pearson(estimates: ArrayLike, labels: ArrayLike) -> float | None:
    """Pearson's r of two (n,) arrays; ``None`` where one of them does not vary."""
    x, y = _pair(estimates, labels)
    spread = x.std() * y.std()
    if spread < 1e-12:
        return None
    return _covariance(x, y) / float(spread)


def _covariance(x: Floats, y: Floats) -> float:
    return float(np.cov(x, y, bias=True)[0, 1])


def rmse(estimates: ArrayLike, labels: ArrayLike) -> float:
    """Root of the mean squared error of two (n,) arrays."""
    x, y = _pair(estimates, labels)
    return float(np.sqrt(np.mean((x - y) ** 2)))


def determination(estimates: ArrayLike, labels: ArrayLike) -> float:
    """1 - SSE / SST of two (n,) arrays: negative where the mean of the labels were better.

    0 where the labels do not vary.
    """
    x, y = _pair(estimates, labels)
    if y.std() < 1e-12:  # rounding errors of a mean are no variance
        return 0.0
    return float(1 - ((x - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def axis_metrics(estimates: Sequence[Floats], labels: Sequence[Floats]) -> dict[str, object]:
    """The figures of one axis, of one array a song: ``pooled``, ``per_song`` and ``song_means``."""
    x, y = np.concatenate(estimates), np.concatenate(labels)
    r = pearson(x, y)
    pairs = list(zip(estimates, labels, strict=True))
    inside = [pearson(a, b) for a, b in pairs if len(a) > 2]
    known = [value for value in inside if value is not None]
    errors = [rmse(a, b) for a, b in pairs]
    concordances = [ccc(a, b) for a, b in pairs if len(a) > 2]
    return {
        "pooled": {
            "ccc": ccc(x, y),
            "r": r,
            "r_squared": None if r is None else r * r,
            "determination": determination(x, y),
            "rmse": rmse(x, y),
        },
        "per_song": {
            "rmse": float(np.mean(errors)),
            "rmse_sd": float(np.std(errors)),
            "r": float(np.mean(known)) if known else None,
            "r_sd": float(np.std(known)) if known else None,
            "ccc": float(np.mean(concordances)) if concordances else None,
        },
        "song_means": {
            "r": pearson([a.mean() for a, _ in pairs], [b.mean() for _, b in pairs]),
        },
        "labels": len(x),
        "songs": len(pairs),
    }


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    songs: int,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of a statistic of song numbers, drawing songs with replacement."""
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(0, songs, songs)) for _ in range(draws)]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _pair(estimates: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats]:
    x = np.asarray(estimates, dtype=np.float64)
    y = np.asarray(labels, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not len(x):
        raise ValueError(f"two arrays of one length are needed, not {x.shape} and {y.shape}")
    return x, y
