"""Judging a finished model on a dataset, by the tracker that listens live."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamer.network.model import load_model
from streamer.processes import cores, workers
from streamer.training.dataset import Clip
from streamer.training.figures import (
    Figures,
    agreement,
    calibration,
    is_felt,
    movement,
    music,
    quadrant_figures,
    song_figures,
)
from streamer.training.out_of_fold import Row, clip_rows, loaded


def evaluate(directory: Path, clips: Sequence[Clip]) -> tuple[Figures, list[Row]]:
    """The figures of a model on ``clips``, and the estimates that they come from.

    ``in_sample`` tells how many of the clips the model was trained or calibrated on: any above 0
    makes the figures no judgement of the model.
    """
    model = load_model(directory)
    known = sum(clip.song in model.config.songs.get(clip.dataset, ()) for clip in clips)
    with workers(cores()) as pool:
        judged = pool.map(_judge, [(directory, clip) for clip in clips], chunksize=16)
        rows = [row for one in judged for row in one]
    figures: Figures = {"model": model.name, "clips": len(clips), "in_sample": known}
    dynamic = [row for row in rows if row.t >= 0]
    whole = [row for row in rows if row.side_valence >= 0]
    known_felt = [row for row in rows if is_felt(row)]
    if dynamic:
        figures |= agreement(dynamic)
        figures["calibration"] = calibration(dynamic)
        figures["movement"] = movement(dynamic)
    if whole:
        figures["quadrants"] = quadrant_figures(whole)
    if known_felt:
        figures["felt"] = song_figures(known_felt)
    figures["music"] = music(rows)
    return figures, rows


def _judge(task: tuple[Path, Clip]) -> list[Row]:
    """The rows of one clip, in a worker process, which keeps the model that it has loaded."""
    directory, clip = task
    return clip_rows(loaded(directory), clip, 0, -1)
