"""Sudden ends at random moments: nothing that was written is lost or wrong."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pexpect
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.mark.slow
def test_a_dozen_random_moments(tmp_path: Path) -> None:
    """``live``, ``replay`` and ``annotate``, three signals: valid lines, a WAV, the same table."""
    from kills import campaign

    found = campaign(range(1000, 1012), tmp_path)
    assert found.faults == []
    assert found.runs == 12
    in_order = sum(count for how, count in found.exits.items() if "exit 1" in how)
    assert in_order >= 3, found.exits
    assert sum(count for how, count in found.exits.items() if "killed" in how) >= 1, found.exits


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_the_terminal_is_usable_afterwards(
    clip: Path, model_directory: Path, tmp_path: Path, number: int, code: int
) -> None:
    """The dashboard gives the terminal back: cursor, echo, no alternate screen."""
    copy = tmp_path / "copy.jsonl"
    command = [sys.executable, "-m", "streamer", "replay", str(clip), "--model"]
    command += [str(model_directory), "--jsonl", str(copy)]
    environment = {**os.environ, "TERM": "xterm-256color", "OMP_NUM_THREADS": "1"}
    screen = pexpect.spawn(
        command[0], command[1:], env=environment, dimensions=(40, 120), timeout=20
    )
    screen.expect_exact("\x1b[?25l")  # the cursor is hidden: the dashboard is on
    screen.expect("four_moods")
    screen.kill(number)
    screen.expect(pexpect.EOF)
    rest = screen.before
    screen.close()
    assert screen.exitstatus == code
    assert rest.rfind(b"\x1b[?25h") > rest.rfind(b"\x1b[?25l")
    assert rest.count(b"\x1b[?1049l") == rest.count(b"\x1b[?1049h") or b"\x1b[?1049l" in rest
    assert b"Traceback" not in rest
    assert copy.read_bytes().endswith(b"\n")
