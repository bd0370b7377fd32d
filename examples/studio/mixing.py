"""The mixing desk: stereo tracks, a synthetic room, a limiter, and joining the sections.

Stereo audio is `(time, 2)` float64 at `synthesis.RATE`, full scale at 1.
"""

import numpy as np
from numpy.random import RandomState
from scipy import ndimage, signal

from .synthesis import RATE, Sound, clock, filtered


class Track:
    """An empty stretch of stereo tape onto which mono sounds are placed."""

    def __init__(self, seconds: float) -> None:
        self.audio: Sound = np.zeros((round(seconds * RATE), 2))

    def add(self, sound: Sound, at: float, gain: float = 1.0, pan: float = 0.0) -> None:
        """Mix in `sound` from `at` seconds on; `pan` from -1 (left) to 1, at constant power.

        What would ring on past the end of the tape is cut off.
        """
        first = max(0, round(at * RATE))
        sound = sound[: max(0, len(self.audio) - first)]
        angle = (pan + 1) * np.pi / 4
        self.audio[first : first + len(sound)] += np.outer(
            gain * sound, (np.cos(angle), np.sin(angle))
        )


def reverberated(
    dry: Sound, rng: RandomState, seconds: float, bright: float, wet: float, delay: float = 0.015
) -> Sound:
    """`dry` in a room: noise that falls by 60 dB in `seconds`, heard after `delay`.

    Its treble falls sooner, and each ear has walls of its own. `wet` is the RMS of the room, that
    of `dry` being 1.
    """
    time = clock(1.2 * seconds)[:, None]
    noise = rng.standard_normal((len(time), 2))
    dull = filtered(noise, "lowpass", bright / 3, 1) * 10.0 ** (-3 * time / seconds)
    clear = filtered(noise, "lowpass", bright, 1) * 10.0 ** (-6 * time / seconds)
    wall = np.pad(dull + clear, ((round(delay * RATE), 0), (0, 0)))
    wall = filtered(wall, "highpass", 120.0, 1)
    room = signal.fftconvolve(dry, wall, axes=0)[: len(dry)]
    return dry + room * wet * np.sqrt(np.mean(dry**2) / np.mean(room**2))


def limited(audio: Sound, ceiling: float) -> Sound:
    """Peaks turned down to `ceiling`, both channels together, 2.5 ms before they arrive.

    The gain of each sample is a weighted mean of gains that are all low enough for it, so nothing
    passes the ceiling.
    """
    peak = np.maximum(*np.abs(audio.T))
    if peak.max() <= ceiling:
        return audio
    width = round(0.005 * RATE) | 1
    needed = np.minimum(1.0, ceiling / np.maximum(peak, 1e-9))
    held = ndimage.minimum_filter1d(needed, width, mode="nearest")
    window = signal.windows.hann(width + 2)[1:-1]
    smooth = ndimage.convolve1d(held, window / window.sum(), mode="nearest")
    return audio * smooth[:, None]


def mastered(audio: Sound, level_db: float, seconds: float, ceiling: float = 0.89) -> Sound:
    """`audio` limited, its RMS over the first `seconds` at `level_db` (0 dB: RMS 1)."""
    target = 10.0 ** (level_db / 20)
    gain = 1.0
    for _ in range(6):  # the limiter takes some level away: ask again for what it took
        loud = limited(audio * gain, ceiling)
        gain *= target / np.sqrt(np.mean(loud[: round(seconds * RATE)] ** 2))
    return limited(audio * gain, ceiling)


def joined(sections: list[Sound], seconds: float, fade: float) -> Sound:
    """Sections end to end, `seconds` apart.

    Each rings on for `fade` seconds under the next, so that a first beat stays sharp. The last one
    is cut at its end: it must have faded by then.
    """
    step, tail = round(seconds * RATE), round(fade * RATE)
    whole = np.zeros((step * len(sections), 2))
    falling = np.cos(np.linspace(0, np.pi / 2, tail))[:, None] ** 2
    for number, section in enumerate(sections):
        part = section[: step + tail].copy()
        part[-tail:] *= falling
        part = part[: len(whole) - number * step]
        whole[number * step : number * step + len(part)] += part
    return whole
