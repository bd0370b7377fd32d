"""The network's definition, in PyTorch: what is trained, and what the runtime is held to.

Source: Savadikar 2018, "Hybrid 1-Dimensional Convolutional Neural Network": the filter is one time
row high and slides along the coefficients of one frame, so it sees neither past nor future; the
LSTM on top is the only learned place where time segments meet. Along the twelve pitch classes the
same filter slides in a circle, and what it gives is pooled over its twelve positions: it finds a
minor triad in any key. Outside ``streamer.training``, only this module and the bench that measures
it import PyTorch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.features.chroma import PITCH_CLASSES
from streamer.network.config import NetworkConfig, Normalisation
from streamer.network.layers import fading
from streamer.network.model import Model
from streamer.network.runtime import LOG_SD_RANGE, Floats, LstmState

TorchState = tuple[Tensor, Tensor, Tensor, Tensor]
#: So many frames are integrated in one matrix product.
_BLOCK = 256


class HybridNetwork(nn.Module):
    """Per-frame convolution, stateful LSTM, leaky mean, heads for two means and two deviations.

    Where the configuration has a gate, one more head says from the newest frame's LSTM output, not
    from the leaky mean, whether it is music.
    """

    mean: Tensor
    inverse_sd: Tensor

    def __init__(
        self, config: NetworkConfig, normalisation: Normalisation, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(normalisation.mean), persistent=False)
        self.register_buffer("inverse_sd", 1 / torch.tensor(normalisation.sd), persistent=False)
        sizes = config.widths()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, layer.filters, (1, layer.width), (1, layer.stride))
            for (channels, _), layer in zip(sizes, config.convolutions, strict=False)
        )
        self.chroma = (
            nn.Conv1d(config.planes, config.profiles, PITCH_CLASSES) if config.profiles else None
        )
        self.dense = nn.Linear(config.joined, config.dense) if config.dense else None
        self.lstm = nn.LSTM(config.fed, config.lstm, config.layers, batch_first=True)
        self.head = nn.Linear(config.lstm, 4)
        self.music = nn.Linear(config.lstm, 1) if config.gate else None
        self.dropout = nn.Dropout(dropout)

    def initial(self, batch: int = 1) -> TorchState:
        """The state of streams of which nothing was heard, as ``LstmState`` has it."""
        zeros = self.head.weight.new_zeros(self.config.layers, batch, self.config.lstm)
        frames, features = self.config.remembered
        newest = zeros.new_zeros(frames, batch, features)
        return zeros, zeros.clone(), newest, zeros.new_zeros(1, batch, self.config.integrated)

    def convolve(self, frames: Tensor) -> Tensor:
        """(batch, time, inputs) to (batch, time, features), frame by frame.

        Where movement is measured, the features are not rectified yet.
        """
        rows = (frames - self.mean) * self.inverse_sd
        current = rows[..., : self.config.coefficients].unsqueeze(1)
        for layer in self.convolutions:
            current = torch.relu(layer(current))
        # (batch, filters, time, positions) -> (batch, time, filters * positions)
        current = current.transpose(1, 2).flatten(2)
        rest = rows[..., self.config.coefficients :]
        if self.chroma is not None:
            planes = rest[..., : PITCH_CLASSES * self.config.planes]
            current = torch.cat([current, self._turn(planes, self.chroma)], dim=-1)
            rest = rest[..., planes.shape[-1] :]
        current = torch.cat([current, rest], dim=-1)
        if self.dense is not None:
            current = self.dense(current)
            if not self.config.movement:
                current = torch.relu(current)
        return current

    def _turn(self, planes: Tensor, layer: nn.Conv1d) -> Tensor:
        """The circular convolution of ``planes`` (batch, time, planes * 12), pooled.

        (batch, time, 2 * profiles): each profile's largest answer over the twelve rotations, then
        each one's mean. One matrix product: ``layer`` itself would be slower.
        """
        rows = planes.reshape(*planes.shape[:-1], self.config.planes, PITCH_CLASSES)
        turned = torch.cat([rows, rows[..., :-1]], dim=-1).unfold(-1, PITCH_CLASSES, 1)
        answers = nn.functional.linear(
            turned.transpose(-3, -2).flatten(-2), layer.weight.flatten(1), layer.bias
        ).relu()
        return torch.cat([answers.amax(-2), answers.mean(-2)], dim=-1)

    def listen(self, frames: Tensor, state: TorchState) -> tuple[Tensor, Tensor, TorchState]:
        """What the LSTM makes of ``frames``: integrated, and as it is; and the new state.

        Both are (batch, time, units): the first is for ``tell``, the second for ``sense``.
        """
        hidden, cell, newest, integral = state
        current = self.convolve(frames)
        if self.config.movement:
            # Frame t stands at place t + reach.
            reach, time = newest.shape[0], current.shape[1]
            joined = torch.cat([newest.transpose(0, 1), current], dim=1)
            moved = [
                (current - joined[:, reach - lag :][:, :time]).abs() for lag in self.config.lags
            ]
            newest = joined[:, time:].transpose(0, 1)
            current = torch.cat([torch.relu(current), *moved], dim=-1)
        current, (hidden, cell) = self.lstm(self.dropout(current), (hidden, cell))
        heard = current
        if self.config.integrate:
            heard, integral = self._integrate(current, integral)
        return self.dropout(heard), self.dropout(current), (hidden, cell, newest, integral)

    def _integrate(self, rows: Tensor, integral: Tensor) -> tuple[Tensor, Tensor]:
        """The leaky mean over time of ``rows`` (batch, time, units), and its new state.

        See ``streamer.network.layers``.
        """
        left = fading(self.config.integrate)
        means, carried = [], integral.transpose(0, 1)
        for begin in range(0, rows.shape[1], _BLOCK):
            block = rows[:, begin : begin + _BLOCK]
            steps = torch.arange(block.shape[1])
            ages = steps[:, None] - steps
            weights = torch.where(ages >= 0, left ** ages.abs().to(rows.dtype), 0.0)
            fed = torch.cat([block, torch.ones_like(block[..., :1])], dim=-1)
            sums = weights @ fed + (left ** (steps + 1).to(rows.dtype))[:, None] * carried
            means.append(sums[..., :-1] / sums[..., -1:])
            carried = sums[:, -1:]
        return torch.cat(means, dim=1), carried.transpose(0, 1)

    def tell(self, heard: Tensor) -> Tensor:
        """Outputs (batch, time, 4) of what ``listen`` gave.

        Outputs are valence and arousal in [-1, 1] and their standard deviations, before the
        calibration that the model directory adds.
        """
        raw = self.head(heard)
        means, deviations = raw[..., :2].tanh(), raw[..., 2:].clamp(*LOG_SD_RANGE).exp()
        return torch.cat([means, deviations], dim=-1)

    def sense(self, current: Tensor) -> Tensor:
        """The log odds (batch, time) that it is music, of what ``listen`` gave second.

        Raises ``ValueError`` where the network has no gate.
        """
        if self.music is None:
            raise ValueError("the network has no gate")
        logits: Tensor = self.music(current)
        return logits[..., 0]

    def forward(self, frames: Tensor, state: TorchState) -> tuple[Tensor, TorchState]:
        """Outputs (batch, time, 4) of ``frames`` (batch, time, inputs), and the new state.

        With a gate they are (batch, time, 5): the last is the probability of music.
        """
        heard, current, after = self.listen(frames, state)
        outputs = self.tell(heard)
        if self.music is not None:
            outputs = torch.cat([outputs, self.sense(current).sigmoid()[..., None]], dim=-1)
        return outputs, after


def loaded(model: Model) -> HybridNetwork:
    """The network of a model, with its weights, for evaluation."""
    network = HybridNetwork(model.config.network, model.config.normalisation).eval()
    tensors = {name: torch.tensor(array) for name, array in model.weights.items()}
    network.load_state_dict(tensors, strict=True)
    return network


def judge(model: Model, frames: Floats, state: LstmState) -> tuple[Floats, LstmState]:
    """What PyTorch makes of ``frames``, calibrated: what runtime and exported graph are held to.

    Shapes are those of ``Runtime.forward``.
    """
    with torch.no_grad():
        carried = tuple(map(torch.tensor, state.parts))
        raw, after = loaded(model)(torch.tensor(frames), carried)
    axes = (model.config.calibration.valence, model.config.calibration.arousal)
    outputs = raw.clone()
    outputs[..., :4] *= torch.tensor(
        [axis.scale for axis in axes] + [axis.sd_scale for axis in axes]
    )
    outputs[..., :2] += torch.tensor([axis.offset for axis in axes])
    outputs[..., :2].clamp_(-1, 1)
    return outputs.numpy(), LstmState(*(part.numpy() for part in after))
