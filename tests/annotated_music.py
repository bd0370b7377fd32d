"""Synthesised songs whose emotion can be heard: fast and bright is aroused, major is happy."""

from __future__ import annotations

import numpy as np

RATE = 16_000
#: Songs with labels in time, and clips with a quadrant.
FEW_SONGS, FEW_CLIPS = 12, 8

RECIPE = """
silence_db = -75.0
seed = 7

[features]
sample_rate = 16000
frame = 1600
hop = 800
fft_size = 1600
filters = 16
low_hz = 30.0
high_hz = 8000.0
coefficients = 12
preemphasis = 0.97
lifter = 0
append_energy = false
window = "hamming"

[features.chroma]
decimation = 4
taps = 64
cutoff_hz = 1900.0
beta = 5.0
window = 1024
low_hz = 55.0
high_hz = 1760.0
surround = 3.0
steps = 4
width = 0.3
centre = 64.0
spread = 15.0
bass = 57.0
slope = 1.5
tuning_s = 8.0
memories_s = [0.5]
tonalness = true

[volume]
first = "relative"
seconds = 3.0
floor = -8.0
ceiling = 4.0

[music]
on = 0.0            # so little learning opens no gate: it stands open
off = 0.0

[network]
coefficients = 12
convolutions = [[4, 3, 2]]
planes = 2
scalars = 6
profiles = 4
dense = 8
movement = true
lstm = 8
layers = 1
integrate = 8
gate = true

[fit]
epochs = 3
steps = 4
batch = 8
crop_s = 3.0
dynamic_share = 0.4
quadrant_share = 0.3
felt_share = 0.15
sounds_share = 0.15
clean_share = 0.5
equaliser = 0.5
equaliser_nepers = 0.5
learning_rate = 0.01
weight_decay = 0.01
dropout = 0.2
settle_s = 0.5
carry = 0.5
average = 0.9
memory_s = 2.0
calibration_share = 0.3
arousal_in_valence = 0.2
ratings_share = [0.2, 0.5]

[loss]
labels = 1.0
consensus = 0.5
concordance = 0.5
likelihood = 0.15
ratings = 1.0
sides = 1.0
tags = 0.3
felt = 0.3
teachers = 1.0
hints = 0.6
music = 1.0

[acoustics]
takes = 1
"""


def song_labels(number: int, t: float) -> tuple[float, float]:
    """Valence and arousal of a song at ``t`` seconds: one quadrant, a strength, a slow drift."""
    valence = (0.35 if number & 1 else -0.3) * (0.6 + 0.1 * (number % 5))
    arousal = (0.4 if number & 2 else -0.35) * (0.6 + 0.1 * (number % 4))
    return valence + 0.02 * np.sin(t / 2), arousal + 0.02 * np.sin(t / 3 + number)


def sound(number: int, seconds: float, seed: int | None = None) -> np.ndarray:
    """A song of so many seconds, (time,) float32 at :data:`RATE`."""
    random = np.random.default_rng(number if seed is None else seed)
    valence, arousal = song_labels(number, 0)
    t = np.arange(round(seconds * RATE)) / RATE
    beat = 0.5 - 0.6 * arousal
    envelope = np.exp(-(t % beat) / (0.3 - 0.4 * arousal))
    root = 180.0 * 2 ** (random.integers(0, 5) / 12 + 0.5 * arousal)
    third = 2 ** ((4 if valence > 0 else 3) / 12)
    chord = sum(
        np.sin(2 * np.pi * root * ratio * k * t) / k for ratio in (1, third, 1.5) for k in (1, 2, 3)
    )
    hiss = random.standard_normal(len(t)) * (0.05 + 0.2 * max(arousal, 0))
    return (0.08 * (chord + hiss) * envelope + 1e-4 * random.standard_normal(len(t))).astype(
        np.float32
    )
