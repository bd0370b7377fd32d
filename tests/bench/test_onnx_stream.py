"""The exported graph, run without streamer by the program in ``examples/``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamer import EmotionTracker, Model
from streamer.network.onnx import export

pytest.importorskip("onnx", reason="extra 'onnx'")
pytest.importorskip("onnxruntime", reason="extra 'onnx'")

PROGRAM = Path(__file__).resolve().parent.parent.parent / "examples" / "onnx_stream.py"


def test_the_graph_alone_gives_the_trackers_estimates(
    small_model: Model, music: np.ndarray, tmp_path: Path
) -> None:
    """Features rebuilt from the graph's metadata, state carried by hand: every frame agrees."""
    pauses = np.concatenate([np.zeros(8_000), music[:24_000], np.zeros(24_000), music[:16_000]])
    soundfile.write(tmp_path / "song.wav", pauses, 16_000, subtype="PCM_16")
    heard, _ = soundfile.read(tmp_path / "song.wav", dtype="float32")
    export(small_model, tmp_path / "small.onnx")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path / "small.onnx"), str(tmp_path / "song.wav")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = np.array([line.split() for line in done.stdout.splitlines()], dtype=float)
    estimates = EmotionTracker(small_model, interval=0).push(heard)
    expected = np.array([[e.t, e.valence, e.arousal] for e in estimates if not e.silent])
    assert found.shape == expected.shape
    assert 100 < len(expected) < len(estimates) - 20
    assert expected[:, 1:].std(axis=0).min() > 1e-3
    np.testing.assert_allclose(found, expected, atol=5e-4)
    assert "streamer" not in "".join(
        line for line in PROGRAM.read_text().splitlines() if line.startswith(("import", "from"))
    )
