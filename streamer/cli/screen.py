"""What a person at the terminal sees of a session: the dashboard, and the summary afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from streamer.cli.options import SessionOptions
from streamer.cli.overwriting import Draft
from streamer.errors import writing
from streamer.events import Notice
from streamer.sinks.history import History

if TYPE_CHECKING:
    from rich.console import Console


class Steered(Protocol):
    """What the keys of the dashboard act on."""

    def request_reset(self) -> None:
        """Ask for the judgement to start afresh."""

    def quit(self) -> None:
        """End the session in order."""


class Screen:
    """The history of a session, shown while it runs if the options and the terminal allow it.

    ``watcher`` is the history where a dashboard is drawn from it, which needs every frame's
    estimate; ``sinks`` holds it where only the summary is wanted. ``options`` are those asked for,
    without the dashboard where none can be shown: the lines go to the terminal then. As a context
    it keeps a place for the file of ``--summary``, and raises ``OutputError`` where there is none:
    better now than after hours.
    """

    def __init__(self, options: SessionOptions) -> None:
        self._history = History()
        self._summary: Draft | None = None
        self._console = _console(options)
        shown = self._console is not None
        self.options = dataclasses.replace(options, dashboard=shown)
        self.watcher = self._history if shown else None
        self.sinks = [self._history] if options.summary is not None and not shown else []

    def __enter__(self) -> Screen:
        if self.options.summary is not None:
            self._summary = Draft(self.options.summary)
        return self

    def __exit__(self, *failure: object) -> None:
        if self._summary is not None:
            self._summary.discard()  # of a session that never began

    @contextlib.contextmanager
    def around(self, session: Steered) -> Iterator[None]:
        """Show the session while the context lasts; then print and write its summary.

        There is none of a session that never began.
        """
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
        from streamer.dashboard.dashboard import Dashboard

        def reset() -> None:
            session.request_reset()
            self._history.afresh()

        def notice(line: str) -> None:
            message = line.removeprefix("streamer: ")
            self._history.write(Notice(self._history.snapshot().t, message))

        with Dashboard(
            self._history, self._console, on_quit=session.quit, on_reset=reset, on_line=notice
        ):
            yield

    def _close(self) -> None:
        if self._history.snapshot().start is None:
            return
        summary = self._history.summary()
        try:
            if self._console is not None:
                from streamer.dashboard.closing import closing
                from streamer.dashboard.look import Look

                look = Look.of(self._console)
                # The terminal may be closed by now: the file is written all the same.
                with contextlib.suppress(OSError):
                    self._console.print(closing(summary, self._console.width, look))
                    self._console.line()  # a picture ends without one
        finally:
            if self._summary is not None:
                text = json.dumps(summary.to_dict(), ensure_ascii=False, indent=2)
                with writing(self.options.summary):
                    self._summary.path.write_text(text + "\n", encoding="utf-8", errors="replace")
                self._summary.finish()


def _console(options: SessionOptions) -> Console | None:
    """The terminal on standard error, if there is to be a dashboard on it."""
    if not options.dashboard or options.quiet or sys.stderr is None or not sys.stderr.isatty():
        return None
    from streamer.dashboard.dashboard import Dashboard
    from streamer.dashboard.terminal import Terminal

    console = Terminal(stderr=True)
    return console if Dashboard.fits(console) else None
