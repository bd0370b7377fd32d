"""One listening session: samples in, estimates out.

The tracker owns all state of its stream and borrows the model, which any number of trackers share.
Live, replay, annotation and evaluation all go through :meth:`EmotionTracker.push`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamer.audio.source import Lost
from streamer.audio.validity import split
from streamer.events import Estimate
from streamer.features.framing import Framing, FramingState
from streamer.features.loudness import Loudness, LoudnessState
from streamer.features.state import State
from streamer.features.volume import Volume, VolumeState
from streamer.network.model import Model
from streamer.network.runtime import LstmState
from streamer.plane import mood, quadrant, quadrant_probabilities

#: Long inputs are worked through in pieces of this many samples: memory stays bounded.
_PIECE = 1 << 18


class Cadence:
    """Which frames are due: the first whose end reaches each multiple of the interval.

    ``interval`` in seconds, 0 for every frame; ``rate`` in Hz.
    """

    def __init__(self, interval: float, rate: int) -> None:
        if not (math.isfinite(interval) and interval >= 0):
            raise ValueError(f"the interval must be 0 or more seconds, not {interval}")
        self._step = interval * rate

    def index(self, position: int) -> int:
        """How many multiples of the interval (zero apart) lie at or before a stream position."""
        # A hair is added so that 0.1 s at 16 kHz is due at sample 1,600 and not one frame later.
        return position if not self._step else math.floor(position / self._step + 1e-9)


@dataclass(frozen=True, slots=True, eq=False)
class TrackerState(State):
    """All that a stream carries on.

    The states of its stages; ``due``, the interval of the last estimate; ``frames`` so far; and
    ``quiet``, the silent ones among the newest.
    """

    framing: FramingState
    loudness: LoudnessState
    volume: VolumeState
    lstm: LstmState
    due: int
    frames: int
    quiet: int


class EmotionTracker:
    """Tracks the emotion of one stream of mono samples at ``sample_rate``.

    ``interval``: seconds of stream time between estimates, 0 for one a frame. ``start_s``: stream
    time of the first sample, in seconds. ``reset_on_silence``: after this many seconds of silence
    the judgement starts afresh, as for a new song; never by default.

    >>> import numpy as np
    >>> from streamer import EmotionTracker, load_model
    >>> tracker = EmotionTracker(load_model(), interval=0.5)
    >>> noise = np.random.default_rng(0).normal(0, 0.1, tracker.sample_rate)
    >>> [estimate.t for estimate in tracker.push(noise.astype(np.float32))]
    [0.5, 1.0]
    """

    def __init__(
        self,
        model: Model,
        interval: float = 0.5,
        start_s: float = 0.0,
        reset_on_silence: float = math.inf,
    ) -> None:
        features = model.config.features
        self.model = model
        self.interval = interval
        self.sample_rate = features.sample_rate
        self.hop_s = features.hop / features.sample_rate
        self._offset = round(start_s * self.sample_rate)
        self._cadence = Cadence(interval, self.sample_rate)
        self._framing = Framing(features.frame, features.hop)
        self._mfcc = model.mfcc
        self._loudness = Loudness(features.sample_rate, features.frame, features.hop)
        scale = 1.0 if features.append_energy else 1 / math.sqrt(features.filters)
        self._longest_silence = reset_on_silence / self.hop_s
        self._volume = Volume(model.config.volume, self.hop_s, scale)
        #: Samples given to ``push`` that were no sound (NaN, infinite, beyond 8), skipped.
        self.invalid_samples = 0
        self._state = self._initial()

    @property
    def state(self) -> TrackerState:
        """All that the stream carries; set it to continue another tracker's stream."""
        return self._state

    @state.setter
    def state(self, state: TrackerState) -> None:
        if not isinstance(state, TrackerState):
            raise TypeError(f"the state must be a TrackerState, not {type(state).__name__}")
        # Held against this model's shapes, and copied.
        self._state = self._initial().with_arrays(state.to_arrays())

    @property
    def t(self) -> float:
        """Stream time in seconds: samples given and skipped, from ``start_s`` on."""
        return (self._offset + self._state.framing.position) / self.sample_rate

    @property
    def frames(self) -> int:
        """Frames judged or found silent so far."""
        return self._state.frames

    def reset(self) -> None:
        """Begin again as a new tracker would: time, silence, volume and LSTM state."""
        self._state = self._initial()

    def forget(self) -> None:
        """Start the judgement afresh, as for a new song, while the clock runs on."""
        fresh = self._initial()
        self._state = dataclasses.replace(self._state, volume=fresh.volume, lstm=fresh.lstm)

    def skip(self, samples: int) -> None:
        """Account for ``samples`` lost samples: the clock moves on and no frame spans the gap."""
        if samples < 0:
            raise ValueError(f"a gap cannot have {samples} samples")
        if samples:
            self._state = dataclasses.replace(
                self._state,
                framing=self._framing.skip(samples, self._state.framing),
                loudness=self._loudness.initial(),
            )

    def push(self, samples: ArrayLike) -> list[Estimate]:
        """The estimates that become due with ``samples``: mono, float, any length, in [-1, 1].

        Samples that are no sound (NaN, infinite, beyond 8) are skipped as a gap and counted in
        ``invalid_samples``. Raises ``ValueError`` for an array of another dimension or of integers
        (their scale is unknown).
        """
        array = np.asarray(samples)
        if array.ndim != 1:
            raise ValueError(f"samples must be mono, of one dimension, not {array.ndim}")
        if array.size and array.dtype.kind != "f":
            raise ValueError(f"samples must be floats in [-1, 1], not {array.dtype}")
        estimates: list[Estimate] = []
        for begin in range(0, len(array), _PIECE):
            # float64 beyond float32's range would overflow to infinity, which is no sound either.
            with np.errstate(over="ignore"):
                piece = array[begin : begin + _PIECE].astype(np.float32, copy=False)
            for part in split(piece):
                if isinstance(part, Lost):
                    self.invalid_samples += part.samples
                    self.skip(part.samples)
                else:
                    estimates += self._hear(part)
        return estimates

    def _initial(self) -> TrackerState:
        return TrackerState(
            self._framing.initial(),
            self._loudness.initial(),
            self._volume.initial(),
            self.model.runtime.initial(),
            due=self._cadence.index(self._offset),
            frames=0,
            quiet=0,
        )

    def _hear(self, samples: NDArray[np.float32]) -> list[Estimate]:
        state = self._state
        frames, ends, framing = self._framing.cut(samples, state.framing)
        levels, loudness = self._loudness.measure(frames, state.loudness)
        # Silence is not an emotion: its frames reach neither the running level nor the network.
        heard = levels >= self.model.config.silence_db
        rows = self._mfcc.rows(frames[heard])
        breaks, quiet = self._new_songs(heard, state.quiet)
        outputs = np.empty((len(rows), 4), dtype=np.float32)
        volume, lstm = state.volume, state.lstm
        for begin, after in itertools.pairwise([0, *breaks, len(rows)]):
            if begin in breaks:
                volume, lstm = self._volume.initial(), self.model.runtime.initial()
            levelled, volume = self._volume.level(rows[begin:after], volume)
            judged, lstm = self.model.runtime.forward(levelled.astype(np.float32)[None], lstm)
            outputs[begin:after] = judged[0]

        due, estimates = state.due, []
        rank = np.cumsum(heard) - 1
        for index, end in enumerate(ends):
            position = end + self._offset
            reached = self._cadence.index(position)
            if reached > due:
                due = reached
                judgement = outputs[rank[index]].tolist() if heard[index] else None
                t = position / self.sample_rate
                estimates.append(estimate(t, judgement, float(levels[index])))
        self._state = TrackerState(
            framing, loudness, volume, lstm, due, state.frames + len(frames), quiet
        )
        return estimates

    def _new_songs(self, heard: NDArray[np.bool_], quiet: int) -> tuple[list[int], int]:
        """Which of the heard frames begin a new song, and the silent frames at the end.

        ``quiet`` is the number of silent frames before the first one here.
        """
        places = np.flatnonzero(heard)
        if not len(places):
            return [], quiet + len(heard)
        # Silent frames before each heard one; those before this call count for the first.
        silences = np.diff(places, prepend=-1 - quiet) - 1
        songs = np.flatnonzero(silences >= max(1.0, self._longest_silence))
        return songs.tolist(), int(len(heard) - 1 - places[-1])


def estimate(t: float, outputs: list[float] | None, level_db: float) -> Estimate:
    """The event for the network's four ``outputs`` at ``t``; ``None`` while silent."""
    if outputs is None:
        return Estimate(t, None, None, None, None, None, None, None, level_db, True)
    valence, arousal, valence_sd, arousal_sd = outputs
    return Estimate(
        t=t,
        valence=valence,
        arousal=arousal,
        valence_sd=valence_sd,
        arousal_sd=arousal_sd,
        quadrant=quadrant(valence, arousal),
        quadrant_p=quadrant_probabilities(valence, arousal, valence_sd, arousal_sd),
        mood=mood(valence, arousal),
        level_db=level_db,
        silent=False,
    )
