"""Cross-validation: every song is judged by a network that has never heard it.

Fold k of every dataset is held out together. Estimates of held-out songs are made from the sound
itself by the very tracker that listens live; they are kept, and all figures come from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from streamer.network.model import load_model
from streamer.processes import cores
from streamer.training.dataset import Clip
from streamer.training.figures import Figures
from streamer.training.material import Progress, Song, prepare
from streamer.training.out_of_fold import Row, baseline_rows, clip_rows, read_table, write_table
from streamer.training.recipe import Recipe
from streamer.training.train import train

#: Where the second head's models and tables lie, beside the others.
SECOND = "second"
_ESTIMATES = "estimates.csv.gz"


@dataclass(frozen=True, slots=True)
class _Task:
    """One network to train and to judge its held-out fold with, in a process of its own."""

    recipe: Recipe
    clips: tuple[Clip, ...]
    cache: Path
    out: Path
    seed: int
    fold: int

    @property
    def directory(self) -> Path:
        return self.out / f"seed-{self.seed}" / f"fold-{self.fold}"

    @property
    def second(self) -> Path | None:
        """The second head's model, where there are two kinds of labels."""
        kinds = {clip.sides is None for clip in self.clips}
        return self.directory / SECOND if len(kinds) == 2 else None

    @property
    def models(self) -> list[Path]:
        """The directories of the models that the task makes; the last one is finished last."""
        return [*filter(None, [self.second]), self.directory]


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
    are not made again, unfinished ones go on) and ``out/out_of_fold.csv.gz``. Where there are
    labels in time and quadrants, ``out/second/out_of_fold.csv.gz`` holds the word of the second
    head alone, whose models are in ``out/seed-S/fold-K/second``. ``jobs`` networks are trained at
    once, each on one core: small networks gain little from a second. ``progress`` is told of
    epochs. Returns the first table's rows.
    """
    chosen = sorted({clip.fold for clip in clips} if folds is None else folds)
    tasks = [_Task(recipe, tuple(clips), cache, out, seed, f) for seed in seeds for f in chosen]
    undone = [task for task in tasks if not (task.directory / _ESTIMATES).is_file()]
    context = get_context("spawn")
    epochs = context.Value("q", 0)
    with ProcessPoolExecutor(
        jobs or cores(), mp_context=context, initializer=_begin, initargs=(epochs,)
    ) as pool:
        waiting = {pool.submit(_run, task) for task in undone}
        while waiting:
            done, waiting = wait(waiting, timeout=1.0)
            for future in done:
                future.result()
            if progress is not None:
                progress(epochs.value, recipe.fit.epochs * len(undone))
    baselines = []
    for fold, inside, outside in split(prepare(clips, recipe.features, cache)):
        if fold in chosen:
            baselines += baseline_rows(recipe, inside, outside, fold)
    for made in zip(*(task.models for task in tasks), strict=True):
        rows = [row for directory in made for row in read_table(directory / _ESTIMATES)]
        table = (out / SECOND if made[0].name == SECOND else out) / "out_of_fold.csv.gz"
        write_table(table, rows + baselines)
    # As they were written, rounding and all: every figure follows from the file.
    return read_table(table)


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

    songs = prepare(task.clips, task.recipe.features, task.cache, processes=1)
    inside = [song for song in songs if song.clip.fold != task.fold]
    train(
        task.recipe,
        inside,
        task.directory,
        seed=task.seed,
        second=task.second,
        report=report,
        resume=True,
    )
    held_out = [clip for clip in task.clips if clip.fold == task.fold]
    for directory in task.models:
        model = load_model(directory)
        rows = [row for clip in held_out for row in clip_rows(model, clip, task.seed, task.fold)]
        write_table(directory / _ESTIMATES, rows)


def split(songs: Sequence[Song]) -> Iterator[tuple[int, list[Song], list[Song]]]:
    """Each fold with the songs inside (to train on) and outside (held out)."""
    for fold in sorted({song.clip.fold for song in songs}):
        yield (
            fold,
            [song for song in songs if song.clip.fold != fold],
            [song for song in songs if song.clip.fold == fold],
        )


def write_metrics(path: Path, part: str, figures: Figures) -> dict[str, Any]:
    """Set one part of a ``metrics.json`` and leave the others; the whole record is returned."""
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    record["schema"] = 1
    record[part] = rounded(figures)
    partial = path.with_name(path.name + ".partial")
    text = json.dumps(record, indent=1, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)
    return dict(record)


def rounded(value: Any) -> Any:
    """Figures to four places, as they are written."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return value
