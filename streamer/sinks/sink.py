"""Sinks: what events are written to, and the delivery to all of them, whatever one of them does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from streamer.errors import OutputError
from streamer.events import Estimate, Event

if TYPE_CHECKING:  # the command line knows ReaderGone, and answers before NumPy is imported
    import numpy as np
    from numpy.typing import NDArray


class ReaderGone(Exception):  # noqa: N818 - not an error: the reader had enough
    """Raised by a sink for whose reader the session runs: that reader went away."""


class Sink(Protocol):
    """Takes the events of a session, in order, from one thread."""

    def write(self, event: Event) -> None:
        """Take one event.

        Whatever this raises, the session goes on without the sink; :class:`ReaderGone` alone ends
        the session, in order.
        """

    def close(self) -> None:
        """Release what the sink holds. May be called twice."""


class Watcher(Sink, Protocol):
    """A sink that sees every frame's estimate, and what comes in before it is judged.

    The dashboard's history is one.
    """

    def hear(self, samples: NDArray[np.float32], rate: int) -> None:
        """Samples at the model's rate, (n,) mono, as the tracker gets them."""

    def progress(self, t: float, frames: int, compute_s: float) -> None:
        """Stream time, frames so far, and the seconds of computing that they took."""


class Callback:
    """A function as a sink: it is called with every estimate."""

    def __init__(self, function: Callable[[Estimate], object]) -> None:
        self._function = function

    def write(self, event: Event) -> None:
        """Call the function, if the event is an estimate."""
        if isinstance(event, Estimate):
            self._function(event)

    def close(self) -> None:
        """Nothing to release."""


def clause(error: BaseException) -> str:
    """An exception in one line: its kind and what it says."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _warn(error: OutputError) -> None:
    warnings.warn(str(error), RuntimeWarning, stacklevel=2)


class Delivery:
    """The sinks of a session, functions among them: each gets every event until it fails.

    ``watcher`` gets every event first. ``on_failure`` is told of a sink that raised, which is
    closed and gets nothing more; by default it is a ``RuntimeWarning``.
    """

    def __init__(
        self,
        sinks: Sequence[Sink | Callable[[Estimate], object]],
        watcher: Sink | None = None,
        on_failure: Callable[[OutputError], None] | None = None,
    ) -> None:
        self._sinks = [_sink(each) for each in sinks]
        self._watchers = [] if watcher is None else [watcher]
        self._on_failure = on_failure or _warn

    def write(self, event: Event) -> None:
        """Give an event to the watcher and to all sinks.

        Raises ``ReaderGone`` once all have got it, if a sink did; that one gets nothing more.
        """
        self.watch(event)
        self.write_to_sinks(event)

    def watch(self, event: Event) -> None:
        """Give an event to the watcher alone."""
        self._each(self._watchers, lambda watcher: watcher.write(event))

    def write_to_sinks(self, event: Event) -> None:
        """Give an event to the sinks alone; raises as ``write`` does."""
        self._each(self._sinks, lambda sink: sink.write(event))

    def hear(self, samples: NDArray[np.float32], rate: int) -> None:
        """Give samples, (n,) mono at ``rate`` Hz, to a watcher that listens."""
        self._each(self._watchers, lambda watcher: cast(Watcher, watcher).hear(samples, rate))

    def progress(self, t: float, frames: int, compute_s: float) -> None:
        """Tell a watcher that listens how far the session has come."""
        self._each(
            self._watchers, lambda watcher: cast(Watcher, watcher).progress(t, frames, compute_s)
        )

    def close(self) -> None:
        """Close the watcher and all sinks; one that cannot be closed is told of."""
        sinks = [*self._watchers, *self._sinks]
        self._watchers, self._sinks = [], []
        interrupted: KeyboardInterrupt | None = None
        for sink in sinks:
            try:
                sink.close()
            except KeyboardInterrupt as stopped:
                interrupted = stopped
            except (Exception, SystemExit) as error:
                self._on_failure(_failure(sink, error, "could not be closed"))
        if interrupted is not None:
            raise interrupted

    def _each(self, sinks: list[Sink], act: Callable[[Sink], None]) -> None:
        # Both end the session, once the other sinks have got what they need for it.
        ending: ReaderGone | KeyboardInterrupt | None = None
        for sink in tuple(sinks):
            try:
                act(sink)
            except ReaderGone as left:
                sinks.remove(sink)
                sink.close()
                ending = ending or left
            except KeyboardInterrupt as stopped:
                ending = stopped
            # A program of somebody else may even want to exit: not with this session.
            except (Exception, SystemExit) as error:
                sinks.remove(sink)
                self._on_failure(_failure(sink, error, "failed"))
                _close_quietly(sink)
        if ending is not None:
            raise ending


def _sink(each: Sink | Callable[[Estimate], object]) -> Sink:
    if hasattr(each, "write"):
        return cast(Sink, each)
    if not callable(each):
        raise TypeError(f"a sink has write() and close(), or is a function: {type(each).__name__}")
    return Callback(each)


def _failure(sink: Sink, error: BaseException, what: str) -> OutputError:
    if isinstance(error, OutputError):
        return error
    name = type(sink).__name__ if not isinstance(sink, Callback) else "callback"
    return OutputError(f"the sink {name} {what}: {clause(error)}")


def _close_quietly(sink: Sink) -> None:
    """Release what a sink holds that has failed already: a second failure says nothing new."""
    try:
        sink.close()
    except (Exception, SystemExit):
        return
