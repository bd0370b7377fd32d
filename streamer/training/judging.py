"""What a model and the baselines say of annotated clips, as rows of the table of estimates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from streamer.network.model import Model, load_model
from streamer.training.baselines import constant, ridge
from streamer.training.dataset import Clip
from streamer.training.listening import listen_to, samples_of
from streamer.training.material import Song
from streamer.training.recipe import Recipe
from streamer.training.table import Row

#: A clip judged as a whole is judged from here on: the stream has settled.
CLIP_FROM_S = 3.0


def clip_rows(model: Model, clip: Clip, seed: int, fold: int) -> list[Row]:
    """What the model says of a clip, heard by a fresh tracker: a row a label, or one a clip."""
    heard = listen_to(model, samples_of(clip.path, model.config.features.sample_rate))
    if clip.sides is not None:
        return [_row("network", seed, fold, clip, -1.0, heard.mean_from(CLIP_FROM_S), clip.tags)]
    told = zip(clip.times, heard.at(clip.times), clip.labels, strict=True)
    return [_row("network", seed, fold, clip, float(t), said, label) for t, said, label in told]


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


@lru_cache(maxsize=1)
def loaded(directory: Path) -> Model:
    """The model of a directory; a worker process keeps the one that it has loaded."""
    return load_model(directory)
