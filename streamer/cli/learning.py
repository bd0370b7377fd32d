"""What the training commands share: their options, the songs, and the progress on the screen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamer.cli.completion import RECIPE
from streamer.cli.sentence import tell
from streamer.errors import DatasetError, MissingExtraError, OutputError

if TYPE_CHECKING:
    from rich.progress import Progress

    from streamer.training.material import Song
    from streamer.training.recipe import Recipe

Command = TypeVar("Command", bound=Callable[..., Any])


def learning(command: Command) -> Command:
    """Add the options of every command that trains."""
    options = [
        click.argument(
            "datasets",
            nargs=-1,
            required=True,
            metavar="DATASET...",
            type=click.Path(path_type=Path),
        ),
        click.option(
            "--recipe",
            type=RECIPE,
            default="hybrid-4",
            show_default=True,
            metavar="NAME|FILE",
            help="A shipped recipe, or a TOML file with every choice of the run.",
        ),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="NAME=VALUE",
            help="Change a choice of the recipe, as in `--set fit.epochs=30`.",
        ),
        click.option(
            "--out",
            required=True,
            type=click.Path(path_type=Path),
            help="Folder for what is made.",
        ),
        click.option(
            "--cache",
            type=click.Path(path_type=Path),
            help="Folder for extracted features, to share between runs and copies of a dataset.  "
            "[default: OUT/cache]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def read(recipe: str, changes: Sequence[str], beside: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe with the changes of ``--set``, and those of ``beside`` by dotted name."""
    from streamer.training.recipe import read_recipe

    return read_recipe(recipe, changed(changes) | dict(beside or {}))


def changed(changes: Sequence[str]) -> dict[str, Any]:
    """The values of ``--set`` by their dotted names."""
    import tomllib

    values: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        try:
            values[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            equals = ""
        if not equals:
            raise click.UsageError(f"--set {change}: give NAME=VALUE, the value as TOML has it")
    return values


def songs_of(
    datasets: Sequence[Path], recipe: Recipe, out: Path, cache: Path, progress: Progress
) -> list[Song]:
    """All songs of the datasets, their features extracted or taken from the cache.

    Once the datasets are read, the folders ``out`` and ``cache`` are made; raises ``OutputError``
    where they cannot be.
    """
    from streamer.training.dataset import read_dataset
    from streamer.training.material import prepare

    found = [read_dataset(folder) for folder in datasets]
    for remark in (remark for dataset in found for remark in dataset.remarks):
        tell(remark)
    names = [dataset.name for dataset in found]
    if len(set(names)) < len(names):
        raise DatasetError(f"two datasets have the name {max(names, key=names.count)}: rename one")
    for folder in (out, cache):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder} cannot be made: {error.strerror}") from None
    clips = [clip for dataset in found for clip in dataset.clips]
    task = progress.add_task("features", total=None)

    def advance(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    songs = prepare(clips, recipe, cache, advance)
    progress.update(task, total=1, completed=1)
    return songs


def epochs_bar(progress: Progress) -> Callable[[int, int, float], None]:
    """A progress bar that is told of epochs, and prints the last one's loss."""
    task = progress.add_task("network", total=None)

    def report(done: int, total: int, loss: float) -> None:
        progress.update(task, completed=done, total=total)
        if done == total:
            progress.console.print(f"network, loss {loss:.4f}")

    return report


@contextlib.contextmanager
def progress_bars() -> Iterator[Progress]:
    """Rich progress on standard error."""
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn

    console = Console(stderr=True)
    columns = [*Progress.get_default_columns(), TimeElapsedColumn()]
    # A bar in a log file would be a line of bars; what stages print is enough there.
    bars = Progress(
        *columns, console=console, redirect_stdout=False, disable=not console.is_terminal
    )
    with bars as progress:
        yield progress


def need_torch(command: str) -> None:
    """Say in one sentence that PyTorch is missing."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError(command, "PyTorch", "train")
