"""Processes of ours: as many as this one may use cores, with this very package in them."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

import streamer
from streamer.processes import cores, environment, workers


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


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit(143), ValueError])
def test_what_ends_a_pool_ends_its_workers(end: type[BaseException] | BaseException) -> None:
    """Their work is left undone: the end of hours of training waits for nobody."""
    before = set(multiprocessing.active_children())
    begun: list[Future[None]] = []

    def run() -> None:
        with workers(1) as pool:
            begun.append(pool.submit(time.sleep, 20))
            raise end

    with pytest.raises((KeyboardInterrupt, SystemExit, ValueError)):
        run()
    (work,) = begun
    assert work.cancelled() or work.exception() is not None
    assert set(multiprocessing.active_children()) <= before
