"""The recent past of a session, kept for the eye: what the dashboard is drawn from.

The session's thread writes, Rich's refresh thread reads: a lock is held only while small things
are copied. Memory is bounded however long a session lasts.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.events import Cadence, End, Estimate, Event, Gap, Notice, Start
from streamer.sinks.meter import Level, Meter
from streamer.sinks.summary import Journey, Summary

#: Seconds of stream time in one bin of the timeline.
BIN_S = 0.5
#: Seconds of the trail on the plane, and the least distance in seconds of two of its points.
TRAIL_S = 10.0
_TRAIL_STEP_S = 0.06
#: How often the numbers and the word change: the rate of the JSON lines, calm enough to read.
READING_S = 0.5
_READINGS = Cadence(READING_S, 1)


@dataclass(frozen=True, slots=True)
class Bin:
    """``BIN_S`` seconds of the timeline, from ``index * BIN_S`` on.

    ``valence`` and ``arousal`` are means of the estimates in it, ``None`` where there was none;
    ``silent``, ``lost`` and ``no_music`` say that silence, a gap or sound that is no music touches
    it.
    """

    index: int
    valence: float | None
    arousal: float | None
    silent: bool
    lost: bool
    no_music: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the screen shows, at one instant; nothing in it changes any more.

    ``t`` is the stream time in seconds; ``latest`` the newest estimate, ``reading`` the newest one
    at a multiple of half a second (what words and numbers show); ``trail`` holds
    ``(t, valence, arousal)`` of the last ten seconds, ``bins`` the finished bins of the timeline,
    oldest first;
    ``real_time_factor`` is that of the last seconds; ``waiting_s`` counts whole seconds of the
    clock in which nothing at all came in; ``version`` grows with everything written.
    """

    version: int = 0
    start: Start | None = None
    end: End | None = None
    t: float = 0.0
    latest: Estimate | None = None
    reading: Estimate | None = None
    trail: tuple[tuple[float, float, float], ...] = ()
    bins: tuple[Bin, ...] = ()
    level: Level | None = None
    gaps: int = 0
    lost_samples: int = 0
    last_gap: Gap | None = None
    notice: Notice | None = None
    real_time_factor: float | None = None
    waiting_s: int = 0


class History:
    """A sink that remembers the last ``seconds`` of stream time, and a summary of everything.

    ``clock`` gives seconds and serves only to notice that nothing comes in.
    """

    def __init__(self, seconds: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._touched = clock()
        self._version = 0
        self._journey = Journey()
        self._start: Start | None = None
        self._end: End | None = None
        self._notice: Notice | None = None
        self._last_gap: Gap | None = None
        self._gaps = self._lost_samples = 0
        self._t = 0.0
        self._latest: Estimate | None = None
        self._reading: Estimate | None = None
        self._trail: deque[tuple[float, float, float]] = deque(
            maxlen=math.ceil(TRAIL_S / _TRAIL_STEP_S)
        )
        self._bins: deque[Bin] = deque(maxlen=math.ceil(seconds / BIN_S))
        self._finished: tuple[Bin, ...] | None = ()
        self._sums = (0.0, 0.0, 0)
        self._work: deque[tuple[float, float]] = deque(maxlen=400)
        self._meter = Meter()

    def write(self, event: Event) -> None:
        """Take in one event, in order of time."""
        with self._lock:
            self._touch()
            self._journey.write(event)
            if isinstance(event, Estimate):
                self._estimate(event)
            elif isinstance(event, Gap):
                self._gap(event)
            elif isinstance(event, Notice):
                self._notice = event
            elif isinstance(event, Start):
                self._start = event
            else:
                self._end, self._finished = event, None

    def close(self) -> None:
        """Nothing is held open; what was remembered can still be read."""

    def hear(self, samples: NDArray[np.float32], rate: int) -> None:
        """Take in the sound itself for the level meter.

        samples: (n,) mono in [-1, 1], the next of the stream; ``rate`` in Hz.
        """
        with self._lock:
            self._touch()
            self._meter.hear(samples, rate)

    def progress(self, t: float, frames: int, compute_s: float) -> None:
        """Note that stream time ``t`` was reached after ``compute_s`` seconds of computing.

        ``frames`` and ``compute_s`` are totals of the session.
        """
        with self._lock:
            self._touch()
            self._t = max(self._t, t)
            self._work.append((t, compute_s))
            while len(self._work) > 2 and t - self._work[0][0] > TRAIL_S:
                self._work.popleft()

    def afresh(self) -> None:
        """Forget the trail and the word: a new song begins. Timeline and summary go on."""
        with self._lock:
            self._touch()
            self._trail.clear()
            self._latest = self._reading = None

    def snapshot(self) -> Snapshot:
        """What the screen shows now."""
        with self._lock:
            waiting = int(self._clock() - self._touched)
            (t0, c0), (t1, c1) = (self._work[0], self._work[-1]) if self._work else ((0, 0),) * 2
            return Snapshot(
                version=self._version,
                start=self._start,
                end=self._end,
                t=self._t,
                latest=self._latest,
                reading=self._reading,
                trail=tuple(self._trail),
                bins=self._timeline(),
                level=self._meter.level(),
                gaps=self._gaps,
                lost_samples=self._lost_samples,
                last_gap=self._last_gap,
                notice=self._notice,
                real_time_factor=(c1 - c0) / (t1 - t0) if t1 > t0 else None,
                waiting_s=waiting if waiting > 1 and self._end is None else 0,
            )

    def summary(self) -> Summary:
        """The whole session so far in a few figures; may be asked at any time."""
        with self._lock:
            return self._journey.summary()

    def _touch(self) -> None:
        self._version += 1
        self._touched = self._clock()

    def _estimate(self, event: Estimate) -> None:
        self._t = max(self._t, event.t)
        turned = self._reading is None or event.sound != self._reading.sound
        if (
            turned
            or self._latest is None
            or _READINGS.index(event.t) > _READINGS.index(self._latest.t)
        ):
            self._reading = event
        self._latest = event
        index = _slot(event.t, BIN_S)
        if event.valence is None or event.arousal is None:
            self._mark(index, silent=event.silent, no_music=not event.silent)
            return
        if not self._trail or event.t - self._trail[-1][0] >= _TRAIL_STEP_S:
            self._trail.append((event.t, event.valence, event.arousal))
        while self._trail and event.t - self._trail[0][0] > TRAIL_S:
            self._trail.popleft()
        old = self._mark(index)
        v, a, n = self._sums if old.valence is not None else (0.0, 0.0, 0)
        v, a, n = self._sums = v + event.valence, a + event.arousal, n + 1
        self._bins[-1] = dataclasses.replace(old, valence=v / n, arousal=a / n)

    def _gap(self, event: Gap) -> None:
        self._gaps += 1
        self._lost_samples += event.samples
        self._last_gap = event
        end = event.t + event.seconds
        self._t = max(self._t, end)
        first = math.floor(event.t / BIN_S)
        last = max(first, _slot(end, BIN_S))
        for index in range(max(first, last - (self._bins.maxlen or 0) + 1), last + 1):
            self._mark(index, lost=True)

    def _mark(
        self, index: int, *, silent: bool = False, lost: bool = False, no_music: bool = False
    ) -> Bin:
        """Go on to bin ``index`` and note what touches it; returns the bin."""
        if not self._bins or index > self._bins[-1].index:
            self._bins.append(Bin(index, None, None, silent, lost, no_music))
            self._finished = None
            return self._bins[-1]
        last = self._bins[-1]
        last = dataclasses.replace(
            last,
            silent=last.silent or silent,
            lost=last.lost or lost,
            no_music=last.no_music or no_music,
        )
        self._bins[-1] = last
        return last

    def _timeline(self) -> tuple[Bin, ...]:
        """The bins that are finished; the same object until another one is."""
        if self._finished is None:
            bins = tuple(self._bins)
            self._finished = bins if self._end is not None else bins[:-1]
        return self._finished


def _slot(t: float, step: float) -> int:
    """Which step of the stream time an instant ends; an instant on the border ends the earlier."""
    return math.ceil(t / step - 1e-6) - 1
