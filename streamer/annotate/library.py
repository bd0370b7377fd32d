"""A library of sound files to one table, however often it is interrupted."""

from __future__ import annotations

import mimetypes
import os
from collections import Counter
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
        *("wav", "wave", "bwf", "w64", "rf64", "flac", "ogg", "oga", "opus", "spx"),
        *("mp3", "mp2", "aif", "aiff", "aifc", "au", "snd", "caf", "voc"),
        # What a decoder reads.
        *("m4a", "m4b", "m4r", "aac", "wma", "mka", "weba", "ac3", "eac3", "dts"),
        *("ape", "wv", "tta", "tak", "mpc", "dsf", "amr", "ra"),
    )
)
#: Endings of sound that nobody but its maker's programs reads.
_CLOSED = frozenset({".m4p", ".aa", ".aax", ".dff", ".shn", ".ofr", ".la", ".mqa"})
#: Endings that the system takes for sound, of lists and notes that hold none.
_SILENT = frozenset(
    {".m3u", ".m3u8", ".pls", ".ram", ".mid", ".midi", ".kar", ".rmi", ".mod", ".xm", ".s3m", ".it"}
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


@dataclass(slots=True)
class Found:
    """What a search for sound files came to.

    ``files`` to be read; ``left_out``: how many files of each ending look like sound, and cannot be
    read; ``closed``: folders that could not be entered, and why; ``endless``: pipes and the like.
    """

    files: list[Path]
    left_out: Counter[str]
    closed: dict[Path, str]
    endless: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing that looks like sound was passed over."""
        return not (self.left_out or self.closed or self.endless)

    def passed_over(self) -> str:
        """What was passed over, in words."""
        endings = [f"{count} {ending}" for ending, count in sorted(self.left_out.items())]
        parts = [f"left out {', '.join(endings)}: nothing here reads these"] if endings else []
        if self.endless:
            what = "pipe or device" if self.endless == 1 else "pipes or devices"
            parts.append(f"left out {self.endless} {what}: name what is to be waited for")
        parts += [f"cannot enter {folder}: {why}" for folder, why in self.closed.items()]
        return "; ".join(parts)


def sound_files(paths: Sequence[Path]) -> Found:
    """The files among ``paths``, and those with an audio ending in the folders, at any depth.

    In the given order, folders sorted by name; each once; hidden ones are left out. Linked folders
    are entered, each folder once.
    """
    found = Found([], Counter(), {})
    files: dict[str, Path] = {}  # by the path without detours
    entered: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        found.closed[Path(error.filename)] = error.strerror or str(error)

    for path in paths:
        if not path.is_dir():
            files.setdefault(os.path.normpath(path.absolute()), path)
            continue
        for folder, folders, names in os.walk(path, onerror=note, followlinks=True):
            status = Path(folder).stat()
            # A link may lead back to a folder above it.
            known = (status.st_dev, status.st_ino) in entered
            entered.add((status.st_dev, status.st_ino))
            if known:
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                file = Path(folder, name)
                ending = file.suffix.lower()
                if name.startswith(".") or not _looks_like_sound(ending):
                    continue
                if ending not in ENDINGS:
                    found.left_out[ending] += 1
                elif file.is_file() or file.is_symlink():  # a pipe of that name would be waited for
                    files.setdefault(os.path.normpath(file.absolute()), file)
                else:
                    found.endless += 1
    found.files.extend(files.values())
    return found


def _looks_like_sound(ending: str) -> bool:
    kind, _ = mimetypes.guess_type(f"file{ending}")
    audio = kind is not None and kind.startswith("audio/") and ending not in _SILENT
    return ending in ENDINGS or ending in _CLOSED or audio


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
