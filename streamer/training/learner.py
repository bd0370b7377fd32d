"""What is trained, and the loss: the network, and heads that only help it to learn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from streamer.network.config import NetworkConfig, Normalisation
from streamer.network.hybrid import HybridNetwork, TorchState, loaded
from streamer.network.model import Model
from streamer.network.runtime import LOG_SD_RANGE
from streamer.training.batches import Batch
from streamer.training.labels import LABEL_SD
from streamer.training.recipe import LossConfig

#: What the network and the heads say of a batch, by name: (batch, time, numbers).
Words = Mapping[str, Tensor]
#: Deviations begin near .25.
_FIRST_LOG_SD = -1.4


class Learner(nn.Module):
    """The network, and one linear head for each kind of label, on the same leaky mean.

    One estimate has to answer for all corpora; what their labels say beside it (quadrants, felt
    emotions, tags) shapes what the network hears, by heads of their own that are thrown away
    (multi-task learning: Caruana 1997).
    """

    def __init__(
        self,
        config: NetworkConfig,
        normalisation: Normalisation,
        dropout: float,
        memory: float,
        heads: Mapping[str, int],
    ) -> None:
        """``memory``: the longest that forget gates begin with, in frames; 0 leaves them.

        ``heads``: the numbers that each one says.
        """
        super().__init__()
        self.network = HybridNetwork(config, normalisation, dropout)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(config.lstm, size) for name, size in heads.items() if size}
        )
        with torch.no_grad():
            self.network.head.bias[2:] = _FIRST_LOG_SD
            if memory > 1:
                self._remember(memory)

    def forward(self, rows: Tensor, state: TorchState) -> tuple[dict[str, Tensor], TorchState]:
        """What is said of ``rows`` (batch, time, inputs), and the new state.

        ``estimate`` (batch, time, 4) before the range of the deviations is cut, ``music`` (batch,
        time) as log odds if there is a gate, and the heads by their names.
        """
        heard, current, after = self.network.listen(rows, state)
        words = {name: head(heard) for name, head in self.heads.items()}
        words["estimate"] = self.network.head(heard)
        if self.network.music is not None:
            words["music"] = self.network.sense(current)
        return words, after

    def begin_from(self, model: Model) -> None:
        """Take the network's weights from a model of the same shapes; the other heads stay."""
        self.network.load_state_dict(loaded(model).state_dict())

    def parts(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The weights of the head for the estimate, and those of the network before it."""
        head = list(self.network.head.parameters())
        own = {id(weight) for weight in head}
        return head, [weight for weight in self.network.parameters() if id(weight) not in own]

    def blend(self, share: Sequence[float]) -> None:
        """Make ``share`` of valence and arousal the word of the ratings' head, if it is there.

        Both are linear, and on one scale: their mixture is one head.
        """
        if "ratings" not in self.heads:
            return
        ratings = self.heads["ratings"]
        with torch.no_grad():
            for name, own in self.network.head.named_parameters():
                for axis, part in enumerate(share):
                    own[axis] += part * (ratings.get_parameter(name)[axis] - own[axis])

    def _remember(self, longest: float) -> None:
        """Begin the last layer's forget gates with memories from a frame to ``longest`` frames.

        Source: Tallec and Ollivier 2018, "Can recurrent neural networks warp time?".
        """
        units, layer = self.network.config.lstm, self.network.config.layers - 1
        forget = torch.rand(units) * math.log(longest)
        bias = getattr(self.network.lstm, f"bias_ih_l{layer}")
        bias.zero_()
        getattr(self.network.lstm, f"bias_hh_l{layer}").zero_()
        bias[units : 2 * units] = forget
        bias[:units] = -forget


def loss(config: LossConfig, words: Words, batch: Batch) -> Tensor:
    """The weighted sum of all parts for which the batch has labels and ``words`` have a head."""
    total = words["estimate"].new_zeros(())
    if batch.emotional:
        total = total + _of_emotion(config, words, batch)
    if "music" in words and config.music:
        weight = torch.from_numpy(batch.music_weights)
        music = torch.from_numpy(batch.music)[:, None].expand_as(weight)
        entropy = nn.functional.binary_cross_entropy_with_logits(
            words["music"], music, reduction="none"
        )
        total = total + config.music * _mean(entropy[..., None], weight)
    if batch.pairs:
        # The second half of a crop: by then the stream has heard enough.
        valence = words["estimate"][-4 * batch.pairs :, words["estimate"].shape[1] // 2 :, 0].tanh()
        pieces = valence.mean(dim=1).reshape(2, 2, batch.pairs) / LABEL_SD[0]
        brighter, darker = pieces.mean(dim=1)
        missing = (config.margin / LABEL_SD[0] - (brighter - darker)).relu()
        total = total + config.pairs * missing.mean()
        # Half of the distance between two keys is each one's to their mean.
        total = total + config.keys * ((pieces[:, 0] - pieces[:, 1]) / 2).square().mean()
    return total


def _of_emotion(config: LossConfig, words: Words, batch: Batch) -> Tensor:
    """All parts but the gate's."""
    weight = torch.from_numpy(batch.weights)
    width = torch.tensor(LABEL_SD, dtype=torch.float32)
    said = words["estimate"][: batch.emotional]
    mean, log_sd = said[..., :2].tanh(), said[..., 2:].clamp(*LOG_SD_RANGE)
    target = torch.from_numpy(batch.targets)
    agreed = torch.from_numpy(batch.consensus)[:, None]
    total = config.labels * _mean(((mean - target) / width).square(), weight)
    total = total + config.consensus * _mean(((mean - agreed) / width).square(), weight)
    for kind in batch.kinds:
        total = total + config.concordance * _discordance(mean[kind], target[kind], weight[kind])
    # The deviations are to learn how far off the means are, not to let them be.
    apart = (mean.detach() - target).square()
    likelihood = log_sd + apart / (2 * (2 * log_sd).exp())
    total = total + config.likelihood * _mean(likelihood, weight)
    if "teachers" in words:
        taught = torch.from_numpy(batch.words)[:, None]
        apart = (words["teachers"][: batch.emotional] - taught).square()
        total = total + config.teachers * 2 / taught.shape[-1] * _mean(apart, weight)
    if "hints" in words:
        apart = (words["hints"][: batch.emotional] - torch.from_numpy(batch.hints)).square()
        hinted = torch.from_numpy(batch.hint_weights)
        total = total + config.hints / apart.shape[-1] * _mean(apart, hinted)
    rated = len(batch.ratings)
    if "ratings" in words and rated:
        labels = torch.from_numpy(batch.ratings)
        discordance = _discordance(words["ratings"][:rated], labels, weight[:rated])
        total = total + config.ratings * discordance
    if "sides" in words and len(batch.judged):
        places = torch.from_numpy(batch.judged)
        clip = _over_time(words["sides"][places], weight[places])
        sides, tags = torch.from_numpy(batch.sides), torch.from_numpy(batch.tags)
        entropy = nn.functional.binary_cross_entropy_with_logits(clip, sides)
        total = total + config.sides * entropy
        total = total + config.tags * (1 - _correlation(clip, tags)).sum()
    if "felt" in words and len(batch.felt_at):
        places = torch.from_numpy(batch.felt_at)
        clip = _over_time(words["felt"][places], weight[places])
        total = total + config.felt * (1 - _correlation(clip, torch.from_numpy(batch.felt))).mean()
    return total


def _discordance(estimates: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Sum over the axes of 1 - CCC, each over all weighted frames (batch, time, 2)."""
    counted = weight.sum() + 1e-6
    weight = weight[..., None] / counted
    mean_x, mean_y = (weight * estimates).sum((0, 1)), (weight * labels).sum((0, 1))
    var_x = (weight * (estimates - mean_x).square()).sum((0, 1))
    var_y = (weight * (labels - mean_y).square()).sum((0, 1))
    both = (weight * (estimates - mean_x) * (labels - mean_y)).sum((0, 1))
    return (1 - 2 * both / (var_x + var_y + (mean_x - mean_y).square() + 1e-6)).sum()


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """The mean over all weighted frames of the sum of ``values`` (batch, time, numbers)."""
    return (weight[..., None] * values).sum() / weight.sum().clamp(min=1.0)


def _over_time(values: Tensor, weight: Tensor) -> Tensor:
    """The mean over each sequence's weighted frames, (batch, numbers)."""
    counted = weight.sum(1, keepdim=True).clamp(min=1.0)
    return (values * weight[..., None]).sum(1) / counted


def _correlation(estimates: Tensor, labels: Tensor) -> Tensor:
    """Pearson's r of each number over a batch of clips (clips, numbers)."""
    x, y = estimates - estimates.mean(0), labels - labels.mean(0)
    # Clips that do not differ have no slope, instead of an infinite one.
    spread_x, spread_y = ((z.square().mean(0) + 1e-12).sqrt() for z in (x, y))
    return (x * y).mean(0) / (spread_x * spread_y + 1e-4)
