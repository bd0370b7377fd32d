"""The running dashboard: Rich's refresh thread looks for keys and pulls a picture."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from rich.console import Console

from streamer.dashboard.canvas import Picture
from streamer.dashboard.look import Look
from streamer.dashboard.picture import render
from streamer.dashboard.refresh import RATE, CalmLive, Size
from streamer.dashboard.terminal import Aside, Keys
from streamer.dashboard.timeline import clock as spoken
from streamer.sinks.history import Snapshot


class Pictured(Protocol):
    """What the dashboard is drawn from."""

    def snapshot(self) -> Snapshot:
        """The present state, cheaply and from any thread."""


def stop_process() -> None:
    """Stop as Ctrl-Z does, with the rest of the pipe, until the shell lets the job go on."""
    os.killpg(os.getpgrp(), signal.SIGTSTP)


def in_background(console: Console) -> bool:
    """Whether another job of the shell has the console's terminal."""
    try:
        return os.tcgetpgrp(console.file.fileno()) != os.getpgrp()
    except (OSError, ValueError, AttributeError):  # it is nobody's, or no terminal; or Windows
        return False


#: How often a dashboard in the background looks whether it has the terminal again, in seconds.
_LOOK_S = 0.1


class Dashboard:
    """Shows a history on a terminal while the context lasts.

    ``console`` should write to standard error. ``on_quit`` and ``on_reset`` are called from the
    refresh thread when ``q`` or ``r`` is pressed; space freezes the picture and lets it go; Ctrl-Z
    gives the terminal back and calls ``stop_process`` until that returns. While it is ``away``, in
    the background, the terminal is the shell's, and the session goes on without a picture. What
    others write to standard error meanwhile goes to ``on_line``, and to standard error when all is
    over.
    """

    def __init__(
        self,
        history: Pictured,
        console: Console,
        *,
        on_quit: Callable[[], None] = lambda: None,
        on_reset: Callable[[], None] = lambda: None,
        on_line: Callable[[str], None] | None = None,
        open_keys: Callable[[], Keys | None] = Keys.open,
        stop_process: Callable[[], None] = stop_process,
        away: Callable[[Console], bool] = in_background,
        rate: float = RATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history, self._console = history, console
        self._on_quit, self._on_reset, self._on_line = on_quit, on_reset, on_line
        self._open_keys, self._stop_process = open_keys, stop_process
        self._look = Look.of(console)
        self._away = away
        self._switch, self._over = threading.Lock(), threading.Event()
        self._keys: Keys | None = None
        self._aside: Aside | None = None
        self._frozen: Snapshot | None = None
        self._taken = False
        self._drawn: tuple[object, ...] = ()
        self.live = CalmLive(console, self._draw, rate=rate, clock=clock)

    @staticmethod
    def fits(console: Console) -> bool:
        """Whether a console is a terminal that can move its cursor."""
        return console.is_terminal and not console.is_dumb_terminal

    def __enter__(self) -> Dashboard:
        self._over.clear()
        self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        with self._switch:
            self.suspend()
        if self.live.failure is not None and error is None:
            raise self.live.failure

    def resume(self) -> None:
        """Take over the terminal (again)."""
        self._drawn = ()
        self._taken = True
        atexit.register(self.suspend)
        try:
            self._keys = self._open_keys()
            if self._console.stderr:
                self._aside = Aside.take_over(self._on_line or (lambda _: None))
            self.live.start(refresh=True)
        except BaseException:
            self.suspend()
            raise

    def suspend(self) -> None:
        """Give the terminal back as it was: cursor, echo, and what stood there before."""
        if not self._taken:
            return
        try:
            with contextlib.suppress(OSError):
                self.live.stop()
        except BaseException:
            # A second Ctrl-C in the middle of it: what it did not reach is done here.
            with contextlib.suppress(OSError):
                self._console.show_cursor(True)
                self._console.set_alt_screen(False)
            raise
        finally:
            self._close()
            self._taken = False
            atexit.unregister(self.suspend)

    def _close(self) -> None:
        keys, self._keys = self._keys, None
        if keys is not None:
            keys.close()
        aside, self._aside = self._aside, None
        if aside is not None:
            with contextlib.suppress(OSError):
                aside.give_back()

    def press(self, key: str) -> None:
        """Do what a key stands for; other keys do nothing."""
        if key in "qQ":
            self._on_quit()
        elif key in "rR":
            self._on_reset()
        elif key == "\x1a":
            self.suspend()
            self._stop_process()
            self._come_back()
        elif key == " ":
            self._frozen = None if self._frozen is not None else self._history.snapshot()

    def _come_back(self) -> None:
        """Take over the terminal once it is this job's, unless all is over by then."""
        # It waits first: a process that stops itself goes on for a moment before it stands still.
        while not self._over.wait(_LOOK_S) and self._away(self._console):
            pass
        if not self._over.is_set():
            with self._switch:
                if not self._over.is_set():
                    self.resume()

    def _draw(self, size: Size) -> Picture | None:
        # (The first picture is drawn by who takes over the terminal, and has other things to do.)
        if self.live.is_its_thread() and self._away(self._console):
            self.suspend()
            self._come_back()
            return None
        for key in self._keys.poll() if self._keys is not None else "":
            self.press(key)
        snapshot = self._frozen or self._history.snapshot()
        drawn = (snapshot.version, snapshot.waiting_s, size, self._frozen is None)
        if drawn == self._drawn:
            return None
        self._drawn = drawn
        frozen = self._frozen is not None
        return render(snapshot, size, self._look, self._hint(size), urgent=frozen)

    def _hint(self, size: Size) -> str:
        if self._frozen is not None:
            return f"FROZEN at {spoken(self._frozen.t)}: space goes on"
        if self._keys is None:
            return ""
        return "q quit  r new song  space freeze" if size[0] >= 80 else "q  r  space"
