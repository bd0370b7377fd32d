"""From a fitted network to a model: on the labels' scale, with deviations that hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")


from streamer.network.model import Model
from streamer.training.calibration import blended, calibrated, judge
from streamer.training.fit import Fitted
from streamer.training.learner import SecondHead
from streamer.training.material import Rows, Song
from streamer.training.recipe import Recipe


def toy(recipe: Recipe, songs: list[Song], scale: float, sd: float) -> Fitted:
    """A network that says ``scale`` times its arousal with deviations of ``sd``."""
    random = np.random.default_rng(0)
    network = recipe.network
    weights: dict[str, Any] = {
        name: random.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in network.shapes().items()
    }
    weights["head.weight"][:2] *= scale
    weights["head.weight"][2:] = 0
    weights["head.bias"] = np.array([0, 0, np.log(sd), np.log(sd)], np.float32)
    second = SecondHead(
        random.normal(0, 5, (2, network.lstm)).astype(np.float32),
        np.array([0.5, -2.0], np.float32),
        spread=np.array([2.0, 4.0], np.float32),
        first=np.array([0.2, 0.1], np.float32),
    )
    return Fitted(network, Rows(recipe).normalisation(songs), weights, second)


def inside(model: Model, recipe: Recipe, songs: list[Song]) -> np.ndarray:
    """The share of labels inside the 90 % intervals, for each axis."""
    found = []
    for song in songs:
        outputs = judge(model, Rows(recipe), song)
        scored = song.clip.times > 2
        index = np.searchsorted(song.ends, song.clip.times[scored] - 1e-9)
        outputs = outputs[np.minimum(index, len(outputs) - 1)]
        apart = np.abs(outputs[:, :2] - song.clip.labels[scored]) / outputs[:, 2:]
        found.append(apart <= 1.645)
    return np.concatenate(found).mean(axis=0)


@pytest.mark.parametrize("sd", [0.03, 1.2])
def test_deviations_are_made_to_hold(recipe: Recipe, songs: list[Song], sd: float) -> None:
    """A network too sure of itself is widened, one too humble narrowed, to 90 % in 90 %."""
    dynamic = [song for song in songs if song.clip.sides is None]
    made = toy(recipe, songs, 0.3, sd)
    plain = calibrated(recipe, made, [], "plain")
    for axis in (plain.config.calibration.valence, plain.config.calibration.arousal):
        assert (axis.scale, axis.offset, axis.sd_scale) == (1, 0, 1)
    before = inside(plain, recipe, dynamic)
    assert (before < 0.5).all() if sd < 0.1 else (before == 1).all()
    model = calibrated(recipe, made, songs, "calibrated")
    after = inside(model, recipe, dynamic)
    np.testing.assert_allclose(after, 0.9, atol=0.03)
    for axis in (model.config.calibration.valence, model.config.calibration.arousal):
        assert axis.sd_scale > 1.5 if sd < 0.1 else axis.sd_scale < 0.7


def test_estimates_are_brought_to_the_labels(recipe: Recipe, songs: list[Song]) -> None:
    """The mean of the estimates becomes the labels', whatever the network's own scale was."""
    dynamic = [song for song in songs if song.clip.sides is None]
    labels = np.concatenate([s.clip.labels[s.clip.times > 2] for s in dynamic])
    for scale in (0.1, 0.3):
        model = calibrated(recipe, toy(recipe, songs, scale, 0.2), songs, "calibrated")
        said = []
        for song in dynamic:
            times = song.clip.times[song.clip.times > 2]
            index = np.searchsorted(song.ends, times - 1e-9)
            said.append(judge(model, Rows(recipe), song)[np.minimum(index, len(song.ends) - 1), :2])
        np.testing.assert_allclose(
            np.concatenate(said).mean(axis=0), labels.mean(axis=0), atol=0.02
        )


def test_the_second_head_has_its_share(recipe: Recipe, songs: list[Song]) -> None:
    """Of valence and arousal alone, as wide as the first; with 0 and 1 one head speaks alone."""
    made = toy(recipe, songs, 0.3, 0.2)
    head, bias = made.weights["head.weight"], made.weights["head.bias"]
    assert blended(made, 0.0).items() == made.weights.items()
    as_wide = np.array([0.1, 0.025])
    for share in (0.25, 1.0):
        mixed = blended(made, share)
        own = made.second.weight * as_wide[:, None]
        np.testing.assert_allclose(
            mixed["head.weight"][:2], (1 - share) * head[:2] + share * own, rtol=1e-6
        )
        np.testing.assert_allclose(
            mixed["head.bias"][:2],
            (1 - share) * bias[:2] + share * made.second.bias * as_wide,
            rtol=1e-6,
        )
        for name, array in mixed.items():
            if name.startswith("head"):
                assert np.array_equal(array[2:], made.weights[name][2:])
            else:
                assert array is made.weights[name]
    assert made.weights["head.weight"] is head


def test_the_second_heads_own_middle_stays(recipe: Recipe, songs: list[Song]) -> None:
    """Alone it keeps 0 where the sides of clips part, whatever the labels' mean is."""
    made = toy(recipe, songs, 0.3, 0.2)
    alone = calibrated(recipe, made, songs, "alone", 1.0).config.calibration
    mixed = calibrated(recipe, made, songs, "mixed", 0.5).config.calibration
    assert (alone.valence.offset, alone.arousal.offset) == (0, 0)
    assert (mixed.valence.offset, mixed.arousal.offset) != (0, 0)
    assert alone.valence.scale != 1
