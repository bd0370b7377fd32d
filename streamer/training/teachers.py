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
#: Weight of a clip judged by quadrant beside a song with labels: for words on its own kind, and on
#: the other.
_QUADRANT_WEIGHTS = {True: 0.7, False: 0.3}


def whole_clip_words(recipe: Recipe, songs: Sequence[Song]) -> dict[tuple[str, str], Floats]:
    """What regressions on the other songs say of each song, repeated for each frame: (frames, 2).

    The songs are parted by group; each part is judged by regressions fitted to the others. Raises
    ``MissingExtraError`` without scikit-learn.
    """
    facts = np.array([statistics(recipe, song) for song in songs])
    targets = _targets(songs)
    judged = np.array([song.clip.sides is not None for song in songs])
    groups = {(song.clip.dataset, song.clip.group): 0 for song in songs}
    parts = {key: index % _PARTS for index, key in enumerate(sorted(groups))}
    part = np.array([parts[song.clip.dataset, song.clip.group] for song in songs])
    words = np.zeros_like(targets)
    for number in range(_PARTS):
        for kind in (False, True):
            outside = (part == number) & (judged == kind)
            if outside.any():
                inside = part != number
                weights = np.where(judged[inside], _QUADRANT_WEIGHTS[kind], 1.0)
                # The clips of the other kind may mean the same sound differently: for those judged
                # by quadrant the regression is told which kind each is.
                told = np.c_[facts, judged, facts * judged[:, None]] if kind else facts
                words[outside] = _regress(told[inside], targets[inside], weights, told[outside])
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


def _targets(songs: Sequence[Song]) -> Doubles:
    """The mean label of each song, (songs, 2); of clips judged by quadrant, side and tags.

    A side is sure and coarse, the tags are fine and unsure. Words have norms of their own (few are
    rated as arousing), so the tags count relative to those of the other clips.
    """
    tags = np.array([song.clip.tags for song in songs if song.clip.tags is not None])
    usual = tags.mean(axis=0) if len(tags) else np.zeros(2)
    targets = []
    for song in songs:
        clip = song.clip
        if clip.sides is None or clip.tags is None:
            targets.append(clip.labels[clip.times > SCORED_FROM_S].mean(axis=0))
        else:
            sides = np.array(clip.sides) - 0.5
            targets.append(0.4 * sides + 0.4 * (np.array(clip.tags) - usual))
    return np.array(targets)


def _regress(x: Doubles, y: Doubles, weights: Doubles, asked: Doubles) -> Doubles:
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
        words = [RidgeCV(np.logspace(2, 5, 13)).fit(inside, y, weights).predict(outside)]
    for strength, width in ((0.2, 1.0), (0.5, 0.3)):
        # Kernels as one matrix product: libsvm would take a hundred times as long.
        kernel = rbf_kernel(inside, gamma=width / x.shape[1])
        asked_kernel = rbf_kernel(outside, inside, gamma=width / x.shape[1])
        words.append(
            np.stack(
                [
                    SVR(kernel="precomputed", C=strength, epsilon=0.05)
                    .fit(kernel, y[:, axis], weights)
                    .predict(asked_kernel)
                    for axis in range(2)
                ],
                axis=1,
            )
        )
    return np.asarray(np.mean(words, axis=0))
