"""Teachers that hear a whole clip at once, for a network that may not.

A shallow regression on statistics of a whole clip is not causal and cannot follow a stream, but it
overfits less than a network does: its word on songs that it was not fitted to is a calm second
opinion beside noisy labels. The network learns both (distillation: Hinton, Vinyals, Dean 2015).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.errors import MissingExtraError
from streamer.features.mfcc import Mfcc
from streamer.training.batches import Floats
from streamer.training.material import Song
from streamer.training.metrics import SCORED_FROM_S
from streamer.training.recipe import Recipe

Doubles = NDArray[np.float64]
_PARTS = 6


def whole_clip_words(recipe: Recipe, songs: Sequence[Song]) -> dict[tuple[str, str], Floats]:
    """What regressions on the other songs say of each song, repeated for each frame: (frames, 2).

    ``songs`` have labels in time. They are parted by group; each part is judged by regressions
    fitted to the others. Raises ``MissingExtraError`` without scikit-learn.
    """
    facts = np.array([statistics(recipe, song) for song in songs])
    targets = np.array(
        [song.clip.labels[song.clip.times > SCORED_FROM_S].mean(axis=0) for song in songs]
    )
    groups = sorted({(song.clip.dataset, song.clip.group) for song in songs})
    parts = {group: index % _PARTS for index, group in enumerate(groups)}
    part = np.array([parts[song.clip.dataset, song.clip.group] for song in songs])
    words = np.zeros_like(targets)
    for number in np.unique(part):
        inside, outside = part != number, part == number
        words[outside] = _regress(facts[inside], targets[inside], facts[outside])
    return {
        (song.clip.dataset, song.clip.song): np.repeat(
            word[None].astype(np.float32), len(song.bands), axis=0
        )
        for song, word in zip(songs, words, strict=True)
    }


def statistics(recipe: Recipe, song: Song) -> Doubles:
    """What a clip is like as a whole, whatever its volume: timbre, its spread, movement, pulse."""
    bands = song.bands.astype(np.float64)
    bands = np.maximum(bands - np.log(np.exp(bands.mean(axis=1)).mean() + 1e-12), -12)
    rows = Mfcc(recipe.features).from_log_mel(bands)
    facts = [rows.mean(axis=0), np.log(rows.std(axis=0) + 1e-3), np.log(bands.std(axis=0) + 1e-3)]
    facts += [np.log(np.abs(rows[lag:] - rows[:-lag]).mean(axis=0) + 1e-3) for lag in (1, 4)]
    for lag in (1, 2):
        moved = bands[lag:] - bands[:-lag]
        facts.append(np.log(np.abs(moved).mean(axis=0) + 1e-3))
        facts.append(np.log(np.maximum(moved, 0).std(axis=0) + 1e-3))
    onsets = np.maximum(np.diff(bands, axis=0), 0).mean(axis=1)
    facts.append(np.array([onsets.mean(), onsets.std()]))
    steady = onsets - onsets.mean()
    pulse = np.correlate(steady, steady, "full")[len(steady) - 1 :][:40]
    facts.append(pulse[1:] / (pulse[0] + 1e-9))
    return np.concatenate(facts)


def _regress(x: Doubles, y: Doubles, asked: Doubles) -> Doubles:
    """The mean of a ridge and two support-vector regressions, (asked, 2)."""
    try:
        from sklearn.linear_model import RidgeCV
        from sklearn.metrics.pairwise import rbf_kernel
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVR
    except ModuleNotFoundError:
        raise MissingExtraError("training with teachers", "scikit-learn", "train") from None
    scaler = StandardScaler().fit(x)
    inside, outside = scaler.transform(x), scaler.transform(asked)
    with warnings.catch_warnings():
        # Nearly collinear statistics are expected, and what ridge regression is for.
        warnings.simplefilter("ignore")
        words = [RidgeCV(np.logspace(2, 5, 13)).fit(inside, y).predict(outside)]
    for strength, width in ((0.2, 1.0), (0.5, 0.3)):
        # Kernels as one matrix product: libsvm would take a hundred times as long.
        kernel = rbf_kernel(inside, gamma=width / x.shape[1])
        asked_kernel = rbf_kernel(outside, inside, gamma=width / x.shape[1])
        words.append(
            np.stack(
                [
                    SVR(kernel="precomputed", C=strength, epsilon=0.05)
                    .fit(kernel, y[:, axis])
                    .predict(asked_kernel)
                    for axis in range(2)
                ],
                axis=1,
            )
        )
    return np.asarray(np.mean(words, axis=0))
