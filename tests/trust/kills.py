"""Ends the program at random moments, and looks at what it leaves behind."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from fake_portaudio import ramp_from
from processes import hasty_device, streamer
from small_network import random_weights, small_config

from streamer.audio.files import FileSource
from streamer.audio.source import Remark
from streamer.network.model import save_model

SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


@dataclass
class Findings:
    """What came of the runs."""

    runs: int = 0
    exits: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The figures in a few lines."""
        by_exit = ", ".join(f"{how}: {count}" for how, count in sorted(self.exits.items()))
        return f"{self.runs} runs ended at random moments ({by_exit}), {len(self.faults)} faults"


class World:
    """What the runs need: a model, a song, a library, a device that delivers too fast."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "model"
        save_model(self.model, small_config(), random_weights(small_config()))
        sound = np.random.default_rng(1).normal(0, 0.1, 400_000) * np.sin(
            np.arange(400_000) / 9_000
        )
        self.song = folder / "song.wav"
        soundfile.write(self.song, sound, 16_000)
        self.device = hasty_device(folder / "device", haste=10)
        library = folder / "songs"
        library.mkdir()
        for number in range(24):
            soundfile.write(library / f"{number}.wav", sound[: 20_000 * (1 + number)], 16_000)
        self.annotate = ["annotate", library, "--jobs", "1", "--quiet", "--model", self.model]
        self.table = folder / "whole.csv"
        with streamer(*self.annotate, "-o", self.table) as run:
            assert run.wait() == 0


def campaign(numbers: Sequence[int], folder: Path) -> Findings:
    """Run ``live``, ``replay`` and ``annotate`` in turn, each ended at its random moment."""
    world = World(folder)
    found = Findings()
    for number in numbers:
        chance = random.Random(number)
        end = chance.choice(list(SIGNALS))
        what = (_live, _replay, _annotate)[number % 3]
        how, faults = what(world, number, end, chance)
        found.runs += 1
        found.exits[f"{what.__name__[1:]} {how}"] += 1
        found.faults += [
            f"run {number} ({what.__name__[1:]}, {end.name}): {fault}" for fault in faults
        ]
    return found


def _end(run: subprocess.Popen[bytes], end: signal.Signals, seconds: float) -> tuple[bytes, bytes]:
    """Read for a while, end the run, read the rest."""
    try:
        return run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        run.send_signal(end)
        return run.communicate(timeout=60)


def _live(
    world: World, number: int, end: signal.Signals, chance: random.Random
) -> tuple[str, list[str]]:
    heard, copy = (world.folder / f"{number}{suffix}" for suffix in (".wav", ".jsonl"))
    options = ["--model", world.model, "--no-dashboard", "--interval", "0"]
    options += ["--wav", heard, "--jsonl", copy]
    with streamer("live", *options, env=world.device) as run:
        out, said = _end(run, end, 0.2 + 2.0 * chance.random())
    faults = _of_exit(run.returncode, end, said)
    faults += _of_lines(out, copy, whole=end != signal.SIGKILL and bool(out))
    if heard.exists():
        faults += _of_recording(heard)
    for file in (heard, copy):
        file.unlink(missing_ok=True)
    return _name(run.returncode), faults


def _replay(
    world: World, number: int, end: signal.Signals, chance: random.Random
) -> tuple[str, list[str]]:
    copy = world.folder / f"{number}.jsonl"
    options = ["--model", world.model, "--interval", "0", "--speed", "20", "--jsonl", copy]
    with streamer("replay", world.song, *options) as run:
        out, said = _end(run, end, 0.2 + 1.8 * chance.random())
    faults = _of_exit(run.returncode, end, said)
    faults += _of_lines(out, copy, whole=end != signal.SIGKILL and bool(out))
    copy.unlink(missing_ok=True)
    return _name(run.returncode), faults


def _annotate(
    world: World, number: int, end: signal.Signals, chance: random.Random
) -> tuple[str, list[str]]:
    table = world.folder / f"{number}.csv"
    command = [*world.annotate, "-o", table]
    with streamer(*command) as run:
        _, said = _end(run, end, 0.3 + 1.2 * chance.random())
    how = _name(run.returncode)
    faults = _of_exit(run.returncode, end, said)
    for _ in range(20):  # the killed one's lock goes with its last worker
        with streamer(*command) as again:
            _, said = again.communicate()
        if b"another run" not in said:
            break
        time.sleep(0.1)
    if again.returncode != 0 or said:
        faults.append(f"going on gave {again.returncode}: {said[-300:]!r}")
    elif table.read_bytes() != world.table.read_bytes():
        faults.append("another table than without the interruption")
    for file in world.folder.glob(f"*{number}.csv*"):
        file.unlink()
    return how, faults


def _name(code: int) -> str:
    return "killed" if code < 0 else f"exit {code}"


def _of_exit(code: int, end: signal.Signals, said: bytes) -> list[str]:
    """Killed by a signal before Python minds it, ended by it in order, or done before it came."""
    if code not in (0, SIGNALS[end], -end):
        return [f"exit code {code}: {said[-300:]!r}"]
    words = said.decode(errors="replace")
    if code == -end and end != signal.SIGKILL and not words:
        return []
    # Before our first line Python itself answers Ctrl-C with a traceback; and a worker that starts
    # while its parent is killed complains.
    if "Traceback" in words and "KeyboardInterrupt" not in words and end != signal.SIGKILL:
        return [words[-300:]]
    return []


def _of_lines(out: bytes, copy: Path, *, whole: bool) -> list[str]:
    """Every complete line is an object; an orderly end is a line; the copy says the same."""
    faults = []
    copied = copy.read_bytes() if copy.exists() else b""
    for text in (out, copied):
        *lines, _ = text.split(b"\n")
        try:
            kinds = [json.loads(line)["type"] for line in lines]
        except (ValueError, KeyError) as error:
            faults.append(f"a line that is none: {error}")
            continue
        if kinds and (kinds[0] != "start" or "end" in kinds[:-1]):
            faults.append(f"begins with {kinds[0]}")
        if whole and (not text.endswith(b"\n") or kinds[-1] != "end"):
            faults.append("no end line")
    longer, shorter = (out, copied) if len(out) >= len(copied) else (copied, out)
    if not longer.startswith(shorter):
        faults.append("standard output and the file differ")
    return faults


def _of_recording(heard: Path) -> list[str]:
    """The WAV file opens, and holds the device's ramp."""
    if not heard.stat().st_size:
        return ["an empty recording"]
    try:
        samples, _ = soundfile.read(heard, dtype="float32")
        remarks = [piece for piece in FileSource(heard).pieces() if isinstance(piece, Remark)]
    except (soundfile.SoundFileError, OSError) as error:
        return [f"the recording does not open: {error}"]
    wrong = (samples != 0) & (
        samples != ramp_from(samples[0] if len(samples) else 0.0, len(samples))
    )
    return [f"{wrong.sum()} wrong samples"] * bool(wrong.any()) + [str(each) for each in remarks]


if __name__ == "__main__":
    sys.exit("see tests/trust/campaign.py kills")
