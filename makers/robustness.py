"""How a cross-validated model stands up to the world: volume, rooms, noise, time.

Every song is judged by the network of the fold that held it out, as in ``crossval``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makers.distortion import CONDITIONS
from streamer.network.model import load_model
from streamer.processes import cores, workers
from streamer.tracker import EmotionTracker
from streamer.training.dataset import Clip
from streamer.training.figures import AXES, Figures
from streamer.training.material import samples_of
from streamer.training.metrics import SCORED_FROM_S, ccc
from streamer.training.out_of_fold import Listened, listen_to, loaded

CLEAN = "clean"
#: Under all conditions, every so many-th clip is enough: differences are within songs.
EVERY = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """One clip under one condition: estimates and labels later than 2 s, and a 2 Hz curve."""

    estimates: Floats
    labels: Floats
    curve: Floats


def robustness(clips: Sequence[Clip], out: Path, seed: int) -> Figures:
    """CCC under each condition, its difference from clean, and how far the estimates shift.

    Reads the models that ``crossval`` left in ``out``. CCC is on the raters' zero: how far it lies
    from that of the clean estimates is taken out of all. Shifts are means over the estimates from
    second 1 on of the difference from the clean ones.
    """
    heard: dict[str, list[_Heard]] = {name: [] for name in (CLEAN, *CONDITIONS)}
    for fold, outside in held_out(clips):
        directory = out / f"seed-{seed}" / f"fold-{fold}"
        tasks = [(directory, clip) for clip in outside[::EVERY]]
        with workers(cores()) as pool:
            for conditions in pool.map(_under_conditions, tasks, chunksize=8):
                for name, one in conditions.items():
                    heard[name].append(one)
    labels = np.concatenate([one.labels for one in heard[CLEAN]])
    clean = np.concatenate([one.estimates for one in heard[CLEAN]])
    clean_curve = np.concatenate([one.curve for one in heard[CLEAN]])
    figures: Figures = {}
    # The raters' zero is not the plane's: a noise that shifts all estimates towards theirs would
    # look like a gain.
    off = (labels - clean).mean(axis=0)
    for name, several in heard.items():
        estimates = np.concatenate([one.estimates for one in several]) + off
        curve = np.concatenate([one.curve for one in several])
        figures[name] = {
            axis: {
                "ccc": ccc(estimates[:, k], labels[:, k]),
                "ccc_change": ccc(estimates[:, k], labels[:, k])
                - ccc(clean[:, k] + off[k], labels[:, k]),
                "shift": float((curve[:, k] - clean_curve[:, k]).mean()),
                "distance": float(np.abs(curve[:, k] - clean_curve[:, k]).mean()),
            }
            for k, axis in enumerate(AXES)
        }
    return {"labels": len(labels), "songs": len(heard[CLEAN]), "conditions": figures}


def _under_conditions(task: tuple[Path, Clip]) -> dict[str, _Heard]:
    """One clip, clean and under every condition, each with chance of its own."""
    directory, clip = task
    model = loaded(directory)
    rate = model.config.features.sample_rate
    samples = samples_of(clip.path, rate)
    scored = clip.times > SCORED_FROM_S
    result = {}
    for index, (name, distortion) in enumerate({CLEAN: None, **CONDITIONS}.items()):
        random = np.random.default_rng([index, *clip.song.encode()])
        sound = samples if distortion is None else distortion(samples, rate, random)
        said = listen_to(model, sound)
        every = said.at(np.arange(1.0, len(samples) / rate, 0.5))[:, :2]
        result[name] = _Heard(said.at(clip.times[scored])[:, :2], clip.labels[scored], every)
    return result


def streams(clips: Sequence[Clip], out: Path, seed: int) -> Figures:
    """Held-out excerpts one after the other, the state carried on, against fresh starts.

    ``ccc`` is over labels later than 5 s after each change, ``fresh_ccc`` of the same labels by
    trackers that began with the excerpt, both on the raters' zero; ``settled_s`` the median time
    after a change from which on both axes stay within .1 of the fresh ones; ``jitter`` the root
    mean square of the step from one estimate to the next, half a second later.
    """
    carried: list[Floats] = []
    fresh: list[Floats] = []
    labels: list[Floats] = []
    settled: list[float] = []
    steps: list[Floats] = []
    longest = 0.0
    for fold, outside in held_out(clips):
        model = load_model(out / f"seed-{seed}" / f"fold-{fold}")
        rate = model.config.features.sample_rate
        stream = EmotionTracker(model, interval=0)
        for clip in outside:
            samples = samples_of(clip.path, rate)
            began = stream.t
            one = Listened.of(stream, samples)
            one = Listened(one.times - began, one.outputs, one.judged, one.music)
            alone = listen_to(model, samples)
            late = clip.times > 5.0
            carried.append(one.at(clip.times[late])[:, :2])
            fresh.append(alone.at(clip.times[late])[:, :2])
            labels.append(clip.labels[late])
            grid = np.arange(0.25, len(samples) / rate, 0.25)
            apart = np.abs(one.at(grid)[:, :2] - alone.at(grid)[:, :2]).max(axis=1) > 0.1
            settled.append(float(grid[np.flatnonzero(apart)[-1]]) if apart.any() else 0.0)
            steady = alone.at(np.arange(5.0, len(samples) / rate, 0.5))[:, :2]
            steps.append(np.diff(steady, axis=0))
        longest = max(longest, stream.t)
    x, z, y = (np.concatenate(parts) for parts in (carried, fresh, labels))
    off = (y - z).mean(axis=0)  # the raters' zero
    x, z = x + off, z + off
    jitter = np.sqrt((np.concatenate(steps) ** 2).mean(axis=0))
    return {
        "stream_s": longest,
        "changes": len(settled),
        "settled_s": float(np.median(settled)),
        "settled_s_90": float(np.percentile(settled, 90)),
        **{
            axis: {
                "ccc": ccc(x[:, k], y[:, k]),
                "fresh_ccc": ccc(z[:, k], y[:, k]),
                "jitter": float(jitter[k]),
            }
            for k, axis in enumerate(AXES)
        },
    }


def held_out(clips: Sequence[Clip]) -> Iterator[tuple[int, list[Clip]]]:
    """Each fold with its clips that have labels in time."""
    for fold in sorted({clip.fold for clip in clips if clip.dynamic}):
        yield fold, [clip for clip in clips if clip.fold == fold and clip.dynamic]
