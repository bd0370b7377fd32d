"""Playing annotated clips to a tracker: the same code that listens live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.audio.files import FileSource
from streamer.audio.resample import Heard, Resampled
from streamer.features.framing import Framing
from streamer.features.mfcc import FeatureConfig, Mfcc
from streamer.network.model import Model
from streamer.tracker import EmotionTracker

#: Turns a clip's samples (model rate, mono) into those that the tracker hears: a room, a knob.
Distortion = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def samples_of(path: Path, rate: int) -> NDArray[np.float32]:
    """A whole clip at ``rate`` Hz, mono float32. Raises ``AudioError``."""
    source = Resampled(FileSource(path), rate)
    pieces = [piece.samples for piece in source if isinstance(piece, Heard)]
    return np.concatenate([np.empty(0, np.float32), *pieces])


def log_mel_of(path: Path, config: FeatureConfig) -> NDArray[np.float16]:
    """The log band energies (frames, filters) of a clip, by the stages that listen live.

    Half precision keeps .03 of a neper even at the floor: enough to learn from.
    """
    framing, mfcc = Framing(config.frame, config.hop), Mfcc(config)
    frames, _, _ = framing.cut(samples_of(path, config.sample_rate), framing.initial())
    return mfcc.log_mel(frames).astype(np.float16)


def listen_to(model: Model, samples: NDArray[np.float32]) -> Listened:
    """Every frame's estimate of one clip, by a fresh tracker."""
    return Listened.of(EmotionTracker(model, interval=0), samples)


class Listened:
    """The estimates of every frame: ``times`` (frames,) in seconds, ``outputs`` (frames, 4).

    A frame found silent repeats the last judgement, and is 0 with a deviation of 1 before the
    first, so that a figure is never taken over fewer labels than its rivals'.
    """

    def __init__(self, times: NDArray[np.float64], outputs: NDArray[np.float64]) -> None:
        self.times = times
        self.outputs = outputs

    @classmethod
    def of(cls, tracker: EmotionTracker, samples: NDArray[np.float32]) -> Listened:
        """What the tracker says to the samples."""
        last = (0.0, 0.0, 1.0, 1.0)
        times, outputs = [], []
        for estimate in tracker.push(samples):
            judged = (estimate.valence, estimate.arousal, estimate.valence_sd, estimate.arousal_sd)
            last = last if estimate.silent else judged  # type: ignore[assignment]
            times.append(estimate.t)
            outputs.append(last)
        return cls(np.array(times), np.array(outputs).reshape(-1, 4))

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs (times, 4) of the first frame that ends at or after each time."""
        index = np.searchsorted(self.times, times - 1e-9)
        return self.outputs[np.minimum(index, len(self.times) - 1)]

    def mean_from(self, start_s: float) -> NDArray[np.float64]:
        """The mean output (4,) of the frames that end later than ``start_s``."""
        later = self.times > start_s
        chosen = self.outputs[later] if later.any() else self.outputs
        return np.asarray(chosen.mean(axis=0))
