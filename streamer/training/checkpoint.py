"""The state of an unfinished run on disk, which only that very run takes up again."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamer.errors import DatasetError
from streamer.training.material import Song
from streamer.training.recipe import Recipe


def run_name(recipe: Recipe, songs: Sequence[Song], seed: int) -> str:
    """What tells a run from every other: a digest of all that goes into it."""
    digest = hashlib.sha256(repr((recipe, seed)).encode())
    for song in songs:
        clip = song.clip
        digest.update(repr((clip.dataset, clip.song, clip.sides, clip.tags)).encode())
        for array in (song.bands, clip.times, clip.labels):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the state; ``path`` appears whole, or stays what it was."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def read_checkpoint(path: Path, name: str) -> dict[str, Any]:
    """The state of the run ``name``, which stands in it.

    Raises ``DatasetError`` where the file is damaged or of another run.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise DatasetError(f"{path} is damaged: delete it to begin anew") from error
    if state.get("name") != name:
        raise DatasetError(
            f"{path} is of another run (recipe, seed or songs): delete it, or give another --out"
        )
    return state
