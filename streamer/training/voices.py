"""Talk in the room, for training: voices made from pulses and formants, several at once.

They say nothing, but they move as speech does: syllables of a tenth to a third of a second, each
with a pitch, four formants and at times a fricative before it, and pauses between (source and
filter: Fant 1960; resonators: Klatt 1980). The voices of the robustness tables are others
(``streamer.training.distortion``).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from streamer.features.framing import Framing
from streamer.features.mfcc import FeatureConfig, Mfcc

_VOICES, _TALKS, _SECONDS = 48, 96, 12.0
#: Lowest and highest frequency of each formant, and its bandwidth, all in Hz.
_FORMANTS = ((250, 850, 80), (800, 2400, 110), (2100, 3200, 170), (3200, 4300, 250))


@lru_cache(maxsize=2)
def talks(features: FeatureConfig) -> NDArray[np.float32]:
    """Log bands (talks, frames, filters) of one to eight voices at once; always the same ones."""
    random = np.random.default_rng(5)
    rate = features.sample_rate
    voices = [voice(_SECONDS, rate, random) for _ in range(_VOICES)]
    framing, mfcc = Framing(features.frame, features.hop), Mfcc(features)
    made = []
    for _ in range(_TALKS):
        talk = np.zeros(len(voices[0]))
        for index in random.choice(_VOICES, random.choice([1, 2, 3, 5, 8]), replace=False):
            near = 10 ** (random.uniform(-6, 0) / 20)
            talk += near * np.roll(voices[index], random.integers(len(talk)))
        talk *= 0.05 / talk.std()
        frames, _, _ = framing.cut(talk.astype(np.float32), framing.initial())
        made.append(mfcc.log_mel(frames).astype(np.float32))
    return np.stack(made)


def voice(seconds: float, rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """One speaker: ``seconds`` of syllables at ``rate`` Hz, each of about unit power."""
    sound = np.zeros(round(seconds * rate))
    pitch, tract = 80 * 2 ** random.uniform(0, 1.7), random.uniform(0.85, 1.2)
    tilt, breath = random.uniform(0.6, 0.97), random.uniform(0.02, 0.08)
    pace = random.uniform(0.8, 1.3)
    at = 0
    while at < len(sound):
        if random.random() < 0.12:
            at += round(random.uniform(0.15, 0.6) * rate)
        parts = [_vowel(pitch, tract, tilt, breath, pace, rate, random)]
        if random.random() < 0.45:
            parts.insert(0, _fricative(rate, random))
        for part in parts:
            room = sound[at : at + len(part)]
            room += part[: len(room)]
            at += round(0.9 * len(part))
    return sound


def _vowel(
    pitch: float,
    tract: float,
    tilt: float,
    breath: float,
    pace: float,
    rate: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """A glide of glottal pulses through four resonances."""
    length = round(random.uniform(0.1, 0.3) * pace * rate)
    glide = random.normal(0, 0.15) + np.linspace(0, random.normal(0, 0.15), length)
    cycles = np.floor(np.cumsum(pitch * 2**glide) / rate)
    sound = scipy.signal.lfilter([1], [1, -tilt], np.diff(cycles, prepend=0))
    sound += breath * random.standard_normal(length)
    for low, high, width in _FORMANTS:
        hertz = min(random.uniform(low, high) * tract, 0.45 * rate)
        radius = math.exp(-math.pi * width / rate)
        turn = 2 * radius * math.cos(2 * math.pi * hertz / rate)
        gain = 1 - turn + radius**2
        sound = scipy.signal.lfilter([gain], [1, -turn, radius**2], sound)
    sound = np.diff(sound, prepend=0)
    place = np.arange(length) / rate
    sound *= np.minimum(1, place / 0.03) * np.minimum(1, place[::-1] / 0.05)
    loudness = 10 ** (random.uniform(-8, 0) / 20)
    return np.asarray(sound * loudness / (sound.std() + 1e-9))


def _fricative(rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A short burst of noise between 1.4 and 8 kHz."""
    centre = random.uniform(0.25, 0.75) * rate / 2
    band = [0.7 * centre, 1.3 * centre]
    sections = scipy.signal.butter(2, band, "bandpass", fs=rate, output="sos")
    length = round(random.uniform(0.04, 0.12) * rate)
    sound = scipy.signal.sosfilt(sections, random.standard_normal(length)) * np.hanning(length)
    loudness = 0.25 * 10 ** (random.uniform(-20, -4) / 20)
    return np.asarray(sound * loudness / (sound.std() + 1e-9))
