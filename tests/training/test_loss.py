"""The loss: what costs less is better."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from streamer.training.batches import Batch
from streamer.training.learner import discordance, loss
from streamer.training.metrics import ccc
from streamer.training.recipe import LossConfig


def test_discordance_is_the_metric() -> None:
    """The loss's 1 - CCC is that of the metrics, over the weighted frames alone."""
    random = np.random.default_rng(0)
    x, y = random.normal(0, 0.3, (2, 4, 30, 2)).astype(np.float32)
    weight = (random.random((4, 30, 1)) < 0.6).astype(np.float32).repeat(2, axis=2)
    counted = weight[..., 0] > 0
    expected = sum(1 - ccc(x[..., k][counted], y[..., k][counted]) for k in range(2))
    found = discordance(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(weight))
    assert float(found) == pytest.approx(expected, abs=1e-3)


def batch(**parts: np.ndarray) -> Batch:
    """Four labelled sequences and two clips of 20 frames, zeros where nothing is given."""
    known: dict[str, np.ndarray] = {
        "bands": np.zeros((6, 20, 1)),
        "targets": np.zeros((6, 20, 2)),
        "weights": np.ones((6, 20)),
        "sides": np.zeros((2, 2)),
        "tags": np.zeros((2, 2)),
        "taught": np.zeros((4, 20, 2)),
    } | parts
    return Batch(dynamic=4, **{name: part.astype(np.float32) for name, part in known.items()})


def test_a_better_answer_costs_less() -> None:
    """Nearer to the labels, surer where right: each lowers the loss."""
    random = np.random.default_rng(1)
    truth = random.normal(0, 0.3, (6, 20, 2))
    asked = batch(targets=truth, taught=truth[:4])

    def cost(means: np.ndarray, sd: float) -> float:
        outputs = np.concatenate([means, np.full_like(means, sd)], axis=2).astype(np.float32)
        return float(loss(LossConfig(), torch.from_numpy(outputs), torch.zeros(6, 20, 2), asked))

    noise = random.normal(0, 0.3, (6, 20, 2))
    right, near, far = cost(truth, 0.1), cost(truth + 0.3 * noise, 0.1), cost(-truth, 0.1)
    assert right < near < far
    assert cost(truth, 0.05) < cost(truth, 0.5)
    assert cost(-truth, 0.5) < cost(-truth, 0.05)


def test_each_head_learns_from_its_own_kind() -> None:
    """Labels in time teach the network's head alone, sides and tags the second head alone."""
    random = np.random.default_rng(2)
    truth = random.normal(0, 0.3, (6, 20, 2))
    sides, tags = np.array([[1, 0], [0, 1]]), np.array([[0.3, -0.2], [-0.1, 0.4]])
    asked = batch(targets=truth, taught=truth[:4], sides=sides, tags=tags)
    outputs = torch.rand(6, 20, 4, requires_grad=True)
    judged = torch.rand(6, 20, 2, requires_grad=True)
    loss(LossConfig(), outputs + 0.1, judged, asked).backward()
    for found, own in ((outputs.grad, slice(4)), (judged.grad, slice(4, None))):
        assert found is not None
        touched = found.abs().sum(dim=(1, 2)) > 0
        assert touched[own].all()
        assert int(touched.sum()) == len(touched[own])

    def cost(right: float) -> float:
        word = right * torch.from_numpy(2 * sides - 1).float()[:, None].expand(-1, 20, -1)
        said = torch.cat([torch.zeros(4, 20, 2), word])
        return float(loss(LossConfig(tags=0.0), torch.full((6, 20, 4), 0.1), said, asked))

    assert cost(2.0) < cost(0.5) < cost(0.0) < cost(-1.0)


def test_a_batch_without_a_label_teaches_nothing() -> None:
    """Where no frame counts the loss is a number, and its gradient too."""
    outputs = torch.rand(6, 20, 4, requires_grad=True)
    judged = torch.rand(6, 20, 2, requires_grad=True)
    nothing = batch(weights=np.zeros((6, 20)), sides=np.ones((2, 2)), tags=np.ones((2, 2)))
    found = loss(LossConfig(), outputs + 0.1, judged, nothing)
    assert torch.isfinite(found)
    found.backward()
    for part in (outputs, judged):
        assert part.grad is not None
        assert torch.isfinite(part.grad).all()
