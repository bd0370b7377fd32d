"""``streamer annotate`` as its user meets it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pexpect
import pytest
import soundfile

from streamer.cli.main import main


@pytest.fixture
def library(music: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three songs in the working directory's folder ``songs``."""
    songs = tmp_path / "songs"
    songs.mkdir()
    for number, name in enumerate(["a.wav", "b.wav", "d.wav"]):
        soundfile.write(songs / name, music[number * 20_000 : number * 20_000 + 40_000], 16_000)
    monkeypatch.chdir(tmp_path)
    return songs


@pytest.fixture
def small(model_directory: Path) -> list[str]:
    """The options for a quick run with the small model."""
    return ["--model", str(model_directory), "--jobs", "1"]


def test_a_table_and_a_word(
    library: Path, small: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0, the table, one sentence on standard error, nothing on standard output."""
    assert main(["annotate", "songs", "-o", "moods.csv", *small]) == 0
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == "streamer: annotated 3 of 3 files into moods.csv\n"
    lines = Path("moods.csv").read_text().splitlines()
    assert lines[0].startswith("path,length_s,estimates,valence_mean")
    assert [line.split(",")[0] for line in lines[1:]] == [f"songs/{name}.wav" for name in "abd"]


def test_a_broken_file_gives_exit_code_1(
    library: Path, small: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """The others are in the table, and even --quiet names the broken one."""
    (library / "c.mp3").write_bytes(b"this is no music")
    assert main(["annotate", "songs", "-o", "moods.jsonl", "--timeline", "--quiet", *small]) == 1
    said = capfd.readouterr()
    assert said.err.startswith("streamer: skipped: songs/c.mp3 is not sound")
    assert said.err.count("\n") == 1
    assert len(Path("moods.jsonl").read_text().splitlines()) == 15


@pytest.mark.parametrize(
    ("number", "code", "stopped"),
    [(signal.SIGKILL, -9, False), (signal.SIGINT, 130, True), (signal.SIGTERM, 143, True)],
)
def test_a_killed_run_goes_on(
    library: Path, small: list[str], music: np.ndarray, number: int, code: int, stopped: bool
) -> None:
    """Killed in the middle, then run again: the table's bytes are those of an undisturbed run."""
    soundfile.write("c.wav", music[:50_000], 16_000)
    files = ["songs/a.wav", "songs/b.wav", "c.wav", "songs/d.wav"]
    command = [sys.executable, "-m", "streamer", "annotate", *files, "-o", "moods.csv", *small]
    assert subprocess.run([*command[:-1], "2"], check=False).returncode == 0
    undisturbed = Path("moods.csv").read_bytes()
    assert undisturbed.count(b"\n") == 5
    Path("moods.csv").unlink()

    pipe = Path("c.wav")
    pipe.rename("c.whole")
    os.mkfifo(pipe)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        # Opening waits until the worker reads the third file: two are done, one is under way.
        with pipe.open("wb"):
            run.send_signal(number)
            run.wait()
        said = until_the_workers_ended(run, pipe)
    assert run.returncode == code
    assert ("the same command goes on from here" in said) == stopped
    assert "Traceback" not in said
    assert not Path("moods.csv").exists()
    journal = Path("moods.csv.partial.jsonl").read_bytes()
    assert journal.count(b"\n") == 3

    pipe.unlink()
    Path("c.whole").rename(pipe)
    again = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (again.returncode, Path("moods.csv").read_bytes()) == (0, undisturbed)
    assert not Path("moods.csv.partial.jsonl").exists()


def until_the_workers_ended(run: subprocess.Popen[str], pipe: Path) -> str:
    """Standard error, which ends when the workers have; one that waits for the pipe is let go."""
    for _ in range(200):
        with contextlib.suppress(OSError):  # nobody reads the pipe (now)
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        with contextlib.suppress(subprocess.TimeoutExpired):
            return run.communicate(timeout=0.1)[1]
    raise AssertionError("the workers outlived the run")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere", "-o", "t.csv"], 2, "'nowhere' does not exist"),
        (["songs"], 2, "Missing option '-o'"),
        (["songs", "-o", "t.xls"], 1, "end its name with .csv, .jsonl, .parquet"),
        (["songs", "-o", "nowhere/t.csv"], 1, "nowhere/t.csv.partial.jsonl cannot be written"),
        (["songs", "-o", "t.csv", "--model", "none"], 1, "there is no model 'none'"),
        (["empty", "-o", "t.csv"], 2, "there is no sound file in empty"),
        (["t.csv", "songs", "-o", "t.csv"], 2, "t.csv is the file to be read"),
        (["songs", "-o", "t.csv", "--jobs", "2", "--scheduler", "tcp://x"], 2, "--jobs is for"),
    ],
)
def test_mistakes_are_one_sentence(
    library: Path,
    model_directory: Path,
    arguments: list[str],
    code: int,
    said: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The right exit code, before any work, and nothing is written."""
    Path("empty").mkdir()
    if "t.csv" in arguments[:1]:
        Path("t.csv").touch()
    before = sorted(map(str, Path().iterdir()))
    model = [] if "--model" in arguments else ["--model", str(model_directory)]
    assert main(["annotate", *arguments, *model]) == code
    error = capfd.readouterr().err
    assert said in " ".join(error.split())
    assert "Traceback" not in error
    assert sorted(map(str, Path().iterdir())) == before


def test_a_terminal_sees_a_bar(library: Path, small: list[str]) -> None:
    """Files done, the share and the time left on a terminal; the cursor comes back."""
    command = ["-m", "streamer", "annotate", "songs", "-o", "moods.csv", *small]
    run = pexpect.spawn(sys.executable, command, dimensions=(24, 100), timeout=60)
    run.expect(pexpect.EOF)
    run.close()
    shown = re.sub(r"\x1b\[[0-9;]*m", "", run.before.decode())
    assert run.exitstatus == 0
    assert re.search(r"3 of 3 files .* 100 % .* left", shown)
    assert "streamer: annotated 3 of 3 files into moods.csv" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_a_missing_extra_is_named(
    library: Path,
    small: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Without pyarrow or distributed the sentence says which extra brings it."""
    for module in ("pyarrow", "distributed"):
        monkeypatch.setitem(sys.modules, module, None)
    assert main(["annotate", "songs", "-o", "t.parquet", *small]) == 1
    assert "pip install 'emotion-streamer[parquet]'" in capfd.readouterr().err
    cluster = ["--scheduler", "tcp://127.0.0.1:1"]
    assert main(["annotate", "songs", "-o", "t.csv", *small[:2], *cluster]) == 1
    assert "pip install 'emotion-streamer[cluster]'" in capfd.readouterr().err


def test_what_is_left_out_is_told(
    library: Path, small: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Counted and named by its ending, even with --quiet, and the exit code is 1."""
    (library / "bought.m4p").touch()
    assert main(["annotate", "songs", "-o", "moods.csv", "--quiet", *small]) == 1
    assert capfd.readouterr().err == "streamer: left out 1 .m4p: nothing here reads these\n"
    assert len(Path("moods.csv").read_text().splitlines()) == 4
