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
from streamer.network.config import Convolution, MusicConfig, NetworkConfig
from streamer.records import read
from streamer.training.acoustics import AcousticsConfig

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss's parts.

    Of the estimate: ``labels``: squared error in every corpus's own labels, on the common plane and
    in its deviations (``streamer.training.labels``); ``consensus``: likewise, in what the teachers
    of all corpora agree on; ``concordance``: 1 - CCC with the labels of each kind over the batch;
    ``likelihood``: Gaussian negative log likelihood, which the deviations learn from. Of heads that
    are thrown away afterwards: ``ratings``: 1 - CCC with labels in time as they are; ``sides``:
    cross-entropy of the sides of clips judged by quadrant; ``tags``: 1 - r with their coarse
    numbers; ``felt``: 1 - r with the shares of felt emotions; ``teachers``: squared error in each
    teacher's word (``streamer.training.teachers``); ``hints``: likewise in the hints of the
    datasets. ``music``: cross-entropy of the gate. ``pairs``: by how much less than ``margin`` (of
    valence) the brighter piece of a pair is above the other, each in the mean of two keys;
    ``keys``: the variance of a piece's valence over the two (over two stretches of it, if it comes
    in one key); both in the labels' deviations. A part with weight 0 is not learnt.
    """

    labels: float
    consensus: float
    concordance: float
    likelihood: float
    ratings: float
    sides: float
    tags: float
    felt: float
    teachers: float
    hints: float
    music: float
    pairs: float = 0.0
    margin: float = 0.2
    keys: float = 0.0


@dataclass(frozen=True, slots=True)
class FitConfig:
    """The schedule.

    ``epochs`` of ``steps`` batches of ``batch`` sequences of ``crop_s`` seconds, of which, as far
    as there are any, ``dynamic_share`` have labels in time, ``quadrant_share`` are clips judged by
    quadrant, ``felt_share`` clips with felt emotions, ``sounds_share`` without labels: music or
    not, ``pairs_share`` pieces in pairs (four sequences each, rounded down). A sequence is of the
    clip as it is with probability ``clean_share``, else of a distorted take (pairs are always as
    they are); with probability ``equaliser`` a smooth curve of about ``equaliser_nepers`` (of
    power; 1 is 4.3 dB) is laid over its bands. Labels before ``settle_s`` are not learnt from; with
    probability ``carry`` a sequence begins in the state in which another song ended (pairs begin
    afresh). ``average``: decay of the moving average of the weights, which is what is kept.
    ``memory_s``: forget gates begin with memories up to this long (Tallec and Ollivier 2018).
    ``calibration_share`` of the songs with labels are kept to calibrate the outputs on.
    ``arousal_in_valence``: the correlation of the two in the labels of every corpus on the common
    plane. ``ratings_share``: how much of the estimate's valence and arousal is, in the end, the
    word of the head that learnt from labels in time alone. ``widened``: a factor on the
    deviations, beside what teachers lose on songs from elsewhere: they cannot know where other
    listeners put the zero.
    """

    epochs: int
    steps: int
    batch: int
    crop_s: float
    dynamic_share: float
    quadrant_share: float
    felt_share: float
    sounds_share: float
    clean_share: float
    equaliser: float
    equaliser_nepers: float
    learning_rate: float
    weight_decay: float
    dropout: float
    settle_s: float
    carry: float
    average: float
    memory_s: float
    calibration_share: float
    arousal_in_valence: float
    ratings_share: tuple[float, ...]
    pairs_share: float = 0.0
    widened: float = 1.0

    def __post_init__(self) -> None:
        if len(self.ratings_share) != 2 or not all(0 <= part <= 1 for part in self.ratings_share):
            raise ValueError("ratings_share must be two numbers between 0 and 1")
        if not 1 <= self.widened <= 10:
            raise ValueError("widened must be between 1 and 10")


@dataclass(frozen=True, slots=True)
class StartConfig:
    """How training goes on from a model's weights (``streamer.training.own``).

    ``shared_share``: how large the steps of all but the heads are beside ``learning_rate``.
    ``heads_pull`` and ``shared_pull``: weight in the loss of the squared distance to the weights
    that it began with (L2-SP: Li, Grandvalet and Davoine 2018), divided by the number of songs: the
    more there are, the less what was known before counts.
    """

    shared_share: float
    heads_pull: float
    shared_pull: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """All of it. ``seed`` is the default one; ``music``: when the gate opens, if there is one.

    ``start``: how to go on from a model; None for a recipe that begins with nothing.
    """

    features: FeatureConfig
    volume: VolumeConfig
    network: NetworkConfig
    fit: FitConfig
    loss: LossConfig
    silence_db: float
    music: MusicConfig | None = None
    seed: int = 0
    acoustics: AcousticsConfig = field(default_factory=AcousticsConfig)
    start: StartConfig | None = None


def read_recipe(recipe: str | Path, changes: dict[str, Any] | None = None) -> Recipe:
    """The recipe of a shipped name or of a file, with ``changes`` by dotted name (ablations).

    A change to None takes a field or a table out. Raises ``DatasetError`` where there is no recipe,
    or a field is missing, unknown or out of range.
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
        if value is None:
            place.pop(last, None)
        else:
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
