"""A session as an iterable of its estimates: one call from sound to moods.

:func:`track` takes a file, an array or any source; :func:`listen` takes a sound device. Both run a
:class:`streamer.session.Session`, and are nothing but its events, handed out one by one.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamer.audio.files import FileSource
from streamer.audio.pacing import Paced, SystemClock
from streamer.audio.source import (
    Downmix,
    Piece,
    Plausible,
    Remark,
    Samples,
    Source,
    SourceInfo,
    check_layout,
)
from streamer.events import COLUMNS, End, Estimate, Event, Gap, Notice, Start
from streamer.network.model import Model, load_model
from streamer.session import Session, TimedSource
from streamer.sinks.sink import Sink
from streamer.sinks.summary import Journey, Summary
from streamer.tracker import EmotionTracker

#: Estimates that ``listen`` keeps: an hour of them at the usual interval.
_KEPT = 7200
#: Samples of an array in one piece: so that estimates come as it goes on.
_BLOCK = 16_384


class ArraySource:
    """Samples in an array as a source: (n,) mono or (n, channels), floats in [-1, 1].

    ``rate`` in Hz. Raises ``ValueError`` for an array of another shape or of integers (their scale
    is unknown) or a rate that is no whole number, and ``AudioError`` for one beyond belief.
    """

    def __init__(self, samples: ArrayLike, rate: int, name: str = "array") -> None:
        array = np.asarray(samples)
        if array.ndim not in (1, 2):
            raise ValueError(f"samples must be (n,) or (n, channels), not of {array.ndim} axes")
        if array.dtype.kind != "f":
            raise ValueError(f"samples must be floats in [-1, 1], not {array.dtype}")
        self._array = array if array.ndim == 2 else array[:, None]
        if not float(rate).is_integer():
            raise ValueError(f"the rate must be a whole number of samples a second, not {rate}")
        rate, channels = int(rate), self._array.shape[1]
        check_layout(rate, channels, name)
        self._closed = False
        self.info = SourceInfo("array", name, rate, channels, duration_s=len(array) / rate)

    def pieces(self) -> Iterator[Piece]:
        """Blocks of mono float32; a remark where channels cancel each other, or it is no sound."""
        plausible = Plausible(self.info.sample_rate)
        downmix = Downmix(self.info.sample_rate, self.info.channels)
        for begin in range(0, len(self._array), _BLOCK):
            if self._closed:
                return
            with np.errstate(over="ignore", invalid="ignore"):  # no sound: a loss further on
                block = self._array[begin : begin + _BLOCK].astype(np.float32)
                mono: Samples = np.empty(len(block), np.float32)
                downmix(block, mono)
            plausible.glance(mono)
            yield mono
            if news := downmix.news():
                yield Remark(f"{self.info.name}: {news}")
        if complaint := plausible.complaint:
            yield Remark(f"{self.info.name} {complaint}", missing=True)

    def close(self) -> None:
        """End :meth:`pieces` after the piece under way."""
        self._closed = True


class Tracking:
    """A session whose estimates come one by one, as they become known.

    ``for estimate in tracking`` (or ``async for``) goes on with the session; leaving the ``with``
    block, or :meth:`close`, ends it in order. :meth:`columns` are the estimates as arrays, and in a
    notebook it shows the journey so far. What a person should know (a device went away) is a
    ``RuntimeWarning``; losses are in ``gaps``.

    ``keep``: how many of the newest estimates and gaps are kept; ``None`` for all, and then the
    estimates can be gone through again.
    """

    def __init__(self, session: Session, keep: int | None = None) -> None:
        self._session = session
        self._events: Generator[Event, None, None] = session.events()
        self._journey = Journey()
        self._keep = keep
        #: The estimates so far, oldest first.
        self.estimates: list[Estimate] = []
        #: The losses so far.
        self.gaps: list[Gap] = []
        #: What is listened to and by which model, once it began; and what was done, once it ended.
        self.start: Start | None = None
        self.end: End | None = None

    def __iter__(self) -> Iterator[Estimate]:
        """The estimates: where all are kept, from the first one on, else those to come."""
        if self._keep is not None:
            while (estimate := self._next()) is not None:
                yield estimate
            return
        place = 0
        while place < len(self.estimates) or self._next() is not None:
            yield self.estimates[place]
            place += 1

    async def __aiter__(self) -> AsyncIterator[Estimate]:
        """The estimates to come, waited for in a thread of their own."""
        loop = asyncio.get_running_loop()
        executor = ThreadPoolExecutor(1, "streamer")
        left = False
        try:
            while (estimate := await loop.run_in_executor(executor, self._next)) is not None:
                yield estimate
        except GeneratorExit:
            left = True  # by `break`: as after a plain `for`, it can be gone on with
            raise
        finally:
            # Called off, it may be in the middle of a piece: that one is finished.
            if not left:
                self.stop()
            executor.shutdown()
            if not left:
                self.close()

    def __enter__(self) -> Tracking:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def stop(self) -> None:
        """Ask the session to end, from any thread: the estimates are then over."""
        self._session.stop()

    def close(self) -> None:
        """End the session now; its sinks get their ``end`` and are closed. May be called twice."""
        self.stop()
        if inspect.getgeneratorstate(self._events) != inspect.GEN_RUNNING:
            self._events.close()  # otherwise a sink calls this: the session ends after it

    def run(self) -> End:
        """Go on to the end, and return the ``end`` event."""
        while self._next() is not None:
            pass
        assert self.end is not None, "it was closed before its end"
        return self.end

    def columns(self) -> dict[str, NDArray[Any]]:
        """The estimates kept, as arrays of equal length n, by the names of the columns.

        Numbers (``t``, ``valence``, ``p_happy``) are floats, NaN where nothing was judged; words
        (``quadrant``, ``mood``) are objects, ``None`` there; ``silent`` is boolean. Where all are
        kept, the session goes on to its end first. ``pandas.DataFrame`` takes this.
        """
        if self._keep is None and self.end is None:
            for _ in self:
                pass
        rows = [estimate.to_row() for estimate in self.estimates]
        dtypes = {float: np.float64, bool: np.bool_, str: np.object_}
        return {
            name: np.array([row[name] for row in rows], dtype=dtypes[kind])
            for name, kind in COLUMNS.items()
        }

    def summary(self) -> Summary:
        """The whole session so far in a few figures."""
        return self._journey.summary()

    def _repr_html_(self) -> str:
        """The journey so far, as the dashboard's closing picture."""
        from streamer.dashboard.closing import as_html

        return as_html(self.summary())

    def _next(self) -> Estimate | None:
        """Go on to the next estimate; ``None`` at the end."""
        for event in self._events:
            self._journey.write(event)
            if isinstance(event, Estimate):
                self._add(self.estimates, event)
                return event
            if isinstance(event, Gap):
                self._add(self.gaps, event)
            elif isinstance(event, Notice):
                # With its time: Python shows a text from one place but once.
                told = f"{event.message} (at {event.t:.1f} s)"
                warnings.warn(told, RuntimeWarning, stacklevel=3)
            elif isinstance(event, Start):
                self.start = event
            else:
                self.end = event
        return None

    def _add(self, kept: list[Any], event: Estimate | Gap) -> None:
        kept.append(event)
        # Thinned out seldom, so that keeping costs nothing.
        if self._keep is not None and len(kept) > 2 * self._keep:
            del kept[: -self._keep]


def track(
    sound: str | Path | ArrayLike | Source,
    rate: int | None = None,
    *,
    model: Model | str | None = None,
    interval: float = 0.5,
    start_s: float = 0.0,
    duration_s: float = math.inf,
    speed: float = math.inf,
    sinks: Sequence[Sink | Callable[[Estimate], object]] = (),
) -> Tracking:
    """The estimates of a sound file, an array, or any source, as an iterable.

    ``sound``: a file's name; an array, (n,) mono or (n, channels), floats in [-1, 1], whose
    ``rate`` in Hz must be given; or a source. ``model``: a name, a directory, or one that is loaded
    (the default by default). ``interval``: seconds between estimates, 0 for every frame.
    ``start_s`` (of a file) and ``duration_s`` choose a stretch, ``speed`` is how many times faster
    than it sounds. ``sinks`` get the session's events; a function gets each estimate.

    Raises ``AudioError`` and ``ModelError`` where the sound or the model cannot be read.

    >>> import numpy as np, streamer
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 16_000)
    >>> moods = streamer.track(noise, rate=8_000)
    >>> [round(estimate.t, 1) for estimate in moods]
    [0.5, 1.0, 1.5, 2.0]
    >>> moods.columns()["valence"].shape
    (4,)
    """
    source: Source
    if isinstance(sound, str | Path):
        source = FileSource(sound, start_s=start_s)
    elif hasattr(sound, "pieces"):
        source = cast(Source, sound)
    elif rate is None:
        raise ValueError("an array does not know its rate: give it in Hz")
    else:
        source = ArraySource(sound, rate)
    return _tracking(
        source if math.isinf(speed) else Paced(source, speed, SystemClock()),
        model,
        interval,
        duration_s,
        sinks,
        keep=None,
    )


def listen(
    device: str | int | None = None,
    *,
    model: Model | str | None = None,
    interval: float = 0.5,
    duration_s: float = math.inf,
    rate: int | None = None,
    channels: Sequence[int] = (),
    sinks: Sequence[Sink | Callable[[Estimate], object]] = (),
    keep: int = _KEPT,
) -> Tracking:
    """The estimates of what a sound device hears, as they become known.

    ``device``: an index, a part of a name, ``"monitor"`` for what the computer plays, ``None`` for
    the system's default; ``rate`` in Hz, the device's own by default; ``channels`` are those to
    hear, counted from 1, by default those with sound; ``keep`` is how many of the newest estimates
    are kept at least. The rest is as for :func:`track`. Leave it by ``with``: a
    device listens until it is closed.

    Raises ``DeviceError`` where there is no such device or PortAudio is not installed.

    ::

        with streamer.listen("monitor") as moods:
            for estimate in moods:
                print(estimate.mood)
    """
    from streamer.audio.microphone import MicrophoneSource, Steps

    loaded = model if isinstance(model, Model) else load_model(model)
    cut = loaded.config.features
    steps = Steps(cut.sample_rate, cut.frame, cut.hop, interval)
    source = MicrophoneSource(device, rate=rate, channels=channels, steps=steps)
    try:
        return _tracking(source, loaded, interval, duration_s, sinks, keep=keep, timed=source)
    except BaseException:
        source.close()
        raise


def _tracking(
    source: Source,
    model: Model | str | None,
    interval: float,
    duration_s: float,
    sinks: Sequence[Sink | Callable[[Estimate], object]],
    *,
    keep: int | None,
    timed: TimedSource | None = None,
) -> Tracking:
    loaded = model if isinstance(model, Model) else load_model(model)
    tracker = EmotionTracker(loaded, interval, source.info.start_s)
    return Tracking(Session(source, tracker, sinks, duration_s=duration_s, timed=timed), keep)
