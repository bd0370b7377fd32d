"""``streamer live`` and ``streamer devices`` with a sound device of the tests' own."""

from __future__ import annotations

import itertools
import json
import re
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_portaudio import TONE

from streamer.cli.main import main
from streamer.cli.options import SessionOptions
from streamer.cli.session import awaited_s


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sounddevice module that the capturing process finds."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PATH", str(folder))  # no pactl
    path = folder / "sounddevice.py"
    path.write_text(TONE)
    return path


def lines(capture: pytest.CaptureFixture[bytes]) -> list[dict[str, Any]]:
    """What was written to standard output."""
    return [json.loads(line) for line in capture.readouterr().out.splitlines()]


def test_a_duration_of_sound(
    device: Path, model_directory: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Half a second is 20 estimates every frame, and all of it is in the recording.

    Its beginning lies within the first block of the device, a hop long.
    """
    heard = tmp_path / "heard.wav"
    options = ["--model", str(model_directory), "--no-dashboard", "--interval", "0"]
    code = main(["live", "--duration", "0.5", "--wav", str(heard), *options])
    assert code == 0
    found = lines(capfdbinary)
    assert found[0]["type"] == "start"
    assert found[0]["source"] == {
        "kind": "device",
        "name": "Test tone",
        "rate": 8000,
        "channels": 2,
    }
    assert found[0]["resampler_delay_s"] > 0
    assert [line["type"] for line in found[1:-1]] == ["emotion"] * 19
    captured = [datetime.fromisoformat(line["captured"]) for line in found[1:-1]]
    steps = [(two - one).total_seconds() for one, two in itertools.pairwise(captured)]
    # By the promptest callback so far: on a busy machine a prompter one takes some of a step back.
    assert statistics.median(steps) == pytest.approx(0.025, abs=0.001)
    assert max(steps) < 0.026
    assert timedelta(0) < datetime.now(UTC) - captured[-1] < timedelta(minutes=1)
    end = found[-1]
    assert (end["type"], end["t"], end["gaps"], end["lost_samples"]) == ("end", 0.5, 0, 0)
    assert end["latency"]["count"] == 19
    assert end["latency"]["clock"] == "monotonic clock at the callback's entry"
    assert 0 < end["latency"]["median_s"] < 5  # however busy the machine is
    samples, rate = soundfile.read(heard, dtype="float32")
    assert rate == 8_000
    first = round(1000 * float(samples[0]))
    assert first < 0.025 * 8_000
    ramp = np.arange(first, first + 4_000) % 1000
    np.testing.assert_array_equal(samples, ramp.astype(np.float32) / 1000)


@pytest.mark.parametrize("command", ["live", "devices"])
def test_without_portaudio(
    device: Path, model_directory: Path, command: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """One sentence with the package to install, for these two commands alone."""
    device.write_text("raise OSError('PortAudio library not found')")
    model = ["--model", str(model_directory)] if command == "live" else []
    assert main([command, *model]) == 1
    out, error = capfdbinary.readouterr()
    assert out == b""
    assert error.startswith(b"streamer: PortAudio, which reaches sound devices, is not installed: ")
    assert error.count(b"\n") == 1


def test_no_such_device(
    device: Path, model_directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A name that matches nothing is one sentence that lists what there is."""
    assert main(["live", "--device", "tuba", "--model", str(model_directory)]) == 1
    out, error = capfdbinary.readouterr()
    assert out == b""
    assert error == b"streamer: no input's name contains 'tuba'; there are: 0 Test tone\n"


def test_a_recording_that_cannot_be_written(
    device: Path, model_directory: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """It is told before anything is listened to."""
    path = tmp_path / "nowhere" / "heard.wav"
    assert main(["live", "--wav", str(path), "--model", str(model_directory)]) == 1
    out, error = capfdbinary.readouterr()
    assert out == b""
    assert error.startswith(b"streamer: cannot write the WAV file ")


@pytest.mark.parametrize("option", ["--jsonl", "--summary"])
def test_one_file_for_two_things(
    option: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The recording and another output in the same file are a wrong command line."""
    path = str(tmp_path / "heard")
    assert main(["live", "--wav", path, option, path]) == 2
    assert b"cannot be two things at once" in capfdbinary.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--duration", "0"], ["--duration", "nan"], ["--rate", "0"], ["tuba"]]
)
def test_wrong_arguments(arguments: list[str]) -> None:
    """What the parser rejects is exit code 2."""
    assert main(["live", *arguments]) == 2


def test_the_devices(device: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A line a device on standard output, hints on standard error."""
    assert main(["devices"]) == 0
    out, error = capfdbinary.readouterr()
    head, line = out.decode().splitlines()
    assert head.split() == ["name", "channels", "Hz", "host", "API"]
    assert line.split() == ["*", "0", "Test", "tone", "2", "8000", "Fake"]
    assert b"--device monitor" in error
    page, section = re.search(r'(docs/\w+\.md), "([^"]+)"', error.decode()).groups()  # type: ignore[union-attr]
    manual = Path(__file__).parents[2] / page
    if not manual.is_file():
        pytest.skip("no checkout: the manual that the hint names is not here")
    assert f"\n## {section}\n" in manual.read_text(encoding="utf-8")


def test_a_device_whose_name_steers_terminals(
    device: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A sound card may call itself what it likes: its name is written out, within its line."""
    evil = "USB \\x1b]0;owned\\x07\\x9b2J\\nMic"
    device.write_text(TONE.replace("Test tone", evil).replace("Fake", "F\\x1bc"))
    assert main(["devices"]) == 0
    out, _ = capfdbinary.readouterr()
    head, line = out.decode().splitlines()
    assert "USB \\x1b]0;owned\\x07\\x9b2J\\nMic" in line
    assert line.endswith("F\\x1bc")
    assert head.index("Hz") + 2 == line.index("8000") + 4


def test_no_devices(device: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without any input that is said, and nothing is listed."""
    device.write_text(f"{TONE}\ndef query_devices(): return []\n")
    assert main(["devices"]) == 0
    out, error = capfdbinary.readouterr()
    assert out == b""
    assert error.startswith(b"no sound inputs")


@pytest.mark.parametrize(
    ("wishes", "terminal", "awaited"),
    [
        ({}, True, 0.2),
        ({}, False, 0.0),  # lines go into a pipe beside it
        ({"jsonl": Path("lines.jsonl")}, True, 0.0),
        ({"osc": (("127.0.0.1", 9000),)}, True, 0.0),
        ({"sink": (("own", None),)}, True, 0.0),
        ({"dashboard": False}, True, 0.5),
        ({"dashboard": False, "interval": 0.0, "serve": ("127.0.0.1", 8000)}, False, 0.0),
    ],
)
def test_frames_come_together_where_nobody_waits_for_each(
    wishes: dict[str, Any], terminal: bool, awaited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dashboard by itself takes those of a picture at once; a desk beside it waits for each."""
    monkeypatch.setattr("os.isatty", lambda _: terminal)
    usual: dict[str, Any] = {
        "model": None,
        "interval": 0.5,
        "jsonl": None,
        "dashboard": True,
        "quiet": False,
        "summary": None,
        "reset_on_silence": None,
    }
    assert awaited_s(SessionOptions(**usual | wishes)) == awaited
