"""What a network is trained to minimise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.training.recipe import LossConfig


class Loss(nn.Module):
    """Concordance and likelihood of labels in time, sides of clips judged by quadrant.

    A clip's side is judged from the mean of the estimates over it, by a logistic curve through 0,
    so that the plane's quadrants are the clips'; its slope is learnt with the network and forgotten
    afterwards.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.slope = nn.Parameter(torch.full((2,), 6.0))

    def forward(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        sides: Tensor,
        tags: Tensor,
        taught: Tensor | None,
    ) -> Tensor:
        """The loss of ``outputs`` (batch, time, 4); shapes as in ``streamer.training.batches``."""
        config, dynamic = self.config, len(outputs) - len(sides)
        means, deviations = outputs[..., :2], outputs[..., 2:]
        total = outputs.new_zeros(())
        if dynamic:
            weight = weights[:dynamic, :, None].expand(-1, -1, 2)
            mean, target, sd = means[:dynamic], targets[:dynamic], deviations[:dynamic]
            total = total + config.concordance * discordance(mean, target, weight)
            likelihood = sd.log() + (target - mean).square() / (2 * sd.square())
            counted = weight[..., 0].sum().clamp(min=1.0)
            total = total + config.likelihood * (weight * likelihood).sum() / counted
        if len(sides):
            weight = weights[dynamic:, :, None]
            mean = (means[dynamic:] * weight).sum(1) / weight.sum(1).clamp(min=1.0)
            logits = self.slope * mean
            entropy = nn.functional.binary_cross_entropy_with_logits(logits, sides)
            total = total + config.sides * entropy
            total = total + config.tags * (1 - _correlation(mean, tags)).sum()
        if taught is not None:
            weight = weights[..., None].expand(-1, -1, 2)
            for part, share in ((slice(dynamic), 1.0), (slice(dynamic, None), 0.5)):
                if len(means[part]):
                    apart = discordance(means[part], taught[part], weight[part])
                    total = total + config.teachers * share * apart
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
