"""Experiments beside the cross-validation: one corpus by the other, and variants of the recipe."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streamer.errors import DatasetError
from streamer.network.model import load_model
from streamer.training.crossval import crossval
from streamer.training.dataset import Clip
from streamer.training.evaluate import evaluate
from streamer.training.figures import Figures, agreement, summarised
from streamer.training.material import Progress, prepare
from streamer.training.recipe import Recipe
from streamer.training.train import train

#: The fold and the seeds that variants are compared on.
ABLATION_FOLD, ABLATION_SEEDS = 0, (0, 1)


def cross_corpus(recipe: Recipe, clips: Sequence[Clip], cache: Path, out: Path) -> Figures:
    """The figures of each corpus under a network trained on the other ones alone."""
    names = list(dict.fromkeys(clip.dataset for clip in clips))
    if len(names) < 2:
        raise DatasetError("judging a corpus by another one needs two datasets")
    figures: Figures = {}
    for name in names:
        others = [clip for clip in clips if clip.dataset != name]
        directory = out / f"without-{name}"
        songs = prepare(others, recipe.features, cache)
        train(recipe, songs, directory, seed=recipe.seed, resume=True)
        own = [clip for clip in clips if clip.dataset == name]
        trained_on = ", ".join(other for other in names if other != name)
        figures[f"{name}, trained on {trained_on}"] = evaluate(directory, own)[0]
    return figures


def read_ablations(path: Path) -> dict[str, dict[str, Any]]:
    """Variants by name, each a table of changes by dotted name. Raises ``DatasetError``."""
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DatasetError(f"ablations {path} cannot be read: {error}") from None
    if not record or not all(isinstance(changes, dict) for changes in record.values()):
        raise DatasetError(f"ablations {path} must hold a table of changes for each variant")
    return record


def ablations(
    variants: dict[str, Recipe],
    clips: Sequence[Clip],
    cache: Path,
    out: Path,
    progress: Callable[[str], Progress] | None = None,
) -> Figures:
    """The figures of variants of a recipe on one fold, with two seeds."""
    found: Figures = {}
    for name, recipe in variants.items():
        rows = crossval(
            recipe,
            clips,
            cache,
            out / name.replace(" ", "-").replace("/", "-"),
            seeds=ABLATION_SEEDS,
            folds=[ABLATION_FOLD],
            progress=None if progress is None else progress(name),
        )
        own = [row for row in rows if row.predictor == "network" and row.t >= 0]
        by_seed = [agreement([r for r in own if r.seed == seed]) for seed in ABLATION_SEEDS]
        first = out / name.replace(" ", "-").replace("/", "-") / f"seed-{ABLATION_SEEDS[0]}"
        model = load_model(first / f"fold-{ABLATION_FOLD}")
        weights = sum(array.size for array in model.weights.values())
        found[name] = {"weights": weights} | summarised(by_seed)
    return {"fold": ABLATION_FOLD, "seeds": list(ABLATION_SEEDS), "variants": found}
