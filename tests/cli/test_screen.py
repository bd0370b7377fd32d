"""``streamer replay`` at a terminal: what is on the screen, in the pipe, and left behind."""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path

import pytest
from tmux_terminal import Tmux

from streamer.cli.main import main


@pytest.fixture
def replay(clip: Path, model_directory: Path) -> str:
    """A command that replays the example clip with the small model."""
    return f"{sys.executable} -m streamer replay {clip} --model {model_directory}"


def test_a_small_window_says_what_must_be_read(tmux: Tmux, replay: str) -> None:
    """Under 60 x 16 the second line says that the picture is frozen, and that sound is lost."""
    tmux.resize(60, 15)
    tmux.type(f"{replay} > /dev/null", "Enter")
    tmux.until(lambda lines: re.search(r"0:0[1-9]/0:40", "\n".join(lines)) is not None)
    tmux.type("Space")
    screen = tmux.until(lambda lines: any("FROZEN at 0:" in line for line in lines))
    assert "/0:40" in screen[0]
    assert screen[1].startswith("FROZEN at 0:")
    tmux.type("Space")
    tmux.until(lambda lines: not any("FROZEN" in line for line in lines))
    tmux.type("q")
    tmux.until(lambda lines: any("most felt" in line for line in lines))


def test_the_prompt_comes_back_on_a_line_of_its_own(tmux: Tmux, replay: str) -> None:
    """The closing picture ends with a line break, as everything that is left on a terminal."""
    tmux.type(f"{replay} --speed max --duration 3 > /dev/null; echo back", "Enter")
    tmux.until(lambda lines: any(line.strip() == "back" for line in lines))


def test_ten_seconds_at_the_terminal(tmux: Tmux, replay: str, tmp_path: Path) -> None:
    """The picture after ten seconds and after a resize; after Ctrl-C a clean terminal, exit 130.

    Meanwhile the pipe carries pure JSON, and the summary goes into its file too.
    """
    output, summary, code = (tmp_path / name for name in ("out.jsonl", "sum.json", "code"))
    tmux.type(f"{replay} --summary {summary} > {output}; echo $? > {code}", "Enter")
    screen = tmux.until(lambda lines: "0:10 ━" in "\n".join(lines))
    assert screen[0].startswith(" ♪ four_moods.flac  file · 44.1 kHz · stereo")
    assert screen[-2].endswith(" 0:40")
    assert "of real time · no gaps" in screen[-1]
    assert any("valence" in line and "±" in line for line in screen)
    assert any("level" in line and "dB" in line for line in screen)

    tmux.resize(60, 16)
    screen = tmux.until(lambda lines: any(line.endswith("q  r  space") for line in lines))
    assert screen[0].startswith("♪ four_moods.flac")
    assert len(screen) == 16

    tmux.resize(100, 30)
    tmux.type("C-c")
    tmux.until(lambda lines: any("most felt" in line for line in lines))
    # Left in the scroll-back: a terminal that was resized meanwhile may have scrolled its title
    # off the screen. How far the clip has come by now is the machine's to say.
    left, heard = tmux.everything(), re.compile(r"four_moods\.flac  0:[1-4]\d .*heard")
    assert any(heard.search(line) for line in left), "\n".join(left)
    tmux.until(lambda _: code.exists() and code.read_text().strip() == "130")
    assert tmux.modes() == "0 1", "the old screen, the cursor visible"

    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [line["type"] for line in (lines[0], lines[-1])] == ["start", "end"]
    times = [line["t"] for line in lines[1:-1]]
    assert len(times) >= 20
    assert times[0] < 0.6
    assert max(after - before for before, after in itertools.pairwise(times)) < 0.6
    figures = json.loads(summary.read_text("utf-8"))
    assert figures["length_s"] == pytest.approx(lines[-1]["t"], abs=0.1)
    assert set(figures["share"]) == {"happy", "tense", "sad", "calm", "silent", "no_music"}


def test_keys_work_over_the_command_line(tmux: Tmux, replay: str, tmp_path: Path) -> None:
    """R starts afresh, q ends with exit code 0 and an end line."""
    output, code = tmp_path / "out.jsonl", tmp_path / "code"
    tmux.type(f"{replay} > {output}; echo $? > {code}", "Enter")
    tmux.until(lambda lines: "0:03 ━" in "\n".join(lines))
    tmux.type("r")
    tmux.until(lambda lines: "0:05 ━" in "\n".join(lines))
    tmux.type("q")
    tmux.until(lambda _: code.exists() and code.read_text().strip() == "0")
    assert json.loads(output.read_text("utf-8").splitlines()[-1])["type"] == "end"


def test_a_dumb_terminal_gets_lines(tmux: Tmux, replay: str) -> None:
    """Where the cursor cannot move, the JSON lines come to the terminal instead of a picture."""
    tmux.type(f"TERM=dumb {replay} --speed max --duration 3", "Enter")
    screen = tmux.until(lambda lines: any('"type":"end"' in line for line in lines))
    assert any('"type":"emotion"' in line for line in screen)
    assert tmux.modes() == "0 1"


def test_a_recorded_session_is_shown_again(tmux: Tmux, replay: str, tmp_path: Path) -> None:
    """``--from`` draws the same screen without sound; its level comes from the lines."""
    recording = tmp_path / "session.jsonl"
    tmux.type(f"{replay} --speed max --quiet > {recording}; echo recorded", "Enter")
    tmux.until(lambda lines: "recorded" in lines)
    tmux.type(f"{sys.executable} -m streamer replay --from {recording} > /dev/null", "Enter")
    screen = tmux.until(lambda lines: "0:04 ━" in "\n".join(lines))
    assert screen[0].startswith(" ♪ four_moods.flac")
    assert any("level    ━" in line for line in screen)
    tmux.type("q")
    tmux.until(lambda lines: any("most felt" in line for line in lines))


def test_a_summary_needs_no_dashboard(
    clip: Path, model_directory: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """``--summary`` writes the same figures of a session that nobody watched."""
    out = tmp_path / "summary.json"
    arguments = ["--model", str(model_directory), "--speed", "max", "--summary", str(out)]
    assert main(["replay", str(clip), *arguments]) == 0
    captured = capfd.readouterr()
    assert captured.err == ""
    figures = json.loads(out.read_text("utf-8"))
    assert figures["length_s"] == pytest.approx(40.0, abs=0.5)
    assert sum(figures["share"].values()) == pytest.approx(1.0, abs=0.001)
    assert figures["gaps"] == 0


def test_a_summary_that_cannot_be_written_is_one_sentence(
    clip: Path, model_directory: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is said before anything is heard, not after hours."""
    out = tmp_path / "nowhere" / "summary.json"
    arguments = ["--model", str(model_directory), "--speed", "max", "--duration", "2"]
    assert main(["replay", str(clip), *arguments, "--summary", str(out)]) == 1
    captured = capfd.readouterr()
    assert captured.err == f"streamer: {out} cannot be written: No such file or directory\n"
    assert captured.out == ""


def test_a_microphone_is_shown_before_it_is_opened(tmux: Tmux, tmp_path: Path) -> None:
    """What is wrong with the model is said after that: one sentence, a clean terminal, exit 1."""
    code = tmp_path / "code"
    command = f"{sys.executable} -m streamer live --model {tmp_path / 'none'}"
    tmux.type(f"clear; {command}; echo $? > {code}", "Enter")
    tmux.until(lambda _: code.exists() and code.read_text().strip() == "1")
    assert tmux.modes() == "0 1", "the old screen, the cursor visible"
    said = [line for line in tmux.everything() if line.startswith("streamer: ")]
    assert len(said) == 1
    assert not any("heard" in line for line in tmux.everything()), "no summary of nothing"
