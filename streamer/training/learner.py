"""What is trained, and the loss: the network, and a second head that is judged by quadrant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.network.config import NetworkConfig, Normalisation
from streamer.network.hybrid import HybridNetwork, TorchState
from streamer.training.batches import Batch
from streamer.training.material import Rows, Song
from streamer.training.recipe import LossConfig

Floats = NDArray[np.float32]
#: A stream is heard so long before what is said of it counts, in seconds.
_SETTLED_S = 3.0
#: The spread of estimates where no labels give one.
_SPREAD = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class SecondHead:
    """What judges by quadrant: ``weight`` (2, units) and ``bias`` (2,), positive and high above 0.

    ``spread`` (2,) is the deviation over songs of what it says, ``first`` (2,) that of what the
    network's own head says before its tanh (.3 where it had nothing to learn from).
    """

    weight: Floats
    bias: Floats
    spread: Floats
    first: Floats


class Learner(nn.Module):
    """The network and the second head: two tasks that share all but the last layer.

    Labels in time and quadrants of clips mean different things by valence, and neither scale is
    bent to the other (multi-task learning: Caruana 1997).
    """

    def __init__(
        self,
        config: NetworkConfig,
        normalisation: Normalisation,
        dropout: float,
        memory: float,
    ) -> None:
        """``memory``: the longest that forget gates begin with, in frames; 0 leaves them."""
        super().__init__()
        self.network = HybridNetwork(config, normalisation, dropout)
        self.second = nn.Linear(config.lstm, 2)
        if memory > 1:
            self._remember(memory)

    def forward(self, rows: Tensor, state: TorchState) -> tuple[Tensor, Tensor, TorchState]:
        """The network's outputs (batch, time, 4), the second head's (batch, time, 2), the state."""
        heard, _, after = self.network.listen(rows, state)
        return self.network.tell(heard), self.second(heard), after

    def _remember(self, longest: float) -> None:
        """Begin the last layer's forget gates with memories from a frame to ``longest`` frames.

        Source: Tallec and Ollivier 2018, "Can recurrent neural networks warp time?".
        """
        units, layer = self.network.config.lstm, self.network.config.layers - 1
        with torch.no_grad():
            forget = torch.rand(units) * math.log(longest)
            bias = getattr(self.network.lstm, f"bias_ih_l{layer}")
            bias.zero_()
            getattr(self.network.lstm, f"bias_hh_l{layer}").zero_()
            bias[units : 2 * units] = forget
            bias[:units] = -forget
            self.network.head.bias[2:] = -1.6  # deviations begin near .2

    def second_head(self, rows: Rows, songs: Sequence[Song]) -> SecondHead:
        """The second head, and how far both spread over every third song."""
        self.eval()
        said = []
        with torch.no_grad():
            for song in songs[::3]:
                fed, _ = rows.of(song.bands[None], [rows.initial])
                heard, _, _ = self.network.listen(torch.from_numpy(fed), self.network.initial())
                settled = song.ends > min(_SETTLED_S, song.ends[-1] / 2)
                heard = heard[:, torch.from_numpy(settled)].mean(1)
                said.append(torch.cat([self.network.head(heard)[:, :2], self.second(heard)], 1))
        spread = torch.cat(said).std(0, correction=0).clamp(min=1e-3).numpy()
        first, second = spread[:2], spread[2:]
        if all(song.clip.sides is not None for song in songs):
            first = np.full_like(first, _SPREAD)
        weight, bias = (part.detach().numpy().copy() for part in self.second.parameters())
        return SecondHead(weight, bias, second, first)


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
