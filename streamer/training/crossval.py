"""Cross-validation: every song is judged by a network that has never heard it.

Fold k of every dataset is held out together. Estimates of held-out songs are made from the sound
itself by the very tracker that listens live; they are kept, and all figures come from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from streamer.network.model import load_model
from streamer.processes import cores, workers
from streamer.training.dataset import Clip
from streamer.training.figures import Figures
from streamer.training.material import Progress, Song, prepare
from streamer.training.out_of_fold import Row, baseline_rows, clip_rows, read_table, write_table
from streamer.training.recipe import Recipe
from streamer.training.train import train

_ESTIMATES = "estimates.csv.gz"
#: The tables of estimates: each fold judged by the others, and each corpus by the others.
OUT_OF_FOLD, LEFT_OUT = "out_of_fold.csv.gz", "left_out.csv.gz"


@dataclass(frozen=True, slots=True)
class _Task:
    """One network to train and to judge what it was not trained on with, in its own process.

    ``left_out``: a fold of every dataset, or a whole dataset by its name.
    """

    recipe: Recipe
    clips: tuple[Clip, ...]
    cache: Path
    out: Path
    seed: int
    left_out: int | str

    @property
    def directory(self) -> Path:
        """Where the model and its estimates go."""
        part = f"fold-{self.left_out}"
        if isinstance(self.left_out, str):
            part = f"without-{self.left_out}"
        return self.out / f"seed-{self.seed}" / part

    def held_out(self, clip: Clip) -> bool:
        """Whether the network must not hear the clip before it judges it."""
        if isinstance(self.left_out, str):
            return clip.dataset == self.left_out
        return clip.fold == self.left_out or not clip.learnt


def crossval(
    recipe: Recipe,
    clips: Sequence[Clip],
    cache: Path,
    out: Path,
    *,
    seeds: Sequence[int],
    folds: Sequence[int] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Train a network a fold and seed, judge the held-out clips, and write the table.

    Writes ``out/seed-S/fold-K/`` (a model directory and ``estimates.csv.gz`` each; finished ones
    are not made again, unfinished ones go on) and ``out/out_of_fold.csv.gz``. ``jobs`` networks are
    trained at once, each on one core: small networks gain little from a second. ``progress`` is
    told of epochs. Returns the table's rows.
    """
    there = {clip.fold for clip in clips if clip.fold >= 0}
    chosen = sorted(there if folds is None else folds)
    tasks = [_Task(recipe, tuple(clips), cache, out, seed, f) for seed in seeds for f in chosen]
    rows = _done(tasks, jobs, progress)
    for fold, inside, outside in split(prepare(clips, recipe, cache)):
        if fold in chosen:
            rows += baseline_rows(recipe, inside, outside, fold)
    write_table(out / OUT_OF_FOLD, rows)
    # As they were written, rounding and all: every figure follows from the file.
    return read_table(out / OUT_OF_FOLD)


def left_out(
    recipe: Recipe,
    clips: Sequence[Clip],
    cache: Path,
    out: Path,
    *,
    seeds: Sequence[int],
    names: Sequence[str] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Each dataset with labels, or ``names``, judged by networks that were trained on all others.

    As ``crossval``, in ``out/seed-S/without-NAME/`` and ``out/left_out.csv.gz``. Sounds that are
    no music are trained with, and judged by ``crossval`` alone.
    """
    chosen = sorted({clip.dataset for clip in clips if clip.emotional}) if names is None else names
    tasks = [_Task(recipe, tuple(clips), cache, out, seed, n) for seed in seeds for n in chosen]
    write_table(out / LEFT_OUT, _done(tasks, jobs, progress))
    return read_table(out / LEFT_OUT)


def _done(tasks: Sequence[_Task], jobs: int | None, progress: Progress | None) -> list[Row]:
    """The estimates of all tasks, those that were not done before done now."""
    undone = [task for task in tasks if not (task.directory / _ESTIMATES).is_file()]
    context = get_context("spawn")
    epochs = context.Value("q", 0)
    with workers(jobs or cores(), _begin, (epochs,)) as pool:
        waiting = {pool.submit(_run, task) for task in undone}
        while waiting:
            done, waiting = wait(waiting, timeout=1.0)
            for future in done:
                future.result()
            if progress is not None and undone:
                progress(epochs.value, undone[0].recipe.fit.epochs * len(undone))
    return [row for task in tasks for row in read_table(task.directory / _ESTIMATES)]


_epochs: Any = None


def _begin(epochs: Any) -> None:
    """Set up a worker process: one thread, and the counter of epochs that all share."""
    global _epochs  # noqa: PLW0603 - a worker has no other place for what it was started with
    _epochs = epochs
    import torch

    torch.set_num_threads(1)


def _run(task: _Task) -> None:
    """Train the network of a task and judge its fold."""

    def report(*_: float) -> None:
        with _epochs.get_lock():
            _epochs.value += 1

    songs = prepare(task.clips, task.recipe, task.cache, processes=1)
    inside = [song for song in songs if not task.held_out(song.clip)]
    train(task.recipe, inside, task.directory, seed=task.seed, report=report, resume=True)
    model = load_model(task.directory)
    fold = task.left_out if isinstance(task.left_out, int) else -1
    # What no network may learn from is judged by that of its own fold, as all else.
    asked = [c for c in task.clips if task.held_out(c) and (fold < 0 or c.fold == fold)]
    rows = [row for clip in asked for row in clip_rows(model, clip, task.seed, fold)]
    write_table(task.directory / _ESTIMATES, rows)


def split(songs: Sequence[Song]) -> Iterator[tuple[int, list[Song], list[Song]]]:
    """Each fold with the songs inside (to train on) and outside (held out)."""
    for fold in sorted({song.clip.fold for song in songs if song.clip.fold >= 0}):
        yield (
            fold,
            [song for song in songs if song.clip.fold != fold],
            [song for song in songs if song.clip.fold == fold],
        )


def write_metrics(path: Path, part: str, figures: Figures) -> dict[str, Any]:
    """Set one part of a ``metrics.json`` and leave the others; the whole record is returned."""
    record = read_metrics(path)
    record["schema"] = 1
    record[part] = rounded(figures)
    partial = path.with_name(path.name + ".partial")
    text = json.dumps(record, indent=1, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)
    return record


def read_metrics(path: Path) -> dict[str, Any]:
    """The parts of a ``metrics.json``; none where there is no such file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def rounded(value: Any) -> Any:
    """Figures to four places, as they are written."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return value
