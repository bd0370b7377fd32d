"""A terminal whose screen a test can read: tmux on a socket of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 30.0


class Tmux:
    """A terminal whose screen can be read."""

    def __init__(self, directory: Path, size: tuple[int, int]) -> None:
        self._directory = directory
        width, height = (str(cells) for cells in size)
        self.run("new-session", "-d", "-x", width, "-y", height, "/bin/sh")
        self.run("set", "-g", "status", "off")

    def run(self, *arguments: str) -> str:
        environment = {
            **os.environ,
            "TMUX_TMPDIR": str(self._directory),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PS1": "ready$ ",
        }
        environment.pop("TMUX", None)
        done = subprocess.run(
            ["tmux", "-u", "-f", os.devnull, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def screen(self) -> list[str]:
        return self.run("capture-pane", "-p").splitlines()

    def everything(self) -> list[str]:
        """The screen, and above it what has scrolled away."""
        return self.run("capture-pane", "-p", "-S", "-").splitlines()

    def type(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def until(self, fact: Callable[[list[str]], bool]) -> list[str]:
        """The screen as soon as a fact is true of it."""
        deadline = time.monotonic() + PATIENCE_S
        while not fact(screen := self.screen()):
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(["the screen shows:", *screen]))
            time.sleep(0.1)
        return screen

    def resize(self, width: int, height: int) -> None:
        self.run("resize-window", "-x", str(width), "-y", str(height))

    def modes(self) -> str:
        return self.run("display", "-p", "#{alternate_on} #{cursor_flag}").strip()
