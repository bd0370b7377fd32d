"""The network as an ONNX graph: explicit state in and out, the calibration and the facts inside.

Built node by node from the weights, without PyTorch; checked against the network (PyTorch's, where
that is installed) before the file is written. ``config.json`` travels in the graph's metadata, so
that the file alone is enough: see ``examples/onnx_stream.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import streamer
from streamer.errors import MissingExtraError, ModelError, writing
from streamer.features.chroma import PITCH_CLASSES
from streamer.network.layers import fading
from streamer.network.model import Model
from streamer.network.onnx_session import check
from streamer.network.runtime import LOG_SD_RANGE


class Nodes:
    """Nodes in order, each fed by the one before, and the constants that they use."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self.all: list[Any] = []
        self.constants: list[Any] = []
        self.newest = "frames"

    def constant(self, values: Any, dtype: type = np.float32) -> str:
        """The name of a constant with these values."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        array: NDArray[Any] = np.ascontiguousarray(values, dtype=dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(
        self,
        kind: str,
        *more: str,
        source: str | None = None,
        results: tuple[str, ...] = (),
        **attributes: Any,
    ) -> str:
        """A node on ``source`` (the newest result) and ``more``; its first result's name."""
        results = results or (f"{kind.lower()}_{len(self.all)}",)
        inputs = [source or self.newest, *more]
        self.all.append(self._helper.make_node(kind, inputs, list(results), **attributes))
        self.newest = results[0]
        return self.newest


#: The oldest operator set that has all that is used here, for readers of many years.
OPSET, IR = 17, 8
#: How far the graph may be from the network that was trained, in outputs and state.
TOLERANCE = 1e-5


def export(model: Model, path: Path) -> float:
    """Write the graph of ``model`` to ``path``; the largest difference found is returned.

    Inputs are ``frames`` (batch, time, inputs) and the state: ``hidden`` and ``cell``
    (layers, batch, units), ``newest`` (frames, batch, features), the newest frames' features
    before the rectifier, oldest first, where it has movement, and ``integral``
    (1, batch, units + 1) where it integrates.
    Results are ``outputs`` (batch, time, 4 or 5), the calibrated valence, arousal, their standard
    deviations and, with a gate, the probability that it is music, as ``Runtime.forward`` gives
    them; and the state after, ``hidden_after`` and so on.
    The first state is all zeros. Batch and time may be any number above 0.

    Raises ``MissingExtraError`` without the extra, ``ModelError`` where the graph is further than
    1e-5 from the reference, ``OutputError`` where the file cannot be written.
    """
    blob = graph(model).SerializeToString()
    difference = check(model, blob)
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the ONNX graph of {model.name} differs from its network by {difference:.1e}, more "
            f"than {TOLERANCE:.0e}: the calibration's scale is too large for float32"
        )
    with writing(path):
        path.write_bytes(blob)
    return difference


def graph(model: Model) -> Any:
    """The graph as an ``onnx.ModelProto``, checked for form."""
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtraError("exporting a model", "onnx", "onnx") from None
    network = model.config.network
    nodes = Nodes(onnx.helper)
    _convolve(nodes, model)
    states: dict[str, tuple[str | int, ...]] = {}
    if network.movement:
        _move(nodes, network.lags)
        frames, features = network.remembered
        states["newest"] = (frames, "batch", features)
    _recur(nodes, model)
    current = nodes.newest
    if network.integrate:
        _integrate(nodes, model)
        states["integral"] = (1, "batch", network.integrated)
    _head(nodes, model, current)
    states["hidden"] = states["cell"] = (network.layers, "batch", network.lstm)

    def shaped(name: str, *shape: str | int) -> Any:
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    proto = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes.all,
            "streamer",
            [
                shaped("frames", "batch", "time", network.inputs),
                *(shaped(name, *shape) for name, shape in states.items()),
            ],
            [
                shaped("outputs", "batch", "time", network.outputs),
                *(shaped(f"{name}_after", *shape) for name, shape in states.items()),
            ],
            initializer=nodes.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="streamer",
        producer_version=streamer.__version__,
    )
    facts = {"model": model.name, "config": model.config.to_json()}
    onnx.helper.set_model_props(proto, facts)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _convolve(nodes: Nodes, model: Model) -> None:
    """(batch, time, inputs) to (time, batch, features), as ``HybridNetwork.convolve``."""
    network, weights = model.config.network, model.weights
    normal = model.config.normalisation
    nodes.add("Sub", nodes.constant(normal.mean))
    nodes.add("Mul", nodes.constant(1 / np.asarray(normal.sd)))
    harmony = PITCH_CLASSES * network.planes
    if network.inputs > network.coefficients:
        sizes = nodes.constant([network.coefficients, harmony, network.scalars], np.int64)
        nodes.add("Split", sizes, results=("cepstrum", "planes", "scalars"), axis=-1)
    nodes.add("Unsqueeze", nodes.constant([1], np.int64))
    for index, layer in enumerate(network.convolutions):
        kernel = nodes.constant(weights[f"convolutions.{index}.weight"])
        bias = nodes.constant(weights[f"convolutions.{index}.bias"])
        nodes.add("Conv", kernel, bias, kernel_shape=[1, layer.width], strides=[1, layer.stride])
        nodes.add("Relu")
    # (batch, filters, time, positions) -> (time, batch, filters * positions)
    nodes.add("Transpose", perm=[2, 0, 1, 3])
    convolved = nodes.add("Reshape", nodes.constant([0, 0, -1], np.int64))
    if network.inputs > network.coefficients:
        turned = _turn(nodes, model) if network.profiles else "planes"
        joined = nodes.add("Concat", "scalars", source=turned, axis=-1)
        nodes.add("Transpose", source=joined, perm=[1, 0, 2])
        nodes.add("Concat", nodes.newest, source=convolved, axis=-1)
    if network.dense:
        nodes.add("MatMul", nodes.constant(weights["dense.weight"].T))
        nodes.add("Add", nodes.constant(weights["dense.bias"]))
        if not network.movement:
            nodes.add("Relu")


def _turn(nodes: Nodes, model: Model) -> str:
    """``planes`` (batch, time, planes * 12), circularly convolved: (batch, time, 2 * profiles)."""
    network, weight = model.config.network, model.weights["chroma.weight"]
    turned = np.stack([np.roll(weight, position, axis=2) for position in range(PITCH_CLASSES)])
    nodes.add(
        "MatMul",
        nodes.constant(turned.reshape(PITCH_CLASSES * network.profiles, -1).T),
        source="planes",
    )
    # (batch, time, position, filter)
    nodes.add("Reshape", nodes.constant([0, 0, PITCH_CLASSES, network.profiles], np.int64))
    nodes.add("Add", nodes.constant(model.weights["chroma.bias"]))
    answers = nodes.add("Relu")
    mean = nodes.add("ReduceMean", axes=[2], keepdims=0)
    largest = nodes.add("ReduceMax", source=answers, axes=[2], keepdims=0)
    return nodes.add("Concat", mean, source=largest, axis=-1)


def _move(nodes: Nodes, lags: Sequence[int]) -> None:
    """Features (time, batch, features), rectified, and how far each has moved before that."""
    features, reach = nodes.newest, max(lags)
    axis, last = (nodes.constant([k], np.int64) for k in (0, np.iinfo(np.int64).max))
    joined = nodes.add("Concat", features, source="newest", axis=0)
    kept = nodes.constant([-reach], np.int64)
    nodes.add("Slice", kept, last, axis, source=joined, results=("newest_after",))
    moved = []
    for lag in lags:
        borders = (nodes.constant([k], np.int64) for k in (reach - lag, -lag))
        nodes.add("Slice", *borders, axis, source=joined)
        nodes.add("Sub", nodes.newest, source=features)
        moved.append(nodes.add("Abs"))
    rectified = nodes.add("Relu", source=features)
    nodes.add("Concat", *moved, source=rectified, axis=2)


def _recur(nodes: Nodes, model: Model) -> None:
    """The LSTM layers over (time, batch, features), from ``hidden`` and ``cell`` on."""
    network, weights = model.config.network, model.weights
    features = nodes.newest
    finals: dict[str, list[str]] = {"hidden": [], "cell": []}
    # PyTorch's order is input, forget, candidate, output; ONNX has input, output, forget,
    # candidate.
    order = np.arange(4 * network.lstm).reshape(4, -1)[[0, 3, 1, 2]].reshape(-1)
    for index in range(network.layers):
        begin, end, axis = (nodes.constant([k], np.int64) for k in (index, index + 1, 0))
        hidden, cell = (
            nodes.add("Slice", begin, end, axis, source=name) for name in ("hidden", "cell")
        )
        into, recurrent = (
            nodes.constant(weights[f"lstm.weight_{part}_l{index}"][order][None])
            for part in ("ih", "hh")
        )
        biases = [weights[f"lstm.bias_{part}_l{index}"][order] for part in ("ih", "hh")]
        results = tuple(f"{part}_{index}" for part in ("lstm", "hidden", "cell"))
        bias = nodes.constant(np.concatenate(biases)[None])
        nodes.add(
            "LSTM",
            into,
            recurrent,
            bias,
            "",
            hidden,
            cell,
            source=features,
            results=results,
            hidden_size=network.lstm,
        )
        features = nodes.add("Squeeze", nodes.constant([1], np.int64))
        finals["hidden"].append(results[1])
        finals["cell"].append(results[2])
    for part, (first, *others) in finals.items():
        nodes.add("Concat", *others, source=first, results=(f"{part}_after",), axis=0)
    nodes.newest = features


def _integrate(nodes: Nodes, model: Model) -> None:
    """The leaky mean over time of (time, batch, units), from ``integral`` on.

    A recurrent layer without a nonlinearity: each unit sums itself up, one more the weights.
    """
    units = model.config.network.lstm
    into = np.eye(units + 1, units)[None]
    recurrent = np.eye(units + 1)[None] * fading(model.config.network.integrate)
    one_more = np.zeros((1, 2 * (units + 1)))
    one_more[0, units] = 1
    nodes.add(
        "RNN",
        *(nodes.constant(part) for part in (into, recurrent, one_more)),
        "",
        "integral",
        results=("integrals", "integral_after"),
        hidden_size=units + 1,
        activations=["Affine"],
        activation_alpha=[1.0],
        activation_beta=[0.0],
    )
    nodes.add("Squeeze", nodes.constant([1], np.int64))
    sizes = nodes.constant([units, 1], np.int64)
    nodes.add("Split", sizes, results=("sums", "gathered"), axis=-1)
    nodes.add("Div", "gathered", source="sums")


def _head(nodes: Nodes, model: Model, current: str) -> None:
    """(time, batch, units) to the calibrated outputs (batch, time, 4 or 5).

    ``current``: what the LSTM gave before it was integrated, from which the gate is judged.
    """
    nodes.add("MatMul", nodes.constant(model.weights["head.weight"].T))
    nodes.add("Add", nodes.constant(model.weights["head.bias"]))
    nodes.add("Transpose", perm=[1, 0, 2])
    halves = ("raw_means", "raw_deviations")
    nodes.add("Split", nodes.constant([2, 2], np.int64), results=halves, axis=-1)
    axes = (model.config.calibration.valence, model.config.calibration.arousal)
    nodes.add("Tanh", source="raw_means")
    nodes.add("Mul", nodes.constant([axis.scale for axis in axes]))
    nodes.add("Add", nodes.constant([axis.offset for axis in axes]))
    means = nodes.add("Clip", nodes.constant(-1.0), nodes.constant(1.0))
    low, high = (nodes.constant(bound) for bound in LOG_SD_RANGE)
    nodes.add("Clip", low, high, source="raw_deviations")
    nodes.add("Exp")
    parts = [nodes.add("Mul", nodes.constant([axis.sd_scale for axis in axes]))]
    if model.config.network.gate:
        nodes.add("MatMul", nodes.constant(model.weights["music.weight"].T), source=current)
        nodes.add("Add", nodes.constant(model.weights["music.bias"]))
        nodes.add("Transpose", perm=[1, 0, 2])
        parts.append(nodes.add("Sigmoid"))
    nodes.add("Concat", *parts, source=means, results=("outputs",), axis=-1)
