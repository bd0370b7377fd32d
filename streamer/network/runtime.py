"""The network in NumPy: the one inference runtime, for 1 frame and for 10,000.

PyTorch defines and trains the network (``streamer.network.hybrid``) and is the reference that the
tests hold this to. Nothing here imports it. ``streamer bench`` measures it beside ONNX Runtime and
TorchScript: one frame a call it is the fastest of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.features.chroma import PITCH_CLASSES
from streamer.features.state import State
from streamer.network.config import Calibration, ModelConfig
from streamer.network.layers import (
    Circular,
    Convolution,
    Dense,
    FrameLayer,
    Integrator,
    Linear,
    Lstm,
    Packing,
)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LstmState(State):
    """What the LSTM carries: ``hidden`` and ``cell``, each (layers, batch, units), float32.

    ``newest`` (1, batch, features): the newest frame's features before the rectifier, from which
    the next one's movement is measured; without features where the network has no movement.
    ``integral`` (1, batch, units + 1): the fading sum of what the LSTM gave, and of its weights;
    of no numbers where the network does not integrate.
    """

    hidden: Floats
    cell: Floats
    newest: Floats
    integral: Floats

    @property
    def parts(self) -> tuple[Floats, Floats, Floats, Floats]:
        """The arrays in their order; in each the second axis counts streams."""
        return self.hidden, self.cell, self.newest, self.integral

    @classmethod
    def joined(cls, states: Sequence[LstmState]) -> LstmState:
        """The states of several streams as one batch, in their order."""
        if len(states) == 1:
            return states[0]
        each = zip(*(state.parts for state in states), strict=True)
        return cls(*(np.concatenate(part, axis=1) for part in each))

    def parted(self) -> list[LstmState]:
        """The states of the batch's streams, each on its own; the inverse of ``joined``."""
        batch = self.hidden.shape[1]
        if batch == 1:
            return [self]
        # Copies: a stream that stays behind must not hold the whole batch in memory.
        parts = self.parts
        return [LstmState(*(part[:, k : k + 1].copy() for part in parts)) for k in range(batch)]


class Runtime:
    """``forward(frames, state) -> (outputs, state)`` for a model's weights, precomputed once."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, Floats]) -> None:
        network = config.network
        self._network = network
        inverse_sd = 1 / np.asarray(config.normalisation.sd)
        self._inverse_sd = inverse_sd.astype(np.float32)
        # The mean is owed to the first layer: see ``streamer.network.layers``.
        missing = -np.asarray(config.normalisation.mean) * inverse_sd
        owed, rest = missing[: network.coefficients], missing[network.coefficients :]
        self._convolutions: list[FrameLayer] = []
        sizes = network.widths()
        for index, layer in enumerate(network.convolutions):
            weight = weights[f"convolutions.{index}.weight"]
            bias = weights[f"convolutions.{index}.bias"]
            self._convolutions.append(Convolution(weight, bias, layer.stride, owed))
            owed = self._convolutions[-1].owed
        self._circular: FrameLayer | None = None
        self._planes = PITCH_CLASSES * network.planes if network.profiles else 0
        if network.profiles:
            weight, bias = weights["chroma.weight"], weights["chroma.bias"]
            self._circular = Circular(weight, bias, rest[: self._planes])
            owed = np.concatenate([owed, self._circular.owed])
        owed = np.concatenate([owed, rest[self._planes :]])
        # PyTorch lays the features out filter by filter, the runtime position by position.
        layout = np.arange(network.joined)
        flat = math.prod(sizes[-1])
        layout[:flat] = layout[:flat].reshape(sizes[-1]).T.reshape(-1)
        self._dense: FrameLayer | None = None
        if network.dense:
            matrix = weights["dense.weight"][:, layout].T
            # Movement is measured before the rectifier.
            kind = Linear if network.movement else Dense
            self._dense = kind(matrix, weights["dense.bias"], owed)
            owed = self._dense.owed
            layout = np.arange(network.dense)
        self._owed = owed.astype(np.float32)

        self._lstm_layers = []
        for index in range(network.layers):
            into = weights[f"lstm.weight_ih_l{index}"].T
            bias = weights[f"lstm.bias_ih_l{index}"] + weights[f"lstm.bias_hh_l{index}"]
            if index == 0:
                into = into.reshape(-1, len(layout), 4 * network.lstm)[:, layout]
                into = into.reshape(-1, 4 * network.lstm)
            self._lstm_layers.append(Lstm(into, weights[f"lstm.weight_hh_l{index}"].T, bias))
        self._integrator = Integrator(network.integrate) if network.integrate else None
        self._head = Head(weights["head.weight"].T, weights["head.bias"], config.calibration)
        self._gate = (
            Gate(weights["music.weight"].T, weights["music.bias"]) if network.gate else None
        )

    def initial(self, batch: int = 1) -> LstmState:
        """The state of a stream of which nothing was heard."""
        shape = (self._network.layers, batch, self._network.lstm)
        return LstmState(
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros((1, batch, self._network.remembered), np.float32),
            np.zeros((1, batch, self._network.integrated), np.float32),
        )

    def forward(self, frames: Floats, state: LstmState) -> tuple[Floats, LstmState]:
        """Outputs of ``frames`` (batch, time, inputs), and the state after them.

        Outputs are (batch, time, 4): valence and arousal in [-1, 1], then their standard
        deviations, above 0; where the network has a gate a fifth, the probability that it is music.
        ``state`` is not changed.
        """
        batch, time, inputs = frames.shape
        rows = frames.reshape(batch * time, inputs)
        outputs, after = self.forward_streams(rows, [time] * batch, state)
        return outputs.reshape(batch, time, self._network.outputs), after

    def forward_streams(
        self, rows: Floats, lengths: Sequence[int], state: LstmState
    ) -> tuple[Floats, LstmState]:
        """``forward`` for streams of unequal ``lengths``, their ``rows`` one after the other.

        ``rows`` are (sum of lengths, inputs), outputs (sum of lengths, 4 or 5); ``state`` has one
        entry of the batch a stream.
        """
        packing = Packing(lengths)
        current, newest = self._features(rows), state.newest
        if self._network.movement:
            current, newest = _moved(current, lengths, newest)
        current = packing.pack(current)
        hidden, cell = packing.sort(state.hidden), packing.sort(state.cell)
        for index, layer in enumerate(self._lstm_layers):
            current = layer(current, packing.runs, hidden[index], cell[index])
        integral, heard = state.integral, current
        if self._integrator is not None:
            integral = packing.sort(integral)
            heard = self._integrator(current, packing.runs, integral[0])
            integral = packing.unsort(integral)
        outputs = self._head(heard)
        if self._gate is not None:
            outputs = np.concatenate((outputs, self._gate(current)), axis=1)
        outputs = packing.unpack(outputs)
        return outputs, LstmState(packing.unsort(hidden), packing.unsort(cell), newest, integral)

    def convolve(self, frames: Floats) -> Floats:
        """The per-frame part: (batch, time, inputs) to (batch, time, features).

        Each frame's features depend on that frame alone. Where movement is measured, they are not
        rectified yet.
        """
        batch, time, inputs = frames.shape
        features = self._features(frames.reshape(batch * time, inputs))
        return features.reshape(batch, time, len(self._owed))

    def _features(self, rows: Floats) -> Floats:
        scaled = rows * self._inverse_sd
        current = scaled[:, : self._network.coefficients]
        for layer in self._convolutions:
            current = layer(current)
        if scaled.shape[1] > self._network.coefficients:
            parts, rest = [current], scaled[:, self._network.coefficients :]
            if self._circular is not None:
                parts.append(self._circular(rest[:, : self._planes]))
            current = np.concatenate((*parts, rest[:, self._planes :]), axis=1)
        if self._dense is not None:
            current = self._dense(current)
        return current + self._owed


def _moved(rows: Floats, lengths: Sequence[int], newest: Floats) -> tuple[Floats, Floats]:
    """The features rectified beside how far each has moved, and the new ``newest`` ones.

    ``rows`` (rows, features) of streams of these ``lengths`` one after the other; ``newest`` (1,
    streams, features) are the frames before. Returns (rows, 2 * features).
    """
    if not len(rows):
        return np.empty((0, 2 * rows.shape[1]), np.float32), newest
    before = newest[0]
    if len(lengths) == 1:
        previous = before if len(rows) == 1 else np.concatenate((before, rows[:-1]))
        after = rows[-1:].copy()
    else:
        previous = np.empty_like(rows)
        previous[1:] = rows[:-1]
        streams = np.flatnonzero(lengths)
        ends = np.cumsum(lengths)[streams]
        previous[ends - np.asarray(lengths)[streams]] = before[streams]
        after = before.copy()
        after[streams] = rows[ends - 1]
    movement = rows - previous
    np.abs(movement, out=movement)
    return np.concatenate((np.maximum(rows, 0), movement), axis=1), after[None]


#: The network's standard deviations lie between these: exp(-4) is .018, exp(0.5) is 1.6.
LOG_SD_RANGE = (-4.0, 0.5)


#: The place of the gate's word among the outputs, where the network has one.
MUSIC = 4
#: As arrays: a Python number would be converted in every call.
_HALF = np.array(0.5, dtype=np.float32)
#: The edges of the plane, likewise.
_LOWEST, _HIGHEST = np.full((2, 2), [[-1], [1]], dtype=np.float32)


class Gate:
    """The probability that music is heard, of the LSTM's newest outputs."""

    def __init__(self, matrix: Floats, bias: Floats) -> None:
        # A sigmoid is (1 + tanh(x / 2)) / 2, which overflows nowhere.
        self._matrix = np.ascontiguousarray(matrix * np.float32(0.5))
        self._bias = bias * np.float32(0.5)

    def __call__(self, rows: Floats) -> Floats:
        """(rows, units) to (rows, 1), from 0 to 1."""
        odds: Floats = rows.dot(self._matrix)
        odds += self._bias
        np.tanh(odds, out=odds)
        odds *= _HALF
        odds += _HALF
        return odds


class Head:
    """Means on the label's scale and their deviations, of the LSTM's outputs."""

    def __init__(self, matrix: Floats, bias: Floats, calibration: Calibration) -> None:
        self._matrix = np.ascontiguousarray(matrix)
        self._bias = bias
        axes = (calibration.valence, calibration.arousal)
        scale = np.array([axis.scale for axis in axes])
        offset = np.array([axis.offset for axis in axes])
        self._leaves_the_plane = bool((scale + np.abs(offset)).max() > 1)
        unbounded = (-np.inf, np.inf)
        bounds = np.array([unbounded, unbounded, LOG_SD_RANGE, LOG_SD_RANGE], dtype=np.float32)
        self._least, self._most = np.ascontiguousarray(bounds.T)
        self._scale = np.array([*scale, *(axis.sd_scale for axis in axes)], dtype=np.float32)
        self._offset = np.array([*offset, 0, 0], dtype=np.float32)

    def __call__(self, rows: Floats) -> Floats:
        """(rows, units) to (rows, 4): valence and arousal, and their deviations."""
        raw: Floats = rows.dot(self._matrix)
        raw += self._bias
        np.maximum(raw, self._least, out=raw)
        np.minimum(raw, self._most, out=raw)
        means, deviations = raw[:, :2], raw[:, 2:]
        np.tanh(means, out=means)
        np.exp(deviations, out=deviations)
        raw *= self._scale
        raw += self._offset
        if self._leaves_the_plane:
            # Two calls, and still a third of what ``numpy.clip`` takes for two numbers.
            np.maximum(means, _LOWEST, out=means)
            np.minimum(means, _HIGHEST, out=means)
        return raw
