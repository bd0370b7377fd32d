"""Hours of sound as one stream, and a device that comes and goes: what grows, and what drifts."""

from __future__ import annotations

import gc
import itertools
import json
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from fake_portaudio import TONE
from processes import streamer

from streamer import EmotionTracker, Estimate, Event, Model, Session
from streamer.audio.resample import Resampled
from streamer.audio.source import Piece, SourceInfo
from streamer.sinks.history import History

RATE = 44_100
BLOCK = 65_536
CLIP = Path(__file__).resolve().parents[2] / "examples" / "four_moods.flac"


class Broadcast:
    """The example clip over and over, changed; ``rough``: noise, silence and clipping too."""

    def __init__(self, hours: float, *, rough: bool = False) -> None:
        self._samples = round(hours * 3600 * RATE)
        self._rough = rough
        clip, rate = soundfile.read(CLIP, dtype="float32")
        assert rate == RATE
        self._clip = clip.mean(axis=1)
        self.info = SourceInfo("generator", "four moods for ever", RATE, 2)

    def pieces(self) -> Iterator[Piece]:
        """Blocks of an odd length, so that nothing repeats in step with anything."""
        random = np.random.default_rng(1)
        made = 0
        for song in itertools.count():
            gain = np.float32(10 ** random.uniform(-1.5, 0.1))
            part = np.roll(self._clip, random.integers(len(self._clip))) * gain
            part = part[:: -1 if song % 3 == 2 else 1]
            if self._rough:
                part = self._roughen(part, song, random)
            for begin in range(0, len(part), BLOCK - 123):
                block = part[begin : begin + BLOCK - 123][: self._samples - made]
                made += len(block)
                yield block
                if made >= self._samples:
                    return

    def close(self) -> None:
        """Nothing is held open."""

    def _roughen(self, part: np.ndarray, song: int, random: np.random.Generator) -> np.ndarray:
        kind = song % 6
        if kind == 1:
            part = random.normal(0, 10 ** random.uniform(-4, 0), len(part))
        elif kind == 2:
            part = np.zeros(len(part))
        elif kind == 3:
            part = np.clip(part * 50, -1, 1)
        elif kind == 4:
            part = np.sign(part) * random.choice([1.0, 1e-3])
        elif kind == 5:
            part = np.where(random.random(len(part)) < 1e-4, 1.0, part * 1e-4)
        return np.asarray(part, np.float32)


@dataclass
class Figures:
    """What was measured over the stream: hours, bytes of memory, seconds of computing a frame."""

    hours: float = 0.0
    wall_s: float = 0.0
    frames: int = 0
    estimates: int = 0
    gaps: int = 0
    finite: bool = True
    points: list[tuple[float, float, float]] = field(default_factory=list)
    drift: float | None = None

    def slope(self, column: int) -> float:
        """Change an hour of a column of the points, by least squares, the warm-up left out."""
        points = np.array(self.points[len(self.points) // 5 :])
        return float(np.polyfit(points[:, 0], points[:, column], 1)[0])

    def text(self) -> str:
        """The figures in a few lines."""
        points = np.array(self.points)
        drift = "" if self.drift is None else f"; against a fresh start at the end {self.drift:.4f}"
        return (
            f"{self.hours:g} h of sound in {self.wall_s:.0f} s: {self.frames} frames, "
            f"{self.estimates} estimates, {self.gaps} gaps, state finite: {self.finite}{drift}\n"
            f"memory {points[0, 1] / 1e6:.1f} MB at first, {points[-1, 1] / 1e6:.1f} MB at last, "
            f"slope {self.slope(1) / 1e6:+.3f} MB an hour of sound\n"
            f"time a frame {np.median(points[:, 2]) * 1e6:.1f} µs in the median, slope "
            f"{self.slope(2) * 1e6:+.3f} µs an hour of sound"
        )


class Gauge:
    """A sink that measures the process once each ``step_s`` seconds of the stream."""

    def __init__(self, tracker: EmotionTracker, figures: Figures, step_s: float) -> None:
        self._tracker, self._figures, self._step_s = tracker, figures, step_s
        self._next = step_s
        self._last = (0, time.process_time())

    def write(self, event: Event) -> None:
        """Look at estimates, and now and then at the process."""
        if not isinstance(event, Estimate):
            return
        numbers = (event.valence, event.arousal, event.valence_sd, event.level_db)
        self._figures.finite &= all(np.isfinite(x) for x in numbers if x is not None)
        if event.t < self._next:
            return
        self._next += self._step_s
        frames, spent = self._tracker.frames, time.process_time()
        each = (spent - self._last[1]) / (frames - self._last[0])
        self._last = (frames, spent)
        arrays = self._tracker.state.to_arrays().values()
        self._figures.finite &= all(np.isfinite(array).all() for array in arrays)
        gc.collect()
        self._figures.points.append((event.t / 3600, _memory(), each))

    def close(self) -> None:
        """Nothing is held open."""


def soak(model: Model, hours: float, *, rough: bool = False) -> Figures:
    """One stream of so many hours at maximum speed, with the dashboard's history listening."""
    figures = Figures(hours=hours)
    tracker = EmotionTracker(model, interval=0.0)
    gauge = Gauge(tracker, figures, hours * 3600 / 60)
    begun = time.monotonic()
    end = Session(
        Broadcast(hours, rough=rough), tracker, [gauge], interval=0.5, watcher=History()
    ).run()
    figures.wall_s = time.monotonic() - begun
    figures.frames, figures.estimates, figures.gaps = end.frames, end.estimates, end.gaps
    figures.drift = _drift(tracker, model)
    return figures


def _drift(old: EmotionTracker, model: Model) -> float:
    """Furthest apart that the old stream and a fresh one judge the clip, after its first ten s."""
    pieces = Resampled(Broadcast(40 / 3600), old.sample_rate)
    heard = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    fresh = EmotionTracker(model, interval=0.0)
    begin = old.t
    apart = [0.0]
    for samples in heard:
        pairs = zip(old.push(samples), fresh.push(samples), strict=False)
        for one, two in pairs:
            if one.t - begin > 10 and not (one.silent or two.silent):
                apart += [abs(one.valence - two.valence), abs(one.arousal - two.arousal)]  # type: ignore[operator]
    return max(apart)


def _memory() -> float:
    """Bytes of memory that the process has now (elsewhere than on Linux: the most it had)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return float(pages * resource.getpagesize())


def comings_and_goings(model: Path, folder: Path, count: int) -> dict[str, Any]:
    """``streamer live`` on a device whose capture dies ``count`` times; what it told and held."""
    modules = folder / "device"
    modules.mkdir()
    loop = "            self.callback("
    assert loop in TONE
    dying = TONE.replace("import threading, time", "import os, threading, time").replace(
        loop, f"            position > 1600 and os._exit(1)\n{loop}"
    )
    (modules / "sounddevice.py").write_text(dying)
    environment = {**os.environ, "PYTHONPATH": str(modules), "PATH": str(modules)}
    said = folder / "said"
    begun = time.monotonic()
    gaps, points = [], []
    with (
        said.open("wb") as errors,
        streamer(
            *("live", "--no-dashboard", "--model", model), env=environment, stderr=errors
        ) as live,
    ):
        assert live.stdout is not None
        for line in live.stdout:
            record = json.loads(line)
            if record["type"] != "gap":
                continue
            gaps.append(record)
            status = Path(f"/proc/{live.pid}/status").read_text()
            memory = int(status.split("VmRSS:")[1].split()[0]) * 1024
            handles = len(list(Path(f"/proc/{live.pid}/fd").iterdir()))
            points.append((memory, handles))
            if len(gaps) == count:
                live.terminate()
                break
        rest = live.stdout.read().splitlines()
        code = live.wait(30)
    wall_s = time.monotonic() - begun
    memory = np.array(points)[:, 0]
    return {
        "returns": len(gaps),
        "causes": sorted({gap["cause"] for gap in gaps}),
        "exit": code,
        "stream_s": json.loads(rest[-1])["t"],
        "wall_s": round(wall_s, 1),
        "memory_growth_mb": round(float(memory[-1] - memory[len(memory) // 5]) / 1e6, 2),
        "handles": [int(points[0][1]), int(points[-1][1])],
        "remarks": said.read_text().count("trying to open it again"),
    }
