"""The network in NumPy: the one inference runtime, for 1 frame and for 10,000.

PyTorch defines and trains the network (``streamer.network.hybrid``) and is the reference that the
tests hold this to. Nothing here imports it. Measured beside ONNX Runtime and TorchScript by
``streamer bench``: it is the fastest of them, one frame a call and many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.features.state import State
from streamer.network import convolution
from streamer.network.config import ModelConfig
from streamer.network.lstm import Lstm, Packing

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LstmState(State):
    """What the LSTM carries: ``hidden`` and ``cell``, each (layers, batch, units), float32."""

    hidden: Floats
    cell: Floats

    @classmethod
    def joined(cls, states: Sequence[LstmState]) -> LstmState:
        """The states of several streams as one batch, in their order."""
        if len(states) == 1:
            return states[0]
        return cls(
            np.concatenate([state.hidden for state in states], axis=1),
            np.concatenate([state.cell for state in states], axis=1),
        )

    def parted(self) -> list[LstmState]:
        """The states of the batch's streams, each on its own; the inverse of ``joined``."""
        batch = self.hidden.shape[1]
        if batch == 1:
            return [self]
        # Copies: a stream that stays behind must not hold the whole batch in memory.
        return [
            LstmState(self.hidden[:, k : k + 1].copy(), self.cell[:, k : k + 1].copy())
            for k in range(batch)
        ]


class Runtime:
    """``forward(frames, state) -> (outputs, state)`` for a model's weights, precomputed once."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, Floats]) -> None:
        network = config.network
        self._network = network
        self._mean = np.asarray(config.normalisation.mean, dtype=np.float32)
        self._inverse_sd = (1 / np.asarray(config.normalisation.sd)).astype(np.float32)
        sizes = network.widths()
        self._convolutions = [
            convolution.build(
                weights[f"convolutions.{index}.weight"],
                weights[f"convolutions.{index}.bias"],
                layer,
                sizes[index][1],
            )
            for index, layer in enumerate(network.convolutions)
        ]
        channels, positions = sizes[-1]
        first = "dense.weight" if network.dense else "lstm.weight_ih_l0"
        # PyTorch lays the features out filter by filter, the runtime position by position.
        entry = weights[first].reshape(-1, channels, positions).transpose(2, 1, 0)
        entry = np.ascontiguousarray(entry.reshape(channels * positions, -1))
        self._dense = (entry, weights["dense.bias"]) if network.dense else None

        self._layers = []
        for index in range(network.layers):
            into = weights[f"lstm.weight_ih_l{index}"].T
            if index == 0 and not network.dense:
                into = entry
            bias = weights[f"lstm.bias_ih_l{index}"] + weights[f"lstm.bias_hh_l{index}"]
            self._layers.append(Lstm(into, weights[f"lstm.weight_hh_l{index}"].T, bias))
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
        batch, time, coefficients = frames.shape
        rows = frames.reshape(batch * time, coefficients)
        outputs, after = self.forward_streams(rows, [time] * batch, state)
        return outputs.reshape(batch, time, 4), after

    def forward_streams(
        self, rows: Floats, lengths: Sequence[int], state: LstmState
    ) -> tuple[Floats, LstmState]:
        """``forward`` for streams of unequal ``lengths``, their ``rows`` one after the other.

        ``rows`` are (sum of lengths, coefficients), outputs (sum of lengths, 4); ``state`` has one
        entry of the batch a stream.
        """
        packing = Packing(lengths)
        current = self._convolve(packing.pack(rows))
        order = slice(None) if packing.order is None else packing.order
        # Advanced indexing copies; a slice does not.
        hidden, cell = (np.array(part[:, order]) for part in (state.hidden, state.cell))
        for layer, layer_hidden, layer_cell in zip(self._layers, hidden, cell, strict=True):
            current = layer(current, packing.runs, layer_hidden, layer_cell)
        raw = np.dot(current, self._head[0])
        raw += self._head[1]
        outputs = packing.unpack(self._finish(raw))
        if packing.order is not None:
            back = np.argsort(packing.order)
            hidden, cell = hidden[:, back], cell[:, back]
        return outputs, LstmState(hidden, cell)

    def convolve(self, frames: Floats) -> Floats:
        """The per-frame part: (batch, time, coefficients) to (batch, time, features).

        Each frame's features depend on that frame alone.
        """
        batch, time, coefficients = frames.shape
        features = self._convolve(frames.reshape(batch * time, coefficients))
        return features.reshape(batch, time, features.shape[1])

    def _convolve(self, rows: Floats) -> Floats:
        current = rows - self._mean
        current *= self._inverse_sd
        for layer in self._convolutions:
            current = layer(current)
        if self._dense is not None:
            current = np.dot(current, self._dense[0])
            current += self._dense[1]
            np.maximum(current, 0, out=current)
        return current

    def _finish(self, raw: Floats) -> Floats:
        """Means on the label's scale and their deviations, of the head's four numbers."""
        means, deviations = raw[:, :2], raw[:, 2:]
        np.tanh(means, out=means)
        means *= self._scale
        means += self._offset
        np.maximum(means, -1, out=means)
        np.minimum(means, 1, out=means)
        np.maximum(deviations, LOG_SD_RANGE[0], out=deviations)
        np.minimum(deviations, LOG_SD_RANGE[1], out=deviations)
        np.exp(deviations, out=deviations)
        deviations *= self._sd_scale
        return raw


#: The network's standard deviations lie between these: exp(-4) is .018, exp(0.5) is 1.6.
LOG_SD_RANGE = (-4.0, 0.5)
