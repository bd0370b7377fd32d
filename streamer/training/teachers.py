"""Teachers that hear a whole clip at once, for a network that may not.

A regression on facts of a whole clip is not causal and cannot follow a stream, but it overfits less
than a network does, and it may use hints of a model that heard far more music. Its word on songs
that it was not fitted to is a calm second opinion beside noisy labels, and it judges the songs of
every other corpus, too. The network learns all (distillation: Hinton, Vinyals, Dean 2015).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.training.dataset import Clip
from streamer.training.facts import hinted
from streamer.training.labels import LABEL_SD, label_of
from streamer.training.material import Song

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
_PARTS = 6
_PLACES = 5
#: Strengths of the ridge regressions, and width and strength of the kernel one, for standardised
#: facts divided by the root of their number.
_RIDGES = (0.5, 2.0)
_WIDTH, _KERNEL_RIDGE = 0.5, 0.7
#: Standardised facts are cut here: one odd clip is not to bend a regression.
_FURTHEST = 5.0
#: Teachers that agree in part say less together than each alone: made up for.
_CONSENSUS_GAIN = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class Teachings:
    """What the teachers say of each song, by dataset and name.

    ``words`` (2 * corpora,): valence and arousal by each corpus's teacher, standardised over its
    own songs. ``consensus`` (2,): what they agree on, on the common plane. ``zeros`` (2,) of each
    corpus, in its own numbers: where its teacher puts the middle between the sides of clips judged
    by quadrant; empty where there are no such clips. ``widening`` (2,): how many times larger a
    teacher's errors are on songs of a corpus that it never heard than on new songs of its own.
    """

    corpora: tuple[str, ...]
    words: dict[tuple[str, str], Floats]
    consensus: dict[tuple[str, str], Floats]
    zeros: dict[str, tuple[float, float]]
    widening: tuple[float, float] = (1.0, 1.0)


def teach(songs: Sequence[Song], wanted: float) -> Teachings:
    """Teachers of every corpus whose labels are among ``songs``; songs without labels are left out.

    A corpus's own songs are parted by group, and each part is judged by a teacher of the others.
    Before corpora are averaged, what follows from arousal is taken out of each one's valence, and
    the ``wanted`` part of it put in (``streamer.training.labels``). Hints are used where every song
    has them.
    """
    songs = [song for song in songs if song.clip.emotional]
    corpora = tuple(sorted({song.clip.dataset for song in songs}))
    if not corpora:
        return Teachings((), {}, {}, {})
    facts = np.array([song.facts for song in songs], np.float64)
    if all(song.clip.hints is not None for song in songs):
        facts = np.concatenate([facts, [hinted(song.clip) for song in songs]], axis=1)
    home = np.array([corpora.index(song.clip.dataset) for song in songs])
    part = np.array([_part(song.clip) for song in songs])
    words, valences, arousals, zeros = [], [], [], {}
    sides = [song.clip.sides for song in songs]
    known, errors = np.array([label_of(song.clip) for song in songs]), np.zeros((2, 2))
    for number in range(len(corpora)):
        own = home == number
        labels = known[own]
        said = np.zeros((len(songs), 2))
        said[~own] = regress(facts[own], labels, facts[~own])
        for k in np.unique(part[own]):
            inside, asked = part[own] != k, own & (part == k)
            if inside.any():
                said[asked] = regress(facts[own][inside], labels[inside], facts[asked])
        middle = _between(said, sides)
        if middle is not None:
            zeros[corpora[number]] = (float(middle[0]), float(middle[1]))
        home_of = said[own].mean(axis=0)
        spread = said[own].std(axis=0) + 1e-9
        off = np.zeros(2) if middle is None else (middle - home_of) / spread
        said = (said - home_of) / spread
        for other in range(len(corpora)):
            of_it = home == other
            alike = (_standardised(said[of_it]) * _standardised(known[of_it])).mean(axis=0)
            errors[int(other != number)] += 1 - alike
        slope = (said[own][:, 0] * said[own][:, 1]).mean()
        rest = said[:, 0] - slope * said[:, 1]
        words.append(said)
        valences.append((rest - off[0] + slope * off[1]) / (rest[own].std() + 1e-9))
        arousals.append(said[:, 1] - off[1])
    own_pairs, other_pairs = len(corpora), len(corpora) * (len(corpora) - 1)
    widening = (1.0, 1.0)
    if other_pairs:
        # 2 - 2 r is the squared error of what is as wide as the labels.
        wide = np.sqrt(errors[1] / other_pairs / (errors[0] / own_pairs + 1e-9))
        widening = (max(1.0, float(wide[0])), max(1.0, float(wide[1])))
    arousal = np.mean(arousals, axis=0)
    rest_share = (1 - wanted**2) ** 0.5 * _CONSENSUS_GAIN
    valence = rest_share * np.mean(valences, axis=0) + wanted * arousal
    # Rounded: sums in another order, as on another machine, are to give the same run.
    agreed = np.round(np.stack([valence, arousal], axis=1) * LABEL_SD, _PLACES).astype(np.float32)
    told = np.round(np.concatenate(words, axis=1), _PLACES).astype(np.float32)
    names = [(song.clip.dataset, song.clip.song) for song in songs]
    return Teachings(
        corpora,
        dict(zip(names, told, strict=True)),
        dict(zip(names, agreed, strict=True)),
        zeros,
        widening,
    )


def _standardised(values: Doubles) -> Doubles:
    """Values (songs, 2) as deviations off their mean."""
    return np.asarray((values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9))


def _between(said: Doubles, sides: Sequence[tuple[int, int] | None]) -> NDArray[np.float64] | None:
    """The middle (2,) between what is said of the clips of both sides; None where there is none.

    However many there are on each side.
    """
    judged = np.array([side is not None for side in sides])
    known = np.array([side for side in sides if side is not None])
    if not judged.any() or (np.ptp(known, axis=0) == 0).any():
        return None
    heard = said[judged]
    means = [[heard[known[:, axis] == side, axis].mean() for side in (0, 1)] for axis in (0, 1)]
    return np.asarray(np.mean(means, axis=1))


def regress(x: Doubles, y: Doubles, asked: Doubles) -> Doubles:
    """The mean of two linear ridge regressions and one with a Gaussian kernel, (asked, 2)."""
    mean, sd, middle = x.mean(axis=0), x.std(axis=0) + 1e-9, y.mean(axis=0)
    inside, outside = (np.clip((z - mean) / sd, -_FURTHEST, _FURTHEST) for z in (x, asked))
    inside /= x.shape[1] ** 0.5
    outside /= x.shape[1] ** 0.5
    gram, across = inside @ inside.T, outside @ inside.T
    diagonal, square = np.eye(len(x)), np.diag(gram)
    words = [across @ np.linalg.solve(gram + k * diagonal, y - middle) for k in _RIDGES]
    near = np.exp(-_WIDTH * (square[:, None] + square - 2 * gram))
    far = np.exp(-_WIDTH * ((outside**2).sum(axis=1)[:, None] + square - 2 * across))
    words.append(far @ np.linalg.solve(near + _KERNEL_RIDGE * diagonal, y - middle))
    return np.asarray(np.mean(words, axis=0) + middle)


def _part(clip: Clip) -> int:
    """Which part of its corpus a clip is in: decided by its group's name alone."""
    return int.from_bytes(hashlib.sha256(clip.group.encode()).digest()[:4]) % _PARTS
