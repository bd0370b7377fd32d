"""A small network with random weights and every kind of layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from streamer.features.chroma import ChromaConfig
from streamer.features.gain import VolumeConfig
from streamer.features.mfcc import FeatureConfig
from streamer.network.config import (
    FORMAT,
    AxisCalibration,
    Calibration,
    Convolution,
    ModelConfig,
    MusicConfig,
    NetworkConfig,
    Normalisation,
)
from streamer.network.model import Model

NO_CHROMA = {"planes": 0, "scalars": 0, "profiles": 0}
#: Numbers of a row of the small network: coefficients, three chroma rows, tonalness.
INPUTS = 20 + 3 * 12 + 6


def small_config() -> ModelConfig:
    """A configuration with every kind of layer, small enough for thousands of runs."""
    return ModelConfig(
        format=FORMAT,
        features=FeatureConfig(
            sample_rate=16000,
            frame=800,
            hop=400,
            fft_size=1024,
            filters=24,
            low_hz=30.0,
            high_hz=8000.0,
            coefficients=20,
            preemphasis=0.97,
            lifter=22,
            append_energy=False,
            window="hamming",
            chroma=ChromaConfig(
                decimation=4,
                taps=64,
                cutoff_hz=1900.0,
                beta=5.0,
                window=1024,
                low_hz=55.0,
                high_hz=1760.0,
                surround=3.0,
                steps=4,
                width=0.3,
                centre=64.0,
                spread=15.0,
                bass=57.0,
                slope=1.5,
                tuning_s=8.0,
                memories_s=(0.5, 4.0),
                tonalness=True,
            ),
        ),
        volume=VolumeConfig(first="relative", seconds=3.0, floor=-8.0, ceiling=4.0),
        network=NetworkConfig(
            coefficients=20,
            convolutions=(Convolution(6, 5, 1), Convolution(4, 3, 2)),
            dense=12,
            movement=True,
            lags=(1, 3),
            lstm=10,
            layers=2,
            integrate=2,
            planes=3,
            scalars=6,
            profiles=5,
            gate=True,
        ),
        normalisation=Normalisation(
            mean=(0.5,) * 20 + (0.2,) * 42,
            sd=(4.0,) * 20 + (1.2,) * 42,
        ),
        calibration=Calibration(AxisCalibration(1.1, 0.02, 1.2), AxisCalibration(0.9, -0.03, 0.8)),
        silence_db=-75.0,
        songs={"made-up": ("1", "2")},
        weights_sha256="",
        # Open for whatever sounds, of which random weights know nothing.
        music=MusicConfig(on=0.0, off=0.0),
    )


def random_weights(config: ModelConfig, seed: int = 2) -> dict[str, np.ndarray]:
    """Weights large enough that outputs differ from frame to frame."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in config.network.shapes().items():
        fan_in = int(np.prod(shape[1:]))
        size = 1.5 / np.sqrt(fan_in) if len(shape) > 1 else 0.1
        weights[name] = random.normal(0, size, shape).astype(np.float32)
    return weights


def random_rows(random: np.random.Generator, *shape: int, inputs: int = INPUTS) -> np.ndarray:
    """Rows (*shape, inputs) as the small network's normalisation expects them."""
    normal = small_config().normalisation
    mean, sd = normal.mean[:inputs], normal.sd[:inputs]
    return random.normal(mean, sd, (*shape, inputs)).astype(np.float32)


def of_another_shape(
    chroma: Mapping[str, object] | None = MappingProxyType({}), **changes: object
) -> Model:
    """The small model with another network in it, or chroma of another kind; None for no chroma."""
    config = small_config()
    features = config.features
    assert features.chroma is not None
    made = None
    if chroma is not None:
        made = dataclasses.replace(features.chroma, **chroma)  # type: ignore[arg-type]
    features = dataclasses.replace(features, chroma=made)
    sizes = {"planes": made.planes, "scalars": made.scalars} if made else NO_CHROMA
    network = dataclasses.replace(config.network, **(sizes | changes))  # type: ignore[arg-type]
    normal = config.normalisation
    config = dataclasses.replace(
        config,
        features=features,
        network=network,
        normalisation=Normalisation(normal.mean[: network.inputs], normal.sd[: network.inputs]),
        music=config.music if network.gate else None,
    )
    return Model("small", config, random_weights(config))
