"""The plane of valence and arousal: quadrants, their probabilities, words and colours by angle.

After Russell 1980, "A circumplex model of affect": words stand around the plane in a fixed
circular order. Real estimates stay near the middle, so distance is no guide to the word.
"""

from __future__ import annotations

import math

from streamer.events import QUADRANTS

#: Words by angle in degrees: 0 is positive valence, 90 is high arousal.
MOODS = {
    0: "glad",
    30: "joyful",
    60: "excited",
    90: "intense",
    120: "tense",
    150: "troubled",
    180: "unhappy",
    210: "sad",
    240: "dreary",
    270: "drowsy",
    300: "calm",
    330: "serene",
}
#: Within this distance of the centre the music is called neutral.
NEUTRAL_RADIUS = 0.1
#: Colours by angle in degrees, at the places of the words: gold, red, blue and green in the middle
#: of the four quadrants (hues of Okabe and Ito, "Color Universal Design", 2008, at a lightness that
#: reads on black and on white), and between them equal steps of OKLCH (Ottosson 2020).
COLOURS = {
    0: "#7a9e41",
    30: "#ab9207",
    60: "#c07f04",
    90: "#c26704",
    120: "#c24c1b",
    150: "#bd3b5b",
    180: "#a048a5",
    210: "#6461ce",
    240: "#017cc3",
    270: "#058ea7",
    300: "#0a9c93",
    330: "#3aa470",
}
#: The colour of the centre, and the distance from it at which a colour is full.
GREY = "#8a8a8a"
FULL_RADIUS = 0.2


def quadrant(valence: float, arousal: float) -> str:
    """The quadrant of a point; the axes belong to the positive side."""
    happy, tense, sad, calm = QUADRANTS
    if arousal >= 0:
        return happy if valence >= 0 else tense
    return calm if valence >= 0 else sad


def quadrant_probabilities(
    valence: float, arousal: float, valence_sd: float, arousal_sd: float
) -> dict[str, float]:
    """The probability of each quadrant, in their order, under two independent normal variables."""
    positive = _above_zero(valence, valence_sd)
    high = _above_zero(arousal, arousal_sd)
    values = (
        positive * high,
        (1 - positive) * high,
        (1 - positive) * (1 - high),
        positive * (1 - high),
    )
    return dict(zip(QUADRANTS, values, strict=True))


def mood(valence: float, arousal: float) -> str:
    """The word whose angle is nearest, or "neutral" near the centre."""
    if math.hypot(valence, arousal) < NEUTRAL_RADIUS:
        return "neutral"
    degrees = math.degrees(math.atan2(arousal, valence)) % 360
    return MOODS[round(degrees / 30) % 12 * 30]


def colour(valence: float, arousal: float) -> tuple[float, float, float]:
    """Red, green and blue in [0, 1] of a point: the one table of screens, lamps and desks.

    By straight lines in sRGB: between the neighbours in :data:`COLOURS` by angle, and from
    :data:`GREY` in the centre to the full colour at :data:`FULL_RADIUS` and beyond.

    >>> hex_colour(*colour(1.0, 0.0)), hex_colour(*colour(0.0, 0.0))
    ('#7a9e41', '#8a8a8a')
    """
    place = math.degrees(math.atan2(arousal, valence)) % 360 / 30
    step = int(place) % 12
    one, other = _rgb(COLOURS[30 * step]), _rgb(COLOURS[30 * ((step + 1) % 12)])
    strength = min(1.0, math.hypot(valence, arousal) / FULL_RADIUS)
    red, green, blue = (
        _between(grey, _between(begin, end, place - int(place)), strength)
        for grey, begin, end in zip(_rgb(GREY), one, other, strict=True)
    )
    return red, green, blue


def hex_colour(red: float, green: float, blue: float) -> str:
    """A colour of parts in [0, 1] as ``#rrggbb``."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def _rgb(code: str) -> tuple[float, float, float]:
    red, green, blue = (int(code[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _between(begin: float, end: float, share: float) -> float:
    return begin + (end - begin) * share


def _above_zero(mean: float, sd: float) -> float:
    """The probability that a normal variable is above 0."""
    return 0.5 * math.erfc(-mean / (sd * math.sqrt(2)))
