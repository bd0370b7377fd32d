"""``python -m makers``: what a model card tells beside the five folds, measured and written."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from makers.card import draw_reliability, write_accuracy, write_card
from makers.harmony import harmony
from makers.own import own_clips
from makers.passages import replaced
from makers.robustness import robustness, streams
from makers.sounds import write_sounds
from makers.variants import ABLATION_FOLD, ABLATION_SEED, ablation, read_ablations
from streamer.bench.report import from_json, markdown
from streamer.cli.learning import learning, progress_bars, read, songs_of
from streamer.errors import StreamerError, writing
from streamer.network.model import load_model
from streamer.training.crossval import LEFT_OUT, OUT_OF_FOLD, read_metrics, write_metrics

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from streamer.training.dataset import Clip
    from streamer.training.material import Song
    from streamer.training.recipe import Recipe


@click.group()
def cli() -> None:
    """Measure a cross-validated recipe beside its folds, and write the model's card."""


@cli.command()
@learning
@click.option(
    "--robust",
    is_flag=True,
    help="Measure volumes, rooms, noises and streams.",
)
@click.option(
    "--harmony",
    "shipped",
    type=click.Path(path_type=Path),
    help="Measure what the model in this directory makes of mode, key and tuning.",
)
@click.option(
    "--own",
    "listeners",
    multiple=True,
    metavar="NAME",
    help="Measure `streamer train --from` with clips of this dataset as a listener's own, from the "
    "networks that `streamer crossval --left-out` trained without it.",
)
@click.option(
    "--ablations",
    "variants",
    type=click.Path(path_type=Path),
    help="TOML file with variants of the recipe, compared on one fold and on corpora left out.",
)
def measure(
    datasets: tuple[Path, ...],
    recipe: str,
    changes: tuple[str, ...],
    out: Path,
    cache: Path | None,
    robust: bool,
    shipped: Path | None,
    listeners: tuple[str, ...],
    variants: Path | None,
) -> None:
    """Add parts to OUT/metrics.json, of the networks that `streamer crossval` left in OUT."""
    chosen = read(recipe, changes)
    cache = cache or out / "cache"
    with progress_bars() as progress:
        songs = songs_of(datasets, chosen, out, cache, progress)
        clips = [song.clip for song in songs]
        if robust:
            _robust(chosen, clips, out, progress)
        if shipped is not None:
            task = progress.add_task("harmony", total=None)
            write_metrics(out / "metrics.json", "harmony", harmony(load_model(shipped)))
            progress.update(task, total=1, completed=1)
        for name in listeners:
            _own(chosen, [s for s in songs if s.clip.dataset == name], name, out, progress)
        if variants is not None:
            _ablations(recipe, changes, variants, clips, cache, out, progress)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--recipe", required=True, help="The recipe's name, for the card.")
@click.option(
    "--figures",
    type=click.Path(path_type=Path),
    help="What `streamer crossval` made: its metrics and estimates are copied in.",
)
@click.option(
    "--readme",
    "documents",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Write the passages of figures of this document, too: README.md, docs/accuracy.md, "
    "docs/training.md.",
)
def card(directory: Path, recipe: str, figures: Path | None, documents: tuple[Path, ...]) -> None:
    """Write the card of the model in DIRECTORY from its metrics, and draw its reliability."""
    with writing(directory):
        if figures is not None:
            for name in ("metrics.json", OUT_OF_FOLD, LEFT_OUT):
                shutil.copyfile(figures / name, directory / name)
        draw_reliability(directory)
        write_card(directory, recipe)
        for document in documents:
            write_accuracy(document, directory)


@cli.command()
@click.argument("out", type=click.Path(path_type=Path))
def sounds(out: Path) -> None:
    """Write generated sounds, and pieces in pairs, into OUT as a dataset to train with."""
    with writing(out):
        count = write_sounds(out)
    click.echo(f"{out}: {count} sounds", err=True)


@cli.command()
@click.argument("figures", type=click.Path(exists=True, path_type=Path))
@click.argument("document", type=click.Path(exists=True, path_type=Path))
def speed(figures: Path, document: Path) -> None:
    """Write what `streamer bench --json FIGURES` measured into DOCUMENT: docs/speed.md."""
    told = markdown(from_json(figures.read_text("utf-8")))
    with writing(document):
        document.write_text(replaced(document.read_text("utf-8"), {"bench": told}), "utf-8")


def _robust(recipe: Recipe, clips: Sequence[Clip], out: Path, progress: Progress) -> None:
    """Everything of the card that is measured beside the five folds."""
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "robustness": lambda: robustness(clips, out, recipe.seed),
        "streams": lambda: streams(clips, out, recipe.seed),
    }
    for name, measure in parts.items():
        task = progress.add_task(name.replace("_", " "), total=None)
        write_metrics(out / "metrics.json", name, measure())
        progress.update(task, total=1, completed=1)


def _own(recipe: Recipe, songs: Sequence[Song], name: str, out: Path, progress: Progress) -> None:
    """One dataset's own part of the metrics, written anew after each draw of clips."""
    task = progress.add_task(f"own {name}", total=None)
    found = read_metrics(out / "metrics.json").get("own", {})
    for size, judged in own_clips(songs, out, recipe.seed):
        found.setdefault(name, {})[str(size)] = judged
        write_metrics(out / "metrics.json", "own", found)
    progress.update(task, total=1, completed=1)


def _ablations(
    recipe: str,
    changes: Sequence[str],
    variants: Path,
    clips: Sequence[Clip],
    cache: Path,
    out: Path,
    progress: Progress,
) -> None:
    """The ablations part of the metrics, written anew after each variant."""
    found: dict[str, Any] = {}
    for name, variant in read_ablations(variants).items():
        task = progress.add_task(name, total=None)

        def bar(done: int, total: int, task: TaskID = task) -> None:
            progress.update(task, completed=done, total=total)

        found[name] = ablation(
            name,
            read(recipe, changes, variant.changes),
            variant.of(clips),
            cache,
            out,
            progress=bar,
        )
        part = {"fold": ABLATION_FOLD, "seed": ABLATION_SEED, "variants": found}
        write_metrics(out / "metrics.json", "ablations", part)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        try:
            cli()
        except StreamerError as error:
            sys.exit(f"makers: {error}")
