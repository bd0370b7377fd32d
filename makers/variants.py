"""Variants of a recipe, trained and judged for a model card."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.errors import DatasetError
from streamer.network.model import load_model
from streamer.training.crossval import crossval
from streamer.training.dataset import Clip
from streamer.training.figures import Figures, agreement, summarised
from streamer.training.material import Progress
from streamer.training.recipe import Recipe

#: The fold and the seeds that variants are compared on.
ABLATION_FOLD, ABLATION_SEEDS = 0, (0, 1)


def read_ablations(path: Path) -> dict[str, dict[str, Any]]:
    """Variants by name, each a table of changes by dotted name; those of ``*`` go for them all.

    Raises ``DatasetError``.
    """
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DatasetError(f"ablations {path} cannot be read: {error}") from None
    if not record or not all(isinstance(changes, dict) for changes in record.values()):
        raise DatasetError(f"ablations {path} must hold a table of changes for each variant")
    common = record.pop("*", {})
    return {name: common | changes for name, changes in record.items()}


def ablation(
    name: str,
    recipe: Recipe,
    clips: Sequence[Clip],
    cache: Path,
    out: Path,
    progress: Progress | None = None,
) -> Figures:
    """The figures of a variant of a recipe on one fold, with two seeds."""
    folder = out / "ablations" / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    rows = crossval(
        recipe, clips, cache, folder, seeds=ABLATION_SEEDS, folds=[ABLATION_FOLD], progress=progress
    )
    own = [row for row in rows if row.predictor == "network" and row.t >= 0]
    by_seed = [agreement([row for row in own if row.seed == seed]) for seed in ABLATION_SEEDS]
    model = load_model(folder / f"seed-{ABLATION_SEEDS[0]}" / f"fold-{ABLATION_FOLD}")
    weights = sum(array.size for array in model.weights.values())
    return {"weights": weights} | summarised(by_seed)
