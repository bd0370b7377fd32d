"""Other rooms, loudspeakers, noises and mixes for the same music, made on its log bands.

A filter adds a curve to the log bands, a noise adds its power to theirs, a room smears power
forward in time: all three can be had without going back to the samples, and anew in each epoch.
The robustness tables are measured on sound that was really played through other rooms and noises
(``streamer.training.distortion``), none of which is seen here.

Every function takes ``bands`` (batch, time, filters), natural logs of power, and returns the same.
Each sequence is changed with its own probability and strength.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from streamer.features.mfcc import FeatureConfig
from streamer.training.voices import talks

Bands = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """Probabilities of each change to a sequence, and how strong it may be.

    ``equaliser``: a smooth random curve of ``equaliser_nepers`` (of power; 1 is 4.3 dB).
    ``loudspeaker``: a band limit between 60-400 Hz and 3-8 kHz, with a bumpy response. ``noise``:
    from the lowest to the highest of ``noise_snr_db`` under the music; a share ``voices`` of it are
    people who talk, a share ``other_music`` two other songs, the rest has a random colour.
    ``reverberation``: an exponential tail of 0.2 to 1 s. ``pitch``: bands re-read up to
    ``pitch_semitones`` higher or lower. ``clipping``: the loud frames held down. ``mask``: a run
    of bands flattened. ``stretch``: the tempo changed by up to this share.
    """

    equaliser: float = 0.7
    equaliser_nepers: float = 0.5
    loudspeaker: float = 0.15
    noise: float = 0.35
    noise_snr_db: tuple[float, ...] = (0.0, 30.0)
    voices: float = 0.4
    other_music: float = 0.1
    reverberation: float = 0.25
    pitch: float = 0.5
    pitch_semitones: float = 2.0
    clipping: float = 0.15
    mask: float = 0.3
    stretch: float = 0.15


class Augmentation:
    """The changes of one configuration to bands of one feature configuration."""

    def __init__(self, config: AugmentationConfig, features: FeatureConfig) -> None:
        self.config = config
        self._hop_s = features.hop / features.sample_rate
        self._preemphasis = features.preemphasis
        self._rate = features.sample_rate
        self._features = features
        self._low, self._high = mel(features.low_hz), mel(features.high_hz)
        points = np.linspace(self._low, self._high, features.filters + 2)
        self._centres = hertz(points[1:-1])

    def apply(self, bands: Bands, random: np.random.Generator) -> Bands:
        """Every change in turn, in the order that sound meets them: source, room, machine."""
        bands = self.shift_pitch(bands, random)
        bands = self.reverberate(bands, random)
        bands = self.add_noise(bands, random)
        bands = self.clip(bands, random)
        bands = self.equalise(bands, random)
        return self.mask(bands, random).astype(np.float32, copy=False)

    def equalise(self, bands: Bands, random: np.random.Generator) -> Bands:
        """A smooth curve, and at times a small loudspeaker."""
        batch, _, filters = bands.shape
        config, f = self.config, self._centres
        curve = _smooth(random, batch, filters, config.equaliser_nepers)
        curve *= _chosen(random, batch, config.equaliser)
        small = _chosen(random, batch, config.loudspeaker)
        lowest = 60 * (400 / 60) ** random.random((batch, 1))
        highest = 3000 * (8000 / 3000) ** random.random((batch, 1))
        order = random.uniform(2, 6, (batch, 1))
        low_cut = -np.log1p((lowest / f) ** (2 * order))
        high_cut = -np.log1p((f / highest) ** (2 * order))
        bumps = _smooth(random, batch, filters, 0.5, terms=24)
        curve += small * (low_cut + high_cut + bumps)
        changed: Bands = bands + curve[:, None].astype(np.float32)
        return changed

    def add_noise(self, bands: Bands, random: np.random.Generator) -> Bands:
        """Coloured noise, talk, or other music, at a random distance under the sequence's own."""
        batch = len(bands)
        kind = random.random((batch, 1, 1))
        noise = self._coloured(bands.shape, random)
        if self.config.voices:
            noise = np.where(kind < self.config.voices, self._talk(bands.shape, random), noise)
        if self.config.other_music:
            noise = np.where(kind > 1 - self.config.other_music, _others(bands, random), noise)
        lowest_snr, highest_snr = self.config.noise_snr_db
        snr = random.uniform(lowest_snr, highest_snr, (batch, 1, 1)) * math.log(10) / 10
        noise += _total(bands) - _total(noise) - snr
        noisy = _chosen(random, batch, self.config.noise)[:, :, None] > 0
        return np.where(noisy, np.logaddexp(bands, noise), bands).astype(np.float32)

    def _coloured(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Steady noise of a random colour; the colour of a third of them changes all the time."""
        batch, time, filters = shape
        f = self._centres
        turn = 2 * math.pi * f / self._rate
        emphasis = np.log(1 + self._preemphasis**2 - 2 * self._preemphasis * np.cos(turn))
        widths = np.log(f + 700)
        colour = random.uniform(-2, 0.6, (batch, 1)) * np.log(f / 1000) + emphasis + widths
        colour = colour + _smooth(random, batch, filters, 0.5)
        # Wide bands average more of the noise, so they flicker less.
        flicker = 1 / np.sqrt(4 + 40 * np.linspace(0, 1, filters) ** 2)
        noise = colour[:, None] + random.standard_normal((batch, time, filters)) * flicker
        every = int(random.integers(1, 4))
        knots = _smooth(random, batch * (time // every + 2), filters, 1.0, terms=8, mean=True)
        knots = knots.reshape(batch, -1, filters) * random.uniform(0.3, 1.5, (batch, 1, 1))
        before, share = np.divmod(np.arange(time) / every, 1)
        at = before.astype(np.int64)
        moving = knots[:, at] * (1 - share[:, None]) + knots[:, at + 1] * share[:, None]
        return np.asarray(noise + moving * _chosen(random, batch, 0.35)[..., None])

    def _talk(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Voices from some moment on, as some microphone hears them."""
        batch, time, filters = shape
        known = talks(self._features)
        chosen, first = (
            random.integers(len(known), size=batch),
            random.integers(1 << 20, size=batch),
        )
        at = (first[:, None] + np.arange(time)) % known.shape[1]
        talk = known[chosen[:, None], at] + _smooth(random, batch, filters, 0.8)[:, None]
        return np.asarray(talk, dtype=np.float64)

    def reverberate(self, bands: Bands, random: np.random.Generator) -> Bands:
        """Power smeared forward in time, exponentially, beside the direct sound."""
        changed = bands.copy()
        for index in np.flatnonzero(_chosen(random, len(bands), self.config.reverberation)):
            decay = math.exp(-math.log(1e6) * self._hop_s / random.uniform(0.2, 1.0))
            direct = random.uniform(0.1, 0.9)
            top = bands[index].max()
            power = np.exp(bands[index] - top, dtype=np.float64)
            tail = scipy.signal.lfilter([1 - decay], [1, -decay], power, axis=0)
            changed[index] = np.log(direct * power + (1 - direct) * tail + 1e-14) + top
        return changed

    def shift_pitch(self, bands: Bands, random: np.random.Generator) -> Bands:
        """The bands re-read at frequencies some semitones away."""
        batch, _, filters = bands.shape
        reach = self.config.pitch_semitones
        semitones = random.uniform(-reach, reach, (batch, 1))
        semitones *= _chosen(random, batch, self.config.pitch)
        source = mel(self._centres * 2 ** (semitones / 12))
        places = (source - self._low) / (self._high - self._low) * (filters + 1) - 1
        places = np.clip(places, 0, filters - 1)
        lower = np.minimum(places.astype(np.int64), filters - 2)[:, None]
        share = (places[:, None] - lower).astype(np.float32)
        below = np.take_along_axis(bands, lower, axis=2)
        above = np.take_along_axis(bands, lower + 1, axis=2)
        shifted: Bands = below * (1 - share) + above * share
        return shifted

    def clip(self, bands: Bands, random: np.random.Generator) -> Bands:
        """The loud frames held down, as by a clipped input or a limiter."""
        batch = len(bands)
        loudness = np.logaddexp.reduce(bands, axis=2)
        ceiling = loudness.max(axis=1, keepdims=True) - random.uniform(0.5, 4, (batch, 1))
        strength = random.uniform(0.3, 1, (batch, 1)) * _chosen(random, batch, self.config.clipping)
        excess = np.maximum(loudness - ceiling, 0) * strength
        held: Bands = bands - excess[..., None].astype(np.float32)
        return held

    def mask(self, bands: Bands, random: np.random.Generator) -> Bands:
        """A run of up to ten bands flattened to under the sequence's mean (Park et al. 2019)."""
        batch, _, filters = bands.shape
        width = random.integers(1, 11, (batch, 1))
        first = (random.random((batch, 1)) * (filters - width)).astype(int)
        place = np.arange(filters)
        hidden = (place >= first) & (place < first + width)
        hidden &= _chosen(random, batch, self.config.mask) > 0
        flat = bands.mean(axis=(1, 2), keepdims=True) - 1
        return np.where(hidden[:, None], flat, bands)


def mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Hertz to mel, by python_speech_features' formula."""
    return np.asarray(2595 * np.log10(1 + np.asarray(hz) / 700))


def hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mel to hertz."""
    return np.asarray(700 * (10 ** (mels / 2595) - 1))


def _chosen(random: np.random.Generator, batch: int, probability: float) -> NDArray[np.float64]:
    """1 for the sequences (batch, 1) that are changed, else 0."""
    return (random.random((batch, 1)) < probability).astype(np.float64)


def _others(bands: Bands, random: np.random.Generator) -> NDArray[np.float64]:
    """For each sequence two others of the batch at once, from another moment on."""
    two = (
        np.roll(bands[random.permutation(len(bands))], random.integers(bands.shape[1]), axis=1)
        for _ in range(2)
    )
    return np.asarray(np.logaddexp(*two), dtype=np.float64)


def _smooth(
    random: np.random.Generator,
    batch: int,
    filters: int,
    size: float,
    terms: int = 6,
    mean: bool = False,
) -> NDArray[np.float64]:
    """Random curves over the bands (batch, filters): cosines of falling weight.

    Their mean is 0, unless ``mean`` asks for a random one.
    """
    k = np.arange(0 if mean else 1, terms + 1)
    place = (np.arange(filters) + 0.5) / filters
    weights = random.standard_normal((batch, len(k))) / np.sqrt(np.maximum(k, 1)) * size
    return np.asarray(weights @ np.cos(math.pi * k[:, None] * place))


def _total(bands: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log of the power of whole sequences, (batch, 1, 1)."""
    return np.asarray(np.logaddexp.reduce(bands, axis=(1, 2), keepdims=True))
