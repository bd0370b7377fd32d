"""Other rooms, loudspeakers, noises and pitches for the same sound, made on its samples.

Training hears each clip as it is, and as it might arrive elsewhere. The robustness tables are
measured with other rooms and noises (``makers.distortion``), none of which is heard
here: those rooms are built from image sources, these from noise that dies away (Polack 1988).

Every change takes samples at :data:`RATE` and gives float64 samples of the same length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float64]
#: Where everything here is tuned for, in Hz.
RATE = 16_000
_EPSILON = 1e-9
#: A band must end below half the rate.
_HIGHEST_HZ = 7_800.0


@dataclass(frozen=True, slots=True)
class AcousticsConfig:
    """``takes`` distorted takes of each clip, and the probability of each change in one.

    ``pitch``: higher or lower by up to ``pitch_semitones``, and as much faster or slower (never
    where labels follow time). ``room``: a reverberation of .15 to 1.1 s. ``noise``: from the lowest
    to the highest of ``noise_snr_db`` under the sound; of it a share ``voices`` are one to eight
    people who talk, a share ``places`` crowds and surroundings, the rest has a random colour.
    ``noise_alone`` is the probability for what is no music itself. ``clipping``: peaks held down.
    ``loudspeaker``: a small one. ``narrow``: nothing above 2.5 to 7.8 kHz, as many codecs leave it.
    """

    takes: int = 3
    pitch: float = 0.5
    pitch_semitones: float = 1.5
    room: float = 0.4
    noise: float = 0.6
    noise_alone: float = 0.35
    noise_snr_db: tuple[float, ...] = (-2.0, 25.0)
    voices: float = 0.38
    places: float = 0.17
    clipping: float = 0.08
    loudspeaker: float = 0.25
    narrow: float = 0.25

    def __post_init__(self) -> None:
        if self.takes < 0 or len(self.noise_snr_db) != 2:
            raise ValueError("takes must not be negative, noise_snr_db two numbers")


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """Recordings to be heard behind others: people who talk, and all else."""

    voices: Sequence[Samples]
    places: Sequence[Samples]


class Acoustics:
    """Distorted takes by one configuration."""

    def __init__(self, config: AcousticsConfig, surroundings: Surroundings) -> None:
        self.config = config
        self._around = surroundings

    def take(
        self, sound: Samples, random: np.random.Generator, *, music: bool, bound: bool
    ) -> tuple[Samples, float]:
        """The sound as it might arrive elsewhere, and its distance to the noise in dB.

        The distance is infinite without noise. ``music``: whether it is; ``bound``: whether labels
        follow its time, so that its tempo must stay.
        """
        config, snr = self.config, math.inf
        if not bound and random.random() < config.pitch:
            reach = config.pitch_semitones
            sound = retuned(sound, random.uniform(-reach, reach))
        if random.random() < config.room:
            sound = in_room(sound, random)
        if random.random() < (config.noise if music else config.noise_alone):
            lowest, highest = config.noise_snr_db
            snr = random.uniform(lowest, highest)
            sound = with_noise(sound, self._noise(len(sound), random), snr)
        if random.random() < config.clipping:
            top = np.abs(sound).max() * random.uniform(0.2, 0.7)
            sound = np.clip(sound, -top, top)
        if random.random() < config.loudspeaker:
            sound = through_loudspeaker(sound, random)
        if random.random() < config.narrow:
            edge = 2500 * (_HIGHEST_HZ / 2500) ** random.random()
            order = int(random.integers(4, 9))
            sections = scipy.signal.butter(order, edge, "low", fs=RATE, output="sos")
            sound = scipy.signal.sosfilt(sections, sound)
        return sound, snr

    def _noise(self, length: int, random: np.random.Generator) -> Samples:
        kind = random.random()
        if self._around.voices and kind < self.config.voices:
            noise = np.zeros(length)
            for _ in range(random.choice([1, 1, 2, 4, 8])):
                voice = self._around.voices[int(random.integers(len(self._around.voices)))]
                near = 10 ** (random.uniform(-6, 0) / 20)
                noise += repeated(voice, length, random) * (near / (voice.std() + _EPSILON))
            return in_room(noise, random) if random.random() < 0.5 else noise
        if self._around.places and kind > 1 - self.config.places:
            place = self._around.places[int(random.integers(len(self._around.places)))]
            return repeated(place, length, random)
        return coloured(length, random)


def retuned(sound: Samples, semitones: float) -> Samples:
    """Played faster (above 0) or slower, and so higher or lower."""
    return np.asarray(soxr.resample(sound, RATE, RATE * 2 ** (-semitones / 12)))


def repeated(sound: Samples, length: int, random: np.random.Generator) -> Samples:
    """``length`` samples of a sound in a circle, from a random place on."""
    return np.resize(np.roll(sound, -random.integers(len(sound))), length)


def with_noise(sound: Samples, noise: Samples, snr_db: float) -> Samples:
    """The sum, the noise ``snr_db`` under the sound."""
    noise = noise - noise.mean()
    scale = sound.std() / (noise.std() + _EPSILON) * 10 ** (-snr_db / 20)
    return np.asarray(sound + scale * noise)


def coloured(length: int, random: np.random.Generator, slope: float | None = None) -> Samples:
    """Steady noise whose spectrum falls by a random power of the frequency, with humps."""
    whole = scipy.fft.next_fast_len(length, real=True)
    spectrum = scipy.fft.rfft(random.standard_normal(whole))
    knots, place = np.geomspace(20, RATE / 2, 200), np.linspace(0, 1, 200)
    curve = np.log(knots) * ((random.uniform(-2, 0.6) if slope is None else slope) / 2)
    for k in range(1, 7):
        curve = curve + random.normal(0, 0.35 / math.sqrt(k)) * np.cos(math.pi * k * place)
    gain = np.exp(np.interp(np.arange(len(spectrum)) * (RATE / whole), knots, curve))
    gain[0] = 0
    return np.asarray(scipy.fft.irfft(spectrum * gain, whole)[:length])


def in_room(sound: Samples, random: np.random.Generator) -> Samples:
    """Beside the direct sound a tail of noise that dies away, its treble faster."""
    decay = random.uniform(0.15, 1.1)
    time = np.arange(int(decay * RATE)) / RATE
    tail = random.standard_normal(len(time))
    low = scipy.signal.lfilter([0.3], [1, -0.7], tail)
    fast = decay * random.uniform(0.4, 0.8)
    response = low * np.exp(-6.9 * time / decay)
    response += (tail - low) * np.exp(-6.9 * time / fast) * random.uniform(0.4, 1)
    # The first reflections come one by one.
    response *= random.random(len(time)) < np.minimum(1, 0.02 + time / 0.05)
    response /= np.sqrt((response**2).sum()) + _EPSILON
    direct = 10 ** (random.uniform(-8, 12) / 20)
    late = int(random.uniform(0.001, 0.012) * RATE)
    whole = np.concatenate([[direct], np.zeros(late - 1), response])
    return np.asarray(scipy.signal.oaconvolve(sound, whole)[: len(sound)])


def through_loudspeaker(sound: Samples, random: np.random.Generator) -> Samples:
    """A random band, with resonances in it."""
    low = 80 * (450 / 80) ** random.random()
    high = min(7600.0, 2800 * (8000 / 2800) ** random.random())
    order = int(random.integers(1, 5))
    band = scipy.signal.butter(order, [low, high], "bandpass", fs=RATE, output="sos")
    heard = scipy.signal.sosfilt(band, sound)
    for centre in np.geomspace(1.3 * low, 0.8 * high, 5) * random.uniform(0.85, 1.15, 5):
        b, a = scipy.signal.iirpeak(min(centre, 7000), random.uniform(2, 6), fs=RATE)
        boost = 10 ** (random.uniform(-8, 8) / 20) - 1
        heard = heard + boost * scipy.signal.lfilter(b, a, heard)
    return np.asarray(heard)
