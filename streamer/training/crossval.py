"""Cross-validation: every song is judged by a network that has never heard it.

Fold k of every dataset is held out together. Estimates of held-out songs are made from the sound
itself by the very tracker that listens live; they are kept, and all figures come from them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from streamer.network.model import Model, load_model
from streamer.training.baselines import constant, ridge
from streamer.training.dataset import Clip
from streamer.training.figures import Figures, five_fold
from streamer.training.listening import listen_to, samples_of
from streamer.training.material import Song
from streamer.training.recipe import Recipe
from streamer.training.table import Row, read_table, write_table
from streamer.training.train import Stage, train

#: A clip judged as a whole is judged from here on: the stream has settled.
CLIP_FROM_S = 3.0


def crossval(
    recipe: Recipe,
    songs: Sequence[Song],
    out: Path,
    *,
    seeds: Sequence[int],
    stage: Callable[[str], Stage] = lambda _: lambda _: None,
) -> list[Row]:
    """Train a network a fold and seed, judge the held-out songs, and write the table.

    Writes ``out/seed-S/fold-K/`` (a model directory and ``estimates.csv.gz`` each; finished ones
    are not made again) and ``out/out_of_fold.csv.gz``. Returns the table's rows.
    """
    rows: list[Row] = []
    for seed in seeds:
        for fold, inside, outside in split(songs):
            directory = out / f"seed-{seed}" / f"fold-{fold}"
            finished = directory / "estimates.csv.gz"
            if not finished.is_file():
                name = f"seed {seed}, fold {fold}"
                train(recipe, inside, directory, seed=seed, stage=stage(name), resume=True)
                clips = [song.clip for song in outside]
                write_table(finished, estimates(directory, clips, seed, fold))
            rows += read_table(finished)
    for fold, inside, outside in split(songs):
        rows += baseline_rows(recipe, inside, outside, fold)
    write_table(out / "out_of_fold.csv.gz", rows)
    return rows


def split(songs: Sequence[Song]) -> Iterator[tuple[int, list[Song], list[Song]]]:
    """Each fold with the songs inside (to train on) and outside (held out)."""
    for fold in sorted({song.clip.fold for song in songs}):
        yield (
            fold,
            [song for song in songs if song.clip.fold != fold],
            [song for song in songs if song.clip.fold == fold],
        )


def estimates(directory: Path, clips: Sequence[Clip], seed: int, fold: int) -> list[Row]:
    """What the model of a directory says of clips, heard by trackers in all processes there are."""
    tasks = [(directory, clip, seed, fold) for clip in clips]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return [row for rows in pool.map(_judge, tasks, chunksize=16) for row in rows]


_loaded: dict[Path, Model] = {}


def _judge(task: tuple[Path, Clip, int, int]) -> list[Row]:
    """The rows of one clip, in a worker process, which keeps the model that it has loaded."""
    directory, clip, seed, fold = task
    if directory not in _loaded:
        _loaded.clear()
        _loaded[directory] = load_model(directory)
    model = _loaded[directory]
    heard = listen_to(model, samples_of(clip.path, model.config.features.sample_rate))
    if clip.sides is not None:
        return [_row("network", seed, fold, clip, -1.0, heard.mean_from(CLIP_FROM_S), clip.tags)]
    return [
        _row("network", seed, fold, clip, float(t), output, label)
        for t, output, label in zip(clip.times, heard.at(clip.times), clip.labels, strict=True)
    ]


def baseline_rows(
    recipe: Recipe, inside: Sequence[Song], outside: Sequence[Song], fold: int
) -> list[Row]:
    """The baselines' estimates of a fold's songs with labels, a row a label."""
    train_songs = [song for song in inside if song.clip.sides is None]
    test_songs = [song for song in outside if song.clip.sides is None]
    if not train_songs or not test_songs:
        return []
    said = {
        "constant": constant(train_songs, test_songs),
        "ridge": ridge(recipe, train_songs, test_songs),
    }
    return [
        _row(name, 0, fold, song.clip, float(t), (*word.tolist(), 0.0, 0.0), label)
        for name, words in said.items()
        for song, word in zip(test_songs, words, strict=True)
        for t, label in zip(song.clip.times, song.clip.labels, strict=True)
    ]


def write_metrics(path: Path, part: str, figures: Figures) -> dict[str, Any]:
    """Set one part of a ``metrics.json`` and leave the others; the whole record is returned."""
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    record["schema"] = 1
    record[part] = _rounded(figures)
    partial = path.with_name(path.name + ".partial")
    text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)
    return dict(record)


def figures_of(table: Path) -> Figures:
    """The five-fold figures of a table on disk."""
    return five_fold(read_table(table))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value


def _row(
    predictor: str, seed: int, fold: int, clip: Clip, t: float, output: Any, label: Any
) -> Row:
    valence, arousal, valence_sd, arousal_sd = (float(number) for number in output)
    return Row(
        predictor,
        seed,
        fold,
        clip.dataset,
        clip.song,
        t,
        valence,
        arousal,
        valence_sd,
        arousal_sd,
        float(label[0]),
        float(label[1]),
        *(clip.sides or (-1, -1)),
    )
