"""Sinks: what events are written to, and the delivery to all of them, without one that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from streamer.errors import OutputError
from streamer.events import Event


class Sink(Protocol):
    """Takes the events of a session, in order, from one thread."""

    def write(self, event: Event) -> None:
        """Take one event. ``BrokenPipeError`` says that the reader has gone: the session ends."""

    def close(self) -> None:
        """Release what the sink holds. May be called twice."""


class Delivery:
    """The sinks of a session; ``on_failure`` is told of one that failed (a full disk).

    ``watcher`` gets every event first.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        watcher: Sink | None = None,
        on_failure: Callable[[OutputError], None] | None = None,
    ) -> None:
        self._sinks = list(sinks)
        self._watcher = watcher
        self._on_failure = on_failure

    def write(self, event: Event) -> None:
        """Give an event to the watcher and to all sinks; ``BrokenPipeError`` passes through."""
        if self._watcher is not None:
            self._watcher.write(event)
        self.write_to_sinks(event)

    def write_to_sinks(self, event: Event) -> None:
        """Give an event to the sinks alone."""
        failed: list[Sink] = []
        for sink in self._sinks:
            try:
                sink.write(event)
            except OutputError as error:
                failed.append(sink)
                if self._on_failure is not None:
                    self._on_failure(error)
        for sink in failed:
            self._sinks.remove(sink)
