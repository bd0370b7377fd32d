"""Fixtures that everything shares: a small network with random weights, and seeded sound."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from small_network import random_weights, small_config
from tmux_terminal import Tmux

from streamer.network.model import Model, load_model, save_model

# Whichever test imports ONNX Runtime first: it is not to tell anybody.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# A shell that runs the tests in the background has SIGINT ignored, and children inherit that: those
# that are to be interrupted would run on for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Likewise SIGHUP under nohup, and SIGQUIT in the background, which the program rightly goes on
# ignoring then.
for _name in ("SIGHUP", "SIGQUIT"):
    if hasattr(signal, _name):
        signal.signal(getattr(signal, _name), signal.SIG_DFL)

settings.register_profile(
    "streamer",
    deadline=None,  # two cores may be busy: slowness is no failure here
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("streamer")

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with random weights."""
    directory = tmp_path_factory.mktemp("models") / "small"
    config = small_config()
    save_model(directory, config, random_weights(config))
    return directory


@pytest.fixture(scope="session")
def small_model(model_directory: Path) -> Model:
    """The model of that directory."""
    return load_model(model_directory)


@pytest.fixture(scope="session")
def clip() -> Path:
    """The example clip: four moods of ten seconds each."""
    return EXAMPLES / "four_moods.flac"


@pytest.fixture(scope="session")
def music(clip: Path) -> np.ndarray:
    """Real music, synthesised by the project: twelve seconds across two moods, 16 kHz mono."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(clip, start=12 * 44100, frames=12 * 44100, dtype="float32")
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, 16000), dtype=np.float32)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """A real terminal of 100 by 30 cells; its text can be read."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed: what is seen cannot be read")
    terminal = Tmux(tmp_path, (100, 30))
    try:
        yield terminal
    finally:
        terminal.run("kill-server")
