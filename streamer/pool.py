"""Many streams side by side: one batched call steps them all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

from numpy.typing import ArrayLike

from streamer.events import Estimate
from streamer.network.model import Model
from streamer.tracker import EmotionTracker, push_together


class TrackerPool:
    """Independent streams of one model, each with its own state and clock.

    Streams join and leave at any time; a call may bring samples for some of them and blocks of
    different lengths. Each one's estimates are those of a tracker alone, within 1e-5.

    >>> import numpy as np
    >>> from streamer import TrackerPool, load_model
    >>> pool = TrackerPool(load_model())
    >>> left, right = pool.add(), pool.add(interval=0.25)
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    >>> estimates = pool.push({left: noise, right: noise[:4800]})
    >>> [estimate.t for estimate in estimates[right]]
    [0.3]
    >>> pool.remove(left).t
    0.5
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._trackers: dict[int, EmotionTracker] = {}
        self._ids = itertools.count(1)

    def add(
        self,
        interval: float = 0.5,
        start_s: float = 0.0,
        reset_on_silence: float = math.inf,
        *,
        silence_db: float | None = None,
        judge_everything: bool = False,
    ) -> int:
        """Begin a stream, with the arguments of :class:`EmotionTracker`; its number is returned.

        Numbers are never given twice.
        """
        tracker = EmotionTracker(
            self.model,
            interval,
            start_s,
            reset_on_silence,
            silence_db=silence_db,
            judge_everything=judge_everything,
        )
        return self.adopt(tracker)

    def adopt(self, tracker: EmotionTracker) -> int:
        """Take in a tracker that was alone so far, with its state; its stream's number is returned.

        Raises ``ValueError`` where the tracker uses another model or is here already.
        """
        if tracker.model is not self.model:
            raise ValueError("the tracker uses another model than the pool")
        if any(tracker is other for other in self._trackers.values()):
            raise ValueError("the tracker is in the pool already")
        stream = next(self._ids)
        self._trackers[stream] = tracker
        return stream

    def remove(self, stream: int) -> EmotionTracker:
        """Let a stream go; its tracker is returned and can go on alone.

        Raises ``KeyError`` where there is no such stream.
        """
        tracker = self[stream]
        del self._trackers[stream]
        return tracker

    def push(self, blocks: Mapping[int, ArrayLike]) -> dict[int, list[Estimate]]:
        """The estimates that become due in each stream with its block of samples.

        Blocks are what :meth:`EmotionTracker.push` takes. Raises ``KeyError`` for an unknown
        stream and ``ValueError`` for a block that cannot be sound; nothing is pushed then.
        """
        trackers = [self[stream] for stream in blocks]
        return dict(zip(blocks, push_together(trackers, list(blocks.values())), strict=True))

    def __getitem__(self, stream: int) -> EmotionTracker:
        """The stream's tracker: its time, its state, ``skip``, ``forget``, ``reset``."""
        if stream not in self._trackers:
            raise KeyError(f"there is no stream {stream} in the pool")
        return self._trackers[stream]

    def __iter__(self) -> Iterator[int]:
        """The streams' numbers, oldest first."""
        return iter(tuple(self._trackers))

    def __len__(self) -> int:
        return len(self._trackers)
