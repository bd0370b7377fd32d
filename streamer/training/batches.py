"""Random crops of songs as batches: rows for the network, targets and weights for the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.training.augmentation import Augmentation
from streamer.training.material import Song
from streamer.training.recipe import Recipe

Floats = NDArray[np.float32]

#: What the teachers say of a song: (frames, 2).
Teachings = Mapping[tuple[str, str], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """``bands`` (batch, time, filters), augmented; the first ``dynamic`` sequences have labels.

    ``targets`` (batch, time, 2) and ``weights`` (batch, time): what is known of each frame, and
    whether it counts. ``sides`` and ``tags`` (batch - dynamic, 2) belong to the clips judged by
    quadrant. ``taught`` (dynamic, time, 2): the teachers' word on the others, if there are any.
    """

    bands: Floats
    dynamic: int
    targets: Floats
    weights: Floats
    sides: Floats
    tags: Floats
    taught: Floats | None


class Batches:
    """Makes the batches of an epoch; all chance comes from the generator that it is given."""

    def __init__(self, songs: Sequence[Song], recipe: Recipe, teachings: Teachings | None) -> None:
        fit = recipe.fit
        hop_s = recipe.features.hop / recipe.features.sample_rate
        self._dynamic = [song for song in songs if song.clip.sides is None]
        self._judged = [song for song in songs if song.clip.sides is not None]
        share = fit.quadrant_share if self._judged else 0.0
        if not self._dynamic:
            share = 1.0
        self._of_judged = round(fit.batch * share)
        self._of_dynamic = fit.batch - self._of_judged
        self._length = round(fit.crop_s / hop_s) - 1
        self._settle = round(fit.settle_s / hop_s)
        self._stretch = recipe.augmentation.stretch
        self._augmentation = Augmentation(recipe.augmentation, recipe.features)
        self._teachings = teachings

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch: each song with labels about once."""
        if self._of_dynamic:
            return max(1, len(self._dynamic) // self._of_dynamic)
        return max(1, len(self._judged) // self._of_judged)

    def epoch(self, random: np.random.Generator) -> Iterator[Batch]:
        """The batches of one pass over the songs with labels."""
        needed = self.per_epoch
        dynamic = _shuffled(self._dynamic, needed * self._of_dynamic, random)
        judged = _shuffled(self._judged, needed * self._of_judged, random)
        for index in range(needed):
            songs = dynamic[index * self._of_dynamic : (index + 1) * self._of_dynamic]
            songs += judged[index * self._of_judged : (index + 1) * self._of_judged]
            yield self._batch(songs, random)

    def _batch(self, songs: list[Song], random: np.random.Generator) -> Batch:
        crops = [self._crop(song, random) for song in songs]
        bands: Floats = np.stack([crop[0] for crop in crops])
        targets: Floats = np.stack([crop[1] for crop in crops])
        weights: Floats = np.stack([crop[2] for crop in crops])
        taught, dynamic = None, self._of_dynamic
        if self._teachings is not None:
            taught = np.stack(
                [
                    self._teachings[song.clip.dataset, song.clip.song][crop[3]]
                    for song, crop in zip(songs[:dynamic], crops, strict=False)
                ]
            )
        judged = [song.clip for song in songs[dynamic:]]
        sides = np.array([clip.sides for clip in judged], np.float32).reshape(-1, 2)
        tags = np.array([clip.tags for clip in judged], np.float32).reshape(-1, 2)
        bands = self._augmentation.apply(bands, random)
        return Batch(bands, dynamic, targets, weights, sides, tags, taught)

    def _crop(
        self, song: Song, random: np.random.Generator
    ) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
        """Bands, targets, weights and source frames of one random stretch of a song."""
        speed = 1.0
        if random.random() < 0.5:
            speed += random.uniform(-self._stretch, self._stretch)
        frames = len(song.bands)
        least = self._first_useful(song)
        first = random.integers(least, max(least + 1, frames - int(self._length * speed)))
        places = np.rint(first + np.arange(self._length) * speed).astype(np.int64)
        inside = places < frames
        places = np.minimum(places, frames - 1)
        weights = inside.astype(np.float32)
        weights[: self._settle] = 0
        targets = np.zeros((self._length, 2), np.float32)
        if song.clip.sides is None:
            times = song.ends[places]
            for axis in range(2):
                targets[:, axis] = np.interp(times, song.clip.times, song.clip.labels[:, axis])
            # Before the first label nothing is known.
            weights[times < song.clip.times[0] - 0.25] = 0
        return song.bands[places].astype(np.float32), targets, weights, places

    def _first_useful(self, song: Song) -> int:
        """The first frame that a crop may begin with: long before the labels nothing is learnt.

        (DEAM's own files begin 15 s before their labels.)
        """
        if song.clip.sides is not None:
            return 0
        labelled = int(np.searchsorted(song.ends, song.clip.times[0] - 0.25))
        return max(0, min(labelled - self._settle, len(song.bands) - self._length))


def _shuffled(songs: Sequence[Song], count: int, random: np.random.Generator) -> list[Song]:
    """``count`` songs, each as often as the others to within one."""
    order: list[int] = []
    while songs and len(order) < count:
        order += random.permutation(len(songs)).tolist()
    return [songs[index] for index in order[:count]]
