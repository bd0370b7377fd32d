"""The one loop: source, tracker, sinks; and a recorded session handed to sinks once more.

Two threads of ours run in a session: the main thread reads, tracks and writes (here); Rich's
refresh thread draws a snapshot (``streamer.dashboard``). Only the history is shared. A sound device
is captured by a process of its own, where the callback copies into the ring, counts and signals,
and another thread sends what the ring holds (``streamer.audio.capture`` says why).
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import streamer
from streamer.audio.pacing import Clock, SystemClock
from streamer.audio.resample import Resampled, Skipped
from streamer.audio.source import Remark, Samples, Source
from streamer.errors import OutputError
from streamer.events import End, Estimate, Event, Gap, Notice, Start
from streamer.sinks.sink import Delivery, Sink
from streamer.stages import Cadence
from streamer.tracker import EmotionTracker

Piece = TypeVar("Piece")


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Raised out of the wait for the next piece when the loop is told to stop."""


class Abandoned(BaseException):
    """Raised out of whatever is under way when the loop is told to stop and does not.

    A line that nobody reads may be what it hangs at: no further one is written.
    """


class Stop:
    """The request to stop, and the wait that it may break off."""

    def __init__(self) -> None:
        self._asked = False
        self._waiting = False

    def ask(self, *, interrupt: bool = False) -> None:
        """Ask the loop to end.

        ``interrupt`` is for signal handlers, which run in the main thread: a wait for the next
        piece is broken off at once, while a line being written is finished first.
        """
        self._asked = True
        if interrupt and self._waiting:
            raise Stopped

    def next(self, pieces: Iterator[Piece]) -> Piece | None:
        """The next piece; ``None`` at the end, or once somebody asked."""
        self._waiting = True
        try:
            # A signal that came before `_waiting` was set must not wait for a piece.
            return None if self._asked else next(pieces, None)
        finally:
            self._waiting = False


#: Bins are 2 % wide: percentiles are within 1 % of the truth, and an hour of lateness still fits.
_BASE = math.log(1.02)
_SMALLEST_S = 1e-5


class Latency:
    """Counts latencies in seconds in logarithmic bins."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self._longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one; what is not positive counts as ten microseconds."""
        self._longest = max(self._longest, seconds)
        self._bins[round(math.log(max(seconds, _SMALLEST_S)) / _BASE)] += 1

    def percentile(self, percent: float) -> float | None:
        """The latency that ``percent`` of those counted do not exceed; None before the first."""
        wanted = percent / 100 * self._bins.total()
        seen = 0
        for index in sorted(self._bins):
            seen += self._bins[index]
            if seen >= wanted:
                return math.exp(index * _BASE)
        return None

    def to_dict(self) -> dict[str, float | int | None]:
        """How many, the median, the 99th percentile and the longest, in seconds."""
        return {
            "count": self._bins.total(),
            "median_s": self.percentile(50),
            "p99_s": self.percentile(99),
            "max_s": self._longest,
        }


class Watcher(Sink, Protocol):
    """A sink that sees every frame's estimate, and what comes in before it is judged.

    The dashboard's history is one.
    """

    def hear(self, samples: Samples, rate: int) -> None:
        """Samples at the model's rate, as the tracker gets them."""

    def progress(self, t: float, frames: int, compute_s: float) -> None:
        """Stream time, frames so far, and the seconds of computing that they took."""


class TimedSource(Protocol):
    """A source that knows when its samples were captured."""

    @property
    def latency_clock(self) -> str:
        """What its times are taken from."""

    def capture_time(self, position: int) -> float | None:
        """The monotonic time at which the source's sample ``position`` was captured, if known."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _iso(moment: datetime, digits: str) -> str:
    """A moment of UTC in ISO 8601, to ``digits``."""
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")


class Session:
    """Runs a source through a tracker into sinks until it ends or is told to stop.

    ``interval``: seconds between the estimates that the sinks get (the tracker's own by default).
    ``watcher`` gets every estimate that the tracker makes: with one, give the tracker an interval
    of 0. ``duration_s`` ends the session after that much stream time. ``on_failure`` is told of a
    sink that failed (a full disk): the others go on. ``timed`` makes the latency and the capture
    times known; ``clock`` measures computing time and latency, ``utc`` dates the captures. A source
    at its own rate is resampled to the model's.

    >>> from streamer import EmotionTracker, Estimate, Session, load_model
    >>> class Levels:
    ...     def write(self, event):
    ...         if isinstance(event, Estimate):
    ...             print(event.t, round(event.level_db, 1))
    ...     def close(self):
    ...         pass
    >>> import numpy as np
    >>> from streamer.audio.source import SourceInfo
    >>> class Tone:
    ...     info = SourceInfo("generator", "440 Hz", sample_rate=8000, channels=1)
    ...     def pieces(self):
    ...         t = np.arange(8000) / 8000
    ...         yield (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    ...     def close(self):
    ...         pass
    >>> end = Session(Tone(), EmotionTracker(load_model(), interval=0.5), [Levels()]).run()
    0.5 -9.0
    1.0 -9.0
    >>> end.estimates
    2
    """

    def __init__(
        self,
        source: Source | Resampled,
        tracker: EmotionTracker,
        sinks: Sequence[Sink],
        *,
        interval: float | None = None,
        watcher: Watcher | None = None,
        duration_s: float = math.inf,
        on_failure: Callable[[OutputError], None] | None = None,
        timed: TimedSource | None = None,
        clock: Clock | None = None,
        utc: Callable[[], datetime] = _utc_now,
    ) -> None:
        if not isinstance(source, Resampled):
            source = Resampled(source, tracker.sample_rate)
        self._source = source
        self._tracker = tracker
        self._delivery = Delivery(sinks, watcher, on_failure)
        self._interval = tracker.interval if interval is None else interval
        self._cadence = Cadence(self._interval, tracker.sample_rate)
        self._reached = self._cadence.index(round(tracker.t * tracker.sample_rate))
        self._watcher = watcher
        self._duration_s = duration_s
        self._timed = timed
        self._latency = Latency()
        self._clock = clock or SystemClock()
        self._utc = utc
        self._stop = Stop()
        self._fresh = False
        self._compute_s = 0.0
        self._judged = 0  # samples pushed, at the model's rate
        self._estimates = self._gaps = self._lost = 0

    def stop(self, *, interrupt: bool = False) -> None:
        """Ask the session to end; its ``end`` event is still written.

        ``interrupt`` is for signal handlers, which run in the main thread: a wait for the source is
        broken off at once, while a line being written is finished first. A device is closed
        instead: its stream then ends by itself, with what it owes (an absence that lasts).
        """
        if self._source.info.kind == "device":
            self._source.close()
        else:
            self._stop.ask(interrupt=interrupt)

    def request_reset(self) -> None:
        """Ask for the judgement to start afresh, as for a new song; any thread may."""
        self._fresh = True

    def run(self) -> End:
        """Listen until the source ends, the duration is over or ``stop`` is called.

        Returns the ``end`` event, which every sink has got too. Raises ``BrokenPipeError`` where
        the reader of a sink went away, and passes on the source's ``StreamerError`` after ``end``.
        """
        try:
            self._delivery.write(self._start())
            try:
                self._listen()
            except Stopped:
                for rest in self._source.rest():  # a loss that was not over is one all the same
                    self._take(rest)
            except (BrokenPipeError, Abandoned):
                raise
            except BaseException:
                self._delivery.write(self._end())
                raise
            end = self._end()
            self._delivery.write(end)
            return end
        finally:
            self._source.close()

    def _listen(self) -> None:
        pieces = iter(self._source)
        while self._left() > 0:
            piece = self._stop.next(pieces)
            if piece is None:
                return
            if self._fresh:
                self._fresh = False
                self._tracker.forget()
                self._delivery.write(Notice(self._tracker.t, "a new song: judged afresh"))
            if isinstance(piece, Remark):
                self._delivery.write(Notice(self._tracker.t, piece.message))
            else:
                self._take(piece)

    def _take(self, piece: Samples | Skipped) -> None:
        if isinstance(piece, Skipped):
            self._skip(piece)
        else:
            self._hear(piece[: max(0, self._left())])

    def _left(self) -> int:
        """Samples left of the duration, at the model's rate."""
        if math.isinf(self._duration_s):
            return sys.maxsize
        end = self._source.info.start_s + self._duration_s
        return round((end - self._tracker.t) * self._tracker.sample_rate)

    def _hear(self, samples: Samples) -> None:
        begin = self._clock.now()
        if self._watcher is not None:
            self._watcher.hear(samples, self._tracker.sample_rate)
        for estimate in self._tracker.push(samples):
            if self._watcher is not None:
                self._watcher.write(estimate)
            reached = self._cadence.index(round(estimate.t * self._tracker.sample_rate))
            if reached > self._reached:
                self._reached = reached
                self._estimates += 1
                captured = self._captured(estimate)
                self._delivery.write_to_sinks(self._dated(estimate, captured))
                if captured is not None:
                    self._latency.add(self._clock.now() - captured)
        self._judged += len(samples)
        self._compute_s += self._clock.now() - begin
        if self._watcher is not None:
            self._watcher.progress(self._tracker.t, self._tracker.frames, self._compute_s)

    def _skip(self, piece: Skipped) -> None:
        lost = piece.lost
        seconds = lost.samples / self._source.info.sample_rate
        self._tracker.skip(piece.samples)
        self._gaps += 1
        self._lost += lost.samples
        self._delivery.write(Gap(piece.t_s, seconds, lost.samples, lost.estimated, lost.cause))

    def _captured(self, estimate: Estimate) -> float | None:
        """Monotonic seconds at which the estimate's newest sample was captured, where known."""
        if self._timed is None:
            return None
        info = self._source.info
        return self._timed.capture_time(round((estimate.t - info.start_s) * info.sample_rate))

    def _dated(self, estimate: Estimate, captured: float | None) -> Estimate:
        """The estimate with its capture on the calendar, where that is known."""
        if captured is None:
            return estimate
        # Both clocks are read now: one that is set in a session of days dates what follows anew.
        moment = self._utc() - timedelta(seconds=self._clock.now() - captured)
        return dataclasses.replace(estimate, captured=_iso(moment, "microseconds"))

    def _start(self) -> Start:
        return Start(
            version=streamer.__version__,
            time=_iso(self._utc(), "milliseconds"),
            model=self._tracker.model.name,
            source=self._source.info.to_dict(),
            sample_rate=self._tracker.sample_rate,
            hop_s=self._tracker.hop_s,
            interval_s=self._interval,
            resampler_delay_s=self._source.delay_s,
        )

    def _end(self) -> End:
        judged_s = self._judged / self._tracker.sample_rate
        latency = None
        if self._timed is not None:
            latency = self._latency.to_dict() | {"clock": self._timed.latency_clock}
        return End(
            t=self._tracker.t,
            estimates=self._estimates,
            frames=self._tracker.frames,
            gaps=self._gaps,
            lost_samples=self._lost,
            real_time_factor=self._compute_s / judged_s if judged_s else None,
            latency=latency,
        )


class Playback:
    """Hands recorded events to sinks, ``speed`` times as fast as they happened.

    ``events``: in the order of the recording; a recording that was cut off gets an ``end``.
    ``start_s`` and ``duration_s`` choose a stretch of it, in seconds of stream time. ``watcher``
    and ``on_failure`` are those of a session. Deadlines are absolute, as for a paced source.
    """

    def __init__(
        self,
        events: Iterable[Event],
        sinks: Sequence[Sink],
        *,
        speed: float = 1.0,
        start_s: float | None = None,
        duration_s: float = math.inf,
        watcher: Sink | None = None,
        on_failure: Callable[[OutputError], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._events = events
        self._delivery = Delivery(sinks, watcher, on_failure)
        self._speed = speed
        self._start_s = start_s
        self._duration_s = duration_s
        self._clock = clock or SystemClock()
        self._stop = Stop()
        self._start: Start | None = None
        self._begin_s: float | None = None
        self._began = 0.0
        self._shown = End(start_s or 0.0, 0, 0, 0, 0, None)

    def stop(self, *, interrupt: bool = False) -> None:
        """Ask the playback to end, as a session is asked; an ``end`` event is still written."""
        self._stop.ask(interrupt=interrupt)

    def request_reset(self) -> None:
        """Nothing: what was judged stays judged."""

    def run(self) -> End:
        """Show the recording until it ends, the duration is over or ``stop`` is called.

        Returns the ``end`` event: the recorded one where all was shown, otherwise one that counts
        what was. Raises ``BrokenPipeError`` where the reader of a sink went away, and passes on the
        reading's ``StreamerError`` after ``end``.
        """
        try:
            end = self._show() or self._shown
        except Stopped:
            end = self._shown
        except (BrokenPipeError, Abandoned):
            raise
        except BaseException:
            self._delivery.write(self._shown)
            raise
        self._delivery.write(end)
        return end

    def _show(self) -> End | None:
        """Deliver the stretch; the recording's own end if all of it was shown."""
        pieces = self._paced()
        while (event := self._stop.next(pieces)) is not None:
            if isinstance(event, End):
                return event
            self._delivery.write(event)
            self._count(event)
        return None

    def _paced(self) -> Iterator[Event]:
        """The events of the stretch, each when its moment has come."""
        for event in self._events:
            if isinstance(event, Start):
                self._start = event
                yield event
                continue
            moment = event.t + event.seconds if isinstance(event, Gap) else event.t
            begin_s = self._begin(moment)
            if moment < begin_s and not isinstance(event, End):
                continue
            if event.t > begin_s + self._duration_s:
                return
            deadline = self._began + (moment - begin_s) / self._speed
            if (left := deadline - self._clock.now()) > 0:
                self._clock.sleep(left)
            yield event

    def _begin(self, moment: float) -> float:
        """Stream time of the beginning; a recording that began later tells it by its first event.

        The clock starts when this is first asked.
        """
        if self._begin_s is None:
            interval = self._start.interval_s or self._start.hop_s if self._start else 0.5
            late = moment - interval
            recorded = late if late > interval else 0.0
            self._begin_s = recorded if self._start_s is None else max(recorded, self._start_s)
            self._began = self._clock.now()
        return self._begin_s

    def _count(self, event: Event) -> None:
        """Bring the ``end`` of what was shown so far up to date."""
        shown = self._shown
        if isinstance(event, Estimate):
            hop = self._start.hop_s if self._start else 0.0
            frames = round((event.t - (self._begin_s or 0.0)) / hop) if hop else shown.estimates + 1
            self._shown = dataclasses.replace(
                shown, t=event.t, estimates=shown.estimates + 1, frames=frames
            )
        elif isinstance(event, Gap):
            self._shown = dataclasses.replace(
                shown,
                t=max(shown.t, event.t + event.seconds),
                gaps=shown.gaps + 1,
                lost_samples=shown.lost_samples + event.samples,
            )
