"""``streamer crossval``: honest figures of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer.cli.learning import learning, need_torch, progress_bars, read, songs_of

if TYPE_CHECKING:
    pass


@click.command(name="crossval")
@learning
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs.")
@click.option("--fold", "folds", type=int, multiple=True, help="Only this fold (for ablations).")
@click.option("--jobs", type=click.IntRange(1), help="Networks trained at once.  [default: cores]")
def command(
    datasets: tuple[Path, ...],
    recipe: str,
    changes: tuple[str, ...],
    out: Path,
    cache: Path | None,
    seeds: int,
    folds: tuple[int, ...],
    jobs: int | None,
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
    from streamer.training.figures import five_fold, five_fold_text
    from streamer.training.out_of_fold import read_table

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
