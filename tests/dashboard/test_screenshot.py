"""The command that makes the README's picture."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_the_picture_is_made_by_a_command(
    clip: Path, model_directory: Path, tmp_path: Path
) -> None:
    """The SVG holds the dashboard at that moment of the clip, and no folder of this machine."""
    program = clip.with_name("screenshot.py")
    out = tmp_path / "out.svg"
    command = [sys.executable, str(program), str(out), "--at", "4", "--model", str(model_directory)]
    subprocess.run(command, check=True, capture_output=True, cwd=program.parents[1])
    drawn = out.read_text("utf-8")
    words = re.sub(r"<[^>]+>", " ", drawn).replace("&#160;", " ")
    for word in ("four_moods.flac", "HAPPY", "arousal", "0:04", "0:40", "q quit", "happy"):
        assert word in words
    assert str(clip.parent) not in drawn
