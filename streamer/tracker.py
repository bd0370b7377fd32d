"""One listening session: samples in, estimates out.

The tracker owns all state of its stream and borrows the model, which any number of trackers share.
Live, replay, annotation and evaluation all go through :meth:`EmotionTracker.push`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamer.audio.source import Lost, split_valid
from streamer.events import Cadence, Estimate
from streamer.features.level import FLOOR_DB
from streamer.network.model import Model
from streamer.stages import Stages, Terms, TrackerState

#: Long inputs are worked through in pieces, so that memory stays bounded: at most this many samples
#: in all streams of a call together, but not under this many in each.
_MOST, _LEAST = 1 << 18, 1 << 12


class EmotionTracker:
    """Tracks the emotion of one stream of mono samples at ``sample_rate``.

    ``interval``: seconds of stream time between estimates, 0 for one a frame. ``start_s``: stream
    time of the first sample, in seconds. ``reset_on_silence``: after this many seconds of silence,
    or of no music, the judgement starts afresh, as for a new song; never by default.
    ``silence_db``: the level, in dB relative to full scale, under which it is silent; the model's
    own by default. ``judge_everything``: what is no music is judged as well.

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
        *,
        silence_db: float | None = None,
        judge_everything: bool = False,
    ) -> None:
        features = model.config.features
        if silence_db is None:
            silence_db = model.config.silence_db
        elif not FLOOR_DB <= silence_db <= 0:
            raise ValueError(f"silence_db must be between {FLOOR_DB:g} and 0, not {silence_db}")
        if not reset_on_silence >= 0:
            raise ValueError(f"reset_on_silence must be 0 or more seconds, not {reset_on_silence}")
        self.model = model
        self.interval = interval
        self.sample_rate = features.sample_rate
        self.hop_s = features.hop / features.sample_rate
        self._terms = Terms(
            round(start_s * self.sample_rate),
            Cadence(interval, self.sample_rate),
            silence_db,
            None if judge_everything else model.config.music,
            reset_on_silence / self.hop_s,
        )
        self._stages = Stages(model)
        #: Samples given to ``push`` that were no sound (NaN, infinite, beyond 8), skipped.
        self.invalid_samples = 0
        self._state = self._stages.initial(self._terms)

    @property
    def state(self) -> TrackerState:
        """All that the stream carries; set it to continue another tracker's stream.

        Setting it raises ``ValueError`` where no stream of this model can have come to it.
        """
        return self._state

    @state.setter
    def state(self, state: TrackerState) -> None:
        if not isinstance(state, TrackerState):
            raise TypeError(f"the state must be a TrackerState, not {type(state).__name__}")
        self._state = self._stages.adopted(state, self._terms)

    @property
    def t(self) -> float:
        """Stream time in seconds: samples given and skipped, from ``start_s`` on."""
        return (self._terms.offset + self._state.framing.position) / self.sample_rate

    @property
    def frames(self) -> int:
        """Frames judged or found silent so far."""
        return self._state.frames

    def reset(self) -> None:
        """Begin again as a new tracker would: time, silence, volume, LSTM state and counts."""
        self._state = self._stages.initial(self._terms)
        self.invalid_samples = 0

    def forget(self) -> None:
        """Start the judgement afresh, as for a new song, while the clock runs on."""
        self._state = self._stages.forget(self._state)

    def skip(self, samples: int) -> None:
        """Account for ``samples`` lost samples: the clock moves on and no frame spans the gap."""
        samples = operator.index(samples)  # of NumPy's integers as well, which wrap round
        if samples < 0:
            raise ValueError(f"a gap cannot have {samples} samples")
        if samples:
            self._state = self._stages.skip(samples, self._state)

    def push(self, samples: ArrayLike) -> list[Estimate]:
        """The estimates that become due with ``samples``: mono, float, any length, in [-1, 1].

        Samples that are no sound (NaN, infinite, beyond 8) are skipped as a gap and counted in
        ``invalid_samples``. Raises ``ValueError`` for an array of another dimension or of integers
        (their scale is unknown).
        """
        return push_together([self], [samples])[0]

    def _pieces(self, samples: NDArray[Any], most: int) -> Iterator[NDArray[np.float32]]:
        """The valid stretches of ``samples``, of at most ``most``; the rest is skipped in turn."""
        for begin in range(0, len(samples), most):
            piece = samples[begin : begin + most]
            if piece.dtype != np.float32:
                # What is beyond float32's range becomes infinity, which is no sound either; a NaN
                # that signals becomes one that does not.
                with np.errstate(over="ignore", invalid="ignore"):
                    piece = piece.astype(np.float32)
            for part in split_valid(piece):
                if isinstance(part, Lost):
                    self.invalid_samples += part.samples
                    self.skip(part.samples)
                else:
                    yield part


def push_together(
    trackers: Sequence[EmotionTracker], blocks: Sequence[ArrayLike]
) -> list[list[Estimate]]:
    """``push`` for several trackers of one model, each with its block, in one batched call.

    Nothing is pushed if one of the blocks raises ``ValueError``.
    """
    arrays = [_checked(block) for block in blocks]
    most = max(_LEAST, _MOST // max(1, len(trackers)))
    streams = [
        tracker._pieces(array, most) for tracker, array in zip(trackers, arrays, strict=True)
    ]
    estimates: list[list[Estimate]] = [[] for _ in trackers]
    left = list(range(len(trackers)))
    while left:
        pieces = {k: piece for k in left if (piece := next(streams[k], None)) is not None}
        left = list(pieces)
        if left:
            found, states = trackers[left[0]]._stages.hear(
                list(pieces.values()),
                [trackers[k]._state for k in left],
                [trackers[k]._terms for k in left],
            )
            for k, more, state in zip(left, found, states, strict=True):
                estimates[k] += more
                trackers[k]._state = state
    return estimates


def _checked(samples: ArrayLike) -> NDArray[Any]:
    array = np.asarray(samples)
    if array.ndim != 1:
        raise ValueError(f"samples must be mono, of one dimension, not {array.ndim}")
    if array.size and array.dtype.kind != "f":
        raise ValueError(f"samples must be floats in [-1, 1], not {array.dtype}")
    return array
