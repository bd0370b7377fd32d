"""The loss: what costs less is better."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from streamer.training.batches import Batch
from streamer.training.learner import Words, loss
from streamer.training.metrics import ccc
from streamer.training.recipe import LossConfig

ALL = LossConfig(
    labels=1.0,
    consensus=0.5,
    concordance=1.0,
    likelihood=0.15,
    ratings=1.0,
    sides=1.0,
    tags=0.3,
    felt=0.3,
    teachers=1.0,
    hints=0.6,
    music=1.0,
    pairs=1.0,
    margin=0.2,
    keys=1.0,
)
NOTHING = LossConfig(**dict.fromkeys(dataclasses.asdict(ALL), 0.0) | {"margin": 0.2})
TIME = 20


def only(**weights: float) -> LossConfig:
    """These parts alone."""
    return dataclasses.replace(NOTHING, **weights)


def batch(pairs: int = 0, **parts: Any) -> Batch:
    """Two sequences each with ratings, a quadrant and felt emotions, and a noise.

    The last ``4 * pairs`` of them are pieces of pairs, too.
    """
    known: dict[str, Any] = {
        "bands": np.zeros((7, TIME, 1)),
        "tones": np.zeros((7, TIME, 1)),
        "targets": np.zeros((6, TIME, 2)),
        "weights": np.ones((6, TIME)),
        "ratings": np.zeros((2, TIME, 2)),
        "words": np.zeros((6, 6)),
        "consensus": np.zeros((6, 2)),
        "hints": np.zeros((6, TIME, 3)),
        "hint_weights": np.ones((6, TIME)),
        "sides": np.zeros((2, 2)),
        "tags": np.zeros((2, 2)),
        "felt": np.zeros((2, 9)),
        "music": np.array([1, 1, 1, 1, 1, 1, 0]),
        "music_weights": np.ones((7, TIME)),
    } | parts
    arrays = {name: np.asarray(part, np.float32) for name, part in known.items()}
    return Batch(
        emotional=6,
        kinds=(slice(0, 2), slice(2, 4), slice(4, 6)),
        judged=np.array([2, 3]),
        felt_at=np.array([4, 5]),
        pairs=pairs,
        **arrays,
    )


def words(estimate: np.ndarray | float = 0.0, sd: float = 0.2, **heads: Any) -> Words:
    """What is said: an estimate with deviations, and what heads are given."""
    means = np.broadcast_to(np.arctanh(estimate), (7, TIME, 2))
    said = np.concatenate([means, np.full((7, TIME, 2), np.log(sd))], axis=2)
    return {
        name: torch.tensor(np.asarray(part, np.float32))
        for name, part in ({"estimate": said} | heads).items()
    }


def cost(config: LossConfig, asked: Batch, **said: Any) -> float:
    return float(loss(config, words(**said), asked))


def test_concordance_is_the_metric() -> None:
    """1 - CCC of each kind is that of the metrics, over the weighted frames alone."""
    random = np.random.default_rng(0)
    said, target = 0.3 * np.tanh(random.normal(0, 1, (2, 7, TIME, 2)))
    target = target[:6]
    weight = (random.random((6, TIME)) < 0.6).astype(float)
    expected = 0.0
    for kind in (slice(0, 2), slice(2, 4), slice(4, 6)):
        counted = weight[kind] > 0
        for k in range(2):
            expected += 1 - ccc(said[kind, :, k][counted], target[kind, :, k][counted])
    asked = batch(targets=target, weights=weight)
    assert cost(only(concordance=1.0), asked, estimate=said) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("part", ["labels", "consensus", "concordance"])
def test_a_nearer_estimate_costs_less(part: str) -> None:
    """Nearer to the labels, or to what teachers agree on, each lowers its part."""
    random = np.random.default_rng(1)
    truth = np.clip(random.normal(0, 0.3, (7, 1, 2)), -0.8, 0.8).repeat(TIME, axis=1)
    asked = batch(targets=truth[:6], consensus=truth[:6, 0])
    near = np.clip(truth + 0.3 * random.normal(0, 0.3, truth.shape), -0.9, 0.9)
    right, wrong, opposite = (
        cost(only(**{part: 1.0}), asked, estimate=said) for said in (truth, near, -truth)
    )
    assert right < wrong < opposite


def test_deviations_are_to_be_honest() -> None:
    """Sure where right costs less than unsure, and the other way round where wrong."""
    asked = batch(targets=np.full((6, TIME, 2), 0.4))
    honest = only(likelihood=1.0)
    assert cost(honest, asked, estimate=0.4, sd=0.05) < cost(honest, asked, estimate=0.4, sd=0.5)
    assert cost(honest, asked, estimate=-0.4, sd=0.5) < cost(honest, asked, estimate=-0.4, sd=0.05)


def test_each_head_learns_its_own_labels() -> None:
    """A right word costs less than a wrong one in every head, and no head speaks for another."""
    random = np.random.default_rng(2)
    sides = np.array([[1.0, 0.0], [0.0, 1.0]])
    right: dict[str, Any] = {
        "ratings": random.normal(0, 0.3, (7, TIME, 2)),
        "sides": np.zeros((7, TIME, 2)),
        "felt": random.random((7, 1, 9)).repeat(TIME, axis=1),
        "teachers": random.normal(0, 1, (7, 1, 6)).repeat(TIME, axis=1),
        "hints": random.normal(0, 1, (7, TIME, 3)),
    }
    right["sides"][2:4] = 3 * (2 * sides - 1)[:, None]
    asked = batch(
        ratings=right["ratings"][:2],
        sides=sides,
        tags=0.3 * (2 * sides - 1),
        felt=right["felt"][4:6, 0],
        words=right["teachers"][:6, 0],
        hints=right["hints"][:6],
    )
    best = cost(ALL, asked, **right)
    for name, said in right.items():
        assert best < cost(ALL, asked, **(right | {name: -said})), name
        without = {other: word for other, word in right.items() if other != name}
        assert np.isfinite(cost(ALL, asked, **without))


def test_the_gate_learns_from_every_sequence() -> None:
    """Music called music and noise called noise cost less; where it is not sure, nothing."""
    sure = np.where(np.arange(7) < 6, 4.0, -4.0)[:, None].repeat(TIME, axis=1)
    gate = only(music=1.0)
    assert cost(gate, batch(), music=sure) < cost(gate, batch(), music=0 * sure)
    assert cost(gate, batch(), music=0 * sure) < cost(gate, batch(), music=-sure)
    assert cost(gate, batch(music_weights=np.zeros((7, TIME))), music=-sure) == 0


def test_a_batch_without_a_label_teaches_nothing() -> None:
    """Where no frame counts the loss is a number, and its gradient too."""
    said = {
        name: part.requires_grad_()
        for name, part in words(0.1, ratings=np.ones((7, TIME, 2))).items()
    }
    found = loss(ALL, said, batch(weights=np.zeros((6, TIME))))
    assert torch.isfinite(found)
    found.backward()
    for part in said.values():
        assert part.grad is not None
        assert torch.isfinite(part.grad).all()


@pytest.mark.parametrize(("apart", "missing"), [(0.5, 0.0), (0.2, 0.0), (0.05, 0.15), (-0.1, 0.3)])
def test_the_brighter_piece_has_to_be_above(apart: float, missing: float) -> None:
    """What is missing to the margin costs; more than the margin gains nothing. Arousal is free."""
    said = np.zeros((7, TIME, 2))
    said[3:5, :, 0] = 0.3 + apart / 2  # the brighter one in two keys, then the darker
    said[5:7, :, 0] = 0.3 - apart / 2
    said[3:7, :, 1] = np.array([0.5, -0.5, 0.1, 0.9])[:, None]
    found = cost(only(pairs=2.0), batch(pairs=1), estimate=said)
    assert found == pytest.approx(2 * missing / 0.25, abs=1e-4)
    assert cost(only(pairs=2.0), batch(pairs=0), estimate=said) == 0


def test_a_piece_has_to_be_the_same_in_two_keys() -> None:
    """The variance of its valence over its keys costs, in deviations of the labels."""
    said = np.zeros((7, TIME, 2))
    said[3:7, :, 0] = np.array([0.3, 0.1, -0.2, -0.2])[:, None]
    found = cost(only(keys=3.0), batch(pairs=1), estimate=said)
    assert found == pytest.approx(3 * (0.1 / 0.25) ** 2 / 2, abs=1e-4)
    said[3:5, :, 0] = 0.2
    assert cost(only(keys=3.0), batch(pairs=1), estimate=said) == pytest.approx(0, abs=1e-6)
