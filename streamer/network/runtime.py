"""The network in NumPy: the one inference runtime, for 1 frame and for 10,000.

PyTorch defines and trains the network (``streamer.network.hybrid``) and is the reference that the
tests hold this to. Nothing here imports it. ``streamer bench`` measures it beside ONNX Runtime and
TorchScript.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.features.chroma import PITCH_CLASSES
from streamer.features.state import MOST, State
from streamer.network.config import Calibration, ModelConfig, NetworkConfig
from streamer.network.layers import (
    Circular,
    Convolution,
    FrameLayer,
    Integrator,
    Lstm,
    Packing,
)

Floats = NDArray[np.float32]


#: Features of sound stay far below this, and what comes of it is still finite.
_MOST_FEATURE = 1e9
#: What rounding in single precision may have added to a fading sum, as a share.
_ROUNDED = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class LstmState(State):
    """What the network carries from call to call.

    ``hidden`` and ``cell`` of the LSTM, each (layers, batch, units), float32.

    ``newest`` (frames, batch, features): the newest frames' features before the rectifier, oldest
    first, from which later ones' movement is measured; without features where the network has no
    movement.
    ``integral`` (1, batch, units + 1): the fading sum of what the LSTM gave, and of its weights;
    of no numbers where the network does not integrate.
    """

    hidden: Floats
    cell: Floats
    newest: Floats
    integral: Floats

    def _rules(self) -> dict[str, tuple[str, bool]]:
        sums, weights = self.integral[..., :-1], self.integral[..., -1:]
        bounded = np.abs(sums) <= weights * (1 + _ROUNDED) + _ROUNDED
        return {
            "hidden": ("must be in [-1, 1]", bool((np.abs(self.hidden) <= 1).all())),
            "newest": (
                "is beyond reach",
                bool((np.abs(self.newest) <= _MOST_FEATURE).all()),
            ),
            "integral": (
                "must be sums within their weights, which come last",
                bool(bounded.all() and (weights >= 0).all() and (weights <= MOST).all()),
            ),
        }

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
        self._flat, self._joined = math.prod(sizes[-1]), network.joined
        layout[: self._flat] = layout[: self._flat].reshape(sizes[-1]).T.reshape(-1)
        self._owed = owed.astype(np.float32)
        self._dense: Floats | None = None
        if network.dense:
            matrix = weights["dense.weight"][:, layout].T
            constant = weights["dense.bias"] + owed @ matrix.astype(np.float64)
            self._dense = np.concatenate((matrix, constant[None].astype(np.float32)))
            layout = np.arange(network.dense)

        self._fed_width = network.fed
        reach, _ = network.remembered
        # Places, in the state's ``newest``, of the frames that the next one is compared with.
        self._compared = np.array([reach - lag for lag in network.lags])
        self._lstm_layers = []
        for index in range(network.layers):
            into = weights[f"lstm.weight_ih_l{index}"].T
            bias = weights[f"lstm.bias_ih_l{index}"] + weights[f"lstm.bias_hh_l{index}"]
            if index == 0:
                into = into.reshape(-1, len(layout), 4 * network.lstm)[:, layout]
                into = into.reshape(-1, 4 * network.lstm)
            self._lstm_layers.append(Lstm(into, weights[f"lstm.weight_hh_l{index}"].T, bias))
        self._integrator = Integrator(network.integrate) if network.integrate else None
        self._head = Head(_head_matrix(network, weights), config.calibration)

    def initial(self, batch: int = 1) -> LstmState:
        """The state of a stream of which nothing was heard."""
        shape = (self._network.layers, batch, self._network.lstm)
        frames, features = self._network.remembered
        return LstmState(
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros((frames, batch, features), np.float32),
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
        packing, units = Packing(lengths), self._network.lstm
        fed, newest = self._fed(self._features(rows), lengths, state.newest)
        fed = packing.pack(fed)
        hidden, cell = packing.sort(state.hidden), packing.sort(state.cell)
        for index, layer in enumerate(self._lstm_layers):
            # [what is integrated | what the layer gave | 1], as the head takes it.
            heard = np.empty((len(fed), 2 * units + 1), dtype=np.float32)
            heard[:, -1] = 1
            layer(fed, packing.runs, hidden[index], cell[index], heard[:, units:-1])
            fed = heard[:, units:]
        integral = state.integral
        if self._integrator is not None:
            integral = packing.sort(integral)
            self._integrator(fed, packing.runs, integral[0], heard[:, :units])
            integral = packing.unsort(integral)
            fed = heard
        outputs = packing.unpack(self._head(fed))
        return outputs, LstmState(packing.unsort(hidden), packing.unsort(cell), newest, integral)

    def convolve(self, frames: Floats) -> Floats:
        """The per-frame part: (batch, time, inputs) to (batch, time, features).

        Each frame's features depend on that frame alone. Where movement is measured, they are not
        rectified yet.
        """
        batch, time, inputs = frames.shape
        features = self._features(frames.reshape(batch * time, inputs))
        return features.reshape(batch, time, self._network.features)

    def _features(self, rows: Floats) -> Floats:
        if len(rows) > _AT_ONCE:
            starts = range(0, len(rows), _AT_ONCE)
            return np.concatenate([self._features(rows[k : k + _AT_ONCE]) for k in starts])
        scaled = rows * self._inverse_sd
        # Each part of the features goes to its place, and a 1 to the end for the bias.
        joined = np.empty((len(rows), self._joined + 1), dtype=np.float32)
        joined[:, -1] = 1
        current, end = scaled[:, : self._network.coefficients], self._flat
        if not self._convolutions:
            joined[:, :end] = current
        for left, layer in enumerate(self._convolutions, 1 - len(self._convolutions)):
            current = layer(current, None if left else joined[:, :end])
        if scaled.shape[1] > self._network.coefficients:
            rest = scaled[:, self._network.coefficients :]
            if self._circular is not None:
                begin, end = end, end + len(self._circular.owed)
                self._circular(rest[:, : self._planes], joined[:, begin:end])
            joined[:, end:-1] = rest[:, self._planes :]
        if self._dense is None:
            return joined[:, :-1] + self._owed
        features: Floats = joined.dot(self._dense)
        # Movement is measured before the rectifier.
        return features if self._network.movement else np.maximum(features, 0, out=features)

    def _fed(
        self, features: Floats, lengths: Sequence[int], newest: Floats
    ) -> tuple[Floats, Floats]:
        """What the LSTM is fed, each row with a 1 at its end, and the new ``newest`` features.

        ``features`` (rows, features) of streams of these ``lengths`` one after the other. Where
        movement is measured: the features rectified beside how far each has moved since earlier
        frames; ``newest`` (frames, streams, features) are those before the first ones.
        """
        width = features.shape[1]
        fed = np.empty((len(features), self._fed_width + 1), dtype=np.float32)
        fed[:, -1] = 1
        if not self._network.movement:
            fed[:, :-1] = features
            return fed, newest
        np.maximum(features, 0, out=fed[:, :width])
        moved = fed[:, width:-1]
        reach, streams = newest.shape[:2]
        # A frame of each stream, as live: all that it is compared with lies in ``newest``.
        if len(features) == streams == sum(map(bool, lengths)):
            by_lag = moved.reshape(streams, -1, width).transpose(1, 0, 2)
            np.subtract(features, newest.take(self._compared, axis=0), out=by_lag)
            np.abs(moved, out=moved)
            return fed, np.concatenate((newest[1:], features[None]))
        # Of many frames, most are compared with others of these.
        if streams == 1:
            joined = np.concatenate((newest[:, 0], features))
            earlier = [joined[reach - lag : len(joined) - lag] for lag in self._network.lags]
            after = joined[len(features) :, None]
            if len(features) > reach:
                after = after.copy()  # a stream must not hold all that it heard in memory
        else:
            before = reach * np.arange(streams)
            ends = before + np.cumsum(lengths)
            joined = np.empty((reach * streams + len(features), width), dtype=np.float32)
            # Where each row of features stands among all.
            place = np.arange(len(features)) + np.repeat(before + reach, lengths)
            joined[place] = features
            kept = np.arange(reach)[:, None]
            joined[kept + (ends - lengths)] = newest
            earlier = [joined[place - lag] for lag in self._network.lags]
            after = joined[kept + ends]
        for begin, past in zip(range(0, moved.shape[1], width), earlier, strict=True):
            np.subtract(features, past, out=moved[:, begin : begin + width])
        np.abs(moved, out=moved)
        return fed, after


#: Frames that are convolved at a time: what more of them take leaves the processor's cache.
_AT_ONCE = 32

#: The network's standard deviations lie between these: exp(-4) is .018, exp(0.5) is 1.6.
LOG_SD_RANGE = (-4.0, 0.5)


#: The place of the gate's word among the outputs, where the network has one.
MUSIC = 4
#: The edges of the plane, as arrays: a Python number would be converted in every call.
_LOWEST, _HIGHEST = np.full((2, 2), [[-1], [1]], dtype=np.float32)
#: Those of the deviations' logarithms, likewise.
_LEAST, _MOST = np.array(LOG_SD_RANGE, dtype=np.float32)[:, None]


class Head:
    """Means on the label's scale and their deviations; and the probability that music is heard.

    The first four are told from what was integrated, where the network integrates, and the last,
    where it has a gate, from what the LSTM gave last.
    """

    def __init__(self, matrix: Floats, calibration: Calibration) -> None:
        """``matrix`` (inputs + 1, 4 or 5): a column an output, its bias last, of a gate half each.

        (A sigmoid is (1 + tanh(x / 2)) / 2, which overflows nowhere.)
        """
        self._matrix = matrix
        axes = (calibration.valence, calibration.arousal)
        offset = [axis.offset for axis in axes]
        scale = [axis.scale for axis in axes]
        self._leaves_the_plane = any(s + abs(o) > 1 for s, o in zip(scale, offset, strict=True))
        gate = [0.5] * (matrix.shape[1] - MUSIC)
        scale += [*(axis.sd_scale for axis in axes), *gate]
        offset += [0.0, 0.0, *gate]
        self._scale, self._offset = np.array([scale, offset], dtype=np.float32)

    def __call__(self, rows: Floats) -> Floats:
        """(rows, inputs + 1), each with a 1 at its end, to (rows, 4 or 5): see ``forward``."""
        raw: Floats = rows.dot(self._matrix)
        deviations = raw[:, 2:MUSIC]
        np.maximum(deviations, _LEAST, out=deviations)
        np.minimum(deviations, _MOST, out=deviations)
        told = np.tanh(raw)  # of all five: one call
        np.exp(deviations, out=told[:, 2:MUSIC])
        told *= self._scale
        told += self._offset
        if self._leaves_the_plane:
            # Two calls, and still a third of what ``numpy.clip`` takes for two numbers.
            means = told[:, :2]
            np.maximum(means, _LOWEST, out=means)
            np.minimum(means, _HIGHEST, out=means)
        return told


def _head_matrix(network: NetworkConfig, weights: Mapping[str, Floats]) -> Floats:
    """The head's matrix for rows [what was integrated | what the LSTM gave last | 1].

    Without the first part where the network does not integrate.
    """
    units = network.lstm
    rows = (1 + bool(network.integrate)) * units + 1
    matrix = np.zeros((rows, network.outputs), dtype=np.float32)
    matrix[:units, :MUSIC] = weights["head.weight"].T
    matrix[-1, :MUSIC] = weights["head.bias"]
    if network.gate:
        matrix[-1 - units : -1, MUSIC] = weights["music.weight"][0] / 2
        matrix[-1, MUSIC] = weights["music.bias"][0] / 2
    return matrix
