"""A model directory and the model in memory.

``models/<name>/`` holds ``config.json``, ``weights.safetensors``, ``README.md`` and
``metrics.json``. Loading reads the first two as data, checks them against each other, and refuses
in one sentence what does not fit. No code is loaded from a model directory.
"""

from __future__ import annotations

import dataclasses
import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from streamer.errors import ModelError, writing
from streamer.features.chroma import Chroma
from streamer.features.mfcc import Mfcc
from streamer.network.config import ModelConfig, parse
from streamer.network.names import directory_of
from streamer.network.runtime import Runtime

_MOST_CONFIG_BYTES = 4_000_000
_MOST_WEIGHT_BYTES = 80_000_000


class Model:
    """A trained network with its configuration, immutable and shared by any number of streams."""

    def __init__(
        self, name: str, config: ModelConfig, weights: Mapping[str, NDArray[np.float32]]
    ) -> None:
        self.name = name
        self.config = config
        self.weights = dict(weights)
        for array in self.weights.values():
            array.setflags(write=False)
        self.runtime = Runtime(config, self.weights)
        features = config.features
        try:
            self.mfcc = Mfcc(features)
            self.chroma = None
            if features.chroma is not None:
                sizes = (features.sample_rate, features.frame, features.hop)
                self.chroma = Chroma(features.chroma, *sizes)
        except ValueError as error:
            raise ModelError(f"config.json.features: {error}") from None


def load_model(model: str | Path | None = None) -> Model:
    """The model of a name (see ``streamer models``) or of a directory; the default one for None.

    Raises ``ModelError`` where there is none, or where the directory is incomplete, altered, of
    another format or of other shapes than its configuration says.
    """
    directory = directory_of(model)
    return _load(directory, directory.resolve().name)


def save_model(
    directory: Path, config: ModelConfig, weights: Mapping[str, NDArray[np.float32]]
) -> None:
    """Write ``config.json`` (with the weights' hash) and ``weights.safetensors``.

    Raises ``OutputError`` where they cannot be written.
    """
    blob = safetensors.numpy.save({name: np.ascontiguousarray(w) for name, w in weights.items()})
    config = dataclasses.replace(config, weights_sha256=hashlib.sha256(blob).hexdigest())
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "weights.safetensors").write_bytes(blob)
        (directory / "config.json").write_text(config.to_json(), encoding="utf-8")


def _load(directory: Path, name: str) -> Model:
    try:
        config = parse(_read(directory, "config.json", _MOST_CONFIG_BYTES).decode("utf-8"))
        blob = _read(directory, "weights.safetensors", _MOST_WEIGHT_BYTES)
        return Model(name, config, _checked(blob, config))
    except UnicodeDecodeError:
        raise ModelError(f"model {directory}: config.json is not UTF-8 text") from None
    except ModelError as error:
        raise ModelError(f"model {directory}: {error}") from None


def _read(directory: Path, name: str, most: int) -> bytes:
    """A file of the directory: a regular one, no link, of a bounded size."""
    path = directory / name
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{name} is not a regular file")
        if status.st_size > most:
            raise ModelError(f"{name} is larger than {most // 1_000_000} MB")
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise ModelError(f"{name} is missing") from None
    except OSError as error:
        raise ModelError(f"{name} cannot be read ({error.strerror})") from None


def _checked(blob: bytes, config: ModelConfig) -> dict[str, NDArray[np.float32]]:
    """The tensors of ``blob``, if they are the ones that the configuration tells of."""
    if hashlib.sha256(blob).hexdigest() != config.weights_sha256:
        raise ModelError("weights.safetensors is not the file that config.json was written for")
    try:
        weights = safetensors.numpy.load(blob)
    except (safetensors.SafetensorError, ValueError, KeyError, MemoryError) as error:
        raise ModelError(f"weights.safetensors cannot be read ({error})") from None
    shapes = config.network.shapes()
    if weights.keys() != shapes.keys():
        odd = min(weights.keys() ^ shapes.keys())
        raise ModelError(f"weights.safetensors does not fit config.json: tensor {odd[:60]!r}")
    for tensor, shape in shapes.items():
        if weights[tensor].shape != shape or weights[tensor].dtype != np.float32:
            raise ModelError(
                f"weights.safetensors does not fit config.json: {tensor!r} is "
                f"{weights[tensor].dtype} {weights[tensor].shape}, not float32 {shape}"
            )
        if not np.isfinite(weights[tensor]).all():
            raise ModelError(f"weights.safetensors holds a number that is not finite in {tensor!r}")
    return weights
