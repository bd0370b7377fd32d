"""``streamer replay`` as its user meets it: sources, speeds, intervals, signals, pipes."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from line_schema import agree, emotions, valid_lines
from small_network import random_weights, small_config

from streamer import EmotionTracker, Estimate, Event, Model, Session
from streamer.audio.files import FileSource
from streamer.audio.pacing import Paced
from streamer.audio.pcm import PcmSource
from streamer.audio.resample import Resampled
from streamer.audio.source import Source
from streamer.cli.main import main
from streamer.network.config import MusicConfig
from streamer.network.model import save_model

RATE = 16_000
NUMBERS = ("valence", "arousal", "valence_sd", "arousal_sd", "level_db")


@pytest.fixture
def song(music: np.ndarray, tmp_path: Path) -> Path:
    """Six seconds of music, 16 kHz, mono, float."""
    path = tmp_path / "song.wav"
    soundfile.write(path, music[: 6 * RATE], RATE, subtype="FLOAT")
    return path


@pytest.fixture
def replay(model_directory: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Replays as fast as it goes and gives the lines; the exit code must be 0, with no word."""

    def run(*arguments: object) -> list[dict[str, Any]]:
        options = ["--speed", "max", "--model", str(model_directory)]
        assert main(["replay", *map(str, arguments), *options]) == 0
        said = capfdbinary.readouterr()
        assert said.err == b""
        return valid_lines(said.out)

    return run


class Clock:
    """Time that goes on when somebody sleeps, and at no other moment."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds


class Kept:
    """A sink that keeps everything, with the clock's time at which it came."""

    def __init__(self, clock: Clock) -> None:
        self.events: list[tuple[float, Event]] = []
        self._clock = clock

    def write(self, event: Event) -> None:
        self.events.append((self._clock.now() - 100.0, event))

    def close(self) -> None:
        pass


def session(source: Source, speed: float, model: Model) -> list[tuple[float, Estimate]]:
    """The estimates of a session, each with the seconds after which it was written."""
    clock = Clock()
    kept = Kept(clock)
    paced = Resampled(Paced(source, speed, clock), RATE)
    Session(paced, EmotionTracker(model, interval=0.25), [kept], clock=clock).run()
    return [(when, event) for when, event in kept.events if isinstance(event, Estimate)]


def assert_same(left: Sequence[Estimate], right: Sequence[Estimate]) -> None:
    """Times, silence and quadrants equal, numbers within 1e-5."""
    for name in ("t", "silent", "quadrant", "mood"):
        assert [getattr(e, name) for e in left] == [getattr(e, name) for e in right]
    x, y = (
        np.array([[getattr(e, n) for n in NUMBERS] for e in side], float) for side in (left, right)
    )
    np.testing.assert_allclose(x, y, atol=1e-5, rtol=0)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_every_speed_and_standard_input_judge_alike(
    small_model: Model, clip: Path, tmp_path: Path, rate: int
) -> None:
    """``--speed 1``, 4, max and raw PCM of the same samples give the same emotions."""
    samples, own = soundfile.read(clip, frames=8 * 44_100, start=16 * 44_100, dtype="int16")
    assert own == 44_100
    samples[5 * 44_100 // 2 : 5 * 44_100] = 0  # silence is told alike, too
    path = tmp_path / "song.wav"
    soundfile.write(path, samples, rate, subtype="PCM_16")
    length = len(samples) / rate

    def piped() -> PcmSource:
        return PcmSource(io.BytesIO(samples.tobytes()), rate=rate, channels=2, fmt="s16le")

    whole = session(FileSource(path), math.inf, small_model)
    estimates = [estimate for _, estimate in whole]
    assert len(estimates) == math.floor(length / 0.25 + 1e-6)
    assert {estimate.silent for estimate in estimates} == {True, False}
    heard = [estimate.arousal for estimate in estimates if estimate.arousal is not None]
    assert np.std(heard) > 1e-3
    assert {when for when, _ in whole} == {0.0}
    for speed in (1.0, 4.0):
        paced = session(FileSource(path), speed, small_model)
        assert_same([estimate for _, estimate in paced], estimates)
        lags = [when * speed - estimate.t for when, estimate in paced]
        # A line comes when its newest sample has sounded: no earlier, and at most a piece and
        # what the resampler holds back later.
        assert min(lags) > -1e-9
        assert max(lags) < 0.02 * speed + 0.045
    for source in (piped(), FileSource(path, block=999)):
        assert_same([e for _, e in session(source, math.inf, small_model)], estimates)
    assert_same([e for _, e in session(piped(), 2.0, small_model)], estimates)


@pytest.mark.parametrize("form", ["s16le", "s24le", "s32le", "f32le"])
def test_raw_pcm_on_standard_input(
    replay: Any, song: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The same samples as a file and as raw PCM give the same lines but for the source."""
    samples, _ = soundfile.read(song, dtype="float32")
    kind = {"s16le": "PCM_16", "s24le": "PCM_24", "s32le": "PCM_32", "f32le": "FLOAT"}[form]
    soundfile.write(song, np.stack([samples, samples / 2], 1), RATE, subtype=kind)
    with soundfile.SoundFile(song) as file:
        raw = song.read_bytes()[-len(file) * file.channels * int(form[1:3]) // 8 :]
    of_file = replay(song)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
    piped = replay("-", "--rate", RATE, "--channels", 2, "--format", form)
    assert piped[0]["source"] == {
        "kind": "stdin",
        "name": "standard input",
        "rate": RATE,
        "channels": 2,
    }
    assert len(emotions(piped)) == 12
    assert agree(piped[1:-1], of_file[1:-1])


FORMATS = {
    "u8.wav": {"subtype": "PCM_U8"},
    "s16.wav": {"subtype": "PCM_16"},
    "s24.wav": {"subtype": "PCM_24"},
    "s32.wav": {"subtype": "PCM_32"},
    "f64.wav": {"subtype": "DOUBLE"},
    "mu.wav": {"subtype": "ULAW"},
    "s16.flac": {},
    "song.ogg": {"subtype": "VORBIS"},
    "song.opus": {"format": "OGG", "subtype": "OPUS"},
    "song.mp3": {},
    "song.aiff": {},
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_heard(
    replay: Any, song: Path, tmp_path: Path, music: np.ndarray, name: str
) -> None:
    """WAV of every sample type, FLAC, OGG, Opus and MP3 are heard as the float file is.

    As loud at every moment to half a decibel, whatever the network makes of it.
    """
    reference = [line["level_db"] for line in emotions(replay(song))]
    path = tmp_path / name
    soundfile.write(path, music[: 6 * RATE], RATE, **FORMATS[name])
    lines = replay(path)
    found = emotions(lines)
    assert [line["t"] for line in found[:12]] == [step / 2 for step in range(1, 13)]
    assert all(line["valence"] is not None for line in found)
    np.testing.assert_allclose([line["level_db"] for line in found[:12]], reference, atol=0.5)
    assert np.ptp(reference) > 1
    assert lines[0]["source"]["name"] == str(path)


@pytest.mark.parametrize(
    ("interval", "step"), [(0, 400), (0.25, 4_000), (0.5, 8_000), (1, 16_000), (100, None)]
)
def test_the_interval_sets_how_often_a_line_is_written(
    replay: Any, song: Path, interval: float, step: int | None
) -> None:
    """Every frame, or the first frame that ends at or after each multiple of the interval."""
    lines = replay(song, "--interval", interval)
    if step is None:
        due = []
    elif interval == 0:
        due = list(range(800, 6 * RATE + 1, 400))
    else:
        due = list(range(step, 6 * RATE + 1, step))
    assert [line["t"] for line in emotions(lines)] == [sample / RATE for sample in due]
    assert lines[0]["interval_s"] == interval
    assert lines[-1]["estimates"] == len(due)
    assert lines[-1]["frames"] == (6 * RATE - 800) // 400 + 1


def test_start_at_begins_there(replay: Any, song: Path) -> None:
    """With ``--start-at S`` time begins at S, on the grid of the whole file, to the file's end."""
    lines = replay(song, "--start-at", "2.3")
    assert [line["t"] for line in emotions(lines)] == [2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]
    assert lines[-1]["t"] == 6.0
    stretch = replay(song, "--start-at", "2.3", "--duration", "1.5")
    assert [line["t"] for line in emotions(stretch)] == [2.5, 3.0, 3.5]
    assert agree(emotions(stretch), emotions(lines)[:3])
    assert stretch[-1]["t"] == pytest.approx(3.8)


def test_a_file_gets_the_lines_as_well(replay: Any, song: Path, tmp_path: Path) -> None:
    """``--jsonl`` writes the very bytes that standard output gets, in place of an older file."""
    copy = tmp_path / "copy.jsonl"
    copy.write_text("old " * 10_000)
    lines = replay(song, "--jsonl", copy, "--overwrite")
    assert valid_lines(copy.read_bytes()) == lines


def test_the_start_line_tells_of_the_source(replay: Any, clip: Path) -> None:
    """Rate, channels and length of the file, the model's rate, and the resampler's look-ahead."""
    start = replay(clip, "--duration", "1")[0]
    info = soundfile.info(clip)
    assert start["source"] == {
        "kind": "file",
        "name": str(clip),
        "rate": 44_100,
        "channels": 2,
        "duration_s": pytest.approx(info.frames / 44_100),
    }
    assert (start["sample_rate"], start["hop_s"], start["model"]) == (RATE, 0.025, "small")
    assert 0 < start["resampler_delay_s"] < 0.1


def test_the_seconds_of_silence_that_begin_a_new_song(
    replay: Any, song: Path, music: np.ndarray
) -> None:
    """With ``--reset-on-silence`` what follows a pause is judged as if it stood alone."""
    pause = np.zeros(3 * RATE, np.float32)
    alone = music[4 * RATE : 7 * RATE]
    soundfile.write(song, np.concatenate([pause, alone]), RATE, subtype="FLOAT")
    fresh = emotions(replay(song))[-6:]
    soundfile.write(song, np.concatenate([music[: 3 * RATE], pause, alone]), RATE, subtype="FLOAT")
    for seconds, same in (("1", True), ("60", False)):
        after = emotions(replay(song, "--reset-on-silence", seconds))[-6:]
        apart = [abs(a["valence"] - b["valence"]) for a, b in zip(after, fresh, strict=True)]
        assert (max(apart) < 1e-5) == same


def streamer(*arguments: object, **pipes: Any) -> subprocess.Popen[bytes]:
    """The command in a process of its own; its pipes are read without a buffer of ours."""
    command = [sys.executable, "-m", "streamer", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | pipes
    return subprocess.Popen(command, bufsize=0, **pipes)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_session_in_order(
    clip: Path, model_directory: Path, tmp_path: Path, number: int, code: int
) -> None:
    """Ctrl-C and SIGTERM in the middle of a file: valid lines, an end line, the right code."""
    copy = tmp_path / "copy.jsonl"
    options = ["--model", model_directory, "--interval", "0", "--jsonl", copy]
    with streamer("replay", clip, *options) as run:
        assert run.stdout is not None
        first = b"".join(run.stdout.readline() for _ in range(3))
        run.send_signal(number)
        rest, said = run.communicate()
    assert (run.returncode, said) == (code, b"")
    lines = valid_lines(first + rest)
    assert 2 <= len(emotions(lines)) == lines[-1]["estimates"] < 500
    assert copy.read_bytes() == first + rest


def test_a_signal_while_standard_input_is_waited_for(
    model_directory: Path, music: np.ndarray
) -> None:
    """A pipe that brings nothing more is given up at once on Ctrl-C, with an end line."""
    raw = ["-", "--rate", RATE, "--channels", 1, "--format", "f32le"]
    options = ["--model", model_directory]
    with streamer("replay", *raw, *options, stdin=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(music[:RATE].tobytes())
        run.stdin.flush()
        # A line comes while the writer is still there: nothing waits for a full block.
        first = b"".join(run.stdout.readline() for _ in range(3))
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
        code = run.wait()
        assert run.stderr is not None
        assert run.stderr.read() == b""
    assert code == 130
    lines = valid_lines(first + rest)
    assert [line["t"] for line in emotions(lines)] == [0.5, 1.0]
    assert lines[-1]["t"] == 1.0


def test_a_reader_that_goes_away(clip: Path, model_directory: Path) -> None:
    """``streamer replay ... | head -1`` ends with exit code 0 and not a word."""
    options = ["--model", model_directory, "--interval", "0", "--speed", "max"]
    with streamer("replay", clip, *options) as run:
        assert run.stdout is not None
        assert json.loads(run.stdout.readline())["type"] == "start"
        run.stdout.close()
        assert run.stderr is not None
        assert run.stderr.read() == b""
    assert run.returncode == 0


def test_a_reader_that_was_never_there(song: Path, model_directory: Path) -> None:
    """A pipe without a reader from the beginning is no failure either."""
    reading, writing = os.pipe()
    os.close(reading)
    options = ["--model", model_directory, "--speed", "max"]
    with streamer("replay", song, *options, stdout=writing) as run:
        os.close(writing)
        _, said = run.communicate()
    assert (run.returncode, said) == (0, b"")
    reading, writing = os.pipe()
    os.close(reading)
    with streamer("--help", stdout=writing) as run:
        os.close(writing)
        _, said = run.communicate()
    assert (run.returncode, said) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_stops_one_sink_alone(
    song: Path, model_directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A file that cannot take the lines is named once; standard output goes on; exit code 1."""
    options = ["--model", str(model_directory), "--speed", "max", "--jsonl", "/dev/full"]
    assert main(["replay", str(song), *options]) == 1
    said = capfdbinary.readouterr()
    assert len(emotions(valid_lines(said.out))) == 12
    assert said.err.decode().startswith("streamer: /dev/full cannot be written")
    assert said.err.count(b"\n") == 1


def test_lines_are_written_as_they_are_known(song: Path, model_directory: Path) -> None:
    """Each line is out before the next is computed: no buffer holds it back."""
    with streamer("replay", song, "--speed", "2", "--model", model_directory) as run:
        assert run.stdout is not None
        for line in itertools.islice(run.stdout, 3):
            assert json.loads(line)["type"] in {"start", "emotion"}
            assert run.poll() is None
        run.terminate()
        run.communicate()
    assert run.returncode == 143


@pytest.fixture
def shut(tmp_path: Path) -> Path:
    """A model whose gate never opens."""
    config = dataclasses.replace(small_config(), music=MusicConfig(on=1.0, off=1.0))
    save_model(tmp_path / "shut", config, random_weights(config))
    return tmp_path / "shut"


def test_what_is_no_music_is_said_in_each_line(
    song: Path, shut: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Lines that are neither silent nor judged, and tell how sure it was; an option judges them."""
    command = ["replay", str(song), "--speed", "max", "--model", str(shut)]
    assert main(command) == 0
    withheld = emotions(valid_lines(capfdbinary.readouterr().out))
    assert len(withheld) == 12
    for line in withheld:
        assert (line["silent"], line["valence"], line["mood"]) == (False, None, None)
        assert 0 < line["music"] < 1
    assert main([*command, "--judge-everything"]) == 0
    judged = emotions(valid_lines(capfdbinary.readouterr().out))
    assert all(line["valence"] is not None for line in judged)
    assert [line["music"] for line in judged] == [line["music"] for line in withheld]


def test_the_floor_of_silence_can_be_set(
    song: Path, model_directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Under --silence everything is silent; a level that is none is refused."""
    command = ["replay", str(song), "--speed", "max", "--model", str(model_directory)]
    for floor, silent in (("0", True), ("-119.5", False)):
        assert main([*command, "--silence", floor]) == 0
        lines = emotions(valid_lines(capfdbinary.readouterr().out))
        assert {line["silent"] for line in lines} == {silent}
    for floor in ("1", "-121", "loud", "nan"):
        assert main([*command, "--silence", floor]) == 2
        assert "--silence" in capfdbinary.readouterr().err.decode()
