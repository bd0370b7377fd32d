"""Kills ``streamer train`` at random moments, resumes it, and compares the weights."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
from annotated_music import RATE, RECIPE, song_labels, sound
from processes import streamer

SONGS = 8


@dataclass
class Findings:
    """What came of the runs."""

    runs: int = 0
    kills: int = 0
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The figures in a line."""
        return (
            f"{self.runs} trainings killed {self.kills} times and resumed: "
            f"{self.runs - len(self.faults)} with bit-identical weights, {len(self.faults)} faults"
        )


def dataset(folder: Path) -> Path:
    """Eight synthesised songs with labels, as ``streamer train`` takes them."""
    (folder / "annotations").mkdir(parents=True)
    rows = ["song_id,path,start_s,duration_s,fold"]
    times = range(15_000, 24_000, 500)
    head = ["song_id", *(f"sample_{time}ms" for time in times)]
    tables = [[",".join(head)], [",".join(head)]]
    for number in range(1, SONGS + 1):
        soundfile.write(folder / f"{number}.flac", sound(number, 6), RATE)
        rows.append(f"{number},{number}.flac,18.0,6.0,{number % 2}")
        for axis, table in enumerate(tables):
            labels = [f"{song_labels(number, time / 1000 - 18)[axis]:.4f}" for time in times]
            table.append(",".join([f"{number}", *labels]))
    (folder / "excerpts.csv").write_text("\n".join(rows) + "\n")
    for name, table in zip(("valence", "arousal"), tables, strict=True):
        (folder / "annotations" / f"{name}.csv").write_text("\n".join(table) + "\n")
    return folder


def campaign(numbers: Sequence[int], folder: Path, epochs: int = 12) -> Findings:
    """Train once undisturbed, then once for each number with kills at its random moments."""
    data = dataset(folder / "songs")
    recipe = folder / "small.toml"
    recipe.write_text(RECIPE)
    options = ["--recipe", recipe, "--set", f"fit.epochs={epochs}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def train(out: Path, *more: str) -> subprocess.Popen[bytes]:
        command = ["train", data, *options, "--out", out, *more]
        return streamer(*command, env=environment, start_new_session=True)

    with train(folder / "whole") as run:
        assert run.communicate()[0] == b""
        assert run.returncode == 0
    expected = (folder / "whole" / "weights.safetensors").read_bytes()
    found = Findings()
    for number in numbers:
        chance = random.Random(number)
        out = folder / f"{number}"
        # Features are kept: the kill is to come while the network learns.
        shutil.copytree(folder / "whole" / "cache", out / "cache")
        found.runs += 1
        checkpoint = out / "unfinished" / "network.pt"
        kept = None
        while True:
            with train(out, "--resume") as run:
                # Each time it gets at least one epoch further, and some way into another.
                while run.poll() is None and _changed(checkpoint) == kept:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0.0, 0.3))
                if run.poll() is None:
                    os.killpg(run.pid, chance.choice([signal.SIGKILL, signal.SIGTERM]))
                    found.kills += 1
                _, said = run.communicate()
            kept = _changed(checkpoint)
            if run.returncode >= 0 and run.returncode != 143:
                break
        weights = out / "weights.safetensors"
        if run.returncode != 0:
            found.faults.append(f"training {number}: exit {run.returncode}: {said[-300:]!r}")
        elif weights.read_bytes() != expected:
            found.faults.append(f"training {number}: other weights than without the kills")
        shutil.rmtree(out)
    return found


def _changed(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None
