"""Rows to a table: CSV, JSON lines or Parquet, complete or absent."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from streamer.errors import MissingExtraError, OutputError

#: Rows in memory at once, and in a row group of Parquet.
_BATCH = 20_000


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
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            _WRITERS[path.suffix.lower()](file, columns, rows)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)  # noqa: PTH105 - the one atomic step deserves its plain name
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None
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
        for batch in _batches(rows):
            writer.write_table(arrow.Table.from_pylist(batch, schema=schema))


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet", "pyarrow", "parquet") from None
    return pyarrow, pyarrow.parquet


_WRITERS = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
