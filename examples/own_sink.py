"""A sink of one's own: python examples/own_sink.py song.flac [MODEL].

A sink is any object with ``write(event)`` and ``close()``, or a function that gets each estimate.
This one draws a bar for the arousal.

To have it as ``streamer live --sink bars:40``, install a package with this in its pyproject.toml::

    [project.entry-points."streamer.sinks"]
    bars = "own_sink:open_sink"
"""

from __future__ import annotations

import sys

import streamer
from streamer import End, Estimate, Event, Gap


class Bars:
    """Prints a bar for every estimate: its length is the arousal."""

    def __init__(self, width: int = 30) -> None:
        self.width = width

    def write(self, event: Event) -> None:
        """Take one event of the session; ignore those that mean nothing here."""
        if isinstance(event, Estimate):
            height = -1.0 if event.arousal is None else event.arousal
            filled = round((1 + height) / 2 * self.width)
            print(f"{event.t:6.1f} {'#' * filled:<{self.width}} {event.mood or event.sound}")
        elif isinstance(event, Gap):
            print(f"{event.t:6.1f} {event.seconds:.2f} s lost: {event.cause}")
        elif isinstance(event, End):
            print(f"{event.t:6.1f} the end, after {event.estimates} estimates")

    def close(self) -> None:
        """Nothing is held open."""


def open_sink(argument: str | None) -> Bars:
    """What the entry point names: ``--sink bars:40`` gives "40", ``--sink bars`` gives None."""
    return Bars(int(argument or 30))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    model = sys.argv[2] if len(sys.argv) > 2 else None
    streamer.track(sys.argv[1], model=model, sinks=[Bars()]).run()
