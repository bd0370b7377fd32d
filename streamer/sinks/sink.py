"""What every sink is: something that events are written to."""

from __future__ import annotations

from typing import Protocol

from streamer.events import Event


class Sink(Protocol):
    """Takes the events of a session, in order, from one thread."""

    def write(self, event: Event) -> None:
        """Take one event. ``BrokenPipeError`` says that the reader has gone: the session ends."""

    def close(self) -> None:
        """Release what the sink holds. May be called twice."""
