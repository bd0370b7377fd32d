"""A recorded session shown again: its events go to sinks as if they happened now.

Nothing is heard and nothing is judged: no audio, no model.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from streamer.audio.pacing import Clock, SystemClock
from streamer.errors import OutputError
from streamer.events import End, Estimate, Event, Gap, Start
from streamer.sinks.delivery import Delivery
from streamer.sinks.sink import Sink
from streamer.stopping import Abandoned, Stop, Stopped


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
