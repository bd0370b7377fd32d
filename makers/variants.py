"""Variants of a recipe, trained and judged for a model card: what each part buys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from streamer.errors import DatasetError
from streamer.network.model import load_model
from streamer.training.crossval import crossval, left_out
from streamer.training.dataset import Clip
from streamer.training.figures import Figures, agreement, music
from streamer.training.figures import left_out as apart
from streamer.training.material import Progress
from streamer.training.recipe import Recipe

#: The fold, the corpora left out, and the seed that variants are compared on.
ABLATION_FOLD, ABLATION_CORPORA, ABLATION_SEED = 0, ("4q",), 0


@dataclass(frozen=True)
class Variant:
    """What is other than in the recipe.

    ``changes`` by dotted name, None for what is not there; ``unheard`` datasets that are not learnt
    from, or "hints", what is said of all of them.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    unheard: tuple[str, ...] = ()

    def of(self, clips: Sequence[Clip]) -> list[Clip]:
        """The clips that it is trained on and judged by."""
        heard = [clip for clip in clips if clip.dataset not in self.unheard]
        return [replace(clip, hints=None) for clip in heard] if "hints" in self.unheard else heard


def read_ablations(path: Path) -> dict[str, Variant]:
    """Variants by name, each a table of changes by dotted name.

    ``without``, a list in a table, names what the recipe then lacks; ``unheard`` see ``Variant``.
    Raises ``DatasetError``.
    """
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DatasetError(f"ablations {path} cannot be read: {error}") from None
    if not record or not all(isinstance(changes, dict) for changes in record.values()):
        raise DatasetError(f"ablations {path} must hold a table of changes for each variant")
    return {
        name: Variant(
            unheard=tuple(changes.pop("unheard", ())),
            changes=dict.fromkeys(changes.pop("without", ())) | changes,
        )
        for name, changes in record.items()
    }


def ablation(
    name: str,
    recipe: Recipe,
    clips: Sequence[Clip],
    cache: Path,
    out: Path,
    progress: Progress | None = None,
) -> Figures:
    """The figures of a variant on one fold and on corpora left out, with one seed.

    Its networks go into ``out``, and those that lie there are not trained again.
    """
    folder = out / "ablations" / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    seed, fold = f"seed-{ABLATION_SEED}", f"fold-{ABLATION_FOLD}"
    seeds = (ABLATION_SEED,)
    rows = crossval(
        recipe, clips, cache, folder, seeds=seeds, folds=[ABLATION_FOLD], progress=progress
    )
    elsewhere = left_out(
        recipe, clips, cache, folder, seeds=seeds, names=ABLATION_CORPORA, progress=progress
    )
    own = [row for row in rows if row.predictor == "network"]
    model = load_model(folder / seed / fold)
    return {
        "weights": sum(array.size for array in model.weights.values()),
        "fold": agreement([row for row in own if row.t >= 0])["pooled"],
        "left_out": apart(elsewhere),
        "music": music(own),
    }
