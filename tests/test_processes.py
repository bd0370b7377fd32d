"""Processes of ours: as many as this one may use cores, with this very package in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import streamer
from streamer.processes import cores, environment


def test_cores_are_those_of_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is bound to three cores starts three workers, whatever the machine has."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 7}, raising=False)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == 64


def test_nobody_counts_the_machine_s_cores() -> None:
    """Workers are counted in one place; the bench alone tells how many cores there are."""
    package = Path(streamer.__file__).parent
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "cpu_count" in path.read_text(encoding="utf-8")
    }
    assert users == {"processes.py", "bench/timing.py"}


def test_the_path_of_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is this one's, in its order; an empty entry is the working directory by name."""
    monkeypatch.setattr(sys, "path", ["/first", "", "/last"])
    path = environment()["PYTHONPATH"].split(os.pathsep)
    assert path == ["/first", str(Path.cwd()), "/last"]
