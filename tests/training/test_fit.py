"""Fitting: the same seed, the same weights; interrupted and resumed, the same again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from streamer.errors import DatasetError
from streamer.training.batches import Batches
from streamer.training.calibration import calibrated, judge
from streamer.training.fit import Fitted, fit
from streamer.training.labels import scales_of
from streamer.training.material import Rows, Song
from streamer.training.metrics import ccc
from streamer.training.recipe import Recipe
from streamer.training.teachers import teach


def fit_to(recipe: Recipe, songs: list[Song], **options: Any) -> Fitted:
    """A run with the scales and teachers of the songs themselves."""
    scales, teachings = scales_of(songs, 0.2, {}), teach(songs, 0.2)
    return fit(recipe, songs, scales=scales, teachings=teachings, **options)


@pytest.fixture(scope="module")
def fitted(recipe: Recipe, songs: list[Song]) -> Fitted:
    """A network after three epochs."""
    return fit_to(recipe, songs, seed=1)


def assert_same(left: Fitted, right: Fitted) -> None:
    assert left.weights.keys() == right.weights.keys()
    for name, array in left.weights.items():
        assert array.tobytes() == right.weights[name].tobytes(), name
    assert left.normalisation == right.normalisation


def test_the_weights_are_those_that_the_configuration_tells_of(
    fitted: Fitted, recipe: Recipe
) -> None:
    """Names and shapes as PyTorch has them, finite float32, and not where they began."""
    assert {name: array.shape for name, array in fitted.weights.items()} == recipe.network.shapes()
    for array in fitted.weights.values():
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert array.size == 1 or array.std() > 0
    assert len(fitted.normalisation.mean) == recipe.network.inputs


def test_the_same_seed_gives_the_same_weights(
    fitted: Fitted, recipe: Recipe, songs: list[Song]
) -> None:
    """Bit for bit; another seed gives others."""
    torch.rand(3)  # what chance others have used has no say
    assert_same(fit_to(recipe, songs, seed=1), fitted)
    other = fit_to(recipe, songs, seed=2)
    assert not np.array_equal(other.weights["head.weight"], fitted.weights["head.weight"])


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2])
def test_interrupted_and_resumed_is_the_same(
    fitted: Fitted, recipe: Recipe, songs: list[Song], tmp_path: Path, after: int
) -> None:
    """Stopped after an epoch and taken up again, the weights are those of an undisturbed run."""
    checkpoint = tmp_path / "network.pt"

    def stop(done: int, total: int, loss: float) -> None:
        assert total == 3
        assert np.isfinite(loss)
        if done == after:
            raise KilledError

    with pytest.raises(KilledError):
        fit_to(recipe, songs, seed=1, checkpoint=checkpoint, report=stop)
    torch.rand(5)
    epochs = []
    again = fit_to(
        recipe, songs, seed=1, checkpoint=checkpoint, report=lambda *told: epochs.append(told[0])
    )
    assert epochs == list(range(after + 1, 4))
    assert_same(again, fitted)
    assert [path.name for path in tmp_path.iterdir()] == ["network.pt"]


def test_the_loss_falls(recipe: Recipe, songs: list[Song]) -> None:
    """In twelve epochs the network learns what the songs were synthesised to say."""
    longer = dataclasses.replace(recipe, fit=dataclasses.replace(recipe.fit, epochs=12))
    losses: list[float] = []
    found = fit_to(longer, songs, seed=0, report=lambda *told: losses.append(told[2]))
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.3
    model = calibrated(longer, found, [], {}, "learnt")
    rows = Rows(longer)
    dynamic = [song for song in songs if song.clip.dynamic]
    said = np.concatenate([judge(model, rows, song)[40:, 1] for song in dynamic])
    truth = np.concatenate(
        [np.interp(s.ends[40:], s.clip.times, s.clip.labels[:, 1]) for s in dynamic]
    )
    assert ccc(said, truth) > 0.5


def test_songs_of_one_kind_are_enough(recipe: Recipe, songs: list[Song]) -> None:
    """Labels in time, quadrants or felt emotions alone can be learnt from."""
    for dataset in ("songs", "clips", "felt"):
        some = [song for song in songs if song.clip.dataset == dataset]
        assert some
        found = fit_to(recipe, some, seed=0)
        assert all(np.isfinite(array).all() for array in found.weights.values())


def test_crops_lie_where_the_labels_are(recipe: Recipe, songs: list[Song]) -> None:
    """A song whose labels begin late (as DEAM's own files' do) is cut where they are."""
    song = max(songs, key=lambda song: len(song.clip.times))
    late = song.clip.times > 5
    clip = dataclasses.replace(
        song.clip, times=song.clip.times[late], labels=song.clip.labels[late]
    )
    some = [dataclasses.replace(song, clip=clip)] * 4
    batches = Batches(some, recipe, scales_of(some, 0.2, {}), teach(some, 0.2))
    for batch in batches.epoch(np.random.default_rng(0)):
        assert (batch.weights.sum(axis=1) > 5).all()


def test_pairs_come_together(recipe: Recipe, songs: list[Song]) -> None:
    """The last sequences are pairs: the brighter ones twice, in two of their keys, then the darker.

    A piece in one key alone comes twice in that. What is no pair has no place among them, and pairs
    none among the other sounds.
    """
    sounds = [song for song in songs if song.clip.kind == "music" and not song.clip.emotional]
    pieces = []
    for number in range(4):
        for brighter, key in [(False, 0), (True, 0), (True, 1), (True, 2)]:
            clip = dataclasses.replace(sounds[0].clip, pair=f"pair {number}", brighter=brighter)
            level = np.float16(10 * number + 2 * brighter + key / 4)
            take = dataclasses.replace(
                sounds[0].takes[0], bands=np.full_like(sounds[0].bands, level)
            )
            pieces.append(dataclasses.replace(sounds[0], clip=clip, takes=(take,)))
    everything = [*pieces, *songs]
    fit = dataclasses.replace(recipe.fit, pairs_share=0.5, equaliser=1.0)
    some = dataclasses.replace(recipe, fit=fit)
    batches = Batches(everything, some, scales_of(songs, 0.2, {}), teach(songs, 0.2))
    for batch in batches.epoch(np.random.default_rng(0)):
        assert batch.pairs
        pieces = batch.bands[-4 * batch.pairs :, 0, 0].reshape(2, 2, batch.pairs)
        apart = pieces - pieces[1, 0]
        np.testing.assert_allclose(apart[1], 0, atol=1e-4)
        assert ((apart[0] > 1.9) & (apart[0] < 2.6)).all()
        assert (np.abs(apart[0, 0] - apart[0, 1]) > 0.2).all()
        assert len(set(pieces[1, 0].tolist())) == batch.pairs
        assert (batch.music[-4 * batch.pairs :] == 1).all()
        rest = batch.bands[: -4 * batch.pairs]
        assert (rest.std(axis=(1, 2)) > 0).all()
    without = dataclasses.replace(recipe, fit=dataclasses.replace(fit, pairs_share=0.0))
    batches = Batches(everything, without, scales_of(songs, 0.2, {}), teach(songs, 0.2))
    assert {batch.pairs for batch in batches.epoch(np.random.default_rng(0))} == {0}


def test_a_loss_beyond_all_numbers_is_told(recipe: Recipe, songs: list[Song]) -> None:
    """Labels that are no numbers would give weights that are none: the run stops instead."""
    clip = dataclasses.replace(songs[0].clip, labels=np.full_like(songs[0].clip.labels, np.nan))
    spoilt = [dataclasses.replace(songs[0], clip=clip)] * 4
    with pytest.raises(DatasetError, match="loss nan in epoch 1: lower"):
        fit_to(recipe, spoilt, seed=0)
