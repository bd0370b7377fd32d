"""Files that commands write: none costs another file, and a failed run leaves none behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from scripted_session import estimate, start

from streamer.cli.main import main
from streamer.cli.overwriting import check_outputs, draft
from streamer.errors import OutputError
from streamer.events import to_json


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A recorded session of ten estimates."""
    events = [start(), *(estimate(t / 2) for t in range(1, 11))]
    path = tmp_path / "session.jsonl"
    path.write_text("".join(to_json(event) + "\n" for event in events))
    return path


COMMANDS = {
    "jsonl": ["replay", "--from", "{session}", "--speed", "max", "--jsonl", "{out}"],
    "summary": ["replay", "--from", "{session}", "--speed", "max", "--summary", "{out}"],
    "wav": ["live", "--wav", "{out}"],
    "annotate": ["annotate", "{clip}", "-o", "{out}", "--quiet"],
    "plot": ["plot", "{session}", "-o", "{out}"],
    "export": ["export", "hybrid-4", "--onnx", "{out}"],
    "bench": ["bench", "--quick", "--json", "{out}"],
    "evaluate": ["evaluate", "hybrid-4", "nowhere", "--json", "{out}"],
    "convert": ["convert", "{session}", "--to", "csv", "-o", "{out}"],
}


@pytest.mark.parametrize("what", COMMANDS)
def test_an_older_file_is_not_overwritten(
    what: str, session: Path, clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every command that writes a file refuses one that is there, in one sentence."""
    out = tmp_path / {"annotate": "out.csv", "plot": "out.svg"}.get(what, "out")
    out.write_text("precious")
    arguments = [part.format(session=session, clip=clip, out=out) for part in COMMANDS[what]]
    assert main(arguments) == 1
    said = capfd.readouterr().err
    assert said == f"streamer: {out} exists already: name another file, or give --overwrite\n"
    assert out.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([out.name, session.name])


@pytest.mark.parametrize("what", COMMANDS)
@pytest.mark.parametrize("name", ["n" * 300, "loop"], ids=["too-long", "loop"])
def test_a_name_that_no_file_can_have_is_one_sentence(
    what: str,
    name: str,
    session: Path,
    clip: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A name too long, or a link that leads to itself: the system's own reason, nothing written."""
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    ending = {"annotate": ".csv", "plot": ".svg"}.get(what, "")
    out = tmp_path / (name + ending)
    if name == "loop" and ending:
        out.symlink_to(out.name)
    before = sorted(path.name for path in tmp_path.iterdir())
    arguments = [part.format(session=session, clip=clip, out=out) for part in COMMANDS[what]]
    if what in ("wav", "bench", "evaluate", "annotate") and name == "loop":
        pytest.skip("a link is looked at when all is done, or heard, or measured")
    assert main(arguments) == 1
    said = capfd.readouterr().err
    assert said.startswith(f"streamer: {out} cannot be "), said
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("what", ["jsonl", "summary", "convert"])
def test_a_pipe_is_written_to(what: str, session: Path) -> None:
    """Another program's input, as the shell names it (``-o >(less)``), gets what a file would."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        out = f"/dev/fd/{writing}"
        arguments = [part.format(session=session, out=out) for part in COMMANDS[what]]
        command = [sys.executable, "-m", "streamer", *arguments]
        done = subprocess.run(
            command, pass_fds=[writing], capture_output=True, check=False, text=True
        )
        os.close(writing)
        got = pipe.read()
    assert (done.returncode, len(got) > 100) == (0, True), done.stderr


@pytest.mark.parametrize("what", ["jsonl", "summary", "convert"])
def test_overwrite_replaces_it(
    what: str, session: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With ``--overwrite`` the file holds what this run wrote, and nothing of the old."""
    out = tmp_path / "out"
    out.write_text("old " * 10_000)
    arguments = [part.format(session=session, out=out) for part in COMMANDS[what]]
    assert main([*arguments, "--overwrite"]) == 0
    assert "old" not in out.read_text()
    assert out.stat().st_size > 100


@pytest.mark.parametrize("name", ["same", "./same", "../{here}/same", "link"])
def test_two_outputs_are_two_files(session: Path, tmp_path: Path, name: str) -> None:
    """One file for two purposes would be neither, by whatever name it is called."""
    same, other = tmp_path / "same", tmp_path / name.format(here=tmp_path.name)
    if name == "link":
        other.symlink_to(same)
    with pytest.raises(click.UsageError, match="cannot be two things at once"):
        check_outputs([same, None, other], overwrite=True)
    arguments = ["replay", "--from", str(session), "--jsonl", str(same), "--summary", str(other)]
    assert main([*arguments, "--overwrite"]) == 2
    assert not same.exists()


def test_the_file_of_standard_output_is_taken(session: Path, tmp_path: Path) -> None:
    """``--jsonl F > F`` would be two writers in one file."""
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "streamer", "replay", "--from", str(session), "--speed", "max"]
    with out.open("wb") as file:
        done = subprocess.run(
            [*command, "--jsonl", str(out), "--overwrite"],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "is where standard output goes: name another file" in " ".join(done.stderr.split())


def test_a_failed_run_leaves_no_file(
    session: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither an empty summary nor an empty recording, where no session began."""
    before = sorted(tmp_path.iterdir())
    outputs = ["--jsonl", str(tmp_path / "rec"), "--summary", str(tmp_path / "sum")]
    assert main(["replay", str(tmp_path / "missing.flac"), *outputs]) == 1
    nowhere = ["--jsonl", str(tmp_path / "nowhere" / "rec"), "--summary", str(tmp_path / "sum")]
    assert main(["replay", "--from", str(session), *nowhere]) == 1
    assert main(["plot", str(session), "-o", str(tmp_path / "picture.gif")]) == 1
    assert f"{tmp_path / 'picture.gif'} has no known ending" in capfd.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_draft_takes_its_place_only_when_all_went_well(tmp_path: Path) -> None:
    """A failure leaves the old file; success replaces it, through a link as well."""
    out, link = tmp_path / "out.txt", tmp_path / "link.txt"
    out.write_text("old")
    link.symlink_to(out)
    with pytest.raises(ZeroDivisionError), draft(link) as made:
        made.write_text(str(1 / 0))
    assert out.read_text() == "old"
    with draft(link) as made:
        assert made.suffix == ".txt"
        made.write_text("new")
    assert link.is_symlink()
    assert out.read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.txt", "out.txt"]
    with pytest.raises(OutputError, match="is a folder"), draft(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    """Nothing is in them that could be overwritten, and they are written to themselves."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_outputs([pipe, Path(os.devnull)], overwrite=False)
    with draft(pipe) as made:
        assert made == pipe
    assert pipe.exists()
