"""Readers that stall or vanish, and disks that are full."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_portaudio import ramp_from
from line_schema import emotions, valid_lines
from processes import HASTE, children, file_size_limit, hasty_device, most_memory, streamer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc, /dev/full and limits")

LIVE = ("--no-dashboard", "--interval", "0")


@pytest.fixture
def song(music: np.ndarray, tmp_path: Path) -> Path:
    """Twelve seconds of music."""
    path = tmp_path / "song.wav"
    soundfile.write(path, music, 16_000)
    return path


def test_a_reader_that_stalls(model_directory: Path, tmp_path: Path) -> None:
    """What the ring cannot hold is a gap, told to the sample; memory stays where it was."""
    heard = tmp_path / "heard.wav"
    options = ["--model", model_directory, *LIVE, "--wav", heard]
    with streamer("live", *options, env=hasty_device(tmp_path / "device")) as live:
        assert live.stdout is not None
        out = b"".join(live.stdout.readline() for _ in range(20))
        (capture,) = children(live.pid)
        before = most_memory(live.pid), most_memory(capture)
        # Nobody reads: a minute and more of the stream goes by.
        time.sleep(2.5)
        after = most_memory(live.pid), most_memory(capture)
        while b'"gap"' not in out.splitlines()[-1]:
            out += live.stdout.readline()
        out += b"".join(live.stdout.readline() for _ in range(20))
        live.send_signal(signal.SIGINT)
        rest, said = live.communicate(timeout=30)
    assert (live.returncode, said) == (130, b"")
    assert max(b - a for a, b in zip(before, after, strict=True)) < 20e6
    lines = valid_lines(out + rest)
    gaps = [line for line in lines if line["type"] == "gap"]
    assert {(gap["cause"], gap["estimated"]) for gap in gaps} == {("ring overrun", False)}
    # The ring holds ten seconds, pipes a little; the rest of 75 s was lost, all of it counted.
    assert 30 < sum(gap["seconds"] for gap in gaps) < 2.5 * HASTE + 30
    end = lines[-1]
    assert end["lost_samples"] == sum(gap["samples"] for gap in gaps)
    assert end["gaps"] == len(gaps)
    # The device counts up by thousandths: after each gap it is where the clock says.
    samples, rate = soundfile.read(heard)
    assert len(samples) == pytest.approx(end["t"] * rate, abs=rate)
    ramp = ramp_from(samples[0], len(samples))
    kept = samples != 0
    assert kept.mean() > 0.05
    np.testing.assert_allclose(samples[kept], ramp[kept], atol=1e-6)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stalled_reader_cannot_keep_the_program(
    model_directory: Path, tmp_path: Path, number: int, code: int
) -> None:
    """The first signal waits for the line under way, one a second later does not."""
    options = ["--model", model_directory, *LIVE]
    with streamer("live", *options, env=hasty_device(tmp_path / "device")) as live:
        assert live.stdout is not None
        live.stdout.readline()
        time.sleep(1)
        live.send_signal(number)
        time.sleep(1.2)
        assert live.poll() is None
        live.send_signal(number)
        assert live.wait(10) == code
        out = live.stdout.read()
        assert live.stderr is not None
        assert live.stderr.read() == b""
    whole = out[: out.rfind(b"\n") + 1].splitlines()
    assert len(whole) > 50
    assert {json.loads(line)["type"] for line in whole} <= {"emotion", "gap"}


def test_a_reader_that_leaves(model_directory: Path, tmp_path: Path) -> None:
    """``streamer live | head``: exit code 0, not a word, and the capturing process is gone."""
    copy = tmp_path / "copy.jsonl"
    options = ["--model", model_directory, *LIVE, "--jsonl", copy]
    with streamer("live", *options, env=hasty_device(tmp_path / "device")) as live:
        assert live.stdout is not None
        live.stdout.readline()
        (capture,) = children(live.pid)
        live.stdout.close()
        assert live.stderr is not None
        assert live.stderr.read() == b""
        assert live.wait(10) == 0
    assert not Path(f"/proc/{capture}").exists()
    assert {json.loads(line)["type"] for line in copy.read_bytes().splitlines()} >= {"start"}


@pytest.mark.parametrize("rotate", [[], ["--rotate", "10kB"]])
def test_a_disk_that_fills_up_under_the_lines(
    song: Path, model_directory: Path, tmp_path: Path, rotate: list[str]
) -> None:
    """One sentence, exit code 1; complete lines stay; standard output goes on to the end."""
    options = ["--speed", "max", "--interval", "0", "--model", model_directory]
    copy = tmp_path / "copy.jsonl"
    limit = file_size_limit(9_000)
    with streamer("replay", song, *options, "--jsonl", copy, *rotate, preexec_fn=limit) as run:
        out, said = run.communicate()
    assert run.returncode == 1
    (kept,) = tmp_path.glob("copy*.jsonl")
    wording = f"streamer: {kept} cannot be written: File too large; tracking goes on without it\n"
    assert said.decode() == wording
    assert len(emotions(valid_lines(out))) == 479
    lines = kept.read_bytes().split(b"\n")
    assert kept.stat().st_size <= 9_000
    assert len(lines) > 20
    assert out.startswith(b"\n".join(lines[:-1]) + b"\n")
    # What is left of it can be shown again.
    with streamer("replay", "--from", kept, "--speed", "max") as run:
        shown, said = run.communicate()
    assert (run.returncode, said) == (0, b"")
    assert len(emotions(valid_lines(shown))) == len(lines) - 2


def test_a_disk_that_fills_up_under_the_recording(model_directory: Path, tmp_path: Path) -> None:
    """One sentence, exit code 1; the WAV file opens; tracking goes on."""
    heard = tmp_path / "heard.wav"
    options = ["--model", model_directory, *LIVE, "--wav", heard, "--duration", "20"]
    device = hasty_device(tmp_path / "device", 10)
    limit = file_size_limit(200_000)
    with streamer("live", *options, env=device, preexec_fn=limit) as live:
        out, said = live.communicate(timeout=60)
    assert live.returncode == 1
    assert said.decode().count("\n") == 1
    assert said.decode().startswith(f"streamer: cannot write the WAV file {heard}: File too large")
    assert valid_lines(out)[-1]["t"] == 20.0
    samples, rate = soundfile.read(heard)
    assert len(samples) / rate > 4
    np.testing.assert_allclose(samples, ramp_from(samples[0], len(samples)), atol=1e-6)


def test_a_disk_that_fills_up_under_an_annotation(
    model_directory: Path, music: np.ndarray, tmp_path: Path
) -> None:
    """One sentence, exit code 1, no table; with room again the same command does the rest."""
    library = tmp_path / "songs"
    library.mkdir()
    for number in range(6):
        soundfile.write(library / f"{number}.wav", music[: 30_000 + 5_000 * number], 16_000)
    out = tmp_path / "moods.jsonl"
    command = ["annotate", library, "--timeline", "--interval", "0", "-o", out, "--jobs", "1"]
    command += ["--model", model_directory, "--quiet"]
    with streamer(*command) as run:
        assert run.wait() == 0
    undisturbed = out.read_bytes()
    out.unlink()
    journal = tmp_path / "moods.jsonl.partial.jsonl"
    for size, name in ((60_000, journal), (len(undisturbed) - 1_000, out)):
        with streamer(*command, preexec_fn=file_size_limit(size)) as run:
            _, said = run.communicate()
        assert run.returncode == 1
        assert said.decode() == f"streamer: {name} cannot be written: File too large\n"
        assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [journal.name, "songs"]
    assert 0 < journal.read_bytes().count(b"\n") <= 7
    with streamer(*command) as run:
        _, said = run.communicate()
    assert (run.returncode, said) == (0, b"")
    assert out.read_bytes() == undisturbed


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["models"], ["live", "--help"]])
def test_standard_output_on_a_full_disk(arguments: list[str]) -> None:
    """What cannot be printed is one sentence and exit code 1."""
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [sys.executable, "-m", "streamer", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    assert run.returncode == 1
    assert run.stderr == b"streamer: the output cannot be written: No space left on device\n"


def test_lines_on_a_full_disk(song: Path, model_directory: Path) -> None:
    """Standard output that cannot take the lines is told once; exit code 1."""
    with (
        Path("/dev/full").open("wb") as full,
        streamer("replay", song, "--speed", "max", "--model", model_directory, stdout=full) as run,
    ):
        _, said = run.communicate()
    assert run.returncode == 1
    assert said.decode() == (
        "streamer: standard output cannot be written: No space left on device; "
        "tracking goes on without it\n"
    )
