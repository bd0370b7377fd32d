"""The plane of valence and arousal: quadrants, their probabilities, and words by angle.

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


def _above_zero(mean: float, sd: float) -> float:
    """The probability that a normal variable is above 0."""
    return 0.5 * math.erfc(-mean / (sd * math.sqrt(2)))
