"""How loud it is now, for the eye: level, held peak, clipping, and whether it is only zeros."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The level meter: time constant of the RMS, how long a peak is held, how fast it then falls.
_RMS_S, _HOLD_S, _FALL_DB_PER_S = 0.15, 1.5, 20.0
#: A sample this near to full scale counts as clipped; the mark stays for so many seconds.
_CLIPPED, _CLIP_MARK_S = 0.999, 1.0
_FLOOR_DB = -120.0


@dataclass(frozen=True, slots=True)
class Level:
    """The input's level in dB relative to full scale, never under -120.

    ``rms_db`` follows the sound within a fifth of a second, ``peak_db`` is held for 1.5 s and then
    falls; ``clipped`` says that full scale was reached within the last second; ``zeros_s`` counts
    the seconds since anything but exact zeros came in.
    """

    rms_db: float = _FLOOR_DB
    peak_db: float = _FLOOR_DB
    clipped: bool = False
    zeros_s: float = 0.0


class Meter:
    """A level meter that counts its time in samples: it tells the same at every speed."""

    def __init__(self) -> None:
        self._heard_s = self._mean_square = 0.0
        self._peak_db, self._peak_s = _FLOOR_DB, 0.0
        self._clip_s = -math.inf
        self._sound_s = 0.0

    def hear(self, samples: NDArray[np.float32], rate: int) -> None:
        """Take in the next samples: (n,) mono in [-1, 1] at ``rate`` Hz.

        Only the last second and a half of a long block is looked at.
        """
        if not samples.size:
            return
        recent = samples[-max(1, int(rate * _HOLD_S)) :]
        peak = float(max(recent.max(), -recent.min()))
        tail = recent[-max(1, int(rate * 2 * _RMS_S)) :]
        square = float(np.dot(tail, tail)) / tail.size
        seconds = samples.size / rate
        self._heard_s += seconds
        kept = math.exp(-seconds / _RMS_S)
        self._mean_square = kept * self._mean_square + (1 - kept) * square
        peak_db = _decibels(peak)
        if peak_db >= self._held_peak():
            self._peak_db, self._peak_s = peak_db, self._heard_s
        if peak >= _CLIPPED:
            self._clip_s = self._heard_s
        if peak > 0:
            self._sound_s = self._heard_s

    def level(self) -> Level | None:
        """The level now; ``None`` before the first sample."""
        if not self._heard_s:
            return None
        return Level(
            rms_db=_decibels(math.sqrt(self._mean_square)),
            peak_db=self._held_peak(),
            clipped=self._heard_s - self._clip_s < _CLIP_MARK_S,
            zeros_s=self._heard_s - self._sound_s,
        )

    def _held_peak(self) -> float:
        fallen = max(0.0, self._heard_s - self._peak_s - _HOLD_S) * _FALL_DB_PER_S
        return max(_FLOOR_DB, self._peak_db - fallen)


def _decibels(amplitude: float) -> float:
    return max(_FLOOR_DB, 20 * math.log10(amplitude)) if amplitude > 0 else _FLOOR_DB
