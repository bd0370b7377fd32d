"""Sound as it arrives in the world: quieter, clipped, through a small loudspeaker, in a room.

These are the conditions of the robustness tables. Training never hears them: its own takes are made
with other curves, noises and rooms (``streamer.training.acoustics``).
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import scipy.signal
import soundfile
import soxr
from numpy.typing import NDArray

from streamer.errors import AudioError

Samples = NDArray[np.float32]
#: Rooms of each reverberation time: sizes and places differ.
ROOMS = 8
#: Samples at a rate, with chance of their own, to samples of the same length.
Distortion = Callable[[Samples, int, np.random.Generator], Samples]

_SENTENCES = (
    "The train to the coast leaves at seven from the second platform.",
    "We had coffee in the kitchen while the rain went on outside.",
    "Nobody remembers who left the garden gate open last night.",
    "She read the letter twice before she put it in the drawer.",
    "There are three bakeries in this street and all of them are good.",
    "If you turn left at the church you will see the river at once.",
    "He said that the meeting would take an hour, and it took four.",
    "Please bring the blue folder and the keys to the upper office.",
)


def gain(decibels: float) -> Distortion:
    """The volume knob, clipped at full scale."""

    def turned(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
        return np.asarray(np.clip(samples * 10 ** (decibels / 20), -1, 1), dtype=np.float32)

    return turned


def loudspeaker(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
    """A small loudspeaker: 200 Hz to 6 kHz, with six resonances of up to 8 dB between."""
    band = scipy.signal.butter(4, [200, min(6000, 0.45 * rate)], "bandpass", fs=rate, output="sos")
    sound = scipy.signal.sosfilt(band, samples)
    for centre in np.geomspace(300, 5000, 6) * random.uniform(0.85, 1.15, 6):
        b, a = scipy.signal.iirpeak(min(centre, 0.4 * rate), 4, fs=rate)
        boost = 10 ** (random.uniform(-8, 8) / 20) - 1
        sound = sound + boost * scipy.signal.lfilter(b, a, sound)
    return _as_loud_as(samples, sound)


def room(rt60: float) -> Distortion:
    """A rectangular room with that reverberation time, by image sources (Allen, Berkley 1979)."""

    def heard(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
        response = furnished(rt60, int(random.integers(ROOMS)), rate)
        return _as_loud_as(samples, scipy.signal.oaconvolve(samples, response)[: len(samples)])

    return heard


@lru_cache(maxsize=64)
def furnished(rt60: float, number: int, rate: int) -> NDArray[np.float64]:
    """The impulse response of one of :data:`ROOMS` rooms with that reverberation time."""
    random = np.random.default_rng([number, round(1000 * rt60)])
    size = np.array([6.1, 4.7, 2.9]) * random.uniform(0.8, 1.3, 3)
    source, ear = size * random.uniform(0.15, 0.45, 3), size * random.uniform(0.55, 0.85, 3)
    nominal = rt60
    response = impulse_response(size, source, ear, nominal, rate)
    for _ in range(2):
        # Eyring's formula makes image-source rooms ring too long: measured, and put right.
        nominal *= rt60 / reverberation_time(response, rate)
        response = impulse_response(size, source, ear, nominal, rate)
    return response


def pink_noise(snr_db: float) -> Distortion:
    """Noise whose power falls by 3 dB an octave."""

    def noisy(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
        spectrum = np.fft.rfft(random.standard_normal(len(samples)))
        bins = np.arange(len(spectrum))
        spectrum[1:] /= np.sqrt(bins[1:])
        spectrum[0] = 0
        return _with(samples, np.fft.irfft(spectrum, len(samples)), snr_db)

    return noisy


def babble(snr_db: float) -> Distortion:
    """Eight voices of espeak-ng at once."""

    def noisy(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
        voices = np.zeros(len(samples))
        for number in range(len(_SENTENCES)):
            voice = speech(number, rate)
            begin = random.integers(0, len(voice))
            voices += np.resize(np.roll(voice, -begin), len(samples))
        return _with(samples, voices, snr_db)

    return noisy


def mp3(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
    """Through 64 kbit/s MP3 at 44.1 kHz and back."""
    wide = np.clip(soxr.resample(samples, rate, 44_100), -1, 1)
    file = io.BytesIO()
    # libsndfile maps the level 0 to 1 to 320 to 32 kbit/s.
    level = (320 - 64) / (320 - 32)
    with soundfile.SoundFile(
        file, "w", 44_100, 1, format="MP3", compression_level=level, bitrate_mode="CONSTANT"
    ) as sound:
        sound.write(wide)
    file.seek(0)
    back, _ = soundfile.read(file, dtype="float32")
    narrow = soxr.resample(back, 44_100, rate)
    return np.asarray(np.resize(narrow, len(samples)), dtype=np.float32)


#: The conditions of the tables, by the names they have there.
CONDITIONS: dict[str, Distortion] = {
    "-30 dB": gain(-30),
    "-20 dB": gain(-20),
    "-10 dB": gain(-10),
    "+6 dB, clipped": gain(6),
    "small loudspeaker": loudspeaker,
    "room, RT60 0.3 s": room(0.3),
    "room, RT60 0.5 s": room(0.5),
    "room, RT60 0.8 s": room(0.8),
    "pink noise, 20 dB": pink_noise(20),
    "pink noise, 10 dB": pink_noise(10),
    "speech babble, 15 dB": babble(15),
    "MP3, 64 kbit/s": mp3,
}


def impulse_response(
    size: NDArray[np.float64],
    source: NDArray[np.float64],
    ear: NDArray[np.float64],
    rt60: float,
    rate: int,
) -> NDArray[np.float64]:
    """Impulse response of a shoebox room, (samples,), by image sources.

    ``size``, ``source``, ``ear`` in metres. The walls' reflection follows from ``rt60`` by
    Eyring's formula.
    """
    speed = 343.0
    surface = 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    absorption = 1 - np.exp(-24 * np.log(10) / speed * np.prod(size) / (surface * rt60))
    reflection = np.sqrt(1 - absorption)
    length = int(rt60 * rate)
    response = np.zeros(length)
    orders = [np.arange(-n, n + 1) for n in np.ceil(rt60 * speed / (2 * size)).astype(int)]
    # Each axis has images at 2 n size ± source, after |2 n| or |2 n - 1| reflections.
    places, bounces = [], []
    for axis in range(3):
        n = orders[axis]
        places.append(
            np.concatenate([2 * n * size[axis] + source[axis], 2 * n * size[axis] - source[axis]])
        )
        bounces.append(np.concatenate([np.abs(2 * n), np.abs(2 * n - 1)]))
    flat = (places[1][:, None] - ear[1]) ** 2 + (places[2][None] - ear[2]) ** 2
    flat_bounces = bounces[1][:, None] + bounces[2][None]
    for place, bounce in zip(places[0], bounces[0], strict=True):
        distance = np.sqrt((place - ear[0]) ** 2 + flat)
        delay = np.rint(distance / speed * rate).astype(int)
        near = delay < length
        strength = reflection ** (bounce + flat_bounces[near]) / np.maximum(distance[near], 0.3)
        response += np.bincount(delay[near], strength, minlength=length)[:length]
    return np.asarray(response / np.abs(response).max())


def reverberation_time(response: NDArray[np.float64], rate: int) -> float:
    """Seconds in which the energy of an impulse response falls by 60 dB, from its -5 to -25 dB.

    Source: Schroeder 1965, backward integration.
    """
    left = np.cumsum(response[::-1] ** 2)[::-1]
    level = 10 * np.log10(left / left[0] + 1e-12)
    return 3 * float(np.argmax(level < -25) - np.argmax(level < -5)) / rate


@lru_cache(maxsize=32)
def speech(number: int, rate: int) -> Samples:
    """A sentence of the espeak-ng voice ``number``, mono.

    Raises ``AudioError`` where espeak-ng is not installed.
    """
    if shutil.which("espeak-ng") is None:
        raise AudioError("speech is made by espeak-ng, which is missing: apt install espeak-ng")
    sentence = _SENTENCES[number % len(_SENTENCES)]
    voice = f"en+{'mf'[number % 2]}{number // 2 % 4 + 1}"
    options = ["-v", voice, "-p", str(30 + 7 * number % 50), "-s", str(130 + 11 * number % 60)]
    command = ["espeak-ng", *options, "--stdout", sentence]
    wave = subprocess.run(command, check=True, capture_output=True).stdout
    samples, own_rate = soundfile.read(io.BytesIO(wave), dtype="float32")
    return np.asarray(soxr.resample(samples, own_rate, rate), dtype=np.float32)


def _with(samples: Samples, noise: NDArray[np.floating], snr_db: float) -> Samples:
    """``samples`` with ``noise`` at a signal-to-noise ratio over the whole clip."""
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64))) + 1e-12
    own = np.sqrt(np.mean(np.square(noise))) + 1e-12
    return np.asarray(samples + noise * (level / own * 10 ** (-snr_db / 20)), dtype=np.float32)


def _as_loud_as(samples: Samples, changed: NDArray[np.floating]) -> Samples:
    """``changed`` with the RMS of ``samples``."""
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
    own = np.sqrt(np.mean(np.square(changed))) + 1e-12
    return np.asarray(changed * (level / own), dtype=np.float32)
