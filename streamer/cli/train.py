"""``streamer train``: annotated music to a model directory."""

from __future__ import annotations

from pathlib import Path

import click

from streamer.cli.learning import epochs_bar, learning, need_torch, progress_bars, read, songs_of
from streamer.cli.sentence import say, sentence


@click.command(name="train")
@learning
@click.option("--seed", type=int, help="Seed of all chance.  [default: the recipe's]")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run in OUT.")
def command(
    datasets: tuple[Path, ...],
    recipe: str,
    changes: tuple[str, ...],
    out: Path,
    cache: Path | None,
    seed: int | None,
    resume: bool,
) -> None:
    """Train a model on all songs of one or more DATASETs.

    A DATASET is a folder in the layout of the DEAM release, or with excerpts.csv (labels in time)
    or clips.csv (a quadrant a clip, nine felt emotions, or sounds that are no music);
    docs/training.md says how to lay out your own. OUT becomes a model directory for --model.

    Example: streamer train data/deam data/4q --out my-model
    """
    need_torch("streamer train")
    from streamer.training.train import train

    chosen = read(recipe, changes)
    cache = cache or out / "cache"
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
    say(f"{sentence(out)}: {weights:,} weights, trained on {len(songs):,} songs", err=True)
