"""A library of sound files to one table, however often it is interrupted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import streamer
from streamer.annotate.file import Annotation, Job
from streamer.annotate.table import Journal, Stamp, check_table, write_table

#: Endings of the files that are looked for in folders; a file named by itself may have any.
ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        *("wav", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc"),
        *("au", "snd", "caf", "w64", "rf64"),
    )
)


class Workers(Protocol):
    """What does the work: processes of this machine, or a cluster."""

    def run(self, paths: Iterable[str]) -> Iterator[tuple[str, Annotation]]:
        """Every path with what came of it, in any order."""


class Progress(Protocol):
    """What is told of the progress."""

    def begin(self, files: int, size: int) -> None:
        """So many files of so many bytes together are to be done."""

    def finished(self, name: str, size: int, annotation: Annotation | None) -> None:
        """A file is done; ``None`` for one that an interrupted run had done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many files there were, how many have no rows, how many rows cover only a part."""

    files: int
    skipped: int
    partial: int


def sound_files(paths: Sequence[Path]) -> list[Path]:
    """The files among ``paths``, and those with an audio ending in the folders, at any depth.

    In the given order, folders sorted by name; each once; hidden ones are left out.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = None
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                file = Path(folder, name)
                audio = file.suffix.lower() in ENDINGS and not name.startswith(".")
                if audio and file.is_file():  # a pipe of that name would be waited for
                    found[file] = None
    return list(found)


def annotate(
    files: Sequence[Path],
    out: Path,
    job: Job,
    workers: Workers,
    progress: Progress,
    *,
    restart: bool = False,
) -> Outcome:
    """Annotate ``files`` and write the table ``out``, rows in the order of the files.

    Finished files are kept in ``OUT.partial.jsonl``: the same call after an interruption does the
    rest, and those that have changed since. ``restart`` begins again. Raises ``OutputError`` where
    the table or the journal cannot be written, and what the workers raise.
    """
    check_table(out)
    stamps = {str(file): _stamp(file) for file in files}
    journal = Journal(_partial(out), _header(job), restart=restart)
    written = False
    try:
        progress.begin(len(stamps), sum(size for size, _ in stamps.values()))
        todo = []
        for name, stamp in stamps.items():
            if journal.has(name, stamp):
                progress.finished(name, stamp[0], None)
            else:
                todo.append(name)
        skipped = set()
        for name, annotation in workers.run(todo):
            if annotation.problem is None:
                journal.add(name, stamps[name], annotation)
            else:
                skipped.add(name)
            progress.finished(name, stamps[name][0], annotation)
        done = [name for name in stamps if name not in skipped]
        write_table(out, {"path": str, **job.columns}, _rows(journal, done))
        written = True
        return Outcome(len(stamps), len(skipped), sum(map(journal.is_partial, done)))
    finally:
        journal.close(remove=written)


def _rows(journal: Journal, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of the files, one file's in memory at a time."""
    for name in names:
        path = os.fsencode(name).decode("utf-8", "replace")  # not all file names are text
        for row in journal.rows(name):
            yield {"path": path, **row}


def _partial(out: Path) -> Path:
    return out.with_name(f"{out.name}.partial.jsonl")


def _header(job: Job) -> dict[str, Any]:
    """What the rows depend on."""
    return {
        "journal": 1,
        "version": streamer.__version__,
        "model": Path(job.model).name,
        "weights_sha256": job.weights_sha256,
        "interval": job.interval,
        "timeline": job.timeline,
    }


def _stamp(file: Path) -> Stamp:
    try:
        status = file.stat()
    except OSError:  # the worker says what is wrong with it
        return 0, 0
    return status.st_size, status.st_mtime_ns
