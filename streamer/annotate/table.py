"""The table of an annotation (CSV, JSON lines or Parquet), and the journal of its finished rows.

The table is complete or absent; the journal is what an interrupted run goes on from.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from streamer.annotate.file import Annotation, Row
from streamer.errors import MissingExtraError, OutputError, writing

#: Rows in memory at once; and of a row group of Parquet, of which they take a fortieth as columns.
_BATCH, _GROUP = 500, 20_000


def check_table(path: Path) -> None:
    """Refuse what cannot be written, before any work is done.

    Raises ``OutputError`` for an unknown ending, ``MissingExtraError`` for Parquet without pyarrow.
    """
    if path.suffix.lower() not in _WRITERS:
        endings = ", ".join(_WRITERS)
        raise OutputError(f"{path} does not say what table it is: end its name with {endings}")
    if path.suffix.lower() == ".parquet":
        _pyarrow()


def write_table(path: Path, columns: Mapping[str, type], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows to the kind of table that the ending says, and put it in place in one step.

    ``columns``: names in order and their types; every row has them all, ``None`` for no value.
    Raises ``OutputError`` where it cannot be written; ``path`` is then as it was.
    """
    final = Path(os.path.realpath(path))  # a link stays one
    unfinished = final.with_name(f".{final.name}.unfinished")
    try:
        with writing(path):
            with unfinished.open("wb") as file:
                _WRITERS[path.suffix.lower()](file, columns, rows)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, final)  # noqa: PTH105 - the one atomic step has its plain name
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch


def _write_csv(file: BinaryIO, columns: Mapping[str, type], rows: Iterable[dict[str, Any]]) -> None:
    for number, batch in enumerate(_batches(rows)):
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if number == 0:
            writer.writerow(columns)
        writer.writerows([_cell(row[name]) for name in columns] for row in batch)
        file.write(text.getvalue().encode())
    if not file.tell():
        file.write((",".join(columns) + "\n").encode())


def _cell(value: Any) -> Any:
    """Empty for no value, JSON's words for truth."""
    return str(value).lower() if isinstance(value, bool) else value


def _write_jsonl(
    file: BinaryIO, columns: Mapping[str, type], rows: Iterable[dict[str, Any]]
) -> None:
    for row in rows:
        record = {name: row[name] for name in columns}
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        file.write(text.encode() + b"\n")


def _write_parquet(
    file: BinaryIO, columns: Mapping[str, type], rows: Iterable[dict[str, Any]]
) -> None:
    arrow, parquet = _pyarrow()
    kinds = {float: arrow.float64(), int: arrow.int64(), str: arrow.string(), bool: arrow.bool_()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        batches = (arrow.RecordBatch.from_pylist(batch, schema=schema) for batch in _batches(rows))
        while group := list(itertools.islice(batches, _GROUP // _BATCH)):
            writer.write_table(arrow.Table.from_batches(group, schema))


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet", "pyarrow", "parquet") from None
    return pyarrow, pyarrow.parquet


_WRITERS = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}


#: What makes a file the same file: its size in bytes and its time of change in nanoseconds.
Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A finished file: where its line begins, and whether its rows cover only a part of it."""

    stamp: Stamp
    place: int
    partial: bool


class Journal:
    """``OUT.partial.jsonl``: a header line, then a line a finished file.

    A run that was killed leaves at most a torn last line, which the next one cuts off. ``header``
    says what the rows depend on; a journal with another one is refused, unless ``restart`` throws
    it away. Raises ``OutputError`` for that, for a second run at the same time, and where the file
    cannot be written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], *, restart: bool = False) -> None:
        self.path = path
        self._entries: dict[str, _Entry] = {}
        with writing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self._file: BinaryIO = os.fdopen(descriptor, "r+b")
        try:
            _lock(self._file, path)
            if restart:
                self._file.truncate(0)
            self._read(dict(header))
        except BaseException:
            self._file.close()
            raise

    def has(self, name: str, stamp: Stamp) -> bool:
        """Whether the file of that name was finished as it is now."""
        return name in self._entries and self._entries[name].stamp == stamp

    def is_partial(self, name: str) -> bool:
        """Whether the rows of a finished file cover only a part of it."""
        return self._entries[name].partial

    def add(self, name: str, stamp: Stamp, annotation: Annotation) -> None:
        """Note what came of a finished file."""
        record = {
            "path": name,
            "size": stamp[0],
            "mtime_ns": stamp[1],
            "remarks": annotation.remarks,
            "partial": annotation.partial,
            "rows": annotation.rows,
        }
        self._note(record, self._file.seek(0, os.SEEK_END))
        self._append(record)

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of a finished file."""
        self._file.seek(self._entries[name].place)
        yield from json.loads(self._file.readline())["rows"]

    def close(self, *, remove: bool = False) -> None:
        """Let the journal go; ``remove`` it where its rows have reached their table."""
        try:
            if remove:
                self.path.unlink(missing_ok=True)
                remove = False
        except PermissionError:  # Windows removes no file that is open
            pass
        with contextlib.suppress(OSError):  # a full disk: `add` has told of it
            self._file.close()
        if remove:
            self.path.unlink(missing_ok=True)

    def _read(self, header: dict[str, Any]) -> None:
        end = 0
        for number, line in enumerate(self._file):
            record = _record(line)
            if record is None:
                if number == 0 and line.endswith(b"\n"):
                    raise OutputError(f"{self.path} is no journal of an annotation: move it away")
                break
            if number == 0:
                self._compare(record, header)
            else:
                self._note(record, end)
            end += len(line)
        self._file.truncate(end)
        self._file.seek(end)
        if not end:
            self._append(header)

    def _compare(self, found: dict[str, Any], header: dict[str, Any]) -> None:
        for key in header | found:
            if found.get(key) != header.get(key):
                raise OutputError(
                    f"{self.path} is of an unfinished run with another {key.replace('_', ' ')} "
                    f"({found.get(key)}, not {header.get(key)}): finish that one with the same "
                    "options, or begin again with --restart"
                )

    def _note(self, record: dict[str, Any], place: int) -> None:
        stamp = (record["size"], record["mtime_ns"])
        self._entries[record["path"]] = _Entry(stamp, place, bool(record["partial"]))

    def _append(self, record: dict[str, Any]) -> None:
        # One write a line: what is torn can only be the last.
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with writing(self.path):
            self._file.write(line)
            self._file.flush()


def _record(line: bytes) -> dict[str, Any] | None:
    """The object of a whole line; ``None`` where it is torn."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _lock(file: BinaryIO, path: Path) -> None:
    """Make sure that no other run writes this journal; it lasts as long as the file is open."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OutputError(f"{path} is being written by another run: wait for it") from None
