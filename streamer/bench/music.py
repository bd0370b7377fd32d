"""Something like music to measure with, of any length and the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

#: What most files have.
FILE_RATE = 44_100
_BLOCK_S = 10


def music(seconds: float, rate: int, seed: int = 0) -> NDArray[np.float32]:
    """Chords with a beat and some noise: mono float32 of ``seconds`` at ``rate`` Hz."""
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    sound = random.normal(0, 0.02, len(t))
    for tone in random.choice((110, 131, 165, 196, 220, 262, 330, 392), 5, replace=False):
        swell = 1 + np.sin(2 * np.pi * random.uniform(0.05, 0.5) * t)
        sound += 0.05 * swell * np.sin(2 * np.pi * tone * t)
    sound *= 0.5 + 0.5 * np.exp(-4 * (t * 2 % 1))
    return sound.astype(np.float32)


def write(path: Path, seconds: float) -> None:
    """A stereo FLAC file of that length, written in pieces."""
    with soundfile.SoundFile(path, "w", FILE_RATE, 2, format="FLAC") as file:
        left = round(seconds * FILE_RATE)
        for seed in range(1 << 30):
            if left <= 0:
                return
            block = music(_BLOCK_S, FILE_RATE, seed)[:left]
            file.write(np.stack([block, block[::-1]], axis=1))
            left -= len(block)
