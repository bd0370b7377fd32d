"""Training a model: inner split, teachers, network, calibration."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from streamer.errors import DatasetError
from streamer.network.model import Model, load_model, save_model
from streamer.training.calibration import calibrated
from streamer.training.fit import Report, fit
from streamer.training.labels import scales_of
from streamer.training.material import Song
from streamer.training.recipe import Recipe
from streamer.training.teachers import teach


def inner_split(songs: Sequence[Song], share: float, seed: int) -> tuple[list[Song], list[Song]]:
    """Songs to train on, and those (about ``share`` of the labelled ones) to calibrate on.

    Decided by the name of the group (song, or artist) and the seed alone.
    """

    def kept_back(song: Song) -> bool:
        if not song.clip.emotional:
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
    report: Report | None = None,
    resume: bool = False,
) -> Model:
    """Train on ``songs`` and write a model directory, which is returned loaded.

    Clips whose terms do not let a model learn from them are left out. Raises ``DatasetError``
    where there is nothing to learn from, or ``directory`` holds an unfinished run and ``resume``
    was not asked for. A finished directory is loaded as it is when resuming.
    """
    songs = [song for song in songs if song.clip.learnt]
    if not any(song.clip.emotional for song in songs):
        raise DatasetError("there are no songs with labels to train on")
    work = directory / "unfinished"
    if work.is_dir() and not resume:
        raise DatasetError(f"{directory} holds an unfinished run: give --resume, or another --out")
    if resume and not work.is_dir() and (directory / "config.json").is_file():
        return load_model(directory)
    work.mkdir(parents=True, exist_ok=True)

    learnt, kept_back = inner_split(songs, recipe.fit.calibration_share, seed)
    teachings = teach(learnt, recipe.fit.arousal_in_valence)
    scales = scales_of(songs, recipe.fit.arousal_in_valence, teachings.zeros)
    fitted = fit(
        recipe,
        learnt,
        seed=seed,
        scales=scales,
        teachings=teachings,
        checkpoint=work / "network.pt",
        report=report,
    )
    by_dataset: dict[str, list[str]] = {}
    for song in songs:  # those calibrated on are known to the model too
        by_dataset.setdefault(song.clip.dataset, []).append(song.clip.song)
    known = {name: tuple(members) for name, members in by_dataset.items()}
    widening = [recipe.fit.widened * by for by in teachings.widening]
    model = calibrated(recipe, fitted, kept_back, scales, directory.name, widening)
    save_model(directory, dataclasses.replace(model.config, songs=known), model.weights)
    for file in work.iterdir():
        file.unlink()
    work.rmdir()
    return load_model(directory)
