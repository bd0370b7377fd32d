"""Training a model: inner split, teachers, network, calibration."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from streamer.errors import DatasetError
from streamer.network.model import Model, load_model, save_model
from streamer.training.batches import Floats
from streamer.training.calibration import calibrated
from streamer.training.fit import Report, fit
from streamer.training.material import Song
from streamer.training.recipe import Recipe
from streamer.training.teachers import whole_clip_words


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
    report: Report | None = None,
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
    if second is not None and all(song.clip.sides is None for song in songs):
        raise DatasetError(f"{second} cannot be made: no dataset has clips judged by quadrant")
    work = directory / "unfinished"
    if work.is_dir() and not resume:
        raise DatasetError(f"{directory} holds an unfinished run: give --resume, or another --out")
    if resume and not work.is_dir() and (directory / "config.json").is_file():
        if second is not None and not (second / "config.json").is_file():
            raise DatasetError(
                f"{directory} is finished without {second}: train into another --out"
            )
        return load_model(directory)
    work.mkdir(parents=True, exist_ok=True)

    learnt, kept_back = inner_split(songs, recipe.fit.calibration_share, seed)
    teachings = _teach(recipe, learnt)
    fitted = fit(
        recipe,
        learnt,
        seed=seed,
        teachings=teachings,
        checkpoint=work / "network.pt",
        report=report,
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


def _teach(recipe: Recipe, songs: Sequence[Song]) -> dict[tuple[str, str], Floats] | None:
    """The teachers' word on every frame of every song with labels; None where none are asked."""
    labelled = [song for song in songs if song.clip.sides is None]
    if not recipe.loss.teachers or not labelled:
        return None
    return whole_clip_words(recipe, labelled)
