"""Sinks of other packages, found by their entry points.

A package offers a sink by an entry point of the group ``streamer.sinks``::

    [project.entry-points."streamer.sinks"]
    lamp = "my_lamp:open_sink"

``open_sink(argument)`` gets what stands after the colon of ``--sink lamp:ARGUMENT`` (``None``
without one) and returns a :class:`streamer.sinks.sink.Sink`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from streamer.errors import OutputError, StreamerError
from streamer.events import Event
from streamer.sinks.sink import Sink, clause

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "streamer.sinks"


class OpenSink(Protocol):
    """What an entry point of the group ``streamer.sinks`` names."""

    def __call__(self, argument: str | None) -> Sink:
        """The sink. ``StreamerError`` says in one sentence why there can be none."""


def available() -> dict[str, EntryPoint]:
    """The sinks that installed packages offer, by name; none of them is imported."""
    from importlib.metadata import entry_points  # slower to import than all of the help

    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def open_sink(name: str, argument: str | None = None) -> Sink:
    """Import and open the sink of that name.

    Raises ``OutputError`` where there is none or it fails: one sentence, with the package at fault.
    """
    point = available().get(name)
    if point is None:
        known = ", ".join(available()) or "none is installed"
        raise OutputError(f"there is no sink {name!r}: choose from {known}")
    package = point.dist.name if point.dist is not None else point.module
    where = f"the sink {name!r} of the package {package}"
    try:
        opener: OpenSink = point.load()
        sink = opener(argument)
    except StreamerError:
        raise
    except (Exception, SystemExit) as error:
        raise OutputError(f"{where} cannot be opened: {clause(error)}") from error
    for method in ("write", "close"):
        if not callable(getattr(sink, method, None)):
            raise OutputError(
                f"{where} cannot be used: it gave a {type(sink).__name__} without {method}()"
            )
    return Guarded(sink, where)


class Guarded:
    """A sink of somebody else: whatever it raises becomes an ``OutputError``.

    ``where`` names the sink and its package.
    """

    def __init__(self, sink: Sink, where: str) -> None:
        self._sink = sink
        self._where = where
        self._closed = False

    def write(self, event: Event) -> None:
        """Hand on an event."""
        try:
            self._sink.write(event)
        except OutputError:
            raise
        except (Exception, SystemExit) as error:
            raise OutputError(f"{self._where} failed: {clause(error)}") from error

    def close(self) -> None:
        """Close the sink, once."""
        if self._closed:
            return
        self._closed = True
        try:
            self._sink.close()
        except OutputError:
            raise
        except (Exception, SystemExit) as error:
            raise OutputError(f"{self._where} could not be closed: {clause(error)}") from error
