"""The network in NumPy: the one inference runtime, for 1 frame and for 10,000.

PyTorch defines and trains the network (``streamer.network.hybrid``) and is the reference that the
tests hold this to. Nothing here imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from streamer.features.state import State
from streamer.network.config import ModelConfig

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LstmState(State):
    """What the LSTM carries: ``hidden`` and ``cell``, each (layers, batch, units), float32."""

    hidden: Floats
    cell: Floats


class Runtime:
    """``forward(frames, state) -> (outputs, state)`` for a model's weights, precomputed once.

    The gates' sigmoids are taken as ``(1 + tanh(x / 2)) / 2``, so that one ``tanh`` serves all
    four gates of a step; the halves are folded into the weights.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Floats]) -> None:
        network = config.network
        self._network = network
        self._mean = np.asarray(config.normalisation.mean, dtype=np.float32)
        self._inverse_sd = (1 / np.asarray(config.normalisation.sd)).astype(np.float32)
        self._convolutions = [
            (
                # (filters, channels, 1, width) -> (width * channels, filters)
                np.ascontiguousarray(
                    weights[f"convolutions.{index}.weight"][:, :, 0, :]
                    .transpose(1, 2, 0)
                    .reshape(-1, layer.filters)
                ),
                weights[f"convolutions.{index}.bias"],
                layer,
            )
            for index, layer in enumerate(network.convolutions)
        ]
        channels, positions = network.widths()[-1]
        self._features = channels * positions
        first = "dense.weight" if network.dense else "lstm.weight_ih_l0"
        # PyTorch lays the features out filter by filter, the runtime position by position.
        entry = weights[first].reshape(-1, channels, positions).transpose(2, 1, 0)
        entry = np.ascontiguousarray(entry.reshape(self._features, -1))
        self._dense = (entry, weights["dense.bias"]) if network.dense else None

        self._layers = []
        gates = np.full((4, network.lstm), 0.5, dtype=np.float32)
        gates[2] = 1  # the candidate is a tanh already
        halves = gates.reshape(-1)
        # PyTorch's order is input, forget, candidate, output; the three sigmoids go together.
        order = np.arange(4 * network.lstm).reshape(4, -1)[[0, 1, 3, 2]].reshape(-1)
        for index in range(network.layers):
            into = weights[f"lstm.weight_ih_l{index}"].T
            if index == 0 and not network.dense:
                into = entry
            recurrent = weights[f"lstm.weight_hh_l{index}"].T
            bias = weights[f"lstm.bias_ih_l{index}"] + weights[f"lstm.bias_hh_l{index}"]
            # Advanced indexing would leave the columns strided.
            into, recurrent = (
                np.ascontiguousarray((m * halves)[:, order]) for m in (into, recurrent)
            )
            self._layers.append((into, recurrent, (bias * halves)[order]))
        self._head = (np.ascontiguousarray(weights["head.weight"].T), weights["head.bias"])
        axes = (config.calibration.valence, config.calibration.arousal)
        self._scale = np.array([axis.scale for axis in axes], dtype=np.float32)
        self._offset = np.array([axis.offset for axis in axes], dtype=np.float32)
        self._sd_scale = np.array([axis.sd_scale for axis in axes], dtype=np.float32)

    def initial(self, batch: int = 1) -> LstmState:
        """The state of a stream of which nothing was heard."""
        shape = (self._network.layers, batch, self._network.lstm)
        return LstmState(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def forward(self, frames: Floats, state: LstmState) -> tuple[Floats, LstmState]:
        """Outputs of ``frames`` (batch, time, coefficients), and the state after them.

        Outputs are (batch, time, 4): valence and arousal in [-1, 1], then their standard
        deviations, above 0. ``state`` is not changed.
        """
        batch, time = frames.shape[:2]
        current = self.convolve(frames)
        hidden, cell = state.hidden.copy(), state.cell.copy()
        for index, (into, recurrent, bias) in enumerate(self._layers):
            drive = current @ into
            drive += bias
            current = _lstm(drive, recurrent, hidden[index], cell[index])
        raw = current @ self._head[0]
        raw += self._head[1]
        return self._finish(raw), LstmState(hidden, cell)

    def convolve(self, frames: Floats) -> Floats:
        """The per-frame part: (batch, time, coefficients) to (batch, time, features).

        Each frame's features depend on that frame alone.
        """
        batch, time = frames.shape[:2]
        current = ((frames - self._mean) * self._inverse_sd)[..., None]
        for weight, bias, layer in self._convolutions:
            # (batch, time, positions, channels, width) as one row of numbers a position
            windows = sliding_window_view(current, layer.width, axis=2)[:, :, :: layer.stride]
            rows = windows.reshape(*windows.shape[:3], len(weight))
            current = rows @ weight
            current += bias
            np.maximum(current, 0, out=current)
        flat = current.reshape(batch, time, self._features)
        if self._dense is not None:
            flat = flat @ self._dense[0]
            flat += self._dense[1]
            np.maximum(flat, 0, out=flat)
        return flat

    def _finish(self, raw: Floats) -> Floats:
        """Means on the label's scale and their deviations, of the head's four numbers."""
        outputs = np.empty_like(raw)
        means = np.tanh(raw[..., :2]) * self._scale + self._offset
        np.clip(means, -1, 1, out=outputs[..., :2])
        outputs[..., 2:] = deviation(raw[..., 2:]) * self._sd_scale
        return outputs


#: The network's standard deviations lie between these: exp(-4) is .018, exp(0.5) is 1.6.
LOG_SD_RANGE = (-4.0, 0.5)


def deviation(raw: Floats) -> Floats:
    """Standard deviations of the head's log deviations."""
    return np.exp(np.clip(raw, *LOG_SD_RANGE))


def _lstm(drive: Floats, recurrent: Floats, hidden: Floats, cell: Floats) -> Floats:
    """One LSTM layer over ``drive`` (batch, time, 4 * units); ``hidden`` and ``cell`` move on."""
    batch, time, width = drive.shape
    units = width // 4
    outputs = np.empty((batch, time, units), dtype=np.float32)
    gates = np.empty((batch, width), dtype=np.float32)
    sigmoids, candidate = gates[:, : 3 * units], gates[:, 3 * units :]
    enter, forget, leave = (gates[:, k * units : (k + 1) * units] for k in range(3))
    for step in range(time):
        np.matmul(hidden, recurrent, out=gates)
        gates += drive[:, step]
        np.tanh(gates, out=gates)
        sigmoids *= 0.5
        sigmoids += 0.5
        cell *= forget
        enter *= candidate
        cell += enter
        np.tanh(cell, out=hidden)
        hidden *= leave
        outputs[:, step] = hidden
    return outputs
