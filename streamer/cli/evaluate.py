"""``streamer evaluate``: how well a finished model agrees with annotations."""

from __future__ import annotations

import json
from pathlib import Path

import click

from streamer.cli.completion import MODEL
from streamer.cli.overwriting import check_outputs, draft, overwriting
from streamer.cli.sentence import say, tell
from streamer.errors import writing


@click.command(name="evaluate")
@click.argument("model", metavar="MODEL", type=MODEL)
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--fold", type=int, help="Judge only the songs of this fold.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures too.")
@overwriting
def command(
    model: str, dataset: Path, fold: int | None, json_file: Path | None, overwrite: bool
) -> None:
    """Judge MODEL (a name or a directory) on DATASET.

    Figures of songs that the model was trained on are marked in-sample: they say nothing about
    music that it has not heard. For honest figures see `crossval`.

    Example: streamer evaluate my-model data/other-annotations
    """
    from streamer.network.names import directory_of
    from streamer.training.dataset import read_dataset
    from streamer.training.evaluate import evaluate
    from streamer.training.figures import evaluation_text

    check_outputs([json_file], overwrite=overwrite)
    found = read_dataset(dataset)
    for remark in found.remarks:
        tell(remark)
    clips = [clip for clip in found.clips if fold is None or clip.fold == fold]
    if not clips:
        raise click.UsageError(f"{dataset} has no fold {fold}: it has {found.folds}")
    figures, _ = evaluate(directory_of(model), clips)
    say(evaluation_text(figures))
    if json_file is not None:
        with draft(json_file) as made, writing(json_file):
            made.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
