"""The plane: its one table of colours, and where words and quadrants lie in it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.circumplex import COLOURS, FULL_RADIUS, GREY, MOODS, colour, hex_colour, mood

axes = st.floats(-1, 1)


def test_every_word_has_its_colour() -> None:
    """The table has a row for each word; there, from the full distance on, the colour is its."""
    assert list(COLOURS) == list(MOODS)
    for degrees, code in COLOURS.items():
        for distance in (FULL_RADIUS, 0.5, 1.0):
            angle = math.radians(degrees)
            point = distance * math.cos(angle), distance * math.sin(angle)
            assert hex_colour(*colour(*point)) == code
            assert mood(*point) == MOODS[degrees]


def test_the_centre_is_grey_and_between_is_between() -> None:
    """Half the way out is half the colour; between two words each part is between theirs."""
    assert hex_colour(*colour(0.0, 0.0)) == GREY
    grey, full = colour(0.0, 0.0), colour(1.0, 0.0)
    half = colour(FULL_RADIUS / 2, 0.0)
    assert half == pytest.approx([(a + b) / 2 for a, b in zip(grey, full, strict=True)])
    between = colour(math.cos(math.radians(15)), math.sin(math.radians(15)))
    joyful = colour(math.cos(math.radians(30)), math.sin(math.radians(30)))
    assert between == pytest.approx([(a + b) / 2 for a, b in zip(full, joyful, strict=True)])


@given(valence=axes, arousal=axes, step=st.floats(-1e-3, 1e-3))
def test_a_colour_changes_as_gently_as_its_point(
    valence: float, arousal: float, step: float
) -> None:
    """Colours lie in [0, 1]; a thousandth of the plane changes none by more than a hundredth."""
    here, there = colour(valence, arousal), colour(valence + step, arousal)
    assert all(0 <= part <= 1 for part in here)
    assert max(abs(one - other) for one, other in zip(here, there, strict=True)) < 0.01
