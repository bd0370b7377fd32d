"""What a person at the terminal sees of a session: the dashboard, and the summary afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamer.cli.options import Listening
from streamer.errors import OutputError
from streamer.events import Notice
from streamer.sinks.history import History

if TYPE_CHECKING:
    from rich.console import Console


class Steered(Protocol):
    """What the keys of the dashboard act on."""

    def stop(self) -> None:
        """Ask for the end."""

    def request_reset(self) -> None:
        """Ask for the judgement to start afresh."""


class Screen:
    """The history of a session, shown while it runs if the options and the terminal allow it.

    ``watcher`` is the history where a dashboard is drawn from it, which needs every frame's
    estimate; ``sinks`` holds it where only the summary is wanted. ``options`` are those asked for,
    without the dashboard where none can be shown: the lines go to the terminal then. Raises
    ``OutputError`` where the file of ``--summary`` cannot be written: better now than after hours.
    """

    def __init__(self, options: Listening) -> None:
        if options.summary is not None:
            _write(options.summary, "", "a")
        self._history = History()
        self._summary = options.summary
        self._console = _console(options)
        shown = self._console is not None
        self.options = dataclasses.replace(options, dashboard=shown)
        self.watcher = self._history if shown else None
        self.sinks = [self._history] if options.summary is not None and not shown else []

    @contextlib.contextmanager
    def around(self, session: Steered) -> Iterator[None]:
        """Show the session while the context lasts; then print and write its summary."""
        try:
            with self._dashboard(session):
                yield
        finally:
            self._close()

    @contextlib.contextmanager
    def _dashboard(self, session: Steered) -> Iterator[None]:
        if self._console is None:
            yield
            return
        from streamer.dashboard.live import Dashboard

        def reset() -> None:
            session.request_reset()
            self._history.afresh()

        def tell(line: str) -> None:
            message = line.removeprefix("streamer: ")
            self._history.write(Notice(self._history.snapshot().t, message))

        with Dashboard(
            self._history, self._console, on_quit=session.stop, on_reset=reset, on_line=tell
        ):
            yield

    def _close(self) -> None:
        summary = self._history.summary()
        if self._console is not None:
            from streamer.dashboard.closing import closing
            from streamer.dashboard.look import Look

            look = Look.of(self._console)
            self._console.print(closing(summary, self._console.width, look))
        if self._summary is not None:
            text = json.dumps(summary.to_dict(), ensure_ascii=False, indent=2)
            _write(self._summary, text + "\n", "w")


def _console(options: Listening) -> Console | None:
    """The terminal on standard error, if there is to be a dashboard on it."""
    if not options.dashboard or options.quiet or not sys.stderr.isatty():
        return None
    from rich.console import Console

    from streamer.dashboard.live import Dashboard

    console = Console(stderr=True)
    return console if Dashboard.fits(console) else None


def _write(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
