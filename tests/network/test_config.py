"""A model's configuration: the borders of every number, sizes by hand, strict reading."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from small_network import small_config

from streamer.errors import ModelError
from streamer.network.config import (
    AxisCalibration,
    Calibration,
    Convolution,
    ModelConfig,
    MusicConfig,
    NetworkConfig,
    Normalisation,
    parse,
)

CONFIG = small_config()
NETWORK = CONFIG.network
#: One coefficient, no convolution: nothing but the number in question can be refused.
PLAIN = NetworkConfig(
    coefficients=1, convolutions=(), dense=0, movement=False, lstm=1, layers=1, integrate=0
)


def layer(**changes: int) -> tuple[Convolution, ...]:
    return (dataclasses.replace(Convolution(1, 1, 1), **changes),)


@pytest.mark.parametrize(
    ("changes", "beyond"),
    [
        ({"coefficients": 1}, {"coefficients": 0}),
        ({"coefficients": 4096}, {"coefficients": 4097}),
        ({"lstm": 1}, {"lstm": 0}),
        ({"layers": 1}, {"layers": 0}),
        ({"layers": 8}, {"layers": 9}),
        ({"convolutions": layer(filters=1)}, {"convolutions": layer(filters=0)}),
        ({"convolutions": layer(filters=4096)}, {"convolutions": layer(filters=4097)}),
        ({"convolutions": layer(width=1)}, {"convolutions": layer(width=0)}),
        ({"convolutions": layer(width=1)}, {"convolutions": layer(width=2)}),
        ({"convolutions": layer(stride=1)}, {"convolutions": layer(stride=0)}),
        ({"convolutions": layer(stride=4096)}, {"convolutions": layer(stride=4097)}),
        ({"convolutions": layer() * 8}, {"convolutions": layer() * 9}),
        ({"dense": 0}, {"dense": -1}),
        ({"dense": 4096}, {"dense": 4097}),
        ({"dense": 1, "movement": True}, {"dense": 0, "movement": True}),
        ({"lags": (1,)}, {"lags": ()}),
        ({"lags": (1,) * 8}, {"lags": (1,) * 9}),
        ({"lags": (1,)}, {"lags": (0,)}),
        ({"lags": (64, 1)}, {"lags": (65, 1)}),
        ({"integrate": 0}, {"integrate": -1}),
        ({"integrate": 4096}, {"integrate": 4097}),
        ({"planes": 0}, {"planes": -1}),
        ({"planes": 16}, {"planes": 17}),
        ({"scalars": 0}, {"scalars": -1}),
        ({"scalars": 64}, {"scalars": 65}),
        ({"planes": 1, "profiles": 0}, {"planes": 1, "profiles": -1}),
        ({"planes": 1, "profiles": 512}, {"planes": 1, "profiles": 513}),
        ({"planes": 1, "profiles": 1}, {"planes": 0, "profiles": 1}),
        # 8 positions of 4,096 filters are 32,768 numbers of a frame; 9 are more.
        (
            {"coefficients": 8, "convolutions": layer(filters=4096)},
            {"coefficients": 9, "convolutions": layer(filters=4096)},
        ),
        (
            {"coefficients": 11, "convolutions": layer(filters=2978)},
            {"coefficients": 11, "convolutions": layer(filters=2979)},
        ),
        # As many are looked at where 2 channels meet 128 positions through filters 128 wide.
        (
            {"coefficients": 255, "convolutions": layer(filters=2) + layer(width=128)},
            {"coefficients": 256, "convolutions": layer(filters=2) + layer(width=128)},
        ),
        # 16,000,000 weights, and 34 more.
        (
            {"coefficients": 3894, "dense": 3972, "lstm": 33},
            {"coefficients": 3894, "dense": 3972, "lstm": 33, "gate": True},
        ),
    ],
    ids=str,
)
def test_sizes_end_at_their_borders(changes: dict[str, Any], beyond: dict[str, Any]) -> None:
    """The last size that is allowed makes a network, and the next is refused."""
    assert dataclasses.replace(PLAIN, **changes).shapes()
    with pytest.raises(ValueError, match=r"must|at most|wider|more than"):
        dataclasses.replace(PLAIN, **beyond)


def test_most_sizes_need_not_be_named() -> None:
    """What a configuration of format 2 does not name is not there: no chroma, no gate."""
    assert (PLAIN.planes, PLAIN.scalars, PLAIN.profiles, PLAIN.gate) == (0, 0, 0, False)


def test_sizes_follow_from_sizes() -> None:
    """The small network's, worked out by hand: positions, inputs, features, states, tensors."""
    assert NETWORK.widths() == [(1, 20), (6, 16), (4, 7)]
    assert NETWORK.inputs == 20 + 3 * 12 + 6
    assert NETWORK.joined == 4 * 7 + 2 * 5 + 6
    assert (NETWORK.features, NETWORK.outputs) == (12, 5)
    assert (NETWORK.fed, NETWORK.remembered, NETWORK.integrated) == (3 * 12, (3, 12), 11)
    assert NETWORK.shapes() == {
        "convolutions.0.weight": (6, 1, 1, 5),
        "convolutions.0.bias": (6,),
        "convolutions.1.weight": (4, 6, 1, 3),
        "convolutions.1.bias": (4,),
        "chroma.weight": (5, 3, 12),
        "chroma.bias": (5,),
        "dense.weight": (12, 44),
        "dense.bias": (12,),
        "lstm.weight_ih_l0": (40, 36),
        "lstm.weight_hh_l0": (40, 10),
        "lstm.bias_ih_l0": (40,),
        "lstm.bias_hh_l0": (40,),
        "lstm.weight_ih_l1": (40, 10),
        "lstm.weight_hh_l1": (40, 10),
        "lstm.bias_ih_l1": (40,),
        "lstm.bias_hh_l1": (40,),
        "head.weight": (4, 10),
        "head.bias": (4,),
        "music.weight": (1, 10),
        "music.bias": (1,),
    }
    changes = {"profiles": 0, "dense": 0, "movement": False, "integrate": 0, "gate": False}
    bare = dataclasses.replace(NETWORK, **changes)  # type: ignore[arg-type]
    assert bare.joined == bare.features == 4 * 7 + 3 * 12 + 6
    assert (bare.outputs, bare.remembered, bare.integrated) == (4, (1, 0), 0)
    assert bare.shapes()["lstm.weight_ih_l0"] == (40, 70)


@pytest.mark.parametrize(
    ("mean", "sd"),
    [((0.0,), (1.5e-6,)), ((0.0,), (1e6,)), ((1e6,), (1.0,)), ((-1e6,), (1.0,))],
)
def test_a_normalisation_ends_at_its_borders(mean: tuple[float], sd: tuple[float]) -> None:
    """Deviations from a millionth (left out) to a million, means within a million of 0."""
    assert Normalisation(mean, sd).mean == mean


@pytest.mark.parametrize(
    ("mean", "sd", "said"),
    [
        ((0.0, 0.0), (1.0,), "the same length"),
        ((0.0,), (1.0, 1.0), "the same length"),
        ((0.0,), (1e-6,), "every sd"),
        ((0.0, 0.0), (1.0, 1.5e6), "every sd"),
        ((0.0,), (-1.0,), "every sd"),
        ((0.0, 1.5e6), (1.0, 1.0), "every mean"),
        ((-1.5e6,), (1.0,), "every mean"),
    ],
)
def test_a_normalisation_beyond_them_is_refused(
    mean: tuple[float, ...], sd: tuple[float, ...], said: str
) -> None:
    """A mean or a deviation out of its range is refused, and lists of unequal lengths."""
    with pytest.raises(ValueError, match=said):
        Normalisation(mean, sd)


@pytest.mark.parametrize(
    "numbers", [(10, 2, 10), (1e-3, -2, 1e-3), (0.5, 0, 0.5), (10, -2, 1e-3), (1e-3, 2, 10)]
)
def test_a_calibration_ends_at_its_borders(numbers: tuple[float, float, float]) -> None:
    """Scales up to 10, an offset within 2 of 0."""
    assert dataclasses.astuple(AxisCalibration(*numbers)) == numbers


@pytest.mark.parametrize(
    "numbers", [(0, 0, 1), (-1, 0, 1), (10.5, 0, 1), (1, 2.5, 1), (1, -2.5, 1), (1, 0, 0),
                (1, 0, -1), (1, 0, 10.5)],
)  # fmt: skip
def test_a_calibration_beyond_them_is_refused(numbers: tuple[float, float, float]) -> None:
    """A scale, an offset or a factor out of its range is refused, each by itself."""
    with pytest.raises(ValueError, match="scale and sd_scale"):
        AxisCalibration(*numbers)


@pytest.mark.parametrize("borders", [(0, 0), (1, 1), (1, 0), (0.5, 0.5)])
def test_a_gate_opens_and_shuts_within_0_and_1(borders: tuple[float, float]) -> None:
    """At the ends, and with one border for both."""
    assert dataclasses.astuple(MusicConfig(*borders)) == borders


@pytest.mark.parametrize("borders", [(1.5, 0.5), (0.5, -0.5), (0.4, 0.5), (1.5, 1.5)])
def test_a_gate_that_cannot_be_is_refused(borders: tuple[float, float]) -> None:
    """Beyond the ends, or shut above where it opens."""
    with pytest.raises(ValueError, match="off must be at most on"):
        MusicConfig(*borders)


@pytest.mark.parametrize("silence_db", [-120, -75.5, 0])
def test_silence_is_between_nothing_and_full_scale(silence_db: float) -> None:
    """The floor of every level, and the loudest there is."""
    assert dataclasses.replace(CONFIG, silence_db=silence_db).silence_db == silence_db


def uneven(*places: int) -> Normalisation:
    """A normalisation of other numbers for each coefficient, plane and scalar, and at places."""
    mean = [*range(20), *(plane for plane in (21, 22, 23) for _ in range(12)), *range(30, 36)]
    for place in places:
        mean[place] += 1
    return Normalisation(tuple(map(float, mean)), tuple(1.0 + value for value in mean))


def test_coefficients_planes_and_scalars_have_numbers_of_their_own() -> None:
    """Only the twelve of a chroma row share theirs."""
    assert dataclasses.replace(CONFIG, normalisation=uneven()).normalisation == uneven()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"silence_db": -120.5}, "silence_db"),
        ({"silence_db": 0.5}, "silence_db"),
        ({"network": dataclasses.replace(NETWORK, coefficients=21)}, "coefficients are not"),
        ({"network": dataclasses.replace(NETWORK, planes=2)}, "planes and scalars"),
        ({"network": dataclasses.replace(NETWORK, scalars=5)}, "planes and scalars"),
        ({"features": dataclasses.replace(CONFIG.features, chroma=None)}, "planes and scalars"),
        ({"normalisation": Normalisation((0.0,) * 61, (1.0,) * 61)}, "not one number for each"),
        ({"normalisation": Normalisation((0.0,) * 63, (1.0,) * 63)}, "not one number for each"),
        *(
            ({"normalisation": uneven(place)}, "tells pitch classes apart")
            for place in (20, 31, 32, 43, 44, 55)
        ),
        (
            {"normalisation": dataclasses.replace(uneven(), sd=uneven(43).sd)},
            "tells pitch classes apart",
        ),
        ({"music": None}, "music must be there"),
        ({"network": dataclasses.replace(NETWORK, gate=False)}, "music must be there"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(changes: dict[str, Any], said: str) -> None:
    """Features, network, normalisation and gate speak of the same numbers."""
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(CONFIG, **changes)


def test_a_configuration_without_chroma_and_gate() -> None:
    """As format 2 has them: nothing is missing."""
    network = dataclasses.replace(NETWORK, planes=0, scalars=0, profiles=0, gate=False)
    config = ModelConfig(
        format=2,
        features=dataclasses.replace(CONFIG.features, chroma=None),
        volume=CONFIG.volume,
        network=network,
        normalisation=Normalisation((0.5,) * 20, (4.0,) * 20),
        calibration=Calibration(AxisCalibration(1, 0, 1), AxisCalibration(1, 0, 1)),
        silence_db=-75,
        songs={},
        weights_sha256="",
    )
    assert config.music is None
    assert parse(config.to_json()) == config


def test_what_is_written_is_read_again() -> None:
    """Format 3: indented by one, one line end at the end, and the same when it is read."""
    text = CONFIG.to_json()
    assert text.startswith('{\n "format": 3,\n "features": {\n  "sample_rate": 16000,\n')
    assert text.endswith("\n}\n")
    assert parse(text) == CONFIG


def test_what_is_no_number_is_not_written() -> None:
    """JSON has no NaN: a configuration that holds one is never written."""
    spoilt = dataclasses.replace(
        CONFIG, normalisation=Normalisation((float("nan"),) * 62, (1,) * 62)
    )
    with pytest.raises(ValueError, match="JSON"):
        spoilt.to_json()


@pytest.mark.parametrize("number", [1, 4, None, "3"])
def test_another_format_is_refused(number: object) -> None:
    """Formats 2 and 3 are read, and the sentence says so."""
    record = json.loads(CONFIG.to_json()) | {"format": number}
    with pytest.raises(ModelError, match="reads formats 2 and 3"):
        parse(json.dumps(record))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not a JSON object"),
        ("{", "not valid JSON"),
        ('{"format": NaN}', "NaN is not a number"),
        ('{"format": 3, "format": 3}', "a name stands twice"),
        ('{"format": 3, "\\ud800": 1}', "half a character"),
    ],
)
def test_what_is_no_configuration_is_one_clause(text: str, said: str) -> None:
    """It says what is wrong with the text."""
    with pytest.raises(ModelError, match=said):
        parse(text)
