"""``streamer train``: annotated music to a model directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from streamer.cli.completion import MODEL
from streamer.cli.learning import (
    changed,
    epochs_bar,
    learning,
    need_torch,
    progress_bars,
    read,
    songs_of,
)
from streamer.cli.sentence import say, sentence, tell


@click.command(name="train")
@learning
@click.option(
    "--from",
    "start",
    type=MODEL,
    metavar="NAME|DIR",
    help="Go on from this model's weights instead of nothing.",
)
@click.option("--seed", type=int, help="Seed of all chance.  [default: the recipe's]")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run in OUT.")
@click.pass_context
def command(
    context: click.Context,
    datasets: tuple[Path, ...],
    recipe: str,
    changes: tuple[str, ...],
    out: Path,
    cache: Path | None,
    start: str | None,
    seed: int | None,
    resume: bool,
) -> None:
    """Train a model on all songs of one or more DATASETs.

    A DATASET is a folder in the layout of the DEAM release, or with excerpts.csv (labels in time)
    or clips.csv (a quadrant a clip, nine felt emotions, or sounds that are no music);
    docs/training.md says how to lay out your own. OUT becomes a model directory for --model.

    With --from a model's weights move a little towards the labels of few songs, and a table says
    what that buys on songs held out. Sounds that are no music are then only heard behind the songs:
    the gate stays the model's.

    Example: streamer train data/deam data/4q --out my-model

    Example: streamer train my-songs --from hybrid-4 --out my-model
    """
    need_torch("streamer train")
    cache = cache or out / "cache"
    if start is not None:
        if context.get_parameter_source("recipe") is not ParameterSource.DEFAULT:
            raise click.UsageError("--from goes on with its model's recipe: leave out --recipe")
        _go_on(start, datasets, changes, out, cache, seed, resume)
        return
    from streamer.training.train import train

    chosen = read(recipe, changes)
    with progress_bars() as progress:
        songs = songs_of(datasets, chosen, out, cache, progress)
        model = train(
            chosen,
            songs,
            out,
            seed=chosen.seed if seed is None else seed,
            report=epochs_bar(progress),
            resume=resume,
        )
    weights = sum(array.size for array in model.weights.values())
    say(f"{sentence(out)}: {weights:,} weights, trained on {len(songs):,} clips", err=True)


def _go_on(
    start: str,
    datasets: Sequence[Path],
    changes: Sequence[str],
    out: Path,
    cache: Path,
    seed: int | None,
    resume: bool,
) -> None:
    """Move a model's weights towards the datasets' labels, and print what that buys."""
    from streamer.network.model import load_model
    from streamer.training import figures
    from streamer.training.crossval import write_metrics
    from streamer.training.out_of_fold import read_table, write_table
    from streamer.training.own import OWN, own_recipe, train_from

    if resume and not (out / "unfinished").is_dir() and (out / "config.json").is_file():
        say(f"{sentence(out)}: finished before", err=True)
        return
    model = load_model(start)
    chosen = own_recipe(model, changed(changes))
    with progress_bars() as progress:
        songs = songs_of(datasets, chosen, out, cache, progress)
        known = sum(
            song.clip.song in model.config.songs.get(song.clip.dataset, ()) for song in songs
        )
        if known:
            tell(
                f"{model.name} was trained on {known} of these songs: "
                "what it and its successor reach on them is no judgement"
            )
        own = train_from(
            chosen,
            model,
            songs,
            out,
            seed=chosen.seed if seed is None else seed,
            report=epochs_bar(progress),
            resume=resume,
        )
    write_table(out / OWN, own.rows)
    rows = read_table(out / OWN)  # as they were written: every figure follows from the file
    judged = figures.own(rows)
    named = "+".join(sorted({row.dataset for row in rows}))
    write_metrics(out / "metrics.json", "own", {named: {str(own.songs): judged}})
    say(figures.own_table(judged))
    if own.epochs:
        done = f"{own.epochs} epochs from {model.name}"
    elif own.recalibrated:
        done = f"the weights of {model.name} on your scale: moving them was no better"
    else:
        done = f"{model.name} as it is: nothing learnt from these songs was surely better"
    say(f"{sentence(out)}: {sentence(done)}", err=True)
