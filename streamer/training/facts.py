"""What a clip is like as a whole, in numbers, for regressions that hear it at once.

Nothing here depends on the volume or, of the harmony, on the key.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from streamer.features.chroma import PITCH_CLASSES
from streamer.features.mfcc import FeatureConfig, Mfcc
from streamer.training.dataset import Clip

Doubles = NDArray[np.float64]
#: How well each step above the tonic fits a major and a minor key (Krumhansl and Kessler 1982).
_KEYS = np.array(
    [
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
    ]
)
#: Steps above their lowest note: major, minor, diminished, augmented, suspended.
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 5, 7))
#: Memories over which harmony is looked at, in frames.
_MEMORIES = (5, 40)
_PULSE_LAGS = 40
_SMALL = 1e-9


def facts_of(bands: NDArray[np.floating], chroma: Doubles, features: FeatureConfig) -> Doubles:
    """All of them, (facts,), of a clip's log bands (frames, filters) and rows of chroma.

    Those rows (frames, columns) are what ``Chroma.rows`` gives; without chroma they are not read.
    """
    facts = [_timbre(bands.astype(np.float64), features)]
    if features.chroma is not None:
        facts.append(_mean_and_deviation(_harmony(chroma[:, :PITCH_CLASSES])))
        facts.append(_mean_and_deviation(chroma[:, PITCH_CLASSES * features.chroma.planes :]))
    return np.concatenate(facts)


def hinted(clip: Clip) -> Doubles:
    """Mean and deviation over the clip of a teacher's hints, (228,)."""
    assert clip.hints is not None
    return _mean_and_deviation(clip.hints.astype(np.float64))


def _mean_and_deviation(rows: Doubles) -> Doubles:
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0)])


def _timbre(bands: Doubles, features: FeatureConfig) -> Doubles:
    """Timbre, its spread, its movement, and the pulse."""
    bands = np.maximum(bands - np.log(np.exp(bands.mean(axis=1)).mean() + 1e-12), -12)
    rows = Mfcc(features).from_log_mel(bands)
    facts = [rows.mean(axis=0), np.log(rows.std(axis=0) + 1e-3), np.log(bands.std(axis=0) + 1e-3)]
    facts += [np.log(_moved(rows, lag) + 1e-3) for lag in (1, 4)]
    for lag in (1, 2):
        facts.append(np.log(_moved(bands, lag) + 1e-3))
        rise = np.maximum(bands[lag:] - bands[:-lag], 0)
        facts.append(np.log((rise.std(axis=0) if len(rise) else rise.sum(axis=0)) + 1e-3))
    onsets = np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0).mean(axis=1)
    facts.append(np.array([onsets.mean(), onsets.std()]))
    steady = onsets - onsets.mean()
    pulse = np.zeros(_PULSE_LAGS)
    found = np.correlate(steady, steady, "full")[len(steady) - 1 :][:_PULSE_LAGS]
    pulse[: len(found)] = found
    facts.append(pulse[1:] / (pulse[0] + _SMALL))
    return np.concatenate(facts)


def _moved(rows: Doubles, lag: int) -> Doubles:
    """How far each value moves in ``lag`` frames, on the average."""
    apart = np.abs(rows[lag:] - rows[:-lag])
    return np.asarray(apart.mean(axis=0) if len(apart) else apart.sum(axis=0))


def _harmony(chroma: Doubles) -> Doubles:
    """Facts (frames, 52) of a chroma that do not depend on the key: mode, intervals, chords."""
    around = (np.arange(12) + np.arange(12)[:, None]) % 12
    keys = np.stack(
        [_standard(key)[(np.arange(12) - np.arange(12)[:, None]) % 12] for key in _KEYS]
    )
    out: list[Doubles] = []
    for memory in _MEMORIES:
        mean = _fading(chroma, memory)
        fit = np.einsum("tc,mkc->mtk", _standard(mean), keys) / 12
        best = fit.max(axis=2)
        tonic = np.where(best[0] >= best[1], fit[0].argmax(axis=1), fit[1].argmax(axis=1))
        unit = mean / (np.linalg.norm(mean, axis=1, keepdims=True) + _SMALL)
        strong = mean / (mean.max(axis=1, keepdims=True) + _SMALL)
        out += [*best, best[0] - best[1]]
        out += [(unit * np.roll(unit, step, axis=1)).sum(axis=1) for step in range(1, 7)]
        out += list(np.take_along_axis(mean, around[tonic], axis=1).T)
        for chord in _CHORDS:
            notes = np.stack([np.roll(strong, -step, axis=1) for step in chord])
            out.append(notes.prod(axis=0).max(axis=1))
    return np.stack(out, axis=1)


def _standard(values: Doubles) -> Doubles:
    spread = values.std(axis=-1, keepdims=True) + _SMALL
    return np.asarray((values - values.mean(axis=-1, keepdims=True)) / spread)


def _fading(rows: Doubles, frames: float) -> Doubles:
    """The causal mean over time in which what is past fades, from the first frame on."""
    left = math.exp(-1 / frames)
    fed = np.pad(rows, ((0, 0), (0, 1)), constant_values=1)
    sums = scipy.signal.lfilter([1], [1, -left], fed, axis=0)
    return np.asarray(sums[:, :-1] / sums[:, -1:])
