"""Annotated sound on disk: music with ratings, quadrants or felt emotions, and what is no music.

Five layouts are read, told apart by the files and columns that they have:

- *excerpts*: ``excerpts.csv`` (``song_id,path,start_s,duration_s,fold``) and
  ``annotations/{valence,arousal}.csv`` in DEAM's wide form; second 0 of a file is second
  ``start_s`` of the annotated clip.
- *clips*: ``clips.csv`` (``song_id,path,quadrant,valence,arousal,artist_id,fold``): one quadrant a
  clip, with coarse numbers beside it.
- *felt*: ``clips.csv`` (``song_id,path``, one column for each of :data:`FELT`, ``fold``): the share
  of listeners who felt each of nine emotions.
- *sounds*: ``clips.csv`` (``clip_id,path,kind,group,licence,doubtful``): sounds that are no music
  but for those of kind ``music``. A quarter of the groups, chosen by name, is never held out. With
  the columns ``pair,brighter``, clips of one ``pair`` are a piece, in any keys, and the same made
  darker: those with 1 are known to be the brighter. They are learnt from, and never held out.
- *DEAM*: the release as it is downloaded, ``MEMD_audio/*.mp3`` and ``annotations/annotations
  averaged per song/dynamic (per second annotations)/{arousal,valence}.csv``.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.errors import DatasetError

#: Folds of a dataset that does not bring its own, and the last that one can name.
FOLDS = 5
_MOST_FOLDS = 9_999
_DEAM_AUDIO = "MEMD_audio"
_DEAM_LABELS = (
    Path("annotations") / "annotations averaged per song" / "dynamic (per second annotations)"
)
#: The emotions of the *felt* layout (GEMS-9: Zentner, Grandjean and Scherer 2008), and the weight
#: of each in its coarse valence and arousal: a convention of ours, for figures.
FELT = {
    "amazement": (1.0, 1.0),
    "solemnity": (0.0, 0.0),
    "tenderness": (0.5, -1.0),
    "nostalgia": (-0.5, -1.0),
    "calmness": (0.5, -1.0),
    "power": (0.0, 1.0),
    "joyful_activation": (1.0, 1.0),
    "tension": (-1.0, 1.0),
    "sadness": (-1.0, -1.0),
}
#: Windows of the hints, in seconds.
HINT_HOP_S, HINT_WINDOW_S = 1.504, 2.992
#: Numbers that a teacher says of a window.
HINTS = 114
#: What a damaged archive raises beside the errors that all files may.
_DAMAGED = (zipfile.BadZipFile, zlib.error)
#: The kind of a clip that is music.
MUSIC = "music"
_QUADRANT_SIDES = {"Q1": (1, 1), "Q2": (0, 1), "Q3": (0, 0), "Q4": (1, 0)}


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A sound file with what people said of it.

    ``group`` is what must not be split between folds (the song, or the artist). ``times`` (labels,)
    are seconds from the start of the file and ``labels`` (labels, 2) the valence and arousal there,
    in [-1, 1]; both empty for a clip judged as a whole. ``tags`` are the coarse valence and arousal
    of such a clip, and ``sides``, 1 or 0, whether they count as positive and high, if it was judged
    by quadrant; ``felt`` (9,) the shares of :data:`FELT`. ``kind`` is "music", or what else is
    heard. ``learnt``: whether its terms let a model learn from it; if not, it is for measuring.
    A ``fold`` of -1 is never held out. ``pair``: the name of a pair of pieces, one of them
    ``brighter`` than the other, each in one key or several; empty where there is none. ``hints``
    (windows, 114): what a teacher that heard much more music says of each :data:`HINT_WINDOW_S`
    seconds, one window each :data:`HINT_HOP_S`.
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
    felt: tuple[float, ...] | None = None
    kind: str = MUSIC
    learnt: bool = True
    pair: str = ""
    brighter: bool = False
    hints: NDArray[np.float16] | None = None

    @property
    def dynamic(self) -> bool:
        """Whether its labels follow time."""
        return bool(len(self.times))

    @property
    def emotional(self) -> bool:
        """Whether anything is known of its emotion."""
        return self.dynamic or self.tags is not None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The clips of a folder; ``name`` is the folder's, ``remarks`` say what was left out."""

    name: str
    clips: tuple[Clip, ...]
    remarks: tuple[str, ...] = ()

    @property
    def dynamic(self) -> bool:
        """Whether the labels follow time (else each clip is judged as a whole)."""
        return bool(self.clips) and self.clips[0].dynamic

    @property
    def folds(self) -> list[int]:
        """The folds that are held out in turn, in order."""
        return sorted({clip.fold for clip in self.clips if clip.fold >= 0})


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
        clips = _clips_layout(folder)(folder)
    elif (folder / _DEAM_AUDIO).is_dir():
        clips = _deam(folder, bare)
    else:
        raise DatasetError(
            f"{folder} holds no dataset: no excerpts.csv, no clips.csv and no {_DEAM_AUDIO}/"
        )
    found = tuple(clips)
    if not found:
        raise DatasetError(f"{folder} holds no annotated song")
    known: set[str] = set()
    for clip in found:
        if clip.song in known:
            raise DatasetError(f"{folder} names {clip.song} twice: each song or clip once")
        known.add(clip.song)
        if not clip.path.is_file():
            raise DatasetError(f"{folder} names {clip.path.name}, but the file is missing")
    hints = _hints(folder)
    found = tuple(replace(clip, hints=hints.get(clip.path)) for clip in found)
    return Dataset(folder.resolve().name, found, _left_out(folder, bare))


def _hints(folder: Path) -> dict[Path, NDArray[np.float16]]:
    """Each clip's hints: from ``hints.npz`` in the folder, or ``../hints/NAME.npz`` beside it.

    The file holds ``path`` and ``windows`` of each clip, and all windows' ``embedding`` and
    ``tags`` in that order.
    """
    files = (folder / "hints.npz", folder.parent / "hints" / f"{folder.resolve().name}.npz")
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return {}
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as table:
            said = np.concatenate([table["embedding"], table["tags"]], axis=1)
            windows = table["windows"]
            if said.shape != (windows.sum(), HINTS) or not np.isfinite(said).all():
                raise ValueError(f"there must be {HINTS} numbers for each window")
            parts = np.split(said, np.cumsum(windows)[:-1])
            named = zip(table["path"].tolist(), parts, strict=True)
            return {folder / path: part for path, part in named if len(part)}
    except (OSError, ValueError, KeyError, TypeError, EOFError, *_DAMAGED) as error:
        raise DatasetError(f"{file} cannot be read as hints: {error}") from None


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
            fold=_own_fold(row, folder),
            group=song,
            times=times[inside] - start,
            labels=labels[inside],
        )


def _clips_layout(folder: Path) -> Callable[[Path], Iterator[Clip]]:
    """Which of the layouts with a ``clips.csv`` a folder has, by its columns."""
    columns = _columns(folder / "clips.csv")
    if columns >= FELT.keys():
        return _felt
    return _sounds if "kind" in columns else _clips


def _columns(path: Path) -> set[str]:
    """The names in the first line of a table; none where it cannot be read."""
    try:
        return set(_table(path)[0])
    except DatasetError:
        return set()


def _felt(folder: Path) -> Iterator[Clip]:
    for row in _rows(folder / "clips.csv", ("song_id", "path", *FELT, "fold")):
        felt = [_number(row, name, folder, 0, 1) for name in FELT]
        valence, arousal = np.array(felt) @ np.array(list(FELT.values()))
        yield Clip(
            dataset=folder.resolve().name,
            song=row["song_id"],
            path=folder / row["path"],
            fold=_own_fold(row, folder),
            group=row["song_id"],
            tags=(float(valence), float(arousal)),
            felt=tuple(felt),
        )


def _sounds(folder: Path) -> Iterator[Clip]:
    columns = ("clip_id", "path", "kind", "group", "licence", "doubtful")
    pairs: dict[str, set[str]] = {}
    for row in _rows(folder / "clips.csv", columns):
        if _number(row, "doubtful", folder):
            continue  # It may hold music: neither figures nor training want it.
        pair = row.get("pair") or ""
        if pair and row["licence"] != "not stated":
            pairs.setdefault(pair, set()).add(row.get("brighter") or "")
        yield Clip(
            dataset=folder.resolve().name,
            song=row["clip_id"],
            path=folder / row["path"],
            fold=-1 if pair else _fold(row["group"], kept=4),
            group=row["group"],
            kind=row["kind"],
            learnt=row["licence"] != "not stated",
            pair=pair,
            brighter=bool(pair) and row.get("brighter") == "1",
        )
    for pair, found in pairs.items():
        if found != {"0", "1"}:
            raise DatasetError(
                f"{folder}: pair {pair} needs clips with brighter 1 and with 0, and no others"
            )


def _fold(name: str, kept: int = 0) -> int:
    """The fold of a group that brings none, by its name alone: not by which others are there.

    Of ``kept`` groups one is never held out: its fold is -1.
    """
    number = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    if kept and number % kept == 0:
        return -1
    return (number // max(kept, 1)) % FOLDS


def _clips(folder: Path) -> Iterator[Clip]:
    columns = ("song_id", "path", "quadrant", "valence", "arousal", "artist_id", "fold")
    for row in _rows(folder / "clips.csv", columns):
        if row["quadrant"] not in _QUADRANT_SIDES:
            raise DatasetError(f"{folder}: quadrant {row['quadrant']!r} is none of Q1 to Q4")
        yield Clip(
            dataset=folder.resolve().name,
            song=_song(row["song_id"]),
            path=folder / row["path"],
            fold=_own_fold(row, folder),
            group=row["artist_id"],
            sides=_QUADRANT_SIDES[row["quadrant"]],
            tags=(_number(row, "valence", folder, -1, 1), _number(row, "arousal", folder, -1, 1)),
        )


def _deam(folder: Path, bare: list[str]) -> Iterator[Clip]:
    """The clips; songs without annotations go to ``bare``."""
    valence = _wide(folder / _DEAM_LABELS / "valence.csv")
    arousal = _wide(folder / _DEAM_LABELS / "arousal.csv")
    for path in sorted((folder / _DEAM_AUDIO).glob("*.mp3"), key=lambda path: path.stem.zfill(9)):
        song = _song(path.stem)
        times, labels = _joined(song, valence, arousal)
        if not times.size:
            bare.append(song)
            continue
        yield Clip(folder.resolve().name, song, path, _fold(song), song, times, labels)


_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)


def _table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """A table's column names, and its rows that are not empty, each with the number of its line.

    As spreadsheets leave it: with a mark before UTF-8 or UTF-16, semicolons or tabs between cells
    (then a number may have a decimal comma), blanks around them.
    """
    try:
        data = path.read_bytes()
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path} cannot be read: save it as UTF-8 text") from None
    head = text.lstrip().partition("\n")[0]
    between = max(",;\t", key=head.count)  # the comma where there are none
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between)

    def rows() -> Iterator[tuple[int, list[str]]]:
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if between != ",":
                    cells = [
                        cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell
                        for cell in cells
                    ]
                if any(cells):
                    yield reader.line_num, cells
        except csv.Error as error:
            raise DatasetError(f"{path} cannot be read: {error}") from None

    every = rows()
    _, names = next(every, (0, []))
    return names, every


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    names, rows = _table(path)
    for column in columns:
        if column not in names:
            raise DatasetError(f"{path} has no column {column!r}")
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise DatasetError(f"{path} has two columns {twice!r}")
    for line, cells in rows:
        row = dict(zip(names, cells, strict=False))
        if not row.keys() >= set(columns):
            raise DatasetError(f"{path}, line {line}: too few columns")
        # A decimal comma between commas would move all that follows it.
        if any(cells[len(names) :]):
            raise DatasetError(f"{path}, line {line}: more cells than columns")
        yield row


def _wide(path: Path) -> dict[str, dict[int, float]]:
    """DEAM's annotation table: song to milliseconds to value; empty cells are left out."""
    table: dict[str, dict[int, float]] = {}
    for row in _rows(path, ("song_id",)):
        cells = table.setdefault(_song(row["song_id"]), {})
        for name, cell in row.items():
            match = re.fullmatch(r"sample_(\d+)ms", name)
            if match and cell:
                value, time = _number(row, name, path, -1, 1), int(match[1])
                if cells.setdefault(time, value) != value:
                    raise DatasetError(f"{path}: song {row['song_id']} has two values of {name}")
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
    """A song's name as tables write it: a whole number without zeros before it or its ``.0``."""
    return re.sub(r"^0*(\d+)(\.0+)?$", r"\1", cell.strip())


def _number(
    row: dict[str, str], column: str, where: Path, low: float = -math.inf, high: float = math.inf
) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where}: {column} {row[column]!r} is not a number")
    if not low <= value <= high:
        raise DatasetError(f"{where}: {column} {row[column]} is beyond [{low:g}, {high:g}]")
    return value


def _own_fold(row: dict[str, str], where: Path) -> int:
    """The fold that a table gives."""
    fold = _number(row, "fold", where, -1, _MOST_FOLDS)
    if not fold.is_integer():
        raise DatasetError(f"{where}: fold {row['fold']} is not a whole number")
    return int(fold)
