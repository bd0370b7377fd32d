"""``config.json``: every number that a model's weights were trained with, and nothing else.

Reading is strict: an unknown field, a missing one or a value out of its range is refused with one
sentence. Nothing in the file names a path or code.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any

from streamer.errors import ModelError
from streamer.features.chroma import PITCH_CLASSES
from streamer.features.gain import VolumeConfig
from streamer.features.mfcc import FeatureConfig
from streamer.records import is_text, read

#: The format that is written. Format 2 had no harmony and no gate: those are optional here, so that
#: its models are read as they are.
FORMAT = 3
_READ = (2, FORMAT)
#: The largest network that a directory may ask for: bounds on what loading can allocate.
_MOST_WEIGHTS = 16_000_000
#: What a layer may hold of one frame, likewise of what listening can.
_MOST_NUMBERS = 32_768
#: Frames that movement may reach back, which every stream keeps.
_LONGEST_LAG = 64
#: Means and deviations of a feature beyond this have overflowed somewhere.
_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class Convolution:
    """One layer of the hybrid convolution: ``filters`` of one time row by ``width`` positions."""

    filters: int
    width: int
    stride: int


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Layer sizes. ``dense`` units a frame between convolution and LSTM; 0 leaves that layer out.

    ``movement``: beside a frame's features the LSTM is fed how far each has moved since earlier
    frames, those ``lags`` frames before: the absolute difference of what the dense layer gives,
    taken before its rectifier. Those of the newest ``max(lags)`` frames are then part of the state.
    ``lstm`` units in each of ``layers`` layers.
    ``integrate``: the time constant, in frames, of the leaky mean over time of what the LSTM gives,
    from which the head judges; 0 for the newest frame's alone.
    A frame's row is ``coefficients``, then ``planes`` chroma rows of twelve pitch classes, then
    ``scalars`` that are not convolved. ``profiles``: filters of the circular convolution over the
    pitch classes, all planes at once; 0 hands the chroma rows on as they are, which then are not
    the same in every key. ``gate``: whether the LSTM also says how sure it is that music is heard.
    """

    coefficients: int
    convolutions: tuple[Convolution, ...]
    dense: int
    movement: bool
    lstm: int
    layers: int
    integrate: int
    planes: int = 0
    scalars: int = 0
    profiles: int = 0
    gate: bool = False
    lags: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        sizes = [self.coefficients, self.lstm, self.layers]
        for layer in self.convolutions:
            sizes += [layer.filters, layer.width, layer.stride]
        if any(not 1 <= size <= 4096 for size in sizes) or not 0 <= self.dense <= 4096:
            raise ValueError("layer sizes must be between 1 and 4096")
        if not 0 <= self.integrate <= 4096:
            raise ValueError("integrate must be between 0 and 4096 frames")
        if not (0 <= self.planes <= 16 and 0 <= self.scalars <= 64 and 0 <= self.profiles <= 512):
            raise ValueError("at most 16 planes, 64 scalars and 512 profiles")
        if self.profiles and not self.planes:
            raise ValueError("profiles slide along chroma rows: planes must not be 0")
        if self.movement and not self.dense:
            raise ValueError("movement is measured on the dense layer: dense must not be 0")
        if not 1 <= len(self.lags) <= 8 or any(not 1 <= lag <= _LONGEST_LAG for lag in self.lags):
            raise ValueError(f"lags must be 1 to 8 numbers of frames from 1 to {_LONGEST_LAG}")
        if len(self.convolutions) > 8 or self.layers > 8:
            raise ValueError("at most 8 layers of a kind")
        if any(width < 1 for _, width in self.widths()):
            raise ValueError("a filter is wider than its input")
        for (channels, _), (filters, width), layer in zip(
            self.widths(), self.widths()[1:], self.convolutions, strict=False
        ):
            if width * max(filters, channels * layer.width) > _MOST_NUMBERS:
                raise ValueError(f"a layer of more than {_MOST_NUMBERS} numbers a frame")
        if sum(math.prod(shape) for shape in self.shapes().values()) > _MOST_WEIGHTS:
            raise ValueError(f"more than {_MOST_WEIGHTS} weights")

    def widths(self) -> list[tuple[int, int]]:
        """Channels and positions after each convolution, the input (1, coefficients) first."""
        sizes = [(1, self.coefficients)]
        for layer in self.convolutions:
            positions = (sizes[-1][1] - layer.width) // layer.stride + 1
            sizes.append((layer.filters, positions))
        return sizes

    @property
    def inputs(self) -> int:
        """Numbers of a frame's row."""
        return self.coefficients + PITCH_CLASSES * self.planes + self.scalars

    @property
    def joined(self) -> int:
        """Numbers of a frame that the dense layer is fed: both convolutions', and the scalars."""
        harmony = 2 * self.profiles if self.profiles else PITCH_CLASSES * self.planes
        return math.prod(self.widths()[-1]) + harmony + self.scalars

    @property
    def outputs(self) -> int:
        """Numbers that are told of a frame: two means, two deviations, and whether it is music."""
        return 4 + self.gate

    @property
    def features(self) -> int:
        """Features of a frame that the per-frame part gives."""
        return self.dense or self.joined

    @property
    def fed(self) -> int:
        """Numbers of a frame that the LSTM is fed: its features, and how far each has moved."""
        return self.features * (1 + self.movement * len(self.lags))

    @property
    def remembered(self) -> tuple[int, int]:
        """How many of the newest frames later ones are compared with, and features of each."""
        return (max(self.lags), self.features) if self.movement else (1, 0)

    @property
    def integrated(self) -> int:
        """Numbers that the leaky mean carries on: sums, and their weight."""
        return self.lstm + 1 if self.integrate else 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of every tensor in ``weights.safetensors``, as PyTorch names them."""
        sizes = self.widths()
        shapes: dict[str, tuple[int, ...]] = {}
        for index, layer in enumerate(self.convolutions):
            kernel = (sizes[index][0], 1, layer.width)
            shapes[f"convolutions.{index}.weight"] = (layer.filters, *kernel)
            shapes[f"convolutions.{index}.bias"] = (layer.filters,)
        if self.profiles:
            shapes["chroma.weight"] = (self.profiles, self.planes, PITCH_CLASSES)
            shapes["chroma.bias"] = (self.profiles,)
        if self.dense:
            shapes["dense.weight"] = (self.dense, self.joined)
            shapes["dense.bias"] = (self.dense,)
        features = self.fed
        for index in range(self.layers):
            shapes[f"lstm.weight_ih_l{index}"] = (4 * self.lstm, features)
            shapes[f"lstm.weight_hh_l{index}"] = (4 * self.lstm, self.lstm)
            shapes[f"lstm.bias_ih_l{index}"] = (4 * self.lstm,)
            shapes[f"lstm.bias_hh_l{index}"] = (4 * self.lstm,)
            features = self.lstm
        shapes["head.weight"] = (4, self.lstm)
        shapes["head.bias"] = (4,)
        if self.gate:
            shapes["music.weight"] = (1, self.lstm)
            shapes["music.bias"] = (1,)
        return shapes


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation of each number of a row over the training songs."""

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.sd):
            raise ValueError("mean and sd must have the same length")
        if any(not 1e-6 < value <= _LARGEST for value in self.sd):
            raise ValueError(f"every sd must be above 1e-6 and at most {_LARGEST:g}")
        if any(abs(value) > _LARGEST for value in self.mean):
            raise ValueError(f"every mean must be within {_LARGEST:g} of 0")


@dataclass(frozen=True, slots=True)
class AxisCalibration:
    """From the network's output to the label's scale: ``scale * x + offset``, ``sd_scale * sd``.

    Fitted on held-out songs of the inner split; the deviations are then widened for songs from
    elsewhere (``widened`` of the recipe's schedule).
    """

    scale: float
    offset: float
    sd_scale: float

    def __post_init__(self) -> None:
        if not (0 < self.scale <= 10 and abs(self.offset) <= 2 and 0 < self.sd_scale <= 10):
            raise ValueError("scale and sd_scale must be in (0, 10], offset within 2 of 0")


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration of both axes."""

    valence: AxisCalibration
    arousal: AxisCalibration


@dataclass(frozen=True, slots=True)
class MusicConfig:
    """When what is heard counts as music: from ``on`` up, until it falls under ``off``.

    Two borders, so that a judgement does not come and go where the network wavers.
    """

    on: float
    off: float

    def __post_init__(self) -> None:
        if not 0 <= self.off <= self.on <= 1:
            raise ValueError("off must be at most on, both between 0 and 1")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model directory's facts.

    ``silence_db``: under this RMS of the last second there is no estimate. ``songs``: those
    trained on, by dataset. ``weights_sha256``: of ``weights.safetensors``. ``music``: when the
    network's gate opens; None where it has none.
    """

    format: int
    features: FeatureConfig
    volume: VolumeConfig
    network: NetworkConfig
    normalisation: Normalisation
    calibration: Calibration
    silence_db: float
    songs: dict[str, tuple[str, ...]]
    weights_sha256: str
    music: MusicConfig | None = None

    def __post_init__(self) -> None:
        network, chroma = self.network, self.features.chroma
        if network.coefficients != self.features.coefficients:
            raise ValueError("the network's coefficients are not the features'")
        made = (chroma.planes, chroma.scalars) if chroma else (0, 0)
        if (network.planes, network.scalars) != made:
            raise ValueError("the network's planes and scalars are not the features'")
        if len(self.normalisation.mean) != network.inputs:
            raise ValueError("the normalisation is not one number for each of a row")
        for plane in range(network.planes):
            begin = network.coefficients + PITCH_CLASSES * plane
            for numbers in (self.normalisation.mean, self.normalisation.sd):
                if len(set(numbers[begin : begin + PITCH_CLASSES])) > 1:
                    # A key would be known by its deviation from the others.
                    raise ValueError("the normalisation tells pitch classes apart")
        if (self.music is not None) != network.gate:
            raise ValueError("music must be there exactly where the network has a gate")
        if not -120 <= self.silence_db <= 0:
            raise ValueError("silence_db must be between -120 and 0")

    def to_json(self) -> str:
        """The text of ``config.json``."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"


def parse(text: str) -> ModelConfig:
    """The configuration in ``text``; raises ``ModelError`` (a clause, without the path)."""
    try:
        record = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_without_repetition
        )
    except RecursionError:
        raise ModelError("config.json is nested too deeply") from None
    except ValueError as error:
        raise ModelError(f"config.json is not valid JSON ({error})") from None
    if not isinstance(record, dict):
        raise ModelError("config.json is not a JSON object")
    if record.get("format") not in _READ:
        raise ModelError(
            f"config.json has format {str(record.get('format'))[:20]}, "
            f"while this version reads formats {' and '.join(map(str, _READ))}"
        )
    try:
        return read(ModelConfig, record, "config.json")
    except ValueError as error:
        raise ModelError(str(error)) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names differ: of two values for one name, readers see different ones."""
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a name stands twice in an object")
    if not all(map(is_text, record)):
        raise ValueError("a name holds half a character")
    return record
