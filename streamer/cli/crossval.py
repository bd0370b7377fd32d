"""``streamer crossval``: honest figures of a recipe."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamer.cli.learning import learning, need_torch, progress_bars, read, songs_of
from streamer.errors import OutputError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from streamer.training.dataset import Clip
    from streamer.training.recipe import Recipe


@click.command(name="crossval")
@learning
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs.")
@click.option("--fold", "folds", type=int, multiple=True, help="Only this fold (for ablations).")
@click.option("--jobs", type=click.IntRange(1), help="Networks trained at once.  [default: cores]")
@click.option(
    "--robust",
    is_flag=True,
    help="Measure volumes, rooms, noises, streams and one corpus by the other, too.",
)
@click.option(
    "--ablations",
    "variants",
    type=click.Path(path_type=Path),
    help="TOML file with variants of the recipe, compared on one fold with two seeds.",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path),
    help="A trained model's directory that gets figures, estimates and a new card.",
)
@click.option(
    "--second-card",
    type=click.Path(path_type=Path),
    help="The same for the model of the second head (see `streamer train --second`).",
)
def command(
    datasets: tuple[Path, ...],
    recipe: str,
    changes: tuple[str, ...],
    out: Path,
    cache: Path | None,
    seeds: int,
    folds: tuple[int, ...],
    jobs: int | None,
    robust: bool,
    variants: Path | None,
    card: Path | None,
    second_card: Path | None,
) -> None:
    """Judge every song of each DATASET by a network that has never heard it, fold by fold.

    Trains one network a fold and seed, keeps every out-of-fold estimate in
    OUT/out_of_fold.csv.gz, and writes the five_fold part of OUT/metrics.json from it; OUT/second
    holds the same of the second head alone, which judges by quadrant. Called again, it goes on
    where it was interrupted.

    Example: streamer crossval data/deam data/4q --seeds 3 --out crossval
    """
    need_torch("streamer crossval")
    from streamer.training.crossval import SECOND, crossval, write_metrics
    from streamer.training.figures import five_fold
    from streamer.training.report import five_fold_text
    from streamer.training.table import read_table

    if robust and folds:
        raise click.UsageError("--robust judges every song: leave --fold out")
    chosen = read(recipe, changes)
    cache = cache or out / "cache"
    with progress_bars() as progress:
        clips = [song.clip for song in songs_of(datasets, chosen, out, cache, progress)]
        there = sorted({clip.fold for clip in clips})
        if unknown := set(folds).difference(there):
            raise click.UsageError(f"there is no fold {min(unknown)}: the datasets have {there}")
        task = progress.add_task("epochs", total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        rows = crossval(
            chosen,
            clips,
            cache,
            out,
            seeds=range(chosen.seed, chosen.seed + seeds),
            folds=folds or None,
            jobs=jobs,
            progress=advance,
        )
        figures = five_fold(rows)
        write_metrics(out / "metrics.json", "five_fold", figures)
        click.echo(five_fold_text(figures))
        second = out / SECOND
        if (second / "out_of_fold.csv.gz").is_file():
            alone = five_fold(read_table(second / "out_of_fold.csv.gz"))
            write_metrics(second / "metrics.json", "five_fold", alone)
        if robust:
            _robust(chosen, clips, cache, out, progress)
        if variants is not None:
            _ablations(recipe, changes, variants, clips, cache, out, progress)
    for source, model in ((out, card), (second, second_card)):
        if model is not None:
            _card(source, model, Path(recipe).stem, second=source == second)


def _robust(
    recipe: Recipe, clips: Sequence[Clip], cache: Path, out: Path, progress: Progress
) -> None:
    """Everything of the card that is measured beside the five folds."""
    from streamer.training.crossval import write_metrics
    from streamer.training.experiments import cross_corpus
    from streamer.training.robustness import not_music, robustness, streams

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "robustness": lambda: robustness(clips, out, recipe.seed),
        "streams": lambda: streams(clips, out, recipe.seed),
        "not_music": lambda: not_music(out / f"seed-{recipe.seed}" / f"fold-{clips[0].fold}"),
    }
    if len({clip.dataset for clip in clips}) > 1:
        parts["cross_corpus"] = lambda: cross_corpus(recipe, clips, cache, out)
    for name, measure in parts.items():
        task = progress.add_task(name.replace("_", " "), total=None)
        write_metrics(out / "metrics.json", name, measure())
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
    from streamer.training.crossval import write_metrics
    from streamer.training.experiments import (
        ABLATION_FOLD,
        ABLATION_SEEDS,
        ablation,
        read_ablations,
    )

    found: dict[str, Any] = {}
    for name, beside in read_ablations(variants).items():
        task = progress.add_task(name, total=None)

        def bar(done: int, total: int, task: TaskID = task) -> None:
            progress.update(task, completed=done, total=total)

        found[name] = ablation(name, read(recipe, changes, beside), clips, cache, out, bar)
        part = {"fold": ABLATION_FOLD, "seeds": list(ABLATION_SEEDS), "variants": found}
        write_metrics(out / "metrics.json", "ablations", part)


def _card(out: Path, directory: Path, recipe: str, *, second: bool) -> None:
    """Put figures, estimates and a card into a model directory."""
    from streamer.training.card import draw_reliability, write_card

    try:
        for name in ("metrics.json", "out_of_fold.csv.gz"):
            shutil.copyfile(out / name, directory / name)
        draw_reliability(directory)
        write_card(directory, recipe, second=second)
    except OSError as error:
        raise OutputError(f"{directory} cannot be written: {error.strerror}") from None
