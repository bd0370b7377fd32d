"""Out-of-fold estimates as a table on disk: what every figure of a model is computed from."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from streamer.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Row:
    """One estimate beside its label.

    ``predictor`` is "network", "constant" or "ridge". Of a clip judged by quadrant, ``t`` is -1,
    the estimate is the mean over the clip from second 3 on, and the label is its coarse tags, with
    ``side_valence`` and ``side_arousal`` (1 or 0; -1 where there are none).
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
