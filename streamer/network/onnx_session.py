"""Running an ONNX graph, and holding it to the network that was trained."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import MissingExtraError
from streamer.network.model import Model
from streamer.network.runtime import LstmState

Floats = NDArray[np.float32]


def session(blob: bytes) -> Any:
    """An ONNX Runtime session of one thread for a serialised graph."""
    # Its builds of 2026 tell Microsoft of their use over HTTPS unless told not to beforehand, and
    # keep a device's identity in the user's cache: nothing may leave the machine from here.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise MissingExtraError("running an ONNX graph", "onnxruntime", "onnx") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])


def check(model: Model, blob: bytes) -> float:
    """The largest difference between the graph and the network, in outputs and final state.

    The network is PyTorch's where that is installed, else the NumPy runtime, which the tests hold
    to it. From the state after random frames, for one and for many, for one stream and several.
    """
    running = session(blob)
    parts = [part.name for part in running.get_inputs() if part.name != "frames"]
    random = np.random.default_rng(0)
    normal = model.config.normalisation
    worst = 0.0
    for batch, time in ((1, 1), (1, 40), (3, 7)):
        shape = (batch, time, len(normal.mean))
        frames: Floats = random.normal(normal.mean, normal.sd, shape).astype(np.float32)
        heard: Floats = random.normal(normal.mean, normal.sd, shape).astype(np.float32)
        _, state = model.runtime.forward(heard, model.runtime.initial(batch))
        outputs, after = _reference(model, frames, state)
        expected = {f"{part}_after": values for part, values in after.to_arrays().items()}
        expected["outputs"] = outputs
        names = [result.name for result in running.get_outputs()]
        fed = {part: state.to_arrays()[part] for part in parts}
        for name, found in zip(names, running.run(None, {"frames": frames} | fed), strict=True):
            # A cell may count up to the number of its steps: beyond 1 the difference is relative.
            apart = np.abs(found - expected[name]) / np.maximum(1, np.abs(expected[name]))
            worst = max(worst, float(apart.max()))
    return worst


def _reference(model: Model, frames: Floats, state: LstmState) -> tuple[Floats, LstmState]:
    try:
        from streamer.network import hybrid
    except ModuleNotFoundError:
        return model.runtime.forward(frames, state)
    return hybrid.judge(model, frames, state)
