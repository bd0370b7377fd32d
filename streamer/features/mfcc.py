"""Mel-frequency cepstral coefficients, one row a frame, equal to python_speech_features'.

Built from that package's own filterbank and lifter with its conventions (pre-emphasis over the
whole signal, power spectrum divided by the FFT size, zero energies replaced by the machine
epsilon, orthonormal DCT-II), computed once. Everything is float64: in float32 arithmetic rows
were off by up to 7e-4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import python_speech_features as psf
import scipy.fft
from numpy.typing import NDArray

from streamer.features.chroma import ChromaConfig

_EPSILON = float(np.finfo(float).eps)
#: Samples whose spectra are worked on at a time: larger arrays leave the processor's cache and are
#: handed back to the system after each use, which made long inputs three times as slow. The powers
#: of so many of these pieces go through the filters together: a product of few rows is all reading.
_AT_ONCE, _TOGETHER = 1 << 14, 4
#: Stretches of neighbouring filters: one matrix for all of them would be zeros, five in six.
_STRETCHES = 5
#: Analysis windows by name, symmetric: (frame,) values each. SciPy's would take half a second to
#: import.
WINDOWS: dict[str, Callable[[int], NDArray[np.float64]]] = {
    "bartlett": np.bartlett,
    "blackman": np.blackman,
    "boxcar": np.ones,
    "hamming": np.hamming,
    "hann": np.hanning,
}


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """Every number that the rows depend on.

    ``sample_rate`` in Hz; ``frame`` and ``hop`` in samples; ``fft_size`` in samples, at least
    ``frame``; ``filters`` mel bands from ``low_hz`` to ``high_hz``; ``coefficients`` kept;
    ``preemphasis`` in [0, 1); ``lifter`` as in python_speech_features, 0 for none;
    ``append_energy``: the first coefficient is the log of the frame's energy instead of the sum
    of the log bands; ``window``: a name of :data:`WINDOWS`. ``chroma``: of the chroma rows beside
    them; None for none.
    """

    sample_rate: int
    frame: int
    hop: int
    fft_size: int
    filters: int
    low_hz: float
    high_hz: float
    coefficients: int
    preemphasis: float
    lifter: int
    append_energy: bool
    window: str
    chroma: ChromaConfig | None = None

    def __post_init__(self) -> None:
        rules = {
            "sample_rate must be between 4000 and 192000": 4000 <= self.sample_rate <= 192_000,
            "frame must be between 16 and 65536": 16 <= self.frame <= 65_536,
            # These bound the memory that a stream takes: a configuration may be anybody's.
            "hop must be between 32 and 65536": 32 <= self.hop <= 65_536,
            "hop must be at least a 64th of frame": 64 * self.hop >= self.frame,
            "fft_size must be between frame and 65536": self.frame <= self.fft_size <= 65_536,
            "filters times fft_size must be at most 4194304": (
                self.filters * self.fft_size <= 4_194_304
            ),
            "filters must be between 2 and 512": 2 <= self.filters <= 512,
            "coefficients must be between 1 and filters": 1 <= self.coefficients <= self.filters,
            "the bands must lie between 0 and half the rate": (
                0 <= self.low_hz < self.high_hz <= self.sample_rate / 2
            ),
            "preemphasis must be in [0, 1)": 0 <= self.preemphasis < 1,
            "lifter must be between 0 and 1000": 0 <= self.lifter <= 1000,
            f"window must be one of {', '.join(WINDOWS)}": self.window in WINDOWS,
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(rule)
        if self.chroma is not None:
            self.chroma.check(self.sample_rate, self.frame, self.hop)

    def window_values(self) -> NDArray[np.float64]:
        """The analysis window (frame,), symmetric as ``numpy.hamming`` is."""
        return WINDOWS[self.window](self.frame)


class Mfcc:
    """Frames to MFCC rows; everything that does not depend on the sound is computed once.

    Raises ``ValueError`` where a filter would be empty (too many for the FFT size).
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.config = config
        self._most = max(1, _AT_ONCE // config.fft_size)
        self._window = config.window_values()
        self._previous = config.preemphasis * self._window
        bank = psf.get_filterbanks(
            config.filters, config.fft_size, config.sample_rate, config.low_hz, config.high_hz
        )
        empty = np.flatnonzero(bank.sum(axis=1) == 0)
        if len(empty):
            raise ValueError(
                f"filter {empty[0]} of {config.filters} is empty: fewer filters or a larger FFT"
            )
        # The division of the power spectrum by the FFT size moves into the bank.
        self._bank = [_stretch(bank / config.fft_size, which) for which in _stretches(len(bank))]
        transform = scipy.fft.dct(np.eye(config.filters), type=2, axis=1, norm="ortho")
        lifted = psf.lifter(transform[:, : config.coefficients], config.lifter)
        self._transform = np.ascontiguousarray(lifted)

    def rows(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """MFCC rows (count, coefficients) of ``frames`` (count, frame + 1) from ``Framing.cut``."""
        if len(frames) > _TOGETHER * self._most:
            return np.concatenate([self.rows(part) for part in self._parts(frames)])
        power = self._power(frames)
        rows: NDArray[np.float64] = np.dot(self._log_bands(power), self._transform)
        if self.config.append_energy:
            energy = power.sum(axis=1) / self.config.fft_size
            rows[:, 0] = np.log(np.where(energy == 0, _EPSILON, energy))
        return rows

    def log_mel(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """The log band energies (count, filters) that the rows are the transform of."""
        if len(frames) > _TOGETHER * self._most:
            return np.concatenate([self.log_mel(part) for part in self._parts(frames)])
        return self._log_bands(self._power(frames))

    def from_log_mel(self, log_mel: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rows (..., coefficients) of log band energies (..., filters), as ``rows`` makes them.

        Raises ``ValueError`` where the first coefficient is the frame's energy, which the bands do
        not tell.
        """
        if self.config.append_energy:
            raise ValueError("log bands do not tell the frame's energy")
        return np.asarray(log_mel @ self._transform)

    def _power(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """The power spectra (count, fft_size / 2 + 1), times the FFT size."""
        if len(frames) > self._most:
            starts = range(0, len(frames), self._most)
            return np.concatenate([self._power(frames[k : k + self._most]) for k in starts])
        emphasised = frames[:, 1:] * self._window
        emphasised -= frames[:, :-1] * self._previous
        spectrum = np.fft.rfft(emphasised, self.config.fft_size)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        return power

    def _log_bands(self, power: NDArray[np.float64]) -> NDArray[np.float64]:
        bands = np.empty((len(power), self.config.filters))
        for bins, which, matrix in self._bank:
            np.matmul(power[:, bins], matrix, out=bands[:, which])
        if np.count_nonzero(bands) < bands.size:
            bands[bands == 0] = _EPSILON
        return np.log(bands, out=bands)

    def _parts(self, frames: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        for begin in range(0, len(frames), _TOGETHER * self._most):
            yield frames[begin : begin + _TOGETHER * self._most]


def _stretches(filters: int) -> Iterator[slice]:
    """Neighbouring filters, about as many in each stretch."""
    borders = [filters * k // _STRETCHES for k in range(_STRETCHES + 1)]
    return (slice(first, last) for first, last in pairwise(borders) if first < last)


def _stretch(bank: NDArray[np.float64], which: slice) -> tuple[slice, slice, NDArray[np.float64]]:
    """The bins that these filters hear, the filters, and their matrix (bins, filters)."""
    heard = np.flatnonzero(bank[which].any(axis=0))
    bins = slice(int(heard[0]), int(heard[-1]) + 1)
    return bins, which, np.ascontiguousarray(bank[which, bins].T)
