"""From a fitted network to a model on the labels' scale, with deviations that hold.

Both are fitted on songs that the network was not trained on (the inner split).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.network.config import FORMAT, AxisCalibration, Calibration, ModelConfig
from streamer.network.model import Model
from streamer.training.fit import Fitted
from streamer.training.material import Rows, Song
from streamer.training.metrics import SCORED_FROM_S, pearson
from streamer.training.recipe import Recipe

#: 90 % of a normal variable lies within so many deviations.
_NINETY = 1.6448536269514722
_PLAIN = AxisCalibration(1.0, 0.0, 1.0)


def calibrated(
    recipe: Recipe, fitted: Fitted, songs: Sequence[Song], name: str, share: float = 0.0
) -> Model:
    """The model of a fitted network, calibrated on ``songs``; as it came where there are none.

    ``share`` of its valence and arousal is the second head's word (``blended``). Offset and scale
    bring the estimates' mean to the labels' and their spread between what is best for the error (r
    times the labels') and for the concordance (the labels'), three quarters of the way to the
    latter on a logarithmic scale. Where the word is the second head's alone, its own middle stays.
    The deviations are scaled until the 90 % interval holds 90 % of the labels.
    """
    weights = blended(fitted, share)
    plain = Model(name, _config(recipe, fitted, Calibration(_PLAIN, _PLAIN)), weights)
    dynamic = [song for song in songs if song.clip.sides is None]
    if not dynamic:
        return plain
    rows = Rows(recipe)
    outputs, labels = [], []
    for song in dynamic:
        scored = song.clip.times > SCORED_FROM_S
        frames = np.searchsorted(song.ends, song.clip.times[scored] - 1e-9)
        outputs.append(judge(plain, rows, song)[np.minimum(frames, len(song.ends) - 1)])
        labels.append(song.clip.labels[scored])
    x, y = np.concatenate(outputs), np.concatenate(labels)
    moved = share < 1
    valence, arousal = (_axis(x[:, k], x[:, 2 + k], y[:, k], moved) for k in range(2))
    return Model(name, _config(recipe, fitted, Calibration(valence, arousal)), weights)


def blended(fitted: Fitted, share: float) -> dict[str, NDArray[np.float32]]:
    """The weights with ``share`` (0 to 1) of the second head in valence and arousal.

    Both heads are linear, so their mixture is one head: each is brought to the spread over songs
    that the network's own has, so that a share is a share of what is said.
    """
    second, weights = fitted.second, dict(fitted.weights)
    if share:
        as_wide = second.first / second.spread
        for name, own in (
            ("head.weight", second.weight * as_wide[:, None]),
            ("head.bias", second.bias * as_wide),
        ):
            mixed = weights[name].copy()
            mixed[:2] = (1 - share) * mixed[:2] + share * own
            weights[name] = mixed
    return weights


def judge(model: Model, rows: Rows, song: Song) -> NDArray[np.float32]:
    """The outputs (frames, 4) of a fresh stream that hears the song."""
    fed, _ = rows.of(song.bands[None], [rows.initial])
    outputs, _ = model.runtime.forward(fed, model.runtime.initial())
    judged: NDArray[np.float32] = outputs[0]
    return judged


def _config(recipe: Recipe, fitted: Fitted, calibration: Calibration) -> ModelConfig:
    return ModelConfig(
        format=FORMAT,
        features=recipe.features,
        volume=recipe.volume,
        network=fitted.network,
        normalisation=fitted.normalisation,
        calibration=calibration,
        silence_db=recipe.silence_db,
        songs={},
        weights_sha256="",
    )


def _axis(
    means: NDArray[np.floating],
    deviations: NDArray[np.floating],
    labels: NDArray[np.float64],
    moved: bool,
) -> AxisCalibration:
    r = max(pearson(means, labels) or 0.0, 0.1)
    spread = max(float(means.std()), 1e-3)
    scale = round(min(max(r**0.25 * float(labels.std()) / spread, 0.1), 3.0), 6)
    offset = round(float(labels.mean() - scale * means.mean()), 6) if moved else 0.0
    errors = np.abs(labels - np.clip(scale * means + offset, -1, 1)) / deviations
    widening = float(np.quantile(errors, 0.9)) / _NINETY
    return AxisCalibration(scale, max(-2.0, min(offset, 2.0)), round(min(widening, 10.0), 6))
