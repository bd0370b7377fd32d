"""``streamer annotate``: a library of sound files to one table."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamer.cli.main import FAILED, TERMINATED
from streamer.cli.values import Seconds

if TYPE_CHECKING:
    from streamer.analysis.annotate import Outcome, Workers
    from streamer.analysis.annotate_file import Job


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
@click.option("--model", metavar="NAME|DIR", help="A model's name (see `models`) or its directory.")
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
) -> int:
    """Annotate the sound files PATH..., and those in folders at any depth, into one table.

    A row a file: its length, mean, spread (standard deviation over time), range and trend (slope a
    minute) of valence and arousal, the share of each quadrant and of silence, the first and the
    last label, the level. A file that cannot be read is reported and skipped, and the exit code is
    1. OUT appears when all is done; the same command after an interruption does the rest, which
    OUT.partial.jsonl remembers.

    Example: streamer annotate ~/Music -o moods.csv

    Example: streamer annotate album/ --timeline -o album.parquet
    """
    if jobs is not None and scheduler is not None:
        raise click.UsageError("--jobs is for this machine: the cluster has its own workers")
    for path in paths:
        if path.is_file() and out.exists() and path.samefile(out):
            raise click.UsageError(f"{out} is one of the files to be read: name another output")

    from streamer.analysis.annotate import annotate, sound_files
    from streamer.analysis.annotate_file import Job
    from streamer.analysis.annotate_table import check_table
    from streamer.cli.annotate_progress import Progress
    from streamer.network.model import list_models, load_model

    check_table(out)
    files = sound_files(paths)
    if not files:
        raise click.UsageError(f"there is no sound file in {', '.join(map(str, paths))}")
    loaded = load_model(model)
    name = loaded.name if model is None or model in list_models() else str(Path(model).absolute())
    job = Job(name, loaded.config.weights_sha256, interval, timeline)
    with _termination(), Progress(quiet) as progress:
        try:
            outcome = annotate(
                files, out, job, _workers(job, jobs, scheduler), progress, restart=restart
            )
        except (KeyboardInterrupt, click.exceptions.Exit):
            progress.say(f"stopped: the same command goes on from here ({out}.partial.jsonl)")
            raise
        progress.say(_summary(outcome, out))
    return FAILED if outcome.skipped or outcome.partial else 0


def _workers(job: Job, jobs: int | None, scheduler: str | None) -> Workers:
    if scheduler is not None:
        from streamer.analysis.annotate_cluster import Cluster

        return Cluster(scheduler, job)
    from streamer.analysis.annotate_workers import Processes, cores

    return Processes(jobs or cores(), job)


def _summary(outcome: Outcome, out: Path) -> str:
    done = outcome.files - outcome.skipped
    parts = [f"annotated {done} of {outcome.files} files into {out}"]
    if outcome.partial:
        parts.append(f"{outcome.partial} of them broke off, and have rows of what could be heard")
    return "; ".join(parts)


@contextlib.contextmanager
def _termination() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does, with its own exit code."""

    def leave(number: int, frame: Any) -> None:  # noqa: ARG001 - a handler's shape
        raise click.exceptions.Exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
