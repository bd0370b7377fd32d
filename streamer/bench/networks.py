"""The network, one frame a call and many, beside other runtimes and its own arithmetic."""

from __future__ import annotations

import importlib.util
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.bench.report import Row, Section, timed
from streamer.bench.timing import Call, measure, side_by_side
from streamer.features.chroma import PITCH_CLASSES
from streamer.network.config import NetworkConfig
from streamer.network.model import Model

OURS, EAGER, SCRIPT, ONNX = "streamer", "PyTorch eager", "TorchScript, frozen", "ONNX Runtime"
ARITHMETIC = "its arithmetic"
_ABSENT = "not installed"
#: Frames of a file's piece.
MANY = 256
#: The matrix by which the machine's rate is taken: half a megabyte, about a network's weights.
_MATRIX = (256, 512)


def sections(model: Model, seconds: float) -> list[Section]:
    """One frame a call, and as many as a file's piece has."""
    found = []
    rate = multiply_adds_per_s(seconds)
    ideal_us = multiply_adds(model.config.network) / rate * 1e6
    note = f"{multiply_adds(model.config.network):,} multiply-adds at {rate / 1e9:.1f} billion a s"
    for count in (1, MANY):
        calls, missing = candidates(model, count)
        rows = timed(side_by_side(calls, seconds), missing, per=count)
        frames = "one frame" if count == 1 else f"{count} frames"
        title = f"Network, {frames} a call"
        found.append(Section(title, "µs a frame", (*rows, Row(ARITHMETIC, ideal_us, note=note))))
    return found


def multiply_adds(network: NetworkConfig) -> int:
    """Multiplications with an addition that a frame takes, by the definition of the layers."""
    sizes = network.widths()
    count = 0
    for layer, (channels, _), (filters, positions) in zip(
        network.convolutions, sizes, sizes[1:], strict=False
    ):
        count += positions * filters * channels * layer.width
    count += network.profiles * network.planes * PITCH_CLASSES**2
    count += network.joined * network.dense
    inputs = network.fed
    for _ in range(network.layers):
        count += 4 * network.lstm * (inputs + network.lstm)
        inputs = network.lstm
    return count + network.outputs * network.lstm + network.integrated


def multiply_adds_per_s(seconds: float) -> float:
    """What the machine's BLAS does in a product of a vector and a matrix, in float32."""
    matrix = np.ones(_MATRIX, dtype=np.float32)
    row, result = np.ones((1, _MATRIX[0]), np.float32), np.empty((1, _MATRIX[1]), np.float32)
    return math.prod(_MATRIX) / measure(lambda: row.dot(matrix, out=result), seconds).median_s


def candidates(model: Model, count: int) -> tuple[dict[str, Call], dict[str, str]]:
    """A call on ``count`` frames for each runtime, which returns its outputs; what is missing.

    All have the same weights, the same frames, and a state that is given and returned.
    """
    normal = model.config.normalisation
    shape = (1, count, len(normal.mean))
    random = np.random.default_rng(0).normal(normal.mean, normal.sd, shape)
    frames: NDArray[np.float32] = random.astype(np.float32)
    state = model.runtime.initial()
    calls: dict[str, Call] = {OURS: lambda: model.runtime.forward(frames, state)[0]}
    missing: dict[str, str] = {}
    if importlib.util.find_spec("torch"):
        calls |= _pytorch(model, frames)
    else:
        missing |= {EAGER: _ABSENT, SCRIPT: _ABSENT}
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        calls[ONNX] = _onnx(model, frames)
    else:
        missing[ONNX] = _ABSENT
    return calls, missing


def _pytorch(model: Model, frames: NDArray[np.float32]) -> dict[str, Call]:
    import torch

    from streamer.network import hybrid

    torch.set_num_threads(1)
    network = hybrid.loaded(model)
    state, given = network.initial(), torch.tensor(frames)

    def forward(module: Any) -> Call:
        def call() -> Any:
            with torch.inference_mode():
                return module(given, state)[0].numpy()

        return call

    with warnings.catch_warnings():
        # TorchScript is on its way out, and says so.
        warnings.simplefilter("ignore")
        with torch.no_grad():
            script = torch.jit.freeze(torch.jit.trace(network, (given, state)))  # type: ignore[no-untyped-call]
        call = forward(script)
        for _ in range(3):  # it optimises itself on its first runs
            call()
    return {EAGER: forward(network), SCRIPT: call}


def _onnx(model: Model, frames: NDArray[np.float32]) -> Call:
    from streamer.network.onnx import graph
    from streamer.network.onnx_session import session as started

    session = started(graph(model).SerializeToString())
    state = model.runtime.initial().to_arrays()
    names = [part.name for part in session.get_inputs()]
    given = {name: frames if name == "frames" else state[name] for name in names}
    return lambda: session.run(None, given)[0]
