"""Labels of every kind on one plane: what a corpus calls positive and high, on a common scale.

Corpora mean different things by their numbers. Zero is the middle between what people call positive
and negative, high and low: where clips judged by quadrant are among the songs, that is where a
corpus's own teacher puts their middle (``streamer.training.teachers``); else it is the middle of
the corpus, but that ratings which are learnt alone keep the zero of their scale. Each corpus is
made as wide as the others; and since valence is half arousal in one of them and has nothing to do
with it in another, all are brought to the same correlation between the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.training.dataset import Clip
from streamer.training.material import Song
from streamer.training.metrics import SCORED_FROM_S

Doubles = NDArray[np.float64]
#: How wide labels of valence and arousal are on the plane: about as listeners' ratings of DEAM.
LABEL_SD = np.array([0.25, 0.28])
_SMALL = 1e-9


def label_of(clip: Clip) -> Doubles:
    """One valence and arousal (2,) for a clip with labels of any kind, as its corpus has it.

    The side of a clip judged by quadrant counts beside its coarse tags.
    """
    if clip.dynamic:
        scored = clip.times > SCORED_FROM_S
        return np.asarray(clip.labels[scored if scored.any() else slice(None)].mean(axis=0))
    tags = np.array(clip.tags)
    if clip.sides is None:
        return tags
    return np.asarray((2 * np.array(clip.sides) - 1) / 4 + tags / 2)


@dataclass(frozen=True, slots=True)
class Scale:
    """One corpus's: ``zero`` (2,), what becomes the plane's zero, and ``sd`` (2,) of its labels.

    ``r``: how its valence follows arousal; ``wanted``: the correlation that all corpora are brought
    to.
    """

    zero: tuple[float, float]
    sd: tuple[float, float]
    r: float
    wanted: float

    @classmethod
    def of(cls, songs: Sequence[Song], wanted: float, zero: tuple[float, float] | None) -> Scale:
        """That of the songs of one corpus; where there is no ``zero``, their mean is."""
        labels = np.concatenate(
            [s.clip.labels if s.clip.dynamic else label_of(s.clip)[None] for s in songs]
        )
        mean, sd = labels.mean(axis=0), labels.std(axis=0) + _SMALL
        valence, arousal = ((labels - mean) / sd).T
        # Two labels that say the same leave nothing of valence: some of it is kept.
        r = float(np.clip((valence * arousal).mean(), -0.9, 0.9))
        return cls(zero or (mean[0], mean[1]), (sd[0], sd[1]), r, wanted)

    @classmethod
    def own(cls, songs: Sequence[Song]) -> Scale:
        """That of one corpus, for a model that is to answer as its listeners did.

        Valence keeps its relation to arousal, ratings stay as they are, and sides of quadrants keep
        their border; shares of felt emotions, which have none, are centred.
        """
        if songs[0].clip.dynamic:
            valence, arousal = LABEL_SD.tolist()
            return cls((0.0, 0.0), (valence, arousal), 0.0, 0.0)
        labels = np.array([label_of(song.clip) for song in songs])
        middle = labels.mean(axis=0) * (songs[0].clip.sides is None)
        sd = np.sqrt(np.square(labels - middle).mean(axis=0)) + _SMALL
        return cls((middle[0], middle[1]), (sd[0], sd[1]), 0.0, 0.0)

    def on_plane(self, labels: Doubles) -> Doubles:
        """Labels (n, 2) of the corpus on the common plane."""
        valence, arousal = ((labels - np.array(self.zero)) / np.array(self.sd)).T
        rest = (valence - self.r * arousal) / (1 - self.r**2) ** 0.5
        common = (1 - self.wanted**2) ** 0.5 * rest + self.wanted * arousal
        return np.asarray(np.stack([common, arousal], axis=1) * LABEL_SD)


def scales_of(
    songs: Sequence[Song], wanted: float, zeros: Mapping[str, tuple[float, float]]
) -> dict[str, Scale]:
    """The scale of each corpus that has labels among ``songs``, with the ``zeros`` known."""
    by_corpus: dict[str, list[Song]] = {}
    for song in songs:
        if song.clip.emotional:
            by_corpus.setdefault(song.clip.dataset, []).append(song)
    if len(by_corpus) == 1 and not zeros:
        zeros = {name: (0.0, 0.0) for name, own in by_corpus.items() if own[0].clip.dynamic}
    return {
        name: Scale.of(members, wanted, zeros.get(name))
        for name, members in sorted(by_corpus.items())
    }
