"""Chroma, one row of twelve pitch classes a frame, from a long window that ends with the frame.

What the mel bands of a short frame cannot tell, major from minor, needs resolution in pitch: a
window of half a second, in which spectral peaks above their surroundings are folded onto one octave
(pitch class profiles: Fujishima 1999, "Realtime chord recognition of musical sound"), at the tuning
of the music itself. Beside each row stand its leaky means over seconds, since a mode is heard over
time, and how tonal each octave is. Nothing after the frame's last sample is used.

Each number of a row is computed from exactly its own window, in calls of the same shape however the
samples were cut: rows are the same to the last bit. A gain cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from streamer.audio.source import LIMIT
from streamer.features.state import MOST, State

Floats = NDArray[np.float32]
#: Pitch classes of an octave, C first, and so the width of a chroma row.
PITCH_CLASSES = 12
#: MIDI's number of the A that is tuned to 440 Hz.
_A4 = 69
#: Windows whose spectra are worked on at a time: larger arrays leave the processor's cache.
_AT_ONCE = 32
#: Added to a denominator, it is nothing beside any sound, and keeps silence at 0.
_TINY = 1e-30
#: How far a low pass goes beyond what is loudest in its input, at the very most.
_OVERSHOOT = 16
#: What rounding may have added to a sum, as a share.
_ROUNDED = 1e-6


@dataclass(frozen=True, slots=True)
class ChromaConfig:
    """Every number that the chroma rows depend on, beside the features' rate, frame and hop.

    Of ``decimation`` samples one is kept, after a low pass of ``taps`` at ``cutoff_hz`` (a sinc
    under a Kaiser window of shape ``beta``). ``window``: length of the long window, in samples that
    are left. Bins from ``low_hz`` up to ``high_hz`` are used. ``surround``: semitones to each side
    above whose mean a peak stands out. ``steps``: places a semitone at which peaks are gathered,
    each by a Gaussian of ``width`` semitones. Pitches count by a Gaussian around ``centre`` of
    ``spread``, and little under ``bass`` (a logistic curve of width ``slope``), where neighbours
    blur: both as MIDI numbers. ``tuning_s``: time constant of the tuning. ``memories_s``: those of
    the leaky means. ``tonalness``: whether each octave's share of peaks, and that of all, is told.
    """

    decimation: int
    taps: int
    cutoff_hz: float
    beta: float
    window: int
    low_hz: float
    high_hz: float
    surround: float
    steps: int
    width: float
    centre: float
    spread: float
    bass: float
    slope: float
    tuning_s: float
    memories_s: tuple[float, ...]
    tonalness: bool

    def __post_init__(self) -> None:
        rules = {
            "decimation must be between 1 and 64": 1 <= self.decimation <= 64,
            "taps must be between decimation and 1024": self.decimation <= self.taps <= 1024,
            "cutoff_hz must be above 0": self.cutoff_hz > 0,
            "beta must be between 0 and 40": 0 <= self.beta <= 40,
            "window must be between 64 and 16384": 64 <= self.window <= 16_384,
            "the bins must begin at 10 Hz or more and span an octave or more": (
                10 <= self.low_hz <= self.high_hz / 2
            ),
            "surround must be above 0 and at most 24 semitones": 0 < self.surround <= 24,
            "steps must be between 2 and 16": 2 <= self.steps <= 16,
            "width must be between 0.05 and 6 semitones": 0.05 <= self.width <= 6,
            "centre and bass must be between 0 and 127": (
                0 <= self.centre <= 127 and 0 <= self.bass <= 127
            ),
            "spread and slope must be between 0.1 and 1000": (
                0.1 <= self.spread <= 1000 and 0.1 <= self.slope <= 1000
            ),
            "time constants must be above 0 and at most 3600 s": all(
                0 < seconds <= 3600 for seconds in (self.tuning_s, *self.memories_s)
            ),
            "at most 15 memories": len(self.memories_s) <= 15,
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(rule)

    @property
    def planes(self) -> int:
        """Chroma rows a frame: the newest, and a leaky mean for each memory."""
        return 1 + len(self.memories_s)

    @property
    def octaves(self) -> int:
        """Octaves from ``low_hz`` up, the last of which may be a part of one."""
        return math.ceil(math.log2(self.high_hz / self.low_hz) - 1e-9)

    @property
    def scalars(self) -> int:
        """Numbers a frame beside the chroma rows."""
        return self.octaves + 1 if self.tonalness else 0

    def check(self, sample_rate: int, frame: int, hop: int) -> None:
        """Raises ``ValueError`` where a stream of this rate (Hz), frame and hop has no chroma."""
        rules = {
            "hop and frame must be whole multiples of decimation": (
                hop % self.decimation == frame % self.decimation == 0
            ),
            "a frame must hold a hop and the low pass": frame >= hop + self.taps,
            "the long window must hold a frame": self.window * self.decimation >= frame,
            "high_hz must be at most half of the rate that is left": (
                self.high_hz <= sample_rate / self.decimation / 2
            ),
            "cutoff_hz must be at most half of the rate": self.cutoff_hz <= sample_rate / 2,
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(rule)


@dataclass(frozen=True, slots=True, eq=False)
class WindowState(State):
    """``recent``: decimated samples of the long window before the next hop, float32, oldest first.

    ``begun``: whether a frame was heard yet, since the start or a gap; before that they are zeros.
    """

    recent: Floats
    begun: bool

    def _rules(self) -> dict[str, tuple[str, bool]]:
        most = _OVERSHOOT * LIMIT
        return {"recent": ("is beyond all sound", bool(np.abs(self.recent).max(initial=0) <= most))}


@dataclass(frozen=True, slots=True, eq=False)
class HarmonyState(State):
    """What was heard over seconds.

    ``tuning`` (2,): a fading sum of peaks around the circle of a semitone. ``sums`` (memories, 13):
    fading sums of the chroma rows, and of their weights.
    """

    tuning: NDArray[np.float64]
    sums: NDArray[np.float64]

    def _rules(self) -> dict[str, tuple[str, bool]]:
        sums, weights = self.sums[:, :-1], self.sums[:, -1:]
        return {
            "tuning": ("is beyond reach", bool((np.abs(self.tuning) <= MOST).all())),
            "sums": (
                "must be between 0 and their weights, which come last",
                bool(
                    (weights <= MOST).all()
                    and (sums >= -_ROUNDED).all()
                    and (sums <= weights * (1 + _ROUNDED) + _ROUNDED).all()
                    and (weights >= 0).all()
                ),
            ),
        }


#: The states of a stream whose model hears no harmony.
NO_WINDOW = WindowState(np.empty(0, dtype=np.float32), False)
NO_HARMONY = HarmonyState(np.zeros(2), np.empty((0, PITCH_CLASSES + 1)))


class Chroma:
    """Frames to rows [chroma | its leaky means | tonalness]; what is not sound is computed once.

    In three steps, so that silence and new songs fall between them: ``windows`` of all frames,
    ``facts`` of a window by itself, and ``rows``, which remember. ``sample_rate`` in Hz, ``frame``
    and ``hop`` in samples. Raises ``ValueError`` where these do not go with the configuration.
    """

    def __init__(self, config: ChromaConfig, sample_rate: int, frame: int, hop: int) -> None:
        config.check(sample_rate, frame, hop)
        self.config = config
        self._hop = hop // config.decimation
        self._older = (frame - hop) // config.decimation
        rate = sample_rate / config.decimation
        self._low_pass = _LowPass(config, sample_rate, math.gcd(self._hop, self._older))

        self._none = np.empty((0, config.window), dtype=np.float32)
        self._window = np.hanning(config.window).astype(np.float32)
        frequencies = np.fft.rfftfreq(config.window, 1 / rate)
        begin, end = np.searchsorted(frequencies, (config.low_hz, config.high_hz))
        self._bins = slice(int(begin), int(end))
        pitch = _A4 + 12 * np.log2(frequencies[self._bins] / 440)
        if not len(pitch):
            raise ValueError("the long window has no bins between low_hz and high_hz")
        left, right = (np.searchsorted(pitch, pitch + side * config.surround) for side in (-1, 1))
        self._around, self._share = np.stack([left, right]), 1 / (right - left)

        weight = np.exp(-0.5 * ((pitch - config.centre) / config.spread) ** 2)
        above_bass = 1 / (1 + np.exp((config.bass - pitch) / config.slope))
        places = np.arange(PITCH_CLASSES * config.steps) / config.steps
        apart = (pitch[:, None] - places + 6) % PITCH_CLASSES - 6
        bank = np.exp(-0.5 * (apart / config.width) ** 2) * (weight * above_bass)[:, None]
        bank[bank < _TINY] = 0  # numbers that small would each take as long as a hundred others
        self._bank = np.ascontiguousarray(bank, dtype=np.float32)
        angle = 2 * np.pi * pitch
        circle = np.stack([weight * np.cos(angle), weight * np.sin(angle), weight], axis=1)
        self._circle = circle.astype(np.float32)
        lowest = _A4 + 12 * math.log2(config.low_hz / 440)
        octave = np.clip(np.floor((pitch - lowest) / 12), 0, config.octaves - 1)
        self._octaves = np.searchsorted(octave, np.arange(config.octaves))
        if (np.diff([*self._octaves, len(pitch)]) < 1).any():
            raise ValueError("the long window has no bins in one of the octaves")

        self._ring = len(places)
        self._columns = self._ring + 2 + config.scalars
        # The places below and above each of the classes, for each whole step out of tune.
        self._reach = config.steps // 2 + 1
        shifts = np.arange(-self._reach, self._reach + 1)[:, None, None]
        classes = np.arange(PITCH_CLASSES) * config.steps
        self._places = (classes + shifts + np.array([[0], [1]])) % self._ring
        seconds = hop / sample_rate
        self._tuning_left = math.exp(-seconds / config.tuning_s)
        self._left_over = np.exp(-seconds / np.asarray(config.memories_s))[:, None]

    @property
    def columns(self) -> int:
        """Numbers of a row."""
        return PITCH_CLASSES * self.config.planes + self.config.scalars

    def initial_window(self) -> WindowState:
        """The state before the first frame, and after a gap: no window spans one."""
        return WindowState(np.zeros(self.config.window - self._hop, dtype=np.float32), False)

    def initial(self) -> HarmonyState:
        """The state of a song of which nothing was heard. A gap leaves it: the key is the same."""
        return HarmonyState(np.zeros(2), np.zeros((len(self.config.memories_s), PITCH_CLASSES + 1)))

    def windows(
        self, frames: NDArray[np.float64], state: WindowState
    ) -> tuple[Floats, WindowState]:
        """The long window (count, window) of each of ``frames`` (count, frame + 1), and the state.

        Decimated, float32, not to be written to; zeros where the stream had not begun.
        """
        windows, (after,) = self.windows_of_streams(frames, [len(frames)], [state])
        return windows, after

    def windows_of_streams(
        self,
        frames: NDArray[np.float64],
        lengths: Sequence[int],
        states: Sequence[WindowState],
    ) -> tuple[Floats, list[WindowState]]:
        """``windows`` for several streams, their ``frames`` one after the other.

        ``lengths`` says how many frames each stream has.
        """
        newest = frames[:, -(self._hop * self.config.decimation + self._low_pass.history) :]
        decimated = self._low_pass(newest)
        begin = 0
        after: list[WindowState] = []
        if len(frames) == len(lengths) and all(lengths):
            # A frame of each stream, as live: no window overlaps another.
            windows = np.empty((len(frames), self.config.window), dtype=np.float32)
            windows[:, -self._hop :] = decimated
            for window, frame, state in zip(windows, frames, states, strict=True):
                window[: -self._hop] = state.recent if state.begun else self._begun(frame)
                after.append(WindowState(window[self._hop :].copy(), True))
            return windows, after
        found: list[Floats] = []
        for length, state in zip(lengths, states, strict=True):
            if not length:
                after.append(state)
                continue
            recent = state.recent if state.begun else self._begun(frames[begin])
            heard = np.concatenate((recent, decimated[begin : begin + length].reshape(-1)))
            begin += length
            strides = (self._hop * heard.itemsize, heard.itemsize)
            shape = (length, self.config.window)
            found.append(np.ndarray(shape, heard.dtype, heard, 0, strides))
            after.append(WindowState(heard[len(heard) - len(recent) :].copy(), True))
        if len(found) == 1:
            return found[0], after
        return np.concatenate([self._none, *found]), after

    def _begun(self, frame: NDArray[np.float64]) -> Floats:
        """What the first frame brings along: what lies before its newest hop, after zeros."""
        recent = np.zeros(self.config.window - self._hop, dtype=np.float32)
        if self._older:
            padded = np.zeros((1, self._low_pass.history + self._older * self.config.decimation))
            padded[0, self._low_pass.history :] = frame[
                1 : 1 + self._older * self.config.decimation
            ]
            recent[-self._older :] = self._low_pass(padded)[0]
        return recent

    def facts(self, windows: Floats) -> NDArray[np.float64]:
        """What each of ``windows`` (count, window) says by itself.

        (count, 12 * steps + 2 + scalars), float64, each row to the last bit whatever the others:
        peaks at each place of the octave, C first; their mean around the circle of a semitone, as
        cosine and sine; the share of peaks in each octave, and in all.
        """
        if len(windows) > _AT_ONCE:
            starts = range(0, len(windows), _AT_ONCE)
            return np.concatenate([self.facts(windows[k : k + _AT_ONCE]) for k in starts])
        # SciPy's works on several rows side by side, with the same bits as row by row.
        spectrum = scipy.fft.rfft(windows * self._window)[:, self._bins]
        both = np.empty((len(windows), 2, spectrum.shape[1]), dtype=np.float32)
        peaks, magnitude = both[:, 0], both[:, 1]
        np.square(spectrum.real, out=magnitude)
        magnitude += np.square(spectrum.imag)
        np.sqrt(magnitude, out=magnitude)
        np.sqrt(magnitude, out=magnitude)
        # Differences of long sums: these alone need more digits.
        total = np.zeros((len(windows), spectrum.shape[1] + 1))
        magnitude.cumsum(axis=1, dtype=np.float64, out=total[:, 1:])
        ends = total.take(self._around, axis=1, mode="clip")
        local = ends[:, 1]
        local -= ends[:, 0]
        local *= self._share
        np.subtract(magnitude, local, out=peaks, casting="same_kind")
        np.maximum(peaks, 0, out=peaks)

        # Vector by vector: a product of many rows would round otherwise than one of a few.
        facts = np.empty((len(windows), self._columns))
        facts[:, : self._ring] = np.matmul(peaks[:, None], self._bank)[:, 0]
        circle = np.matmul(np.square(peaks)[:, None], self._circle)[:, 0]
        circle[:, 2] += _TINY
        np.divide(circle[:, :2], circle[:, 2:], out=facts[:, self._ring : self._ring + 2])
        if self.config.tonalness:
            shares = facts[:, self._ring + 2 :]
            sums = np.add.reduceat(both, self._octaves, axis=2)
            sums[:, 1] += _TINY
            np.divide(sums[:, 0], sums[:, 1], out=shares[:, :-1])
            whole = np.add.reduce(sums, axis=2)
            np.divide(whole[:, 0], whole[:, 1], out=shares[:, -1])
        return facts

    def rows(
        self, facts: NDArray[np.float64], state: HarmonyState
    ) -> tuple[NDArray[np.float64], HarmonyState]:
        """Rows (count, columns) of ``facts`` (count, ...) in a song's order, and the new state."""
        rows, (after,) = self.rows_of_songs(facts, [len(facts)], [state])
        return rows, after

    def rows_of_songs(
        self,
        facts: NDArray[np.float64],
        lengths: Sequence[int],
        states: Sequence[HarmonyState],
    ) -> tuple[NDArray[np.float64], list[HarmonyState]]:
        """``rows`` for several songs, their ``facts`` one after the other.

        ``lengths`` says how many frames each song has.
        """
        if len(set(lengths)) == 1:
            return self._rows_of_equal_songs(facts, states)
        found, after, begin = [np.empty((0, self.columns))], [], 0
        for length, state in zip(lengths, states, strict=True):
            rows, (new,) = self._rows_of_equal_songs(facts[begin : begin + length], [state])
            found.append(rows)
            after.append(new)
            begin += length
        return np.concatenate(found), after

    def _rows_of_equal_songs(
        self, facts: NDArray[np.float64], states: Sequence[HarmonyState]
    ) -> tuple[NDArray[np.float64], list[HarmonyState]]:
        songs, steps = len(states), len(facts) // max(1, len(states))
        tuning = np.array([state.tuning for state in states])
        turned = np.empty((songs, steps, 2))
        circles = facts[:, self._ring : self._ring + 2].reshape(songs, steps, 2)
        # Step by step; in each, one frame of every song.
        for step in range(steps):
            tuning = np.multiply(tuning, self._tuning_left, out=turned[:, step])
            tuning += circles[:, step]

        rows = np.empty((len(facts), self.columns))
        chroma = rows[:, :PITCH_CLASSES]
        self._tune(facts, turned.reshape(-1, 2), chroma)
        end = PITCH_CLASSES * self.config.planes
        rows[:, end:] = facts[:, self._ring + 2 :]
        sums = np.array([state.sums for state in states])
        if self.config.memories_s:
            newest = np.ones((songs, steps, 1, PITCH_CLASSES + 1))
            newest[:, :, 0, :-1] = chroma.reshape(songs, steps, PITCH_CLASSES)
            faded = np.empty((songs, steps, len(self.config.memories_s), PITCH_CLASSES + 1))
            for step in range(steps):
                sums = np.multiply(sums, self._left_over, out=faded[:, step])
                sums += newest[:, step]
            means = faded[..., :-1] / faded[..., -1:]
            rows[:, PITCH_CLASSES:end] = means.reshape(len(facts), end - PITCH_CLASSES)
        # Copies: a song that stays behind must not hold the whole batch in memory.
        both = zip(tuning, sums, strict=True)
        return rows, [HarmonyState(circle.copy(), faded.copy()) for circle, faded in both]

    def _tune(
        self, facts: NDArray[np.float64], turned: NDArray[np.float64], out: NDArray[np.float64]
    ) -> None:
        """Chroma (count, 12) at the tuning of ``turned``, of unit length; 0 without a sound."""
        place = np.arctan2(turned[:, 1], turned[:, 0])
        place *= self.config.steps / (2 * np.pi)
        below = np.floor(place)
        place -= below
        share = place[:, None]
        # Between the places below and above.
        near = self._places.take(below.astype(np.intp) + self._reach, axis=0)
        if len(facts) > 1:
            near = near + (np.arange(len(facts)) * facts.shape[1])[:, None, None]
        around = facts.take(near)  # counted through all rows, which lie one after the other
        np.subtract(around[:, 1], around[:, 0], out=out)
        out *= share
        out += around[:, 0]
        length = np.add.reduce(np.square(out), axis=1, keepdims=True)
        np.sqrt(length, out=length)
        length += _TINY
        out /= length


class _LowPass:
    """Decimation by a windowed sinc, in products of one shape whatever the number of samples.

    Sample m of the output is made of the input up to sample ``decimation * (m + 1) - 1``.
    """

    def __init__(self, config: ChromaConfig, sample_rate: int, outputs: int) -> None:
        """``outputs``: what every call's number of samples left is a whole multiple of."""
        #: Samples before the first that is decimated.
        self.history = config.taps - config.decimation
        time = np.arange(config.taps) - (config.taps - 1) / 2
        taps = np.sinc(2 * config.cutoff_hz / sample_rate * time) * np.kaiser(
            config.taps, config.beta
        )
        taps /= taps.sum()
        # So many at a time: a matrix of few is mostly zeros, one of many is all overlap.
        self._block = max(k for k in range(1, 17) if outputs % k == 0)
        self._step = self._block * config.decimation
        self._matrix = np.zeros((self._step + self.history, self._block), dtype=np.float32)
        for column in range(self._block):
            begin = column * config.decimation
            self._matrix[begin : begin + config.taps, column] = taps[::-1]

    def __call__(self, samples: NDArray[np.float64]) -> Floats:
        """Decimated rows of ``samples`` (count, history + n): (count, n / decimation)."""
        count, length = samples.shape
        blocks = (length - self.history) // self._step
        shape = (count, blocks, len(self._matrix))
        strides = (samples.strides[0], self._step * samples.itemsize, samples.itemsize)
        if count == 1:  # twice as fast as what is for any number of rows
            overlapping = np.ndarray(shape, samples.dtype, samples[0], 0, strides)
        else:
            overlapping = np.lib.stride_tricks.as_strided(samples, shape, strides, writeable=False)
        # Overlapping rows are no matrix that BLAS would take: they are copied apart.
        decimated: Floats = np.matmul(overlapping.astype(np.float32), self._matrix)
        return decimated.reshape(count, blocks * self._block)
