"""A recipe: every choice of a training run, read from a TOML file.

The shipped models' recipes lie in ``streamer/training/recipes``.
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer.errors import DatasetError
from streamer.features.mfcc import FeatureConfig
from streamer.features.volume import VolumeConfig
from streamer.network.config import Convolution, NetworkConfig
from streamer.training.augmentation import AugmentationConfig

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss's parts.

    ``concordance``: 1 - CCC of each axis over the batch. ``likelihood``: Gaussian negative log
    likelihood, which the deviations learn from. ``teachers``: 1 - CCC with what
    regressions on whole clips, fitted to other songs, say (``streamer.training.teachers``); 0 asks
    none.
    Of the second head, for clips judged by quadrant: ``sides``: cross-entropy of each axis's side;
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
        built = _build(Recipe, record, "recipe")
    except ValueError as error:
        raise DatasetError(f"recipe {path}: {error}") from None
    assert isinstance(built, Recipe)
    return built


def _build(kind: Any, value: Any, where: str) -> Any:
    """``value`` (from TOML) as the annotated type ``kind``."""
    if kind is Convolution:
        if not (isinstance(value, list) and [type(size) for size in value] == [int] * 3):
            raise ValueError(f"{where} must hold lists of filters, width and stride")
        return Convolution(*value)
    if dataclasses.is_dataclass(kind):
        return _build_record(typing.cast(type, kind), value, where)
    optional = [option for option in typing.get_args(kind) if dataclasses.is_dataclass(option)]
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} must be a list")
        return tuple(_build(typing.get_args(kind)[0], item, where) for item in value)
    if optional:
        return _build(optional[0], value, where)
    if kind is float and type(value) is int:
        return float(value)
    if kind in (int, float, bool, str) and type(value) is not kind:
        raise ValueError(f"{where} must be of type {kind.__name__}")
    return value


def _build_record(kind: type, value: Any, where: str) -> Any:
    """A table as the record ``kind``: no field unknown, none missing that has no default."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a table")
    hints = typing.get_type_hints(kind)
    if unknown := value.keys() - hints.keys():
        raise ValueError(f"{where} has an unknown field {min(unknown)!r}")
    for field_ in dataclasses.fields(kind):
        needed = field_.default is field_.default_factory is dataclasses.MISSING
        if needed and field_.name not in value:
            raise ValueError(f"{where} lacks {field_.name!r}")
    return kind(
        **{name: _build(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    )
