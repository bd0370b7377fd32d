"""Log bands to what a network is fed, by the very stages that listen live."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.features.mfcc import Mfcc
from streamer.features.volume import Volume, VolumeState
from streamer.network.config import Normalisation
from streamer.training.material import Song
from streamer.training.recipe import Recipe


class Rows:
    """Log bands to what the network is fed, by the very stages that listen live."""

    def __init__(self, recipe: Recipe) -> None:
        features = recipe.features
        self._mfcc = Mfcc(features)
        self._volume = Volume(
            recipe.volume, features.hop / features.sample_rate, 1 / math.sqrt(features.filters)
        )
        self.initial = self._volume.initial()

    def of(
        self, bands: NDArray[np.floating], states: Sequence[VolumeState]
    ) -> tuple[NDArray[np.float32], list[VolumeState]]:
        """Rows (batch, time, coefficients) of ``bands`` (batch, time, filters), a state each."""
        rows = self._mfcc.from_log_mel(bands.astype(np.float64))
        levelled = [self._volume.level(row, at) for row, at in zip(rows, states, strict=True)]
        stacked = np.stack([row for row, _ in levelled]).astype(np.float32)
        return stacked, [state for _, state in levelled]

    def normalisation(self, songs: Sequence[Song]) -> Normalisation:
        """Mean and deviation of each coefficient over every third song."""
        every = [self.of(song.bands[None], [self.initial])[0][0] for song in songs[::3]]
        rows = np.concatenate(every).astype(np.float64)
        return Normalisation(
            tuple(np.round(rows.mean(axis=0), 6).tolist()),
            tuple(np.round(np.maximum(rows.std(axis=0), 1e-3), 6).tolist()),
        )
