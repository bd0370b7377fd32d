"""What listening costs: a live step, the callback, the dashboard, a file, and many streams."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.audio.files import LONG_BLOCK, FileSource
from streamer.audio.portaudio import Callback
from streamer.audio.resample import Resampled
from streamer.audio.ring import Ring
from streamer.audio.source import Downmix
from streamer.bench.dashboard import dashboard_cost
from streamer.bench.features import chroma_call, frames_of, rows_of
from streamer.bench.report import Row, Section, timed
from streamer.bench.timing import Call, measure, side_by_side
from streamer.events import Estimate
from streamer.network.model import Model
from streamer.pool import TrackerPool
from streamer.sinks.history import History
from streamer.tracker import EmotionTracker

BLOCK_S, BLOCK_RATE, BLOCK_CHANNELS = 0.02, 44_100, 2
#: The section with what a stream carries from call to call.
STATE = "State of a stream"
WHOLE = "features, network, estimates"


def step(model: Model, music: NDArray[np.float32], seconds: float) -> Section:
    """One hop of samples into a tracker, its estimate out; and the parts of that."""
    features = model.config.features
    tracker = EmotionTracker(model, interval=0)
    tracker.push(music[: features.frame])
    hops = itertools.cycle(
        [music[k : k + features.hop] for k in range(0, len(music) - features.hop, features.hop)]
    )
    frame = frames_of(features, music)[1:2]
    row, state = rows_of(model, frame)[None], model.runtime.initial()
    calls: dict[str, Call] = {
        "one hop to one estimate": lambda: tracker.push(next(hops)),
        "of which MFCC": lambda: model.mfcc.rows(frame),
    }
    if model.chroma is not None:
        calls["of which chroma"] = chroma_call(model.chroma, frame)
    calls["of which network"] = lambda: model.runtime.forward(row, state)
    hop_s = features.hop / features.sample_rate
    title = f"Live step (a hop lasts {hop_s * 1e3:g} ms)"
    return Section(title, "µs", timed(side_by_side(calls, seconds), {}))


def callback(seconds: float) -> Section:
    """PortAudio's callback on a block, beside the least that NumPy can do with it."""
    count = round(BLOCK_S * BLOCK_RATE)
    block = np.random.default_rng(0).normal(0, 0.1, (count, BLOCK_CHANNELS)).astype(np.float32)
    kept = np.empty(count, np.float32)
    ring = Ring(10 * BLOCK_RATE, 1000)
    called = Callback(ring, BLOCK_RATE, count, Downmix(BLOCK_RATE, BLOCK_CHANNELS))
    times = SimpleNamespace(inputBufferAdcTime=0.0, currentTime=0.0)
    status = SimpleNamespace(input_overflow=False)

    def take() -> None:
        called(block, count, times, status)
        ring.read()

    calls = {
        "callback and ring, in and out": take,
        "NumPy's mean of the channels": lambda: np.mean(block, axis=1, out=kept),
    }
    title = f"Callback, {BLOCK_S * 1e3:g} ms of stereo"
    return Section(title, "µs", timed(side_by_side(calls, seconds), {}))


def dashboard(model: Model, music: NDArray[np.float32], seconds: float) -> Section:
    """The share of a core that the dashboard takes, beside bare Rich displays of its size."""
    hop = model.config.features.hop
    rate = model.config.features.sample_rate
    estimates = EmotionTracker(model, interval=0).push(music)
    fed = itertools.count()

    def feed(history: History, _: float) -> None:
        number = next(fed)
        at = number * hop % (len(music) - hop)
        history.hear(music[at : at + hop], rate)
        heard: Estimate = estimates[number % len(estimates)]
        history.write(dataclasses.replace(heard, t=number * hop / rate))
        history.progress(number * hop / rate, number, 0.0)

    found = dashboard_cost(feed, seconds=seconds, step_s=hop / rate)
    rows = (
        Row("dashboard", 100 * found.dashboard),
        Row("bare Live, every cell with a style", 100 * found.bare_cells),
        Row("bare Live, plain lines", 100 * found.bare_text),
    )
    return Section("Dashboard, 100 by 30 cells", "% of a core", rows)


def file(model: Model, larger: Model, path: Path, seconds: float) -> Section:
    """A whole file as ``--speed max`` reads it, its stages apart: times real time."""
    rate = model.config.features.sample_rate

    def decode() -> Any:
        source = FileSource(path, block=LONG_BLOCK)
        try:
            return sum(len(piece) for piece in source.pieces() if isinstance(piece, np.ndarray))
        finally:
            source.close()

    def blocks() -> list[NDArray[np.float32]]:
        resampled = Resampled(FileSource(path, block=LONG_BLOCK), rate)
        try:
            return [piece for piece in resampled if isinstance(piece, np.ndarray)]
        finally:
            resampled.close()

    heard = blocks()
    decoding, both = _fastest(decode), _fastest(blocks)
    frames = frames_of(model.config.features, np.concatenate(heard))
    rows32 = rows_of(model, frames)[None]
    state = model.runtime.initial()
    weights = sum(weight.size for weight in larger.weights.values())
    taken = {
        WHOLE: _fastest(lambda: _track(model, heard)),
        "of which MFCC": _fastest(lambda: model.mfcc.rows(frames)),
    }
    if model.chroma is not None:
        taken["of which chroma"] = _fastest(chroma_call(model.chroma, frames))
    taken |= {
        "of which network": _fastest(
            lambda: [model.runtime.forward(rows32[:, k : k + 256], state) for k in _starts(rows32)]
        ),
        "decoding FLAC": decoding,
        "resampling": max(both - decoding, 1e-9),
        f"{WHOLE}: {weights:,} weights": _fastest(lambda: _track(larger, heard)),
    }
    rows = tuple(Row(name, seconds / each) for name, each in taken.items())
    title = f"A file of {seconds / 60:.3g} minutes, 44.1 kHz stereo"
    return Section(title, "times real time", rows, compared=False)


def _starts(rows: NDArray[np.float32]) -> range:
    return range(0, rows.shape[1], 256)


def _track(model: Model, blocks: Sequence[NDArray[np.float32]]) -> int:
    tracker = EmotionTracker(model)
    return sum(len(tracker.push(block)) for block in blocks)


def _fastest(call: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of a few runs: whatever else happened only added to the others."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def streams(model: Model, music: NDArray[np.float32], counts: Sequence[int], s: float) -> Section:
    """How many streams one core keeps up with, by how many are stepped in one call.

    Every stream gets a hop of samples a call; ``s`` seconds of measuring for each count.
    """
    features = model.config.features
    hop_s = features.hop / features.sample_rate
    rows = []
    for count in counts:
        pool = TrackerPool(model)
        rate = features.sample_rate
        starts = [(97 * k) % (len(music) - features.hop) for k in range(count)]
        blocks = {pool.add(): music[start : start + features.hop] for start in starts}
        for _ in range(2 + features.frame // features.hop + rate // features.hop // 8):
            pool.push(blocks)
        timing = measure(functools.partial(pool.push, blocks), s)
        # A slow call keeps up with fewer: the 99th percentile of times is the first of counts.
        median, p99 = (count * hop_s / t for t in (timing.median_s, timing.p99_s))
        rows.append(Row(f"{count} in a call", median, p99))
    title = f"Streams in real time on one core, a hop of {hop_s * 1e3:g} ms a call"
    return Section(title, "streams", tuple(rows), compared=False)


def state(model: Model, music: NDArray[np.float32]) -> Section:
    """The most that a stream's state takes while it hears a second of ``music`` in small blocks."""
    tracker, rate = EmotionTracker(model), model.config.features.sample_rate
    most = 0
    for begin in range(0, rate, 100):
        tracker.push(music[begin : begin + 100])
        most = max(most, sum(part.nbytes for part in tracker.state.to_arrays().values()))
    return Section(STATE, "kB", (Row("at most", most / 1e3),), compared=False)
