"""From a fitted network to a model: on the labels' scale, with deviations that hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")


from streamer.network.model import Model
from streamer.training.calibration import calibrated, judge
from streamer.training.fit import Fitted
from streamer.training.labels import Scale, scales_of
from streamer.training.material import Rows, Song
from streamer.training.recipe import Recipe


def toy(recipe: Recipe, songs: list[Song], scale: float, sd: float) -> Fitted:
    """A network that says something ``scale`` times as loud with deviations of ``sd``."""
    random = np.random.default_rng(0)
    network = recipe.network
    weights: dict[str, Any] = {
        name: random.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in network.shapes().items()
    }
    weights["head.weight"][:2] *= scale
    weights["head.weight"][2:] = 0
    weights["head.bias"] = np.array([0, 0, np.log(sd), np.log(sd)], np.float32)
    return Fitted(network, Rows(recipe).normalisation(songs), weights)


def heard(
    model: Model, recipe: Recipe, songs: list[Song], scales: dict[str, Scale]
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (labels, 4) beside labels (labels, 2) on the common plane."""
    outputs, labels = [], []
    for song in songs:
        scored = song.clip.times > 2
        index = np.searchsorted(song.ends, song.clip.times[scored] - 1e-9)
        said = judge(model, Rows(recipe), song)[:, :4]
        outputs.append(said[np.minimum(index, len(said) - 1)])
        labels.append(scales[song.clip.dataset].on_plane(song.clip.labels[scored]))
    return np.concatenate(outputs), np.concatenate(labels)


@pytest.fixture
def rated(songs: list[Song]) -> list[Song]:
    """The songs with labels in time."""
    return [song for song in songs if song.clip.dynamic]


@pytest.mark.parametrize("sd", [0.06, 1.2])
def test_deviations_are_made_to_hold(recipe: Recipe, rated: list[Song], sd: float) -> None:
    """A network too sure of itself is widened, one too humble narrowed, to 90 % in 90 %."""
    made, scales = toy(recipe, rated, 1.0, sd), scales_of(rated, 0.2, {})
    plain = calibrated(recipe, made, [], scales, "plain")
    for axis in (plain.config.calibration.valence, plain.config.calibration.arousal):
        assert (axis.scale, axis.offset, axis.sd_scale) == (1, 0, 1)
    model = calibrated(recipe, made, rated, scales, "calibrated")
    for of_model, right in ((plain, None), (model, 0.9)):
        outputs, labels = heard(of_model, recipe, rated, scales)
        inside = (np.abs(outputs[:, :2] - labels) / outputs[:, 2:] <= 1.645).mean(axis=0)
        if right is not None:
            np.testing.assert_allclose(inside, right, atol=0.04)
        else:
            assert (inside < 0.6).all() if sd < 0.1 else (inside > 0.97).all()
    for axis in (model.config.calibration.valence, model.config.calibration.arousal):
        assert axis.sd_scale > 1.5 if sd < 0.1 else axis.sd_scale < 0.7


def test_estimates_become_as_wide_as_the_labels_allow(recipe: Recipe, rated: list[Song]) -> None:
    """Between r times the labels' width and that width, whatever the network's own scale was."""
    scales = scales_of(rated, 0.2, {})
    for own in (0.5, 1.0):
        model = calibrated(recipe, toy(recipe, rated, own, 0.2), rated, scales, "calibrated")
        assert model.config.calibration.valence.offset == 0
        outputs, labels = heard(model, recipe, rated, scales)
        widths = outputs[:, :2].std(axis=0) / labels.std(axis=0)
        assert (widths > 0.1**0.25 - 0.1).all()
        assert (widths < 1.15).all()


def test_every_corpus_counts_alike(recipe: Recipe, songs: list[Song]) -> None:
    """A model calibrated on all kinds of clips has another scale than on one kind alone."""
    known = [song for song in songs if song.clip.emotional]
    scales = scales_of(known, 0.2, {})
    made = toy(recipe, known, 0.3, 0.2)
    together = calibrated(recipe, made, known, scales, "all").config.calibration
    alone = calibrated(
        recipe, made, [s for s in known if s.clip.dynamic], scales, "one"
    ).config.calibration
    assert together.arousal != alone.arousal
