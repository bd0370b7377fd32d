"""Files that a command writes: what they may not cost, decided once for every command.

A file that is there stays unless ``--overwrite`` is given, and then it is replaced by what went
well alone; an output is never also an input, another output, or where standard output goes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from streamer.errors import OutputError, writing

overwriting = click.option("--overwrite", is_flag=True, help="Replace output files that are there.")


def check_outputs(
    outputs: Sequence[Path | None], inputs: Sequence[Path] = (), *, overwrite: bool
) -> None:
    """Refuse outputs that would cost what is in a file; ``None`` stands for one not asked for.

    Devices and pipes are no files. Raises ``click.UsageError`` where two are the same, and
    ``OutputError`` where one exists that may not be replaced.
    """
    wanted = [path for path in outputs if path is not None]
    if Path("-") in wanted:
        raise click.UsageError("- is no file: name one (standard output gets what has no file)")
    for index, path in enumerate(wanted):
        for other in wanted[:index]:
            if _same(path, other):
                raise click.UsageError(f"{path} cannot be two things at once: name another file")
        for other in inputs:
            if _same(path, other):
                raise click.UsageError(f"{path} is the file to be read: name another output")
        with writing(path):  # a name too long, a folder that may not be looked into
            if not path.is_file():
                continue
        for descriptor, name in ((1, "output"), (2, "error")):
            with contextlib.suppress(OSError):
                if os.path.samestat(path.stat(), os.fstat(descriptor)):
                    raise click.UsageError(
                        f"{path} is where standard {name} goes: name another file"
                    )
        if not overwrite:
            raise OutputError(f"{path} exists already: name another file, or give --overwrite")


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return os.path.realpath(path) == os.path.realpath(other)


class Draft:
    """A file beside ``path``, with its ending, that becomes it when it is finished.

    What is no file (a pipe, a device) is written to itself. Raises ``OutputError`` where there can
    be no such file: better at the beginning than after hours.
    """

    def __init__(self, path: Path) -> None:
        self._name = path  # as the user has it
        self._final = Path(os.path.realpath(path))  # a link stays one
        #: What is to be written to.
        self.path = path
        with writing(path):
            if path.is_dir():
                raise OutputError(f"{path} cannot be written: it is a folder")
            if self._final.is_symlink():
                raise OutputError(f"{path} cannot be written: it is a link that leads to itself")
            # Not of the resolved path: that of a pipe (/dev/fd/63) names nothing.
            if path.is_file() or not path.exists():
                self.path = self._final.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
                self.path.touch()

    def finish(self) -> None:
        """Put what was written in its place."""
        if self.path != self._name:
            with writing(self._name):
                self.path.replace(self._final)

    def discard(self) -> None:
        """Leave nothing behind, unless it was finished."""
        if self.path != self._name:
            with contextlib.suppress(OSError):
                self.path.unlink()


@contextlib.contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A draft of ``path`` that is finished if all goes well, and gone if not."""
    made = Draft(path)
    try:
        yield made.path
        made.finish()
    except OutputError as error:
        # Nobody knows the draft by its name.
        raise OutputError(str(error).replace(str(made.path), str(path))) from None
    finally:
        made.discard()
