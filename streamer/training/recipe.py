"""A recipe: every choice of a training run, read from a TOML file.

The shipped models' recipes lie in ``streamer/training/recipes``.
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer.errors import DatasetError
from streamer.features.gain import VolumeConfig
from streamer.features.mfcc import FeatureConfig
from streamer.network.config import Convolution, NetworkConfig
from streamer.records import read
from streamer.training.augmentation import AugmentationConfig

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss's parts.

    ``concordance``: 1 - CCC of each axis over the batch. ``likelihood``: Gaussian negative log
    likelihood, which the deviations learn from. ``teachers``: 1 - CCC with what regressions on
    whole clips, fitted to other songs, say (``streamer.training.teachers``); 0 asks none. Of the
    second head, for clips judged by quadrant: ``sides``: cross-entropy of each axis's side;
    ``tags``: 1 - r with those clips' coarse numbers.
    """

    concordance: float = 1.0
    likelihood: float = 0.15
    sides: float = 1.0
    tags: float = 0.3
    teachers: float = 0.0


@dataclass(frozen=True, slots=True)
class FitConfig:
    """The schedule.

    ``batch`` sequences of ``crop_s`` seconds, of which a share ``quadrant_share`` are clips judged
    by quadrant; labels before ``settle_s`` are not learnt from; with probability ``carry`` a
    sequence begins in the state in which another song ended. ``average``: decay of the moving
    average of the weights, which is what is kept. ``memory_s``: forget gates begin with memories
    up to this long (Tallec and Ollivier 2018). ``calibration_share`` of the songs are kept from
    training to calibrate the outputs on. ``second_share``: how much of the estimate is the word of
    the second head, which learns from clips judged by quadrant; the rest is that of the labels in
    time.
    """

    epochs: int
    batch: int
    crop_s: float
    quadrant_share: float
    learning_rate: float
    weight_decay: float
    dropout: float
    settle_s: float
    carry: float
    average: float
    memory_s: float
    calibration_share: float
    second_share: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """All of it. ``seed`` is the default one."""

    features: FeatureConfig
    volume: VolumeConfig
    network: NetworkConfig
    fit: FitConfig
    silence_db: float
    seed: int = 0
    loss: LossConfig = field(default_factory=LossConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


def read_recipe(recipe: str | Path, changes: dict[str, Any] | None = None) -> Recipe:
    """The recipe of a shipped name or of a file, with ``changes`` by dotted name (ablations).

    Raises ``DatasetError`` where there is none or a field is missing, unknown or out of range.
    """
    path = Path(recipe)
    if not path.suffix and not path.exists():
        path = RECIPES / f"{recipe}.toml"
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise DatasetError(
            f"there is no recipe {recipe}: name a TOML file or one of {known}"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DatasetError(f"recipe {path} cannot be read: {error}") from None
    for name, value in (changes or {}).items():
        *outer, last = name.split(".")
        place = record
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise DatasetError(f"recipe {path}: {part} in {name} is a value, not a table")
        place[last] = value
    try:
        network = record.get("network")
        if isinstance(network, dict) and "convolutions" in network:
            network["convolutions"] = _named(network["convolutions"])
        return read(Recipe, record, "recipe")
    except ValueError as error:
        raise DatasetError(f"recipe {path}: {error}") from None


def _named(layers: Any) -> Any:
    """Convolutions as a recipe has them, lists of filters, width and stride, with their names."""
    names = [field.name for field in dataclasses.fields(Convolution)]
    if not isinstance(layers, list) or not all(
        isinstance(layer, list) and len(layer) == len(names) for layer in layers
    ):
        raise ValueError(f"recipe.network.convolutions must hold lists of {', '.join(names)}")
    return [dict(zip(names, layer, strict=True)) for layer in layers]
