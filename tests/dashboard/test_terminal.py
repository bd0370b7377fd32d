"""The dashboard in real terminals: a pseudo-terminal for its manners, tmux for what is seen."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pexpect
import pytest
from tmux_terminal import PATIENCE_S, Tmux

from streamer.dashboard.terminal import Keys

DRIVER = Path(__file__).with_name("driver.py")


def echo(descriptor: int) -> bool:
    return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)


def spawn(*arguments: str, output: Path | None = None) -> pexpect.spawn:
    """The driver on a pseudo-terminal of 100 x 30, its standard output in a file if told so."""
    command = " ".join([sys.executable, str(DRIVER), *arguments])
    redirect = f" > {output}" if output else ""
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    environment.pop("NO_COLOR", None)
    return pexpect.spawn(
        "/bin/sh",
        ["-c", f"exec {command}{redirect}"],
        dimensions=(30, 100),
        env=environment,
        timeout=PATIENCE_S,
    )


def leave(child: pexpect.spawn) -> bytes:
    """Everything that the program still writes, until it has ended."""
    child.expect(pexpect.EOF)
    child.close()
    return bytes(child.before)


def restored(rest: bytes) -> bytes:
    """What was written after the screen from before had come back, the cursor with it."""
    assert b"\x1b[?25h" in rest, "the cursor"
    assert rest.rfind(b"\x1b[?25h") > rest.rfind(b"\x1b[?25l")
    after = rest[rest.index(b"\x1b[?1049l") :]
    assert b"heard with" in after, "the summary stays"
    return after


def test_the_terminal_is_restored_after_an_exception(tmp_path: Path) -> None:
    """Cursor, screen and echo come back where a program with a dashboard breaks."""
    child = spawn("skip", "5", "fail", output=tmp_path / "out.jsonl")
    child.expect_exact(b"\x1b[?1049h")
    child.expect_exact(b"arousal")
    assert not echo(child.child_fd)
    assert b"on purpose" in restored(leave(child))
    assert child.exitstatus == 1


WAYS = {
    "ctrl-c": (130, [b"\x03"]),
    "q": (0, [b"q"]),
    "term": (143, [signal.SIGTERM]),
    "hangup": (129, [signal.SIGHUP]),
    "term twice": (143, [signal.SIGTERM, signal.SIGTERM]),
    "ctrl-c twice": (130, [signal.SIGINT, 0.03, signal.SIGINT]),
    "term, then ctrl-c": (143, [signal.SIGTERM, 0.1, signal.SIGINT]),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_terminal_is_restored_whatever_happens(
    way: str, tmp_path: Path, clip: Path, model_directory: Path
) -> None:
    """``replay`` ends in order: cursor, screen, echo, an ``end`` line and a whole summary.

    A second signal within a second is the same wish: shells and wrappers repeat them.
    """
    code, wishes = WAYS[way]
    record, summary = tmp_path / "rec.jsonl", tmp_path / "sum.json"
    command = [sys.executable, "-m", "streamer", "replay", str(clip)]
    options = ["--model", str(model_directory), "--jsonl", str(record), "--summary", str(summary)]
    child = pexpect.spawn(
        command[0],
        [*command[1:], *options],
        dimensions=(30, 100),
        env={**os.environ, "TERM": "xterm-256color"},
        timeout=PATIENCE_S,
    )
    child.expect_exact(b"\x1b[?1049h")
    child.expect_exact(b"arousal")
    assert not echo(child.child_fd)
    for wish in wishes:
        if isinstance(wish, bytes):
            child.send(wish)
        elif isinstance(wish, float):
            time.sleep(wish)  # somebody's fingers: there is nothing to wait for
        else:
            child.kill(wish)
    after = restored(leave(child))
    assert b"leaked" not in after
    assert b"Traceback" not in after
    assert (child.exitstatus, child.signalstatus) == (code, None)
    assert json.loads(record.read_text("utf-8").splitlines()[-1])["type"] == "end"
    assert json.loads(summary.read_text("utf-8"))["type"] == "summary"


def test_an_impatient_ctrl_c_restores_the_terminal_too() -> None:
    """However often it is pressed, the cursor and the old screen come back."""
    child = spawn("skip", "5")
    child.expect_exact(b"arousal")
    for _ in range(3):
        child.send("\x03")
    rest = leave(child)
    assert b"\x1b[?25h" in rest
    assert b"\x1b[?1049l" in rest


def test_keys_restore_echo_and_line_mode() -> None:
    """Reading keys turns echo and line mode off, closing brings them back, twice is once."""
    ours, theirs = pty.openpty()
    try:
        before = termios.tcgetattr(theirs)
        keys = Keys(theirs)
        assert not echo(theirs)
        assert keys.poll() == ""
        os.write(ours, b"q ")
        assert keys.poll() == "q "
        keys.close()
        assert termios.tcgetattr(theirs) == before
        assert keys.poll() == ""
        keys.close()
    finally:
        os.close(ours)
        os.close(theirs)


SEQUENCES = {
    "F2": b"\x1bOQ",
    "F3": b"\x1bOR",
    "F4": b"\x1bOS",
    "shift F3": b"\x1bO2R",
    "F3 with a modifier": b"\x1b[1;2R",
    "F3 of the Linux console": b"\x1b[[C",
    "F5": b"\x1b[15~",
    "up": b"\x1b[A",
    "alt q": b"\x1bq",
    "a colour that was asked for": b"\x1b]11;rgb:1e1e/2222/ffff\x1b\\",
    "the same, ended by BEL": b"\x1b]11;rgb:1e1e/2222/ffff\x07",
    "a terminal's name": b"\x1bP>|xterm(q r)\x1b\\",
    "where the cursor is": b"\x1b[12;40R",
    "a click, as old mice tell it": b"\x1b[Mqrq",
    "a click, as new ones do": b"\x1b[<0;10;10M",
    "pasted between brackets": b"\x1b[200~quite a rare q\x1b[201~",
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_letter_in_a_sequence_is_no_key(name: str) -> None:
    """Function keys and a terminal's answers hold q and r; whole or torn, none is typed."""
    sequence = SEQUENCES[name]
    ours, theirs = pty.openpty()
    try:
        keys = Keys(theirs)
        for cut in {0, 1, len(sequence) // 2, len(sequence) - 1}:
            for piece in (sequence[:cut], sequence[cut:] + b"x"):
                if piece:
                    os.write(ours, piece)
                    select.select([theirs], [], [], 5)
                    typed = keys.poll()
            assert typed == "x", f"cut at {cut}"
        os.write(ours, b"\x1b")  # Escape itself: nothing follows
        select.select([theirs], [], [], 5)
        assert keys.poll() == keys.poll() == ""
        os.write(ours, b"q")
        select.select([theirs], [], [], 5)
        assert keys.poll() == "q"
        keys.close()
    finally:
        os.close(ours)
        os.close(theirs)


def test_no_terminal_means_no_keys(tmp_path: Path) -> None:
    """A program without a controlling terminal gets ``None`` and goes on."""
    code = "from streamer.dashboard.terminal import Keys; print(Keys.open())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
        cwd=DRIVER.parents[2],
    )
    assert done.stdout.strip() == "None"


def test_what_a_person_sees(tmux: Tmux, tmp_path: Path) -> None:
    """The full screen, smaller ones after resizes, the keys, and a clean terminal afterwards.

    Meanwhile standard output carries nothing but JSON.
    """
    output = tmp_path / "out.jsonl"
    # Some shells export the size that they began with: it must not hide what follows.
    tmux.type(f"export COLUMNS=100 LINES=30; {sys.executable} {DRIVER} skip 58 > {output}", "Enter")
    screen = tmux.until(lambda lines: "1:00 ━" in "\n".join(lines))
    assert screen[0].startswith(" ♪ Gymnopédie No. 1.flac  file")
    assert len(screen) == 30
    assert any("TENSE" in line and "HAPPY" in line for line in screen)
    assert "q quit  r new song  space freeze" in screen[-1]
    assert tmux.modes() == "1 0", "on the alternate screen, the cursor hidden"

    tmux.resize(60, 16)
    screen = tmux.until(lambda lines: any(line.endswith("q  r  space") for line in lines))
    assert len(screen) == 16
    assert screen[0].startswith("♪ Gymnopédie No. 1.flac")
    assert any("TENSE" in line and "HAPPY" in line for line in screen)

    tmux.resize(50, 5)
    screen = tmux.until(lambda lines: "dB" in lines[0] and not any(lines[1:]))
    assert "v " in screen[0]
    assert "a " in screen[0]

    tmux.resize(100, 30)
    tmux.until(lambda lines: "q quit" in lines[-1])
    tmux.type("Space")
    frozen = tmux.until(lambda lines: "FROZEN at 1:0" in lines[-1])
    begun = output.read_text("utf-8").count("\n")
    tmux.until(lambda _: output.read_text("utf-8").count("\n") > begun + 2)
    assert tmux.screen() == frozen, "the picture stands while the stream goes on"
    tmux.type("Space")
    tmux.until(lambda lines: "q quit" in lines[-1])

    tmux.type("C-c")
    screen = tmux.until(lambda lines: any("most felt" in line for line in lines))
    assert any("heard with deam-hybrid-1" in line for line in screen)
    assert tmux.modes() == "0 1", "the old screen, the cursor visible"
    tmux.type("stty -a > " + str(tmp_path / "stty"), "Enter")
    tmux.until(
        lambda _: (tmp_path / "stty").exists() and "icanon" in (tmp_path / "stty").read_text()
    )
    manners = (tmp_path / "stty").read_text().replace(";", " ").split()
    assert "echo" in manners
    assert "icanon" in manners
    lines = output.read_text("utf-8").splitlines()
    assert len(lines) > 3
    assert all(json.loads(line)["type"] == "emotion" for line in lines)


@pytest.mark.parametrize("goes_on", [False, True], ids=["stopped", "in the background"])
def test_ctrl_z_and_fg(tmux: Tmux, tmp_path: Path, goes_on: bool) -> None:
    """Stopped, or going on after ``bg``, the shell has its screen; ``fg`` brings the picture."""
    out = tmp_path / "out"
    tmux.type(f"{sys.executable} {DRIVER} skip 20 > {out}", "Enter")
    tmux.until(lambda lines: "q quit" in lines[-1] if lines else False)
    tmux.type("C-z")
    tmux.until(lambda lines: any("Stopped" in line for line in lines))
    assert tmux.modes() == "0 1"
    if goes_on:
        before = out.stat().st_size
        tmux.type("bg", "Enter")
        tmux.until(lambda _: out.stat().st_size > before)
    tmux.type("echo here I am", "Enter")
    tmux.until(lambda lines: "here I am" in lines)
    assert tmux.modes() == "0 1"
    tmux.type("fg", "Enter")
    tmux.until(lambda lines: "q quit" in lines[-1] and "Gymnop" in lines[0])
    assert tmux.modes() == "1 0"
    tmux.type("q")
    tmux.until(lambda lines: any("most felt" in line for line in lines))
    assert tmux.modes() == "0 1"


def test_a_session_that_ends_in_the_background(tmux: Tmux, tmp_path: Path) -> None:
    """The shell's screen gets its closing summary, and stays the shell's."""
    out = tmp_path / "out"
    tmux.type(f"{sys.executable} {DRIVER} skip 6 > {out} &", "Enter")
    tmux.until(lambda _: out.exists() and out.stat().st_size > 0)
    tmux.until(lambda _: tmux.modes() == "0 1")
    tmux.type("kill -INT $!", "Enter")
    tmux.until(lambda lines: any("most felt" in line for line in lines))
    assert tmux.modes() == "0 1"
    tmux.type("echo here I am", "Enter")
    tmux.until(lambda lines: "here I am" in lines)


def test_no_color_is_respected_in_a_terminal(tmux: Tmux, tmp_path: Path) -> None:
    """Under NO_COLOR the whole picture is there, without a colour in it."""
    tmux.type(f"NO_COLOR=1 {sys.executable} {DRIVER} skip 20 > {tmp_path / 'out'}", "Enter")
    tmux.until(lambda lines: "q quit" in lines[-1] if lines else False)
    coloured = tmux.run("capture-pane", "-p", "-e")
    assert "HAPPY" in coloured
    assert "\x1b[3" not in coloured.replace("\x1b[39m", "")
    assert "38;" not in coloured
    tmux.type("q")
    tmux.until(lambda lines: any("most felt" in line for line in lines))
