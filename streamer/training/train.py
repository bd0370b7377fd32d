"""Training a model: inner split, teachers, network, calibration."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from streamer.errors import DatasetError
from streamer.network.model import Model, load_model, save_model
from streamer.training.batches import Floats
from streamer.training.calibration import calibrated, judge
from streamer.training.fit import Report, fit
from streamer.training.material import Song
from streamer.training.recipe import Recipe
from streamer.training.rows import Rows
from streamer.training.teachers import whole_clip_words

#: Makes the report of a stage ("teacher 1 of 3", "network") of a run.
Stage = Callable[[str], Report | None]


def inner_split(songs: Sequence[Song], share: float, seed: int) -> tuple[list[Song], list[Song]]:
    """Songs to train on, and those (about ``share`` of the labelled ones) to calibrate on.

    Decided by the name of the group (song, or artist) and the seed alone.
    """

    def kept_back(song: Song) -> bool:
        if song.clip.sides is not None:
            return False
        digest = hashlib.sha256(f"{seed} {song.clip.group}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64 < share

    back = [kept_back(song) for song in songs]
    return (
        [song for song, held in zip(songs, back, strict=True) if not held],
        [song for song, held in zip(songs, back, strict=True) if held],
    )


def train(
    recipe: Recipe,
    songs: Sequence[Song],
    directory: Path,
    *,
    seed: int,
    second: Path | None = None,
    stage: Stage = lambda _: None,
    resume: bool = False,
) -> Model:
    """Train on ``songs`` and write a model directory, which is returned loaded.

    ``second`` is a directory for the same network with the second head's word alone: how a clip
    would be judged by quadrant. Raises ``DatasetError`` where there is nothing to learn from, or
    ``directory`` holds an unfinished run and ``resume`` was not asked for. A finished directory is
    loaded as it is when resuming.
    """
    if not songs:
        raise DatasetError("there are no songs to train on")
    work = directory / "unfinished"
    if work.is_dir() and not resume:
        raise DatasetError(f"{directory} holds an unfinished run: give --resume, or another --out")
    if resume and not work.is_dir() and (directory / "config.json").is_file():
        return load_model(directory)
    work.mkdir(parents=True, exist_ok=True)

    learnt, kept_back = inner_split(songs, recipe.fit.calibration_share, seed)
    teachings = _teach(recipe, learnt, work, seed, stage)
    fitted = fit(
        recipe,
        learnt,
        seed=seed,
        teachings=teachings,
        checkpoint=work / "network.pt",
        report=stage("network"),
    )
    by_dataset: dict[str, list[str]] = {}
    for song in songs:  # those calibrated on are known to the model too
        by_dataset.setdefault(song.clip.dataset, []).append(song.clip.song)
    known = {name: tuple(members) for name, members in by_dataset.items()}
    # What there is nothing to learn from has no say.
    kinds = {song.clip.sides is None for song in learnt}
    share = recipe.fit.second_share if len(kinds) == 2 else float(not kinds.pop())
    for where, part in ((second, 1.0), (directory, share)):
        if where is not None:
            model = calibrated(recipe, fitted, kept_back, where.name, part)
            save_model(where, dataclasses.replace(model.config, songs=known), model.weights)
    for file in work.iterdir():
        file.unlink()
    work.rmdir()
    return load_model(directory)


def _teach(
    recipe: Recipe, songs: Sequence[Song], work: Path, seed: int, stage: Stage
) -> dict[tuple[str, str], Floats] | None:
    """The teachers' mean word on every frame of every song with labels; None without teachers.

    No teacher is heard on a song that it was fitted to.
    """
    teachers = recipe.teachers
    songs = [song for song in songs if song.clip.sides is None]
    if teachers is None or not songs:
        return None
    words = [whole_clip_words(recipe, songs)] if teachers.whole_clip else []
    if teachers.networks:
        words.append(_networks_words(recipe, songs, work, seed, stage))
    if not words:
        return None
    return {
        key: np.mean([word[key] for word in words], axis=0, dtype=np.float32) for key in words[0]
    }


def _networks_words(
    recipe: Recipe, songs: Sequence[Song], work: Path, seed: int, stage: Stage
) -> dict[tuple[str, str], Floats]:
    """What networks say of each song of the part that each was not trained on."""
    assert recipe.teachers is not None
    rows = Rows(recipe)
    count = recipe.teachers.networks
    digests = [hashlib.sha256(f"{seed} {s.clip.group}".encode()).digest() for s in songs]
    part = [digest[0] % count for digest in digests]
    words: dict[tuple[str, str], Floats] = {}
    for number in range(count):
        fitted = fit(
            recipe,
            [song for song, p in zip(songs, part, strict=True) if p != number],
            seed=seed * 1000 + number + 1,
            network=recipe.teachers.network,
            checkpoint=work / f"teacher-{number}.pt",
            report=stage(f"teacher {number + 1} of {count}"),
        )
        teacher = calibrated(recipe, fitted, (), "teacher")
        for song, own in zip(songs, part, strict=True):
            if own == number:
                words[song.clip.dataset, song.clip.song] = judge(teacher, rows, song)[:, :2]
    return words
