"""From a fitted network to a model on the labels' scale, with deviations that hold.

Both are fitted on songs that the network was not trained on (the inner split), of all corpora.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamer.network.config import FORMAT, AxisCalibration, Calibration, ModelConfig
from streamer.network.model import Model
from streamer.training.fit import Fitted
from streamer.training.labels import Scale, label_of
from streamer.training.material import Rows, Song
from streamer.training.metrics import SCORED_FROM_S, pearson
from streamer.training.recipe import Recipe

#: 90 % of a normal variable lies within so many deviations.
_NINETY = 1.6448536269514722
_PLAIN = AxisCalibration(1.0, 0.0, 1.0)


def calibrated(
    recipe: Recipe,
    fitted: Fitted,
    songs: Sequence[Song],
    scales: Mapping[str, Scale],
    name: str,
) -> Model:
    """The model of a fitted network, calibrated on ``songs``; as it came where there are none.

    The estimates keep their middle, which is that of the corpora. Their spread becomes, on the
    common plane, what lies between the best for the error (r times the labels') and for the
    concordance (the labels'), three quarters of the way to the latter on a logarithmic scale. The
    deviations are scaled until the 90 % interval holds 90 % of the labels, every corpus counting
    alike.
    """
    plain = Model(name, _config(recipe, fitted), fitted.weights)
    known = [song for song in songs if song.clip.emotional]
    if not known:
        return plain
    rows = Rows(recipe)
    outputs, labels, weights = [], [], []
    sizes: dict[str, int] = {}
    for song in known:
        sizes[song.clip.dataset] = sizes.get(song.clip.dataset, 0) + 1
    for song in known:
        said, wanted = _told(plain, rows, song, scales[song.clip.dataset])
        outputs.append(said)
        labels.append(wanted)
        weights.append(np.full(len(said), 1 / len(said) / sizes[song.clip.dataset]))
    x, y, w = np.concatenate(outputs), np.concatenate(labels), np.concatenate(weights)
    valence, arousal = (_axis(x[:, k], x[:, 2 + k], y[:, k], w) for k in range(2))
    config = replace(plain.config, calibration=Calibration(valence, arousal))
    return Model(name, config, fitted.weights)


def judge(model: Model, rows: Rows, song: Song) -> NDArray[np.float32]:
    """The outputs (frames, 4 or 5) of a fresh stream that hears the song."""
    outputs, _ = model.runtime.forward(rows.of_song(song), model.runtime.initial())
    judged: NDArray[np.float32] = outputs[0]
    return judged


def _told(
    model: Model, rows: Rows, song: Song, scale: Scale
) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    """What is said of a song, (labels, 4), and its labels on the common plane (labels, 2)."""
    outputs = judge(model, rows, song)[:, :4]
    if not song.clip.dynamic:
        settled = song.ends > min(SCORED_FROM_S, song.ends[-1] / 2)
        return outputs[settled].mean(axis=0)[None], scale.on_plane(label_of(song.clip)[None])
    scored = song.clip.times > SCORED_FROM_S
    frames = np.searchsorted(song.ends, song.clip.times[scored] - 1e-9)
    labels = scale.on_plane(song.clip.labels[scored])
    return outputs[np.minimum(frames, len(song.ends) - 1)], labels


def _config(recipe: Recipe, fitted: Fitted) -> ModelConfig:
    return ModelConfig(
        format=FORMAT,
        features=recipe.features,
        volume=recipe.volume,
        network=fitted.network,
        normalisation=fitted.normalisation,
        calibration=Calibration(_PLAIN, _PLAIN),
        silence_db=recipe.silence_db,
        songs={},
        weights_sha256="",
        music=recipe.music,
    )


def _axis(
    means: NDArray[np.floating],
    deviations: NDArray[np.floating],
    labels: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> AxisCalibration:
    weights = weights / weights.sum()
    r = max(pearson(means, labels) or 0.0, 0.1)
    spread, wanted = (float(np.sqrt(weights @ np.square(x - weights @ x))) for x in (means, labels))
    scale = round(min(max(r**0.25 * wanted / max(spread, 1e-3), 0.1), 3.0), 6)
    errors = np.abs(labels - np.clip(scale * means, -1, 1)) / deviations
    order = np.argsort(errors)
    ninety = errors[order][min(np.searchsorted(weights[order].cumsum(), 0.9), len(order) - 1)]
    return AxisCalibration(scale, 0.0, round(min(max(float(ninety) / _NINETY, 1e-3), 10.0), 6))
