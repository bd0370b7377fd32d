"""A user's mistake is one sentence on standard error, with the right exit code."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pexpect
import pytest
import soundfile
from line_schema import emotions, valid_lines
from scripted_session import estimate
from small_network import random_weights, small_config

from streamer.cli import models
from streamer.cli.main import main
from streamer.errors import AudioError
from streamer.events import Gap, to_json
from streamer.network.model import Model, save_model

RATE = 16_000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fails(model_directory: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs a command that must fail, and gives its sentence."""

    def run(*arguments: str, code: int = 1) -> str:
        options = () if "--model" in arguments else ("--model", str(model_directory))
        assert main([*arguments, *options]) == code
        said = capfd.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        if code == 1:
            # One line: program, colon, sentence.
            assert said.err.startswith("streamer: ")
            assert said.err.count("\n") == 1
        else:
            assert said.err.splitlines()[0].startswith("Usage: streamer")
            assert said.err.count("Error: ") == 1
        return " ".join(said.err.split())

    return run


@pytest.fixture
def song(music: np.ndarray) -> str:
    """Three seconds of music."""
    soundfile.write("song.wav", music[: 3 * RATE], RATE)
    return "song.wav"


def nothing(path: Path) -> None:
    pass


def truncated(name: str, length: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        soundfile.write(path, np.zeros(RATE, np.float32), RATE)
        path.write_bytes(path.read_bytes()[:length])

    return make


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("gone.wav", nothing, "no such file: gone.wav"),
        ("folder", Path.mkdir, "folder is a folder: name a sound file in it"),
        ("empty.wav", Path.touch, "empty.wav is empty (0 bytes)"),
        ("notes.wav", lambda path: path.write_text("la la la " * 500), "notes.wav is not sound"),
        ("a.flac", lambda path: path.write_bytes(os.urandom(9_999)), "a.flac is not sound"),
        ("cut.wav", truncated("cut.wav", 20), "begins like a WAV file, but its header is broken"),
        ("cut.wav", truncated("cut.wav", 43), "header is broken or cut off"),
        ("cut.flac", truncated("cut.flac", 20), "begins like a FLAC file, but its header"),
        ("cut.ogg", truncated("cut.ogg", 40), "header is broken or cut off"),
    ],
)
def test_what_cannot_be_opened(
    fails: Any, here: Path, name: str, make: Callable[[Path], None], said: str
) -> None:
    """No such file, a folder, an empty file, no sound, a truncated header: exit code 1."""
    make(here / name)
    sentence = fails("replay", name, "--speed", "max")
    assert said in sentence
    assert name in sentence


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(fails: Any, song: str) -> None:
    """Permissions are a sentence too."""
    Path(song).chmod(0)
    assert "Permission denied" in fails("replay", song)


@pytest.mark.parametrize("samples", [1, 100, 799])
def test_a_file_shorter_than_a_frame_is_no_error(
    model_directory: Path,
    music: np.ndarray,
    capfdbinary: pytest.CaptureFixture[bytes],
    samples: int,
) -> None:
    """Start and end, no estimates, exit code 0, not a word."""
    soundfile.write("short.wav", music[:samples], RATE)
    options = ["--speed", "max", "--model", str(model_directory)]
    assert main(["replay", "short.wav", *options]) == 0
    said = capfdbinary.readouterr()
    assert said.err == b""
    lines = valid_lines(said.out)
    assert [line["type"] for line in lines] == ["start", "end"]
    assert lines[-1]["t"] == pytest.approx(samples / RATE, abs=1e-6)
    assert (lines[-1]["estimates"], lines[-1]["frames"], lines[-1]["gaps"]) == (0, 0, 0)


def test_a_header_without_samples(
    model_directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A whole file of no samples: start and end at second 0, a sentence, exit code 1."""
    soundfile.write("none.wav", np.zeros(0, np.float32), RATE)
    assert main(["replay", "none.wav", "--speed", "max", "--model", str(model_directory)]) == 1
    said = capfdbinary.readouterr()
    assert said.err == b"streamer: none.wav has no samples: there is no sound in it\n"
    lines = valid_lines(said.out)
    assert [line["type"] for line in lines] == ["start", "end"]
    assert (lines[-1]["t"], lines[-1]["real_time_factor"]) == (0, None)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 8.1, -1e30])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_samples_that_cannot_be_sound_are_a_gap(
    model_directory: Path,
    music: np.ndarray,
    capfdbinary: pytest.CaptureFixture[bytes],
    bad: float,
    rate: int,
) -> None:
    """NaN, infinity and values beyond 8: a gap with place, length and cause; exit code 0."""
    samples = np.repeat(music[: 3 * RATE], rate // RATE)
    samples[rate : rate + 480] = bad
    samples[2 * rate : 2 * rate + 3] = bad
    soundfile.write("bad.wav", samples, rate, subtype="FLOAT")
    options = ["--speed", "max", "--interval", "0", "--model", str(model_directory)]
    assert main(["replay", "bad.wav", *options]) == 0
    said = capfdbinary.readouterr()
    assert said.err == b""
    lines = valid_lines(said.out)
    gaps = [line for line in lines if line["type"] == "gap"]
    assert [gap["samples"] for gap in gaps] == [480, 3]
    assert [gap["t"] for gap in gaps] == pytest.approx([1, 2], abs=1e-4)
    assert gaps[0]["seconds"] == pytest.approx(480 / rate, abs=1e-6)
    assert {(gap["cause"], gap["estimated"]) for gap in gaps} == {("invalid samples", False)}
    end = lines[-1]
    assert (end["t"], end["gaps"], end["lost_samples"]) == (3.0, 2, 483)
    times = [line["t"] for line in emotions(lines)]
    assert len(times) > 100
    # No frame (50 ms) spans a gap.
    assert not [t for t in times if 1 < t < 1 + 480 / rate + 0.05 or 2 < t < 2.05]


def test_a_file_that_breaks_off(
    model_directory: Path, song: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What could be heard is judged; one sentence and exit code 1 tell of it, unless --quiet."""
    path = Path(song)
    path.write_bytes(path.read_bytes()[: 44 + 2 * RATE * 2])
    options = ["--speed", "max", "--model", str(model_directory)]
    assert main(["replay", song, *options]) == 1
    said = capfd.readouterr()
    assert said.err == "streamer: song.wav breaks off after 2.0 s of the 3.0 s it promises\n"
    lines = valid_lines(said.out.encode())
    assert lines[-1]["t"] == 2.0
    assert main(["replay", song, "--quiet", *options]) == 1
    assert capfd.readouterr().err == ""


# Model directories that must not be loaded.


def edited(**changes: Any) -> Callable[[Path], None]:
    """config.json with fields set, by dotted name."""

    def spoil(directory: Path) -> None:
        record = json.loads((directory / "config.json").read_text())
        for name, value in changes.items():
            *outer, last = name.split("__")
            place = record
            for part in outer:
                place = place[part]
            place[last] = value
        (directory / "config.json").write_text(json.dumps(record))

    return spoil


def without(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def text(content: bytes) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        (directory / "config.json").write_bytes(content)

    return spoil


def flipped(directory: Path) -> None:
    blob = bytearray((directory / "weights.safetensors").read_bytes())
    blob[-1] ^= 1
    (directory / "weights.safetensors").write_bytes(blob)


def not_a_number(directory: Path) -> None:
    config = small_config()
    weights = random_weights(config)
    weights["head.weight"][2, 3] = np.nan
    save_model(directory, config, weights)


def other_weights(**changes: Any) -> Callable[[Path], None]:
    """Weights of another network, with their right hash."""

    def spoil(directory: Path) -> None:
        config = small_config()
        network = dataclasses.replace(config.network, **changes)
        save_model(directory, config, random_weights(dataclasses.replace(config, network=network)))

    return spoil


def garbage(directory: Path) -> None:
    blob = b"\xff" * 1000
    (directory / "weights.safetensors").write_bytes(blob)
    edited(weights_sha256=hashlib.sha256(blob).hexdigest())(directory)


def linked(directory: Path) -> None:
    (directory / "config.json").rename(directory / "real.json")
    (directory / "config.json").symlink_to("real.json")


def doubles(directory: Path) -> None:
    config = small_config()
    weights = {name: array.astype(np.float64) for name, array in random_weights(config).items()}
    save_model(directory, config, weights)  # type: ignore[arg-type]


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (without("config.json"), "config.json is missing"),
    "no weights": (without("weights.safetensors"), "weights.safetensors is missing"),
    "wrong hash": (flipped, "is not the file that config.json was written for"),
    "other format": (edited(format=99), "has format 99, while this version reads formats 2"),
    "no format": (edited(format=None), "has format None"),
    "other shape": (edited(network__lstm=11), "does not fit config.json"),
    "fewer layers": (other_weights(layers=1), "does not fit config.json"),
    "more layers": (other_weights(layers=3), "does not fit config.json"),
    "doubles": (doubles, "float64"),
    "unknown field": (edited(network__magic=1), "has an unknown field 'magic'"),
    "wrong type": (edited(features__hop="400"), "config.json.features.hop must be of type int"),
    "true for a number": (edited(features__hop=True), "hop must be of type int"),
    "out of range": (edited(features__hop=0), "hop must be between"),
    "huge": (edited(network__lstm=4096, network__layers=8), "more than 16000000 weights"),
    "empty filters": (edited(features__filters=400), "config.json.features"),
    "other coefficients": (edited(features__coefficients=10), "coefficients"),
    "not JSON": (text(b"{'format': 1}"), "config.json is not valid JSON"),
    "NaN in JSON": (text(b'{"format": NaN}'), "config.json is not valid JSON"),
    "a list": (text(b"[1]"), "config.json is not a JSON object"),
    "deep": (text(b"[" * 100_000), "config.json"),
    "not text": (text(b"\xff\xfe\x00"), "config.json is not UTF-8 text"),
    "NaN weights": (not_a_number, "holds a number that is not finite in 'head.weight'"),
    "garbage": (garbage, "weights.safetensors cannot be read"),
    "a link": (linked, "config.json is not a regular file"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_model_directory_that_is_not_whole(
    fails: Any, song: str, model_directory: Path, here: Path, fault: str
) -> None:
    """Missing file, wrong hash, other format, other shape, anything malformed: one sentence."""
    spoil, said = SPOILT[fault]
    shutil.copytree(model_directory, here / "model")
    spoil(here / "model")
    sentence = fails("replay", song, "--speed", "max", "--model", "model")
    assert said in sentence
    assert sentence.startswith("streamer: model model: ")


def test_a_model_that_is_not_there(fails: Any, song: str) -> None:
    """An unknown name is answered with those that there are."""
    sentence = fails("replay", song, "--model", "mozart")
    assert sentence.startswith("streamer: there is no model 'mozart': name one of ")


def test_a_missing_lack_of_a_field_is_named(fails: Any, song: str, model_directory: Path) -> None:
    """Every field of config.json is needed: leaving out any one is told by its name."""
    record = json.loads((model_directory / "config.json").read_text())
    for name in set(record) - {"format"}:
        shutil.copytree(model_directory, "model", dirs_exist_ok=True)
        rest = {key: value for key, value in record.items() if key != name}
        Path("model/config.json").write_text(json.dumps(rest))
        sentence = fails("replay", song, "--model", "model")
        assert f"lacks '{name}'" in sentence or f"{name} must be there" in sentence


# Command lines that the parser rejects.

RAW = ("--rate", "44100", "--channels", "2", "--format", "s16le")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "song.wav", "--loud"], "No such option"),
        (["replay"], "name a sound FILE"),
        (["replay", "a.wav", "b.wav"], "unexpected extra argument"),
        (["replay", "song.wav", "--speed", "0"], "neither a factor above 0 nor 'max'"),
        (["replay", "song.wav", "--speed", "nan"], "neither a factor above 0 nor 'max'"),
        (["replay", "song.wav", "--speed", "fast"], "'fast' is neither"),
        (["replay", "song.wav", "--interval", "-1"], "0, or 0.001 seconds or more"),
        (["replay", "song.wav", "--interval", "1e-320"], "0, or 0.001 seconds or more"),
        (["replay", "song.wav", "--interval", "often"], "not a number of seconds"),
        (["replay", "song.wav", "--start-at", "-2"], "0 seconds or more"),
        (["replay", "song.wav", "--start-at", "1e308"], "0 seconds or more, at most 1e+09"),
        (["replay", "song.wav", "--duration", "1e305"], "at most 1e+09"),
        (["replay", "song.wav", "--speed", "1e308"], "0.001 to 1e+06 can be asked for"),
        (["replay", "song.wav", "--speed", "1e-300"], "0.001 to 1e+06 can be asked for"),
        (["replay", "song.wav", "--reset-on-silence", "1e305"], "at most 1e+09"),
        (["replay", "song.wav", "--rate", "44100"], "--rate is for raw PCM on standard input"),
        (["replay", "-"], "needs --rate, --channels, --format"),
        (["replay", "-", "--rate", "44100"], "needs --channels, --format"),
        (["replay", "-", "--rate", "44100", "--channels", "2", "--format", "s8"], "s16le"),
        (["replay", "-", "--rate", "0", "--channels", "2", "--format", "s16le"], "--rate"),
        (
            ["replay", "-", *RAW, "--start-at", "1"],
            "standard input cannot be started at a later moment",
        ),
        (["replay", "song.wav", "--jsonl", "-"], "- is no file"),
        (["replay", "song.wav", "--jsonl", "song.wav"], "song.wav is the file to be read"),
        (["replay", "song.wav", "--jsonl", "./../{here}/song.wav"], "is the file to be read"),
        (["replay", "song.wav", "--summary", "song.wav"], "song.wav is the file to be read"),
        (["replay", "song.wav", "--jsonl", "link.wav"], "link.wav is the file to be read"),
        (["play", "song.wav"], "No such command 'play'"),
    ],
)
def test_what_the_parser_rejects(fails: Any, song: str, arguments: list[str], said: str) -> None:
    """Exit code 2, the usage, one sentence, and the sound file is untouched."""
    before = Path(song).read_bytes()
    Path("link.wav").symlink_to(song)
    arguments = [argument.replace("{here}", Path.cwd().name) for argument in arguments]
    if arguments[0] == "replay":
        sentence = fails(*arguments, code=2)
    else:
        sentence = fails(*arguments, "--model", "x", code=2)
    assert said in sentence
    assert Path(song).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--start-at", "3"], "song.wav is 3.0 s long, so it cannot start at 3 s"),
        (["--jsonl", "nowhere/lines.jsonl"], "nowhere/lines.jsonl cannot be written"),
        (["--jsonl", "."], ". cannot be written"),
    ],
)
def test_what_cannot_be_done(fails: Any, song: str, arguments: list[str], said: str) -> None:
    """A start beyond the end and an output that cannot be opened: exit code 1."""
    assert said in fails("replay", song, "--speed", "max", *arguments)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (["--rate", "1000000000", "--channels", "2", "--format", "s16le"], "standard input"),
        (["--rate", "44100", "--channels", "99999", "--format", "s16le"], "standard input"),
    ],
)
def test_absurd_raw_pcm(fails: Any, raw: list[str], said: str) -> None:
    """A rate or a number of channels that no sound has is refused in a sentence."""
    assert said in fails("replay", "-", *raw)


def test_debug_shows_the_traceback(model_directory: Path) -> None:
    """``--debug``, wherever it stands, shows where an error comes from; else there is none."""
    command = [sys.executable, "-m", "streamer", "replay", "gone.wav", "--model", model_directory]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    shown = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False)
    assert (plain.returncode, shown.returncode) == (1, 1)
    assert plain.stderr == "streamer: no such file: gone.wav\n"
    assert shown.stderr.startswith("Traceback")
    assert "AudioError: no such file: gone.wav" in shown.stderr
    with pytest.raises(AudioError):
        main(["--debug", "replay", "gone.wav", "--model", str(model_directory)])


def test_what_nobody_thought_of(
    song: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A fault of the program itself is one line too, and says how to see more."""

    def fail() -> dict[str, Path]:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(models, "list_models", fail)
    assert main(["models"]) == 1
    assert capfd.readouterr().err == (
        "streamer: unexpected ZeroDivisionError: by nought (--debug shows where)\n"
    )
    with pytest.raises(ZeroDivisionError):
        main(["models", "--debug"])


def test_a_broken_model_in_the_list(
    model_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    here: Path,
) -> None:
    """``streamer models`` names size, rate and clips, and refuses a spoilt one in one sentence."""
    monkeypatch.setattr(models, "list_models", lambda: {"small": model_directory})
    assert main(["models"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("small: ")
    assert "20 MFCCs at 16000 Hz, 40 frames a second, trained on 2 clips" in said
    shutil.copytree(model_directory, here / "model")
    flipped(here / "model")
    monkeypatch.setattr(models, "list_models", lambda: {"model": here / "model"})
    assert main(["models"]) == 1
    assert capfd.readouterr().err.count("\n") == 1


EVIL = "\x1b]0;owned\x07\x9b2J\u202e\nb"


def test_no_name_steers_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
    here: Path,
    model_directory: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Names of models, files and sinks are written out, each within its line."""
    place = here / EVIL
    shutil.copytree(model_directory, place)
    monkeypatch.setattr(models, "list_models", lambda: {EVIL: place})
    (here / "library").mkdir()
    (here / "library" / f"{EVIL}.wav").write_bytes(b"no sound")
    for arguments, count in (
        (["models"], 1),
        (["export", str(place), "--onnx", f"{EVIL}.onnx"], 1),
        (["evaluate", str(place), EVIL], 1),
        (["plot", EVIL, "-o", "x.png"], 1),
        (["compare", EVIL, EVIL], 1),
        (["convert", EVIL, "--to", "csv"], 1),
        (["annotate", "library", "-o", f"{EVIL}.csv", "--model", str(place)], 2),
        (["replay", f"library/{EVIL}.wav", "--sink", EVIL], 1),
    ):
        main(arguments)
        said = b"".join(capfdbinary.readouterr())
        assert b"owned" in said, arguments
        # What the parser rejects comes with its usage.
        said = said[said.find(b"Error: ") :] if said.startswith(b"Usage: ") else said
        assert said.count(b"\n") == count, arguments
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(said.decode()), arguments


def test_one_place_prints() -> None:
    """Commands print through ``streamer.cli.sentence`` alone, which lets nothing steer a terminal.

    But for what ``convert`` writes for a program that reads it.
    """
    folder = Path(models.__file__).parent
    printing = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"click.echo", "print"}
    }
    assert printing == {"sentence.py", "convert.py"}


def test_a_session_of_others_on_the_terminal(here: Path) -> None:
    """``convert`` to a terminal writes control characters out; to a pipe the text is as it is."""
    events = (estimate(0.5), Gap(0.5, 0.5, 8000, False, "why\x1b]0;owned\x07"))
    (here / "s.jsonl").write_text("".join(f"{to_json(event)}\n" for event in events))
    command = [sys.executable, "-m", "streamer", "convert", "s.jsonl", "--to", "labels"]
    piped = subprocess.run(command, capture_output=True, check=True).stdout
    assert b"\tlost: why\x1b]0;owned\x07\n" in piped
    child = pexpect.spawn(command[0], command[1:], timeout=60)
    child.expect(pexpect.EOF)
    shown = piped.replace(b"\x1b", rb"\x1b").replace(b"\x07", rb"\x07")
    assert child.before == shown.replace(b"\n", b"\r\n")


def test_without_a_command_the_help_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """Its lines are lines, and every command has one."""
    from streamer.cli.main import COMMANDS

    assert main([]) == 2
    said = capfd.readouterr()
    lines = (said.out + said.err).splitlines()
    assert lines[0].startswith("Usage: streamer")
    assert {line.split()[0] for line in lines if line.startswith("  ")} >= set(COMMANDS)


def test_version_and_help(capfd: pytest.CaptureFixture[str]) -> None:
    """``--version`` gives the version alone; every command has a line in ``--help`` and its own."""
    from streamer import __version__
    from streamer.cli.main import COMMANDS

    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"streamer, version {__version__}\n"
    assert main(["--help"]) == 0
    overview = capfd.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in overview
        assert main([name, "--help"]) == 0
        text = capfd.readouterr().out
        assert text.startswith(f"Usage: streamer {name}")
        assert "Example: streamer" in text


def test_the_model_is_immutable(small_model: Model) -> None:
    """Weights of a loaded model cannot be written to: streams share them."""
    for array in small_model.weights.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
