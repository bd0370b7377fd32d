"""Drums and noises: swept sines, shaped noise. Each returns one mono sound as in `synthesis`."""

import numpy as np
from numpy.random import RandomState

from .synthesis import RATE, Sound, clock, envelope, filtered


def _noise(rng: RandomState, seconds: float, kind: str, hz: float | tuple[float, float]) -> Sound:
    return filtered(rng.standard_normal(round(seconds * RATE)), kind, hz)


def _falling_sine(seconds: float, high: float, low: float, speed: float) -> Sound:
    """A sine whose pitch falls from `high` to `low` hertz as a struck skin's does."""
    time = clock(seconds)
    cycles = low * time + (high - low) / speed * (1 - np.exp(-speed * time))
    return np.sin(2 * np.pi * cycles)


def kick(rng: RandomState, velocity: float) -> Sound:
    """A bass drum: a thump from 210 down to 58 Hz, and the beater's click."""
    time = clock(0.32)
    thump = _falling_sine(0.32, 210.0, 58.0, 38.0) * np.exp(-time * 14)
    click = 0.25 * _noise(rng, 0.32, "bandpass", (1_500.0, 5_000.0)) * np.exp(-time * 260)
    return velocity * (thump + click) * envelope(0.32, 0.001, 0.05)


def snare(rng: RandomState, velocity: float) -> Sound:
    """Two modes of the head, and the rattle of the wires, brighter when hit harder."""
    time = clock(0.26)
    head = np.sin(2 * np.pi * 187 * time) + 0.6 * np.sin(2 * np.pi * 331 * time)
    wires = _noise(rng, 0.26, "bandpass", (1_200.0, 5_000.0 + 6_000.0 * velocity))
    sound = 0.5 * head * np.exp(-time * 32) + 0.75 * wires * np.exp(-time * 19)
    return velocity * sound * envelope(0.26, 0.001, 0.05)


def hat(rng: RandomState, velocity: float, ring: float) -> Sound:
    """A hi-hat that rings for about `ring` seconds: short is closed, long is open."""
    seconds = 2.5 * ring
    metal = _noise(rng, seconds, "highpass", 7_500.0)
    metal *= np.exp(-clock(seconds) * 3 / ring)
    return 0.5 * velocity * metal * envelope(seconds, 5e-4, ring)


def clap(rng: RandomState, velocity: float) -> Sound:
    """Four hands that miss each other by a few milliseconds, then the room."""
    time = clock(0.24)
    hands = sum(np.exp(-(time - at) * 170) * (time >= at) for at in (0.0, 0.009, 0.019, 0.028))
    room = 0.35 * np.exp(-time * 22)
    sound = _noise(rng, 0.24, "bandpass", (900.0, 3_600.0)) * (hands + room)
    return velocity * 0.6 * sound * envelope(0.24, 0.001, 0.05)


def tom(rng: RandomState, hz: float, velocity: float) -> Sound:
    """A tom whose head settles on `hz`."""
    time = clock(0.34)
    skin = _falling_sine(0.34, 1.7 * hz, hz, 24.0) * np.exp(-time * 9)
    stick = 0.3 * _noise(rng, 0.34, "lowpass", 4_000.0) * np.exp(-time * 90)
    return velocity * (skin + stick) * envelope(0.34, 0.001, 0.06)


def crash(rng: RandomState, velocity: float, seconds: float = 1.8) -> Sound:
    """A cymbal: bright noise over a clangour of unrelated partials."""
    time = clock(seconds)
    wash = _noise(rng, seconds, "highpass", 4_500.0) * np.exp(-time * 3.0)
    partials = rng.uniform(2_000, 9_000, 14)
    clang = sum(np.sin(2 * np.pi * hz * time) for hz in partials) / 14 * np.exp(-time * 7)
    return velocity * (0.4 * wash + 0.5 * clang) * envelope(seconds, 0.002, 0.3)


def riser(rng: RandomState, seconds: float, velocity: float) -> Sound:
    """Noise that climbs from 200 Hz to 9 kHz and swells: a bank of bands, lit one after another."""
    time = clock(seconds)
    place = np.log2(200.0) + np.log2(45.0) * time / seconds
    noise = rng.standard_normal(time.size)
    sound = np.zeros_like(time)
    for centre in np.geomspace(200.0, 9_000.0, 12):
        lit = np.exp(-(((place - np.log2(centre)) / 0.5) ** 2))
        sound += lit * filtered(noise, "bandpass", (centre * 0.8, centre * 1.25))
    return velocity * sound * (time / seconds) ** 2 * envelope(seconds, 0.05, 0.02)
