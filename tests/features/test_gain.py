"""The running level: its definition spelt out, its borders, and that nothing of it is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.features.gain import Volume, VolumeConfig


def expected(logs: np.ndarray, frames: int, floor: float, ceiling: float) -> np.ndarray:
    """Each log power less the log of a mean that is plain for so many frames, then fading."""
    found, power = [], 0.0
    for count, log in enumerate(logs, start=1):
        power += (math.exp(log) - power) / min(count, frames)
        found.append(min(max(log - math.log(power), floor), ceiling))
    return np.array(found)


@given(
    seconds=st.sampled_from([0.04, 0.3, 1.0, 2.0]),
    scale=st.sampled_from([1.0, 0.125]),
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
def test_it_is_the_mean_of_the_last_seconds(seconds: float, scale: float, cuts: list[int]) -> None:
    """Row by row as defined, to 1e-12, for every time constant and however the rows are cut."""
    volume = Volume(VolumeConfig("relative", seconds, -3.0, 0.5), 0.1, scale)
    logs = np.random.default_rng(0).normal(0, 2, 60)
    rows = np.stack([logs / scale, np.arange(60.0)], axis=1)
    found, state = [], volume.initial()
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
        levelled, state = volume.level(rows[begin:end], state)
        found.append(levelled)
    levelled = np.concatenate(found)
    wanted = expected(logs, max(1, round(seconds / 0.1)), -3.0, 0.5)
    np.testing.assert_allclose(levelled[:, 0] * scale, wanted, atol=1e-12)
    np.testing.assert_array_equal(levelled[:, 1], rows[:, 1])
    assert seconds < 0.1 or {-3.0, 0.5} <= set(wanted), "both borders are met"


def test_a_raw_level_stays_as_it_is() -> None:
    """The ablation hands rows on untouched."""
    rows = np.arange(6.0).reshape(3, 2)
    volume = Volume(VolumeConfig("raw", 3.0, -8.0, 4.0), 0.1, 1.0)
    levelled, state = volume.level(rows, volume.initial())
    np.testing.assert_array_equal(levelled, rows)
    assert state == volume.initial()


@pytest.mark.parametrize("first", ["relative", "raw"])
@pytest.mark.parametrize("numbers", [(0.5, -100, 100), (3600, -8, 0.5), (3, -0.5, 4)])
def test_numbers_end_at_their_borders(first: str, numbers: tuple[float, float, float]) -> None:
    """A time constant up to an hour, a level clipped within 100 nepers."""
    config = VolumeConfig(first, *numbers)  # type: ignore[arg-type]
    assert (config.seconds, config.floor, config.ceiling) == numbers


@pytest.mark.parametrize(
    "numbers",
    [
        ("loud", 3, -8, 4),
        ("relative", 0, -8, 4),
        ("relative", -1, -8, 4),
        ("relative", 3600.5, -8, 4),
        ("relative", 3, 4, -8),
        ("relative", 3, 4, 4),
        ("relative", 3, -100.5, 4),
        ("relative", 3, -8, 100.5),
    ],
)
def test_numbers_that_make_no_level_are_refused(numbers: tuple[str, float, float, float]) -> None:
    """An unknown kind, no time constant, a floor over the ceiling, or what is beyond a border."""
    with pytest.raises(ValueError, match=r"must be|floor"):
        VolumeConfig(*numbers)  # type: ignore[arg-type]
