"""A small world to learn from: synthesised songs whose labels can be heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from annotated_music import FEW_CLIPS, FEW_SONGS, RATE, RECIPE, song_labels, sound

from streamer.training.dataset import FELT, Clip, read_dataset
from streamer.training.material import Song, prepare
from streamer.training.recipe import Recipe, read_recipe

#: Clips with felt emotions, and sounds that are not doubtful.
FEW_FELT, FEW_SOUNDS = 6, 6


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Sums in another order would be other sums."""
    try:
        import torch
    except ModuleNotFoundError:
        return
    torch.set_num_threads(1)


def wide(path: Path, labels: dict[str, dict[int, float]]) -> None:
    """A table in DEAM's wide form: empty cells where a song has no label."""
    times = sorted({time for cells in labels.values() for time in cells})
    lines = [",".join(["song_id", *(f"sample_{time}ms" for time in times)])]
    for song, cells in labels.items():
        lines.append(",".join([song, *(f"{cells[t]:.4f}" if t in cells else "" for t in times)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def excerpts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs in the excerpts layout: FLAC and OGG, labels from 30 s of the clip on."""
    folder = tmp_path_factory.mktemp("data") / "songs"
    (folder / "audio").mkdir(parents=True)
    rows = ["song_id,path,start_s,duration_s,fold"]
    labels: tuple[dict[str, dict[int, float]], ...] = ({}, {})
    for number in range(FEW_SONGS):
        name = f"{number + 1}"
        seconds = 6 + number % 3
        path = f"audio/{name}_30.0.{'ogg' if number % 4 == 3 else 'flac'}"
        soundfile.write(folder / path, sound(number, seconds), RATE)
        rows.append(f"{name},{path},30.0,{seconds}.0,{number % 3}")
        # The annotated clip is longer than the excerpt: it begins at 15 s, as DEAM's does.
        for axis in range(2):
            labels[axis][name] = {
                time: song_labels(number, time / 1000 - 30)[axis]
                for time in range(15_000, 30_000 + 1000 * seconds + 3000, 500)
            }
    (folder / "excerpts.csv").write_text("\n".join(rows) + "\n")
    wide(folder / "annotations" / "valence.csv", labels[0])
    wide(folder / "annotations" / "arousal.csv", labels[1])
    return folder


@pytest.fixture(scope="session")
def quadrant_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips in the clips layout, a quadrant each, two artists a fold."""
    folder = tmp_path_factory.mktemp("data") / "clips"
    (folder / "audio").mkdir(parents=True)
    rows = ["song_id,path,quadrant,valence,arousal,artist_id,fold"]
    for number in range(FEW_CLIPS):
        valence, arousal = song_labels(number, 0)
        quadrant = {(1, 1): "Q1", (0, 1): "Q2", (0, 0): "Q3", (1, 0): "Q4"}
        side = quadrant[int(valence >= 0), int(arousal >= 0)]
        path = f"audio/C{number}.ogg"
        soundfile.write(folder / path, sound(number, 6, seed=100 + number), RATE)
        rows.append(
            f"C{number},{path},{side},{valence:.3f},{arousal:.3f},{number % 6},{number % 3}"
        )
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def felt_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips in the felt layout: joyful or sad as the valence of the song says."""
    folder = tmp_path_factory.mktemp("data") / "felt"
    (folder / "audio").mkdir(parents=True)
    rows = [",".join(["song_id", "path", "genre", *FELT, "fold"])]
    for number in range(FEW_FELT):
        valence, arousal = song_labels(number, 0)
        shares = dict.fromkeys(FELT, 0.1) | {
            "joyful_activation": 0.3 + valence / 2,
            "sadness": 0.3 - valence / 2,
            "power": 0.3 + arousal / 2,
        }
        path = f"audio/F{number}.flac"
        soundfile.write(folder / path, sound(number, 6, seed=200 + number), RATE)
        cells = [f"{share:.3f}" for share in shares.values()]
        rows.append(",".join([f"F{number}", path, "pop", *cells, str(number % 3)]))
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noises, and a clip of music, in the sounds layout; one may not be learnt, one is doubtful."""
    folder = tmp_path_factory.mktemp("data") / "sounds"
    (folder / "audio").mkdir(parents=True)
    rows = ["clip_id,path,kind,detail,licence,group,doubtful"]
    random = np.random.default_rng(9)
    for number in range(FEW_SOUNDS + 1):
        kind = ("speech", "crowd", "music")[number % 3]
        noise = 0.1 * random.standard_normal(4 * RATE).astype(np.float32)
        path = f"audio/N{number}.flac"
        soundfile.write(folder / path, sound(number, 4) if kind == "music" else noise, RATE)
        licence = "not stated" if number == 1 else "CC0"
        rows.append(
            f"N{number},{path},{kind},,{licence},group {number},{int(number == FEW_SOUNDS)}"
        )
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def deam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the original release: MP3 from second 0, labels from second 15 on."""
    folder = tmp_path_factory.mktemp("data") / "DEAM"
    (folder / "MEMD_audio").mkdir(parents=True)
    labels: tuple[dict[str, dict[int, float]], ...] = ({}, {})
    for number in (2, 10, 3):
        soundfile.write(folder / "MEMD_audio" / f"{number}.mp3", sound(number, 17), RATE)
        for axis in range(2):
            labels[axis][f"{number}"] = {
                time: song_labels(number, 0)[axis] for time in range(15_000, 17_500, 500)
            }
    long_name = "annotations/annotations averaged per song/dynamic (per second annotations)"
    for axis, name in enumerate(("valence", "arousal")):
        wide(folder / long_name / f"{name}.csv", labels[axis])
        # The release's headers begin with a space after each comma.
        path = folder / long_name / f"{name}.csv"
        path.write_text(path.read_text().replace(",", ", "))
    return folder


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe for a network that learns in a second."""
    path = tmp_path_factory.mktemp("recipes") / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def recipe(recipe_file: Path) -> Recipe:
    """That recipe."""
    return read_recipe(recipe_file)


@pytest.fixture(scope="session")
def clips(excerpts: Path, quadrant_clips: Path, felt_clips: Path, sounds: Path) -> list[Clip]:
    """The clips of datasets of every kind."""
    folders = (excerpts, quadrant_clips, felt_clips, sounds)
    return [clip for folder in folders for clip in read_dataset(folder).clips]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where features are kept between the tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def songs(clips: list[Clip], recipe: Recipe, cache: Path) -> list[Song]:
    """Their features."""
    found = prepare(clips, recipe, cache, processes=1)
    assert len(found) == len(clips) == FEW_SONGS + FEW_CLIPS + FEW_FELT + FEW_SOUNDS
    assert all(np.isfinite(song.bands).all() and song.bands.std() > 0.1 for song in found)
    return found
