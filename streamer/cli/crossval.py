"""``streamer crossval``: honest figures of a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from streamer.cli.learning import learning, need_torch, progress_bars, read, songs_of
from streamer.cli.sentence import say


@click.command(name="crossval")
@learning
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs.")
@click.option("--fold", "folds", type=int, multiple=True, help="Only this fold (for ablations).")
@click.option(
    "--left-out",
    "corpora",
    is_flag=True,
    help="Judge each dataset with labels by networks of all the others instead of fold by fold.",
)
@click.option("--jobs", type=click.IntRange(1), help="Networks trained at once.  [default: cores]")
def command(
    datasets: tuple[Path, ...],
    recipe: str,
    changes: tuple[str, ...],
    out: Path,
    cache: Path | None,
    seeds: int,
    folds: tuple[int, ...],
    corpora: bool,
    jobs: int | None,
) -> None:
    """Judge every song of each DATASET by a network that has never heard it, fold by fold.

    Trains one network a fold and seed, keeps every out-of-fold estimate in
    OUT/out_of_fold.csv.gz, and writes the five_fold and music parts of OUT/metrics.json from it;
    with --left-out, OUT/left_out.csv.gz and the left_out part. Called again, it goes on where it
    was interrupted.

    Example: streamer crossval data/deam data/4q --seeds 3 --out crossval
    """
    need_torch("streamer crossval")
    from streamer.training import figures
    from streamer.training.crossval import crossval, left_out, write_metrics

    if corpora and folds:
        raise click.UsageError("--left-out has no folds: leave out --fold")
    chosen = read(recipe, changes)
    cache = cache or out / "cache"
    with progress_bars() as progress:
        clips = [song.clip for song in songs_of(datasets, chosen, out, cache, progress)]
        there = sorted({clip.fold for clip in clips if clip.fold >= 0})
        if unknown := set(folds).difference(there):
            raise click.UsageError(f"there is no fold {min(unknown)}: the datasets have {there}")
        if corpora and len({clip.dataset for clip in clips if clip.emotional}) < 2:
            raise click.UsageError("--left-out needs two or more datasets with labels")
        task = progress.add_task("epochs", total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        runs = range(chosen.seed, chosen.seed + seeds)
        metrics = out / "metrics.json"
        if corpora:
            rows = left_out(chosen, clips, cache, out, seeds=runs, jobs=jobs, progress=advance)
            judged = figures.left_out(rows)
            write_metrics(metrics, "left_out", judged)
            say(figures.left_out_table(judged))
            return
        rows = crossval(
            chosen,
            clips,
            cache,
            out,
            seeds=runs,
            folds=folds or None,
            jobs=jobs,
            progress=advance,
        )
        five_fold, music = figures.five_fold(rows), figures.music(rows)
        write_metrics(metrics, "five_fold", five_fold)
        write_metrics(metrics, "music", music)
        say(f"{figures.five_fold_text(five_fold)}\n\nMusic\n\n{figures.music_table(music)}")
