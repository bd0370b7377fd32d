"""From a fitted network to a model on the labels' scale, with deviations that hold.

Both are fitted on songs that the network was not trained on: of all corpora (the inner split), or
a listener's own (``streamer.training.own``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
#: A model's own calibration counts as much as so many songs that bear it out.
_BELIEVED_SONGS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a plain model says of one song, (labels, 4), and ``wanted`` on the plane, (labels, 2).

    A song judged as a whole has one label.
    """

    said: NDArray[np.floating]
    wanted: NDArray[np.float64]

    @classmethod
    def of(cls, model: Model, inputs: NDArray[np.float32], song: Song, scale: Scale) -> Told:
        """That of a song whose rows are ``inputs`` (1, frames, inputs)."""
        outputs = _heard(model, inputs)[:, :4]
        if not song.clip.dynamic:
            settled = song.ends > min(SCORED_FROM_S, song.ends[-1] / 2)
            label = scale.on_plane(label_of(song.clip)[None])
            return cls(outputs[settled].mean(axis=0)[None], label)
        scored = song.clip.times > SCORED_FROM_S
        frames = np.searchsorted(song.ends, song.clip.times[scored] - 1e-9)
        labels = scale.on_plane(song.clip.labels[scored])
        return cls(outputs[np.minimum(frames, len(song.ends) - 1)], labels)


def calibrated(
    recipe: Recipe,
    fitted: Fitted,
    songs: Sequence[Song],
    scales: Mapping[str, Scale],
    name: str,
    widening: Sequence[float] = (1.0, 1.0),
) -> Model:
    """The model of a fitted network, calibrated on ``songs``; as it came where there are none.

    The estimates keep their middle, which is that of the corpora. Their spread becomes, on the
    common plane, what lies between the best for the error (r times the labels') and for the
    concordance (the labels'), three quarters of the way to the latter on a logarithmic scale. The
    deviations are scaled until the 90 % interval holds 90 % of the labels, every corpus counting
    alike, and ``widening`` times as much: songs from elsewhere are to be held, too.
    """
    model = plain(recipe, fitted, name)
    known = [song for song in songs if song.clip.emotional]
    if not known:
        return model
    rows = Rows(recipe)
    outputs, labels, weights = [], [], []
    sizes: dict[str, int] = {}
    for song in known:
        sizes[song.clip.dataset] = sizes.get(song.clip.dataset, 0) + 1
    for song in known:
        told = Told.of(model, rows.of_song(song), song, scales[song.clip.dataset])
        outputs.append(told.said)
        labels.append(told.wanted)
        weights.append(np.full(len(told.said), 1 / len(told.said) / sizes[song.clip.dataset]))
    x, y, w = np.concatenate(outputs), np.concatenate(labels), np.concatenate(weights)
    valence, arousal = (_axis(x[:, k], x[:, 2 + k], y[:, k], w, widening[k]) for k in range(2))
    config = replace(model.config, calibration=Calibration(valence, arousal))
    return Model(name, config, fitted.weights)


def plain(recipe: Recipe, fitted: Fitted, name: str) -> Model:
    """The model of a fitted network, whose outputs are as they come."""
    return Model(name, _config(recipe, fitted), fitted.weights)


def own_calibration(told: Sequence[Told], start: Calibration | None) -> Calibration:
    """A calibration on a listener's own songs, each counting alike: scale, middle and deviations.

    Spread and deviations as in ``calibrated``. That of the model to ``start`` from is left the less
    the fewer songs there are.
    """
    x = np.concatenate([one.said for one in told])
    y = np.concatenate([one.wanted for one in told])
    w = np.concatenate([np.full(len(one.said), 1 / len(one.said)) for one in told])
    share = 1.0 if start is None else len(told) / (len(told) + _BELIEVED_SONGS)
    before = (_PLAIN, _PLAIN) if start is None else (start.valence, start.arousal)
    valence, arousal = (
        _own_axis(x[:, k], x[:, 2 + k], y[:, k], w, before[k], share) for k in range(2)
    )
    return Calibration(valence, arousal)


def judge(model: Model, rows: Rows, song: Song) -> NDArray[np.float32]:
    """The outputs (frames, 4 or 5) of a fresh stream that hears the song."""
    return _heard(model, rows.of_song(song))


def _heard(model: Model, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    outputs, _ = model.runtime.forward(inputs, model.runtime.initial())
    judged: NDArray[np.float32] = outputs[0]
    return judged


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
    widening: float,
) -> AxisCalibration:
    weights = weights / weights.sum()
    scale = round(_scale(means, labels, weights), 6)
    wide = _sd_scale(scale * means, deviations, labels, weights, widening)
    return AxisCalibration(scale, 0.0, wide)


def _own_axis(
    means: NDArray[np.floating],
    deviations: NDArray[np.floating],
    labels: NDArray[np.float64],
    weights: NDArray[np.float64],
    before: AxisCalibration,
    share: float,
) -> AxisCalibration:
    """An axis's calibration, ``share`` of the way from what it was ``before``."""
    weights = weights / weights.sum()
    scale = before.scale * (_scale(means, labels, weights) / before.scale) ** share
    missing = float(weights @ (labels - scale * means - before.offset))
    offset = before.offset + share * missing
    fitted = _sd_scale(scale * means + offset, deviations, labels, weights)
    sd_scale = before.sd_scale * (fitted / before.sd_scale) ** share
    return AxisCalibration(round(scale, 6), round(offset, 6), round(sd_scale, 6))


def _scale(
    means: NDArray[np.floating], labels: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    r = max(pearson(means, labels) or 0.0, 0.1)
    spread, wanted = (float(np.sqrt(weights @ np.square(x - weights @ x))) for x in (means, labels))
    return float(min(max(r**0.25 * wanted / max(spread, 1e-3), 0.1), 3.0))


def _sd_scale(
    means: NDArray[np.floating],
    deviations: NDArray[np.floating],
    labels: NDArray[np.float64],
    weights: NDArray[np.float64],
    widening: float = 1.0,
) -> float:
    """What the deviations are to be multiplied with for 90 % of the labels to lie inside.

    ``widening`` times that.
    """
    errors = np.abs(labels - np.clip(means, -1, 1)) / deviations
    order = np.argsort(errors)
    ninety = errors[order][min(np.searchsorted(weights[order].cumsum(), 0.9), len(order) - 1)]
    return round(min(max(widening * float(ninety) / _NINETY, 1e-3), 10.0), 6)
