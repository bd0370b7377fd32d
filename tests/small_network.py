"""A small network with random weights and every kind of layer."""

from __future__ import annotations

import dataclasses

import numpy as np

from streamer.features.gain import VolumeConfig
from streamer.features.mfcc import FeatureConfig
from streamer.network.config import (
    FORMAT,
    AxisCalibration,
    Calibration,
    Convolution,
    ModelConfig,
    NetworkConfig,
    Normalisation,
)
from streamer.network.model import Model


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
        ),
        volume=VolumeConfig(first="relative", seconds=3.0, floor=-8.0, ceiling=4.0),
        network=NetworkConfig(
            coefficients=20,
            convolutions=(Convolution(6, 5, 1), Convolution(4, 3, 2)),
            dense=12,
            movement=True,
            lstm=10,
            layers=2,
            integrate=2,
        ),
        normalisation=Normalisation(mean=(0.5,) * 20, sd=(4.0,) * 20),
        calibration=Calibration(AxisCalibration(1.1, 0.02, 1.2), AxisCalibration(0.9, -0.03, 0.8)),
        silence_db=-75.0,
        songs={"made-up": ("1", "2")},
        weights_sha256="",
    )


def random_weights(config: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights large enough that outputs differ from frame to frame."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in config.network.shapes().items():
        fan_in = int(np.prod(shape[1:]))
        size = 1.5 / np.sqrt(fan_in) if len(shape) > 1 else 0.1
        weights[name] = random.normal(0, size, shape).astype(np.float32)
    return weights


def of_another_shape(**changes: object) -> Model:
    """The small model with another network in it."""
    config = small_config()
    network = dataclasses.replace(config.network, **changes)  # type: ignore[arg-type]
    config = dataclasses.replace(config, network=network)
    return Model("small", config, random_weights(config))
