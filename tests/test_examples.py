"""The short programs of ``examples/``, run as a reader would run them."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from streamer import EmotionTracker, Model, load_model
from streamer.circumplex import colour
from streamer.events import Estimate
from streamer.sinks.osc import Osc
from streamer.sinks.plugins import Guarded, open_sink

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(name: str, *arguments: str) -> list[str]:
    """The lines that an example prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture
def song(music: np.ndarray, tmp_path: Path) -> Path:
    """Six seconds of music with two of silence before it."""
    path = tmp_path / "song.flac"
    soundfile.write(path, np.concatenate([np.zeros(32_000), music[:96_000]]), 16_000)
    return path


def test_track_file(song: Path, model_directory: Path) -> None:
    """A line every half second, silence named, numbers those of the tracker."""
    lines = run("track_file.py", str(song), str(model_directory))
    assert len(lines) == 16
    assert lines[0] == "   0.5 s  (silence)"
    tracker = EmotionTracker(load_model(model_directory), interval=0.5)
    last = tracker.push(soundfile.read(song, dtype="float32")[0])[-1]
    assert lines[-1] == (
        f"   8.0 s  valence {last.valence:+.2f}  arousal {last.arousal:+.2f}  {last.mood}"
    )


def test_many_streams(model_directory: Path) -> None:
    """A dozen connections that each send two seconds of PCM get four estimates each."""
    words = ["--feed", "12", "--seconds", "2", "--model", str(model_directory)]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "many_streams.py"), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "48 estimates\n"
    assert "listening on 127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr


def test_feed_arrays(clip: Path, model_directory: Path, small_model: Model) -> None:
    """Stereo blocks at 44.1 kHz reach the tracker, and nearly all of them are judged."""
    seconds = soundfile.info(clip).duration
    heard, means = run("feed_arrays.py", str(clip), str(model_directory))
    frames = int((seconds * 16_000 - 800) / 400)
    found = int(heard.split()[4])
    assert frames - 3 <= found <= frames + 1
    assert means.startswith("mean valence ")


def test_own_sink(song: Path, model_directory: Path) -> None:
    """A bar for every estimate, and a last line."""
    lines = run("own_sink.py", str(song), str(model_directory))
    assert len(lines) == 17
    assert lines[0].split() == ["0.5", "silence"]
    assert "#" in lines[-2]
    assert lines[-1] == "   8.0 the end, after 16 estimates"


def test_own_sink_as_a_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entry point that its documentation shows makes it ``--sink bars:40``."""
    metadata = tmp_path / "bars-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bars\nVersion: 1.0\n")
    declared = [line.strip() for line in (EXAMPLES / "own_sink.py").read_text().splitlines()]
    entry = next(line for line in declared if line.startswith("bars = ")).replace('"', "")
    (metadata / "entry_points.txt").write_text(f"[streamer.sinks]\n{entry}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    sink = open_sink("bars", "40")
    assert isinstance(sink, Guarded)
    sink.write(Estimate(1.0, 0.0, 0.0, 0.2, 0.2, "happy", None, "neutral", -20.0, False))
    assert capsys.readouterr().out == f"   1.0 {'#' * 20:<40} neutral\n"


def test_osc_lights() -> None:
    """The lamp takes the colour of each estimate, and is dark while there is no music."""
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / "osc_lights.py"), "0"], stdout=subprocess.PIPE, text=True
    ) as lamp:
        assert lamp.stdout is not None
        port = int(lamp.stdout.readline().split()[-1])
        sink = Osc("127.0.0.1", port)
        sink.write(Estimate(1.0, -0.5, 0.5, 0.2, 0.2, "tense", None, "tense", -20.0, False))
        shown = [lamp.stdout.readline().split()]
        sink.write(Estimate(1.5, None, None, None, None, None, None, None, -120.0, True))
        shown.append(lamp.stdout.readline().split())
        sink.write(Estimate(2.0, None, None, None, None, None, None, None, -30.0, False, 0.1))
        shown.append(lamp.stdout.readline().split())
        sink.close()
        lamp.terminate()
    assert shown[1] == shown[2] == ["lamp", "0", "0", "0"]
    red, green, blue = map(int, shown[0][1:])
    assert red > 150
    assert red > 2 * max(green, blue)


@given(valence=st.floats(-1, 1), arousal=st.floats(-1, 1))
def test_lamp_colours(valence: float, arousal: float) -> None:
    """As bright as the music is lively, whatever the colour, which stays what it is."""
    lights = loaded("osc_lights")
    parts = colour(valence, arousal)
    shown = lights.shade(*parts, arousal)
    assert max(shown) == pytest.approx(255 * (0.65 + 0.35 * arousal), abs=1)
    for part, byte in zip(parts, shown, strict=True):
        assert byte == pytest.approx(max(shown) * part / max(parts), abs=1.5)


@functools.cache
def loaded(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
