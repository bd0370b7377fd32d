"""Annotated music on disk: the excerpt and clip layouts, and the original DEAM release.

Three layouts are read, told apart by the files that they have:

- *excerpts*: ``excerpts.csv`` (``song_id,path,start_s,duration_s,fold``) and
  ``annotations/{valence,arousal}.csv`` in DEAM's wide form; second 0 of a file is second
  ``start_s`` of the annotated clip.
- *clips*: ``clips.csv`` (``song_id,path,quadrant,valence,arousal,artist_id,fold``): one quadrant a
  clip, with coarse numbers beside it.
- *DEAM*: the release as it is downloaded, ``MEMD_audio/*.mp3`` and ``annotations/annotations
  averaged per song/dynamic (per second annotations)/{arousal,valence}.csv``.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.errors import DatasetError

#: Folds of a dataset that does not bring its own.
FOLDS = 5
_DEAM_AUDIO = "MEMD_audio"
_DEAM_LABELS = (
    Path("annotations") / "annotations averaged per song" / "dynamic (per second annotations)"
)
_QUADRANT_SIDES = {"Q1": (1, 1), "Q2": (0, 1), "Q3": (0, 0), "Q4": (1, 0)}


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A sound file with what people said of it.

    ``group`` is what must not be split between folds (the song, or the artist). ``times`` (labels,)
    are seconds from the start of the file and ``labels`` (labels, 2) the valence and arousal there,
    in [-1, 1]; both empty for a clip judged as a whole. ``sides`` are 1 or 0 for positive valence
    and high arousal of a clip judged by quadrant, ``tags`` its coarse valence and arousal.
    """

    dataset: str
    song: str
    path: Path
    fold: int
    group: str
    times: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    labels: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    sides: tuple[int, int] | None = None
    tags: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The clips of a folder; ``name`` is the folder's, ``remarks`` say what was left out."""

    name: str
    clips: tuple[Clip, ...]
    remarks: tuple[str, ...] = ()

    @property
    def dynamic(self) -> bool:
        """Whether the labels follow time (else each clip has a quadrant)."""
        return bool(self.clips) and self.clips[0].sides is None

    @property
    def folds(self) -> list[int]:
        """The folds that occur, in order."""
        return sorted({clip.fold for clip in self.clips})


def read_dataset(folder: Path) -> Dataset:
    """The dataset in ``folder``, whichever layout it has.

    Songs without annotations are left out; ``Dataset.remarks`` names them. Raises ``DatasetError``
    where no layout is recognised, a file is missing or does not fit, or no song is annotated.
    """
    if not folder.is_dir():
        raise DatasetError(f"there is no dataset folder {folder}")
    bare: list[str] = []
    if (folder / "excerpts.csv").is_file():
        clips = _excerpts(folder, bare)
    elif (folder / "clips.csv").is_file():
        clips = _clips(folder)
    elif (folder / _DEAM_AUDIO).is_dir():
        clips = _deam(folder, bare)
    else:
        raise DatasetError(
            f"{folder} holds no dataset: no excerpts.csv, no clips.csv and no {_DEAM_AUDIO}/"
        )
    found = tuple(clips)
    if not found:
        raise DatasetError(f"{folder} holds no annotated song")
    for clip in found:
        if not clip.path.is_file():
            raise DatasetError(f"{folder} names {clip.path.name}, but the file is missing")
    return Dataset(folder.resolve().name, found, _left_out(folder, bare))


def _left_out(folder: Path, songs: list[str]) -> tuple[str, ...]:
    """What a person should know of songs that nobody annotated."""
    if not songs:
        return ()
    named = ", ".join(songs[:5]) + (f" and {len(songs) - 5} more" if len(songs) > 5 else "")
    which = "song" if len(songs) == 1 else "songs"
    return (f"{folder}: {which} {named} left out: no annotations",)


def _excerpts(folder: Path, bare: list[str]) -> Iterator[Clip]:
    """The clips; songs without annotations go to ``bare``."""
    valence = _wide(folder / "annotations" / "valence.csv")
    arousal = _wide(folder / "annotations" / "arousal.csv")
    columns = ("song_id", "path", "start_s", "duration_s", "fold")
    for row in _rows(folder / "excerpts.csv", columns):
        song = _song(row["song_id"])
        start = _number(row, "start_s", folder)
        end = start + _number(row, "duration_s", folder)
        times, labels = _joined(song, valence, arousal)
        if not times.size:
            bare.append(song)
            continue
        inside = (times > start) & (times <= end + 1e-6)
        if not inside.any():
            raise DatasetError(f"{folder}: song {song} has no label between {start} and {end} s")
        yield Clip(
            dataset=folder.resolve().name,
            song=song,
            path=folder / row["path"],
            fold=int(_number(row, "fold", folder)),
            group=song,
            times=times[inside] - start,
            labels=labels[inside],
        )


def _clips(folder: Path) -> Iterator[Clip]:
    columns = ("song_id", "path", "quadrant", "valence", "arousal", "artist_id", "fold")
    for row in _rows(folder / "clips.csv", columns):
        if row["quadrant"] not in _QUADRANT_SIDES:
            raise DatasetError(f"{folder}: quadrant {row['quadrant']!r} is none of Q1 to Q4")
        yield Clip(
            dataset=folder.resolve().name,
            song=_song(row["song_id"]),
            path=folder / row["path"],
            fold=int(_number(row, "fold", folder)),
            group=row["artist_id"],
            sides=_QUADRANT_SIDES[row["quadrant"]],
            tags=(_number(row, "valence", folder), _number(row, "arousal", folder)),
        )


def _deam(folder: Path, bare: list[str]) -> Iterator[Clip]:
    """The clips; songs without annotations go to ``bare``."""
    valence = _wide(folder / _DEAM_LABELS / "valence.csv")
    arousal = _wide(folder / _DEAM_LABELS / "arousal.csv")
    for path in sorted((folder / _DEAM_AUDIO).glob("*.mp3"), key=lambda path: path.stem.zfill(9)):
        song = path.stem
        times, labels = _joined(song, valence, arousal)
        if not times.size:
            bare.append(song)
            continue
        # Which fold a song is in depends on its name alone, not on which others are there.
        fold = int(hashlib.sha256(song.encode()).hexdigest(), 16) % FOLDS
        yield Clip(folder.resolve().name, song, path, fold, song, times, labels)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    try:
        # Spreadsheets put a byte order mark before UTF-8; DEAM's own tables, blanks after commas.
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            for column in columns:
                if column not in reader.fieldnames:
                    raise DatasetError(f"{path} has no column {column!r}")
            for row in reader:
                if any(row[column] is None for column in columns):
                    raise DatasetError(f"{path}, line {reader.line_num}: too few columns")
                yield row
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def _wide(path: Path) -> dict[str, dict[int, float]]:
    """DEAM's annotation table: song to milliseconds to value; empty cells are left out."""
    table: dict[str, dict[int, float]] = {}
    for row in _rows(path, ("song_id",)):
        cells = table.setdefault(_song(row["song_id"]), {})
        for name, cell in row.items():
            match = re.fullmatch(r"sample_(\d+)ms", name or "")
            if match and cell and cell.strip():
                value = _number({name: cell}, name, path)
                if not -1 <= value <= 1:
                    raise DatasetError(f"{path}: song {row['song_id']} has {value}, beyond [-1, 1]")
                cells[int(match[1])] = value
    return table


def _joined(
    song: str,
    valence: dict[str, dict[int, float]],
    arousal: dict[str, dict[int, float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times in seconds of the clip, and (valence, arousal) where both were annotated."""
    pleasant, active = valence.get(song, {}), arousal.get(song, {})
    both = sorted(pleasant.keys() & active.keys())
    labels = [(pleasant[time], active[time]) for time in both]
    return np.array(both) / 1000, np.array(labels).reshape(-1, 2)


def _song(cell: str) -> str:
    """A song's name as tables write it: without blanks, a whole number without its ``.0``."""
    return re.sub(r"^(\d+)\.0+$", r"\1", cell.strip())


def _number(row: dict[str, str], column: str, where: Path) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DatasetError(f"{where}: {column} {row[column]!r} is not a number")
    return value
