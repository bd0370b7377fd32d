"""The one loop: source, tracker, sinks; and a recorded session handed to sinks once more.

Two threads of ours run in a session: the main thread reads, tracks and writes (here); Rich's
refresh thread draws a snapshot (``streamer.dashboard``). Only the history is shared. A sound device
is captured by a process of its own, where the callback copies into the ring, counts and signals,
and another thread sends what the ring holds (``streamer.audio.capture`` says why).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

import streamer
from streamer.audio.pacing import Clock, SystemClock
from streamer.audio.resample import Resampled, Skipped
from streamer.audio.source import Remark, Samples, Source
from streamer.errors import OutputError
from streamer.events import Cadence, End, Estimate, Event, Gap, Notice, Start, Tally, beginning
from streamer.sinks.sink import Delivery, ReaderGone, Sink, Watcher

if TYPE_CHECKING:  # what it is built of takes long to import, and a screen is drawn before
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


class Loop(ABC):
    """The loop of a session and of the playback of one: pieces in, events to sinks, an ``end``.

    ``events`` goes on with it and gives each event once all sinks have got it; ``run`` goes on to
    the end. Either can be done once.
    """

    def __init__(
        self,
        sinks: Sequence[Sink | Callable[[Estimate], object]],
        watcher: Sink | None,
        on_failure: Callable[[OutputError], None] | None,
    ) -> None:
        self._delivery = Delivery(sinks, watcher, on_failure)
        self._stop = Stop()
        self._tally = Tally()

    def stop(self, *, interrupt: bool = False) -> None:
        """Ask the loop to end; its ``end`` event is still written.

        ``interrupt`` is for signal handlers, which run in the main thread: a wait for the next
        piece is broken off at once, while a line being written is finished first.
        """
        self._stop.ask(interrupt=interrupt)

    def run(self) -> End:
        """Go on until the source ends, the duration is over or ``stop`` is called.

        Returns the ``end`` event, which every sink has got too; the sinks are closed then. Raises
        ``ReaderGone`` where the reader went away for whose sake a sink was there, and passes on
        the ``StreamerError`` of what is read; either after ``end``.
        """
        for event in self.events():
            last = event
        assert isinstance(last, End), "an end is the last event"
        return last

    def events(self) -> Generator[Event, None, None]:
        """Every event, from ``start`` to ``end``; raises what ``run`` raises."""
        gone: ReaderGone | None = None
        try:
            try:
                yield from self._events()
            except Stopped:
                pass
            except ReaderGone as left:
                gone = left
            except Abandoned:
                raise
            except BaseException:
                with contextlib.suppress(ReaderGone):
                    self._write_end()
                raise
            yield self._write_end()
        except ReaderGone as left:
            gone = left
        finally:
            self._release()
            self._delivery.close()
        if gone is not None:
            raise gone

    @abstractmethod
    def _events(self) -> Iterator[Event]:
        """The events, each written already, without the ``end``."""

    @abstractmethod
    def _end(self) -> End:
        """The ``end`` of what was written so far."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what the pieces came from."""

    def _write(self, event: Event) -> Event:
        """Give an event to the watcher and all sinks, and count it."""
        self._tally.write(event)
        self._delivery.write(event)
        return event

    def _write_end(self) -> End:
        end = self._end()
        self._delivery.write(end)
        return end


class Session(Loop):
    """Runs a source through a tracker into sinks until it ends or is told to stop.

    ``interval``: seconds between the estimates that the sinks get (the tracker's own by default).
    ``watcher`` gets every estimate that the tracker makes: with one, give the tracker an interval
    of 0. ``duration_s`` ends the session after that much stream time. ``sinks`` are closed at its
    end; a function among them is called with every estimate. ``on_failure`` is told of a sink that
    failed (a full disk), by default with a ``RuntimeWarning``: the others go on. ``timed`` makes
    the latency and the capture times known; ``clock`` measures computing time and latency, ``utc``
    dates the captures. A source at its own rate is resampled to the model's.

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
        sinks: Sequence[Sink | Callable[[Estimate], object]] = (),
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
        super().__init__(sinks, watcher, on_failure)
        self._source = source
        self._tracker = tracker
        self._interval = tracker.interval if interval is None else interval
        self._cadence = Cadence(self._interval, tracker.sample_rate)
        self._reached = self._cadence.index(round(tracker.t * tracker.sample_rate))
        self._duration_s = duration_s
        self._timed = timed
        self._latency = Latency()
        self._clock = clock or SystemClock()
        self._utc = utc
        self._fresh = False
        self._compute_s = 0.0
        self._judged = 0  # samples pushed, at the model's rate

    def stop(self, *, interrupt: bool = False) -> None:
        """Ask the session to end, as every loop is asked.

        A device is closed instead: its stream then ends by itself, with what it owes (an absence
        that lasts).
        """
        if self._source.info.kind == "device":
            self._source.close()
        else:
            super().stop(interrupt=interrupt)

    def request_reset(self) -> None:
        """Ask for the judgement to start afresh, as for a new song; any thread may."""
        self._fresh = True

    def _events(self) -> Iterator[Event]:
        yield self._write(self._start())
        with contextlib.suppress(Stopped):
            yield from self._listen()
        for rest in self._source.rest():  # a loss that was not over is one all the same
            yield from self._take(rest)

    def _listen(self) -> Iterator[Event]:
        pieces = iter(self._source)
        while self._left() > 0:
            piece = self._stop.next(pieces)
            if piece is None:
                return
            if self._fresh:
                self._fresh = False
                self._tracker.forget()
                yield self._write(Notice(self._tracker.t, "a new song: judged afresh"))
            if isinstance(piece, Remark):
                yield self._write(Notice(self._tracker.t, piece.message))
            else:
                yield from self._take(piece)

    def _take(self, piece: Samples | Skipped) -> Iterator[Event]:
        if self._left() <= 0:
            return
        if isinstance(piece, Skipped):
            yield self._skip(piece)
        else:
            yield from self._hear(piece[: self._left()])

    def _release(self) -> None:
        self._source.close()

    def _left(self) -> int:
        """Samples left of the duration, at the model's rate."""
        end = self._source.info.start_s + self._duration_s
        left = (end - self._tracker.t) * self._tracker.sample_rate
        return round(left) if left < sys.maxsize else sys.maxsize

    def _hear(self, samples: Samples) -> Iterator[Estimate]:
        begin = self._clock.now()
        self._delivery.hear(samples, self._tracker.sample_rate)
        due: list[Estimate] = []
        for estimate in self._tracker.push(samples):
            self._delivery.watch(estimate)
            reached = self._cadence.index(round(estimate.t * self._tracker.sample_rate))
            if reached > self._reached:
                self._reached = reached
                captured = self._captured(estimate)
                dated = self._dated(estimate, captured)
                self._tally.write(dated)
                self._delivery.write_to_sinks(dated)
                if captured is not None:
                    self._latency.add(self._clock.now() - captured)
                due.append(dated)
        self._judged += len(samples)
        self._compute_s += self._clock.now() - begin
        self._delivery.progress(self._tracker.t, self._tracker.frames, self._compute_s)
        # Given out only now: what is done with them is no computing time.
        yield from due

    def _skip(self, piece: Skipped) -> Event:
        lost, samples = piece.lost, piece.samples
        if samples > (left := self._left()):  # it goes on beyond the duration
            lost = dataclasses.replace(lost, samples=round(lost.samples * left / samples))
            samples = left
        seconds = lost.samples / self._source.info.sample_rate
        self._tracker.skip(samples)
        return self._write(Gap(piece.t_s, seconds, lost.samples, lost.estimated, lost.cause))

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
        return dataclasses.replace(
            self._tally.end(),
            t=self._tracker.t,
            frames=self._tracker.frames,
            real_time_factor=self._compute_s / judged_s if judged_s else None,
            latency=latency,
        )


class Playback(Loop):
    """Hands recorded events to sinks, ``speed`` times as fast as they happened.

    ``events``: in the order of the recording; a recording that was cut off gets an ``end``.
    ``start_s`` and ``duration_s`` choose a stretch of it, in seconds of stream time. ``watcher``
    and ``on_failure`` are those of a session. Deadlines are absolute, as for a paced source.
    """

    def __init__(
        self,
        events: Iterable[Event],
        sinks: Sequence[Sink | Callable[[Estimate], object]] = (),
        *,
        speed: float = 1.0,
        start_s: float | None = None,
        duration_s: float = math.inf,
        watcher: Sink | None = None,
        on_failure: Callable[[OutputError], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(sinks, watcher, on_failure)
        self._tally = Tally(start_s)
        self._recorded = events
        self._speed = speed
        self._start_s = start_s
        self._duration_s = duration_s
        self._clock = clock or SystemClock()
        self._start: Start | None = None
        self._whole: End | None = None  # the recorded end, once all before it was shown
        self._passed_over = False
        self._begin_s: float | None = None
        self._began = 0.0

    def request_reset(self) -> None:
        """Nothing: what was judged stays judged."""

    def _events(self) -> Iterator[Event]:
        pieces = self._paced()
        while (event := self._stop.next(pieces)) is not None:
            if isinstance(event, End):
                self._whole = None if self._passed_over else event
                return
            yield self._write(event)

    def _end(self) -> End:
        """The recorded end where all was shown, otherwise one that counts what was."""
        return self._whole or self._tally.end()

    def _release(self) -> None:
        """Whoever reads the recording closes it."""

    def _paced(self) -> Iterator[Event]:
        """The events of the stretch, each when its moment has come."""
        for event in self._recorded:
            if isinstance(event, Start):
                self._start = event
            if isinstance(event, Start | Notice):
                yield event
                continue
            moment = event.t + event.seconds if isinstance(event, Gap) else event.t
            begin_s = self._begin(event.t)
            # An estimate judges what lies before it.
            if self._start_s is not None and moment <= begin_s and not isinstance(event, End):
                self._passed_over = True
                continue
            if event.t > begin_s + self._duration_s:
                return
            deadline = self._began + (moment - begin_s) / self._speed
            if (left := deadline - self._clock.now()) > 0:
                self._clock.sleep(left)
            yield event

    def _begin(self, first: float) -> float:
        """Stream time of the beginning; a recording that began later tells it by its first event.

        The clock starts when this is first asked.
        """
        if self._begin_s is None:
            recorded = beginning(self._start, first)
            self._begin_s = recorded if self._start_s is None else max(recorded, self._start_s)
            self._began = self._clock.now()
        return self._begin_s
