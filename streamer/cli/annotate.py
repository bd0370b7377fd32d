"""``streamer annotate``: a library of sound files to one table."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from streamer.cli.completion import MODEL
from streamer.cli.main import FAILED
from streamer.cli.options import Seconds
from streamer.cli.overwriting import check_outputs, overwriting
from streamer.cli.sentence import sentence

if TYPE_CHECKING:
    from rich.progress import TaskID

    from streamer.annotate.file import Annotation, Job
    from streamer.annotate.library import Outcome, Workers


class Progress:
    """Shows a bar where standard error is a terminal; problems are told in any case."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

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
        self._task: TaskID | None = None
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
        assert self._task is not None, "begin comes first"
        task = self._task
        self._done += 1
        if annotation is None:
            # Left out of the speed, by which the time left is reckoned.
            self._left -= size
            self._bar.update(task, total=self._left, done=self._done)
            return
        self._bar.start_task(task)
        self._bar.update(task, advance=size, done=self._done)
        if annotation.problem is not None:
            self._console.print(f"streamer: skipped: {sentence(annotation.problem)}")
        for remark in annotation.remarks:
            self._console.print(f"streamer: {sentence(name)} {sentence(remark)}")

    def warn(self, message: str) -> None:
        """Print a line about what went wrong, even if quiet."""
        self._console.print(f"streamer: {sentence(message)}")

    def say(self, message: str) -> None:
        """Print a line about the run as a whole, unless quiet."""
        if not self._quiet:
            self._console.print(f"streamer: {sentence(message)}")


@click.command(name="annotate")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(True, path_type=Path)
)
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The table: .csv, .jsonl or .parquet (which needs the extra `parquet`).",
)
@click.option(
    "--timeline", is_flag=True, help="A row an interval of each file instead of a row a file."
)
@click.option(
    "--model",
    type=MODEL,
    metavar="NAME|DIR",
    help="A model's name (see `models`) or its directory.",
)
@click.option(
    "--interval",
    type=Seconds(),
    default=0.5,
    show_default=True,
    help="Seconds between estimates; 0 takes every frame.",
)
@click.option(
    "--jobs", type=click.IntRange(1), help="Processes at once.  [default: one for each core]"
)
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Let the workers of a Dask cluster do it (needs the extra `cluster`); "
    "they must know the files by the same paths.",
)
@overwriting
@click.option("--restart", is_flag=True, help="Throw away what an interrupted run has done.")
@click.option("--quiet", is_flag=True, help="No progress; only errors on standard error.")
def command(
    paths: tuple[Path, ...],
    out: Path,
    timeline: bool,
    model: str | None,
    interval: float,
    jobs: int | None,
    scheduler: str | None,
    restart: bool,
    quiet: bool,
    overwrite: bool,
) -> int:
    """Annotate the sound files PATH..., and those in folders at any depth, into one table.

    A row a file: its length, mean, spread (standard deviation over time), range and trend (slope a
    minute) of valence and arousal, the share of each quadrant, of silence and of no music, the
    first and the last label, the level. What cannot be read, or not to its end, is reported, and
    the exit code is 1. OUT appears when all is done; the same command after an interruption does
    the rest, which OUT.partial.jsonl remembers.

    Example: streamer annotate ~/Music -o moods.csv

    Example: streamer annotate album/ --timeline -o album.parquet
    """
    if jobs is not None and scheduler is not None:
        raise click.UsageError("--jobs is for this machine: the cluster has its own workers")
    check_outputs([out], paths, overwrite=overwrite)

    from streamer.annotate.file import Job
    from streamer.annotate.library import annotate, sound_files
    from streamer.annotate.table import check_table
    from streamer.network.model import load_model
    from streamer.network.names import list_models

    check_table(out)
    found = sound_files(paths)
    if not found.files:
        passed_over = "" if found.complete else f" ({found.passed_over()})"
        places = ", ".join(map(str, paths))
        raise click.UsageError(sentence(f"there is no sound file in {places}{passed_over}"))
    loaded = load_model(model)
    name = loaded.name if model is None or model in list_models() else str(Path(model).absolute())
    job = Job(name, loaded.config.weights_sha256, interval, timeline)
    with Progress(quiet) as progress:
        try:
            outcome = annotate(
                found.files, out, job, _workers(job, jobs, scheduler), progress, restart=restart
            )
        except (KeyboardInterrupt, click.exceptions.Exit):
            progress.say(f"stopped: the same command goes on from here ({out}.partial.jsonl)")
            raise
        progress.say(_summary(outcome, out))
        if not found.complete:
            progress.warn(found.passed_over())
    return FAILED if outcome.skipped or outcome.partial or not found.complete else 0


def _workers(job: Job, jobs: int | None, scheduler: str | None) -> Workers:
    if scheduler is not None:
        from streamer.annotate.workers import Cluster

        return Cluster(scheduler, job)
    from streamer.annotate.workers import Processes
    from streamer.processes import cores

    return Processes(jobs or cores(), job)


def _summary(outcome: Outcome, out: Path) -> str:
    done = outcome.files - outcome.skipped
    parts = [f"annotated {done} of {outcome.files} files into {out}"]
    if outcome.partial:
        parts.append(f"{outcome.partial} of them have rows of the part that could be heard")
    return "; ".join(parts)
