"""What a network is trained to minimise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.training.batches import Batch
from streamer.training.recipe import LossConfig


def loss(config: LossConfig, outputs: Tensor, judged: Tensor, batch: Batch) -> Tensor:
    """Concordance and likelihood of labels in time, sides of clips judged by quadrant.

    ``outputs`` (batch, time, 4) of the network, ``judged`` (batch, time, 2) of the second head.
    Each kind of sequence is learnt by its own head. A clip's sides are judged from the mean over
    it, by a logistic curve through 0.
    """
    dynamic = batch.dynamic
    weights = torch.from_numpy(batch.weights)[..., None]
    total = outputs.new_zeros(())
    if dynamic:
        mean, sd = outputs[:dynamic, :, :2], outputs[:dynamic, :, 2:]
        target = torch.from_numpy(batch.targets[:dynamic])
        weight = weights[:dynamic].expand(-1, -1, 2)
        total = total + config.concordance * discordance(mean, target, weight)
        likelihood = sd.log() + (target - mean).square() / (2 * sd.square())
        counted = weight[..., 0].sum().clamp(min=1.0)
        total = total + config.likelihood * (weight * likelihood).sum() / counted
        if batch.taught is not None:
            taught = torch.from_numpy(batch.taught)
            total = total + config.teachers * discordance(mean, taught, weight)
    if len(batch.sides):
        weight = weights[dynamic:]
        clip = (judged[dynamic:] * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        sides, tags = torch.from_numpy(batch.sides), torch.from_numpy(batch.tags)
        entropy = nn.functional.binary_cross_entropy_with_logits(clip, sides)
        total = total + config.sides * entropy
        total = total + config.tags * (1 - _correlation(clip, tags)).sum()
    return total


def discordance(estimates: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Sum over the axes of 1 - CCC, each over all weighted frames (batch, time, 2)."""
    count = weight.sum((0, 1)) + 1e-6
    mean_x = (weight * estimates).sum((0, 1)) / count
    mean_y = (weight * labels).sum((0, 1)) / count
    var_x = (weight * (estimates - mean_x).square()).sum((0, 1)) / count
    var_y = (weight * (labels - mean_y).square()).sum((0, 1)) / count
    both = (weight * (estimates - mean_x) * (labels - mean_y)).sum((0, 1)) / count
    return (1 - 2 * both / (var_x + var_y + (mean_x - mean_y).square() + 1e-6)).sum()


def _correlation(estimates: Tensor, tags: Tensor) -> Tensor:
    """Pearson's r of each axis over a batch of clips (clips, 2)."""
    x, y = estimates - estimates.mean(0), tags - tags.mean(0)
    # Clips that do not differ have no slope, instead of an infinite one.
    spread_x, spread_y = ((z.square().mean(0) + 1e-12).sqrt() for z in (x, y))
    return (x * y).mean(0) / (spread_x * spread_y + 1e-4)
