"""The progress of an annotation on standard error: a bar, the time left, what went wrong."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from streamer.analysis.annotate_file import Annotation
from streamer.cli.sentence import sentence


class Progress:
    """Shows a bar where standard error is a terminal; problems are told in any case."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        self._bar = Bar(
            TextColumn("{task.fields[done]} of {task.fields[files]} files"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._task = TaskID(0)
        self._done = self._left = 0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, files: int, size: int) -> None:
        """So many files of so many bytes together are to be done."""
        self._left = size
        # Bytes tell the time left better than files, whose lengths differ.
        self._task = self._bar.add_task("", start=False, total=size, done=0, files=files)

    def finished(self, name: str, size: int, annotation: Annotation | None) -> None:
        """A file is done; ``None`` for one that an interrupted run had done."""
        self._done += 1
        if annotation is None:
            # Left out of the speed, by which the time left is reckoned.
            self._left -= size
            self._bar.update(self._task, total=self._left, done=self._done)
            return
        self._bar.start_task(self._task)
        self._bar.update(self._task, advance=size, done=self._done)
        if annotation.problem is not None:
            self._console.print(f"streamer: skipped: {sentence(annotation.problem)}")
        for remark in annotation.remarks:
            self._console.print(f"streamer: {sentence(name)} {sentence(remark)}")

    def say(self, message: str) -> None:
        """Print a line about the run as a whole, unless quiet."""
        if not self._quiet:
            self._console.print(f"streamer: {message}")
