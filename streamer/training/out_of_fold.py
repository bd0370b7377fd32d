"""Estimates of annotated clips, played through the tracker that listens live, as a table on disk.

Every figure of a model is computed from such a table.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import DatasetError
from streamer.network.model import Model, load_model
from streamer.tracker import EmotionTracker
from streamer.training.baselines import constant, ridge
from streamer.training.dataset import MUSIC, Clip
from streamer.training.material import Song, samples_of
from streamer.training.recipe import Recipe


def listen_to(model: Model, samples: NDArray[np.float32]) -> Listened:
    """Every frame's estimate of one clip, by a fresh tracker."""
    return Listened.of(EmotionTracker(model, interval=0), samples)


class Listened:
    """The estimates of every frame: ``times`` (frames,) in seconds, ``outputs`` (frames, 4).

    A frame that is not judged repeats the last judgement, and is 0 with a deviation of 1 before the
    first, so that a figure is never taken over fewer labels than its rivals'. ``judged`` (frames,)
    tells which are, ``music`` (frames,) how sure the model is of music (1 without a gate).
    """

    def __init__(
        self,
        times: NDArray[np.float64],
        outputs: NDArray[np.float64],
        judged: NDArray[np.bool_],
        music: NDArray[np.float64],
    ) -> None:
        self.times = times
        self.outputs = outputs
        self.judged = judged
        self.music = music

    @classmethod
    def of(cls, tracker: EmotionTracker, samples: NDArray[np.float32]) -> Listened:
        """What the tracker says to the samples."""
        last = (0.0, 0.0, 1.0, 1.0)
        times, outputs, judged, music = [], [], [], []
        for estimate in tracker.push(samples):
            said = (estimate.valence, estimate.arousal, estimate.valence_sd, estimate.arousal_sd)
            judged.append(estimate.valence is not None)
            last = said if judged[-1] else last  # type: ignore[assignment]
            times.append(estimate.t)
            outputs.append(last)
            music.append(1.0 if estimate.music is None else estimate.music)
        return cls(
            np.array(times),
            np.array(outputs).reshape(-1, 4),
            np.array(judged, bool),
            np.array(music, float),
        )

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs (times, 4) of the first frame that ends at or after each time."""
        index = np.searchsorted(self.times, times - 1e-9)
        return self.outputs[np.minimum(index, len(self.times) - 1)]

    def mean_from(self, start_s: float) -> NDArray[np.float64]:
        """The mean output (4,) of the frames that end later than ``start_s``."""
        later = self.times > start_s
        chosen = self.outputs[later] if later.any() else self.outputs
        return np.asarray(chosen.mean(axis=0))


@dataclass(frozen=True, slots=True)
class Row:
    """One estimate beside its label.

    ``predictor`` is "network", "constant" or "ridge". Of a clip judged as a whole, ``t`` is -1, the
    estimate is the mean over the clip from second 3 on, and the label is its coarse tags, with
    ``side_valence`` and ``side_arousal`` (1 or 0; -1 where there are none). Of a clip without
    labels both are 0. ``kind`` is "music" or what else is heard; ``withheld`` the share of the
    clip's frames from second 2 on that are not judged.
    """

    predictor: str
    seed: int
    fold: int
    dataset: str
    song: str
    t: float
    valence: float
    arousal: float
    valence_sd: float
    arousal_sd: float
    label_valence: float
    label_arousal: float
    side_valence: int = -1
    side_arousal: int = -1
    kind: str = MUSIC
    withheld: float = 0.0


_KINDS = {
    field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)
}


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows, numbers to four places; the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_KINDS)
    for row in rows:
        cells = astuple(row)
        writer.writerow([f"{cell:.4f}" if isinstance(cell, float) else cell for cell in cells])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    # No time stamp and no name inside: the bytes depend on the rows alone.
    partial.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    partial.replace(path)


def read_table(path: Path) -> list[Row]:
    """The rows of a table. Raises ``DatasetError`` where it is missing or damaged."""
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        reader = csv.DictReader(lines)
        return [Row(**{name: kind(line[name]) for name, kind in _KINDS.items()}) for line in reader]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read as a table of estimates: {error}") from None


def by_song(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each song together, in order of first appearance."""
    songs: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        songs.setdefault((row.dataset, row.song), []).append(row)
    return list(songs.values())


#: A clip judged as a whole is judged from here on: the stream has settled.
CLIP_FROM_S = 3.0
#: Whether it is music is asked from here on.
MUSIC_FROM_S = 2.0


def clip_rows(model: Model, clip: Clip, seed: int, fold: int) -> list[Row]:
    """What the model says of a clip, heard by a fresh tracker: a row a label, or one a clip."""
    heard = listen_to(model, samples_of(clip.path, model.config.features.sample_rate))
    return rows_of("network", heard, clip, seed, fold)


def rows_of(predictor: str, heard: Listened, clip: Clip, seed: int, fold: int) -> list[Row]:
    """What was heard of a clip: a row a label, or one a clip."""
    asked = heard.times > MUSIC_FROM_S
    withheld = 1 - float(heard.judged[asked].mean()) if asked.any() else 0.0
    if not clip.dynamic:
        said = [(-1.0, heard.mean_from(CLIP_FROM_S), clip.tags or (0.0, 0.0))]
    else:
        said = list(zip(clip.times.tolist(), heard.at(clip.times), clip.labels, strict=True))
    return [
        _row(predictor, seed, fold, clip, t, output, label, withheld) for t, output, label in said
    ]


def baseline_rows(
    recipe: Recipe, inside: Sequence[Song], outside: Sequence[Song], fold: int
) -> list[Row]:
    """The baselines' estimates of a fold's songs with labels, a row a label."""
    train_songs = [song for song in inside if song.clip.dynamic]
    test_songs = [song for song in outside if song.clip.dynamic]
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
    predictor: str,
    seed: int,
    fold: int,
    clip: Clip,
    t: float,
    output: Any,
    label: Any,
    withheld: float = 0.0,
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
        clip.kind,
        withheld,
    )


@lru_cache(maxsize=1)
def loaded(directory: Path) -> Model:
    """The model of a directory; a worker process keeps the one that it has loaded."""
    return load_model(directory)
