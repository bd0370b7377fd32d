"""The running dashboard: Rich's refresh thread pulls a picture and writes what changed in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import Segment

from streamer.dashboard.canvas import Line, Picture
from streamer.dashboard.keys import Keys
from streamer.dashboard.look import Look
from streamer.dashboard.picture import render
from streamer.dashboard.timeline import clock as spoken
from streamer.sinks.history import Snapshot

#: Pictures a second, and the share of a core that drawing them may take: beyond, the rate falls.
RATE, BUDGET = 12.0, 0.10
#: Seconds after which all lines are written again: heals what another program scribbled.
_HEAL_S = 4.0

Size = tuple[int, int]


class Pictured(Protocol):
    """What the dashboard is drawn from."""

    def snapshot(self) -> Snapshot:
        """The present state, cheaply and from any thread."""


class _Changes:
    """Lines of a picture that differ from those on the screen, as a renderable."""

    def __init__(self, before: tuple[Line, ...], after: tuple[Line, ...]) -> None:
        self.segments: list[Segment] = []
        for y, line in enumerate(after):
            old = before[y] if y < len(before) else ()
            if line != old:
                self._line(y, old, line)

    def _line(self, y: int, old: Line, new: Line) -> None:
        same = 0
        while same < min(len(old), len(new)) and old[same] == new[same]:
            same += 1
        x = sum(cell_len(segment.text) for segment in new[:same])
        end = len(new)
        # Both lines have the width of the screen, so that equal ends lie in equal places.
        while old and end > same and len(old) - len(new) + end > same:
            if old[len(old) - len(new) + end - 1] != new[end - 1]:
                break
            end -= 1
        self.segments.append(Control.move_to(x, y).segment)
        self.segments.extend(new[same:end])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The segments, each run of them led to its place."""
        yield from self.segments


class CalmLive(Live):
    """A Rich ``Live`` on the alternate screen that writes only what changed.

    ``draw(size)`` gives the next picture, or ``None`` where nothing changed. ``cpu`` gives the
    seconds of computing of the present thread. A failure of drawing ends the drawing, not the
    program: it is kept in ``failure``.
    """

    def __init__(
        self,
        console: Console,
        draw: Callable[[Size], Picture | None],
        *,
        rate: float = RATE,
        budget: float = BUDGET,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        super().__init__(
            console=console,
            screen=True,
            refresh_per_second=rate,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._draw, self._budget, self._clock, self._cpu = draw, budget, clock, cpu
        self._shown: tuple[Line, ...] = ()
        self._size: Size = (0, 0)
        self._not_before = self._healed = -1.0
        self._cost = 0.0
        self.failure: Exception | None = None
        self.pictures = 0

    def start(self, refresh: bool = False) -> None:
        """Take over the screen; begins with an empty one."""
        self._shown, self._size = (), (0, 0)
        super().start(refresh)

    def refresh(self) -> None:
        """Draw the next picture, unless nothing changed or drawing has become too dear."""
        with self._lock:
            now = self._clock()
            if self.failure is not None or now < self._not_before or not self._started:
                return
            begun = self._cpu()
            try:
                drawn = self._update(now)
            except (OSError, SystemExit):
                # The terminal is gone: there is nobody to draw for.
                self._not_before = float("inf")
                return
            except Exception as failure:
                self.failure = failure
                return
            if drawn:
                cost = self._cpu() - begun
                self._cost = cost if not self.pictures else 0.8 * self._cost + 0.2 * cost
                self._not_before = now + self._cost / self._budget
                self.pictures += 1

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Nothing is added to what is printed: the picture is written by ``refresh`` alone."""
        return renderables

    def _update(self, now: float) -> bool:
        width, height = self.console.size
        resized = (width, height) != self._size
        picture = self._draw((width, height))
        if resized:
            picture = picture or self._draw((width, height))
        if picture is None:
            return False
        if resized:
            self.console.control(Control.clear())
        if resized or len(picture.lines) != len(self._shown) or now - self._healed > _HEAL_S:
            self._shown, self._healed = (), now
        changes = _Changes(self._shown, picture.lines)
        if changes.segments:
            self.console.print(changes, end="", crop=False, soft_wrap=True)
        self._shown, self._size = picture.lines, (width, height)
        return True


class Dashboard:
    """Shows a history on a terminal while the context lasts.

    ``console`` should write to standard error. ``on_quit`` and ``on_reset`` are called from the
    refresh thread when ``q`` or ``r`` is pressed; space freezes the picture and lets it go.
    """

    def __init__(
        self,
        history: Pictured,
        console: Console,
        *,
        on_quit: Callable[[], None] = lambda: None,
        on_reset: Callable[[], None] = lambda: None,
        open_keys: Callable[[], Keys | None] = Keys.open,
        rate: float = RATE,
        budget: float = BUDGET,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history, self._console = history, console
        self._on_quit, self._on_reset, self._open_keys = on_quit, on_reset, open_keys
        self._look = Look.of(console)
        self._keys: Keys | None = None
        self._frozen: Snapshot | None = None
        self._drawn: tuple[object, ...] = ()
        self.live = CalmLive(console, self._draw, rate=rate, budget=budget, clock=clock)

    @staticmethod
    def fits(console: Console) -> bool:
        """Whether a console is a terminal that can move its cursor."""
        return console.is_terminal and not console.is_dumb_terminal

    def __enter__(self) -> Dashboard:
        self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.suspend()
        if self.live.failure is not None and error is None:
            raise self.live.failure

    def resume(self) -> None:
        """Take over the terminal (again)."""
        self._keys = self._open_keys()
        self._drawn = ()
        try:
            self.live.start(refresh=True)
        except BaseException:
            self.suspend()
            raise

    def suspend(self) -> None:
        """Give the terminal back as it was: cursor, echo, and what stood there before."""
        try:
            with contextlib.suppress(OSError):
                self.live.stop()
        finally:
            keys, self._keys = self._keys, None
            if keys is not None:
                keys.close()

    def press(self, key: str) -> None:
        """Do what a key stands for; other keys do nothing."""
        if key in "qQ":
            self._on_quit()
        elif key in "rR":
            self._on_reset()
        elif key == " ":
            self._frozen = None if self._frozen is not None else self._history.snapshot()

    def _draw(self, size: Size) -> Picture | None:
        for key in self._keys.poll() if self._keys is not None else "":
            self.press(key)
        snapshot = self._frozen or self._history.snapshot()
        drawn = (snapshot.version, snapshot.waiting_s, size, self._frozen is None)
        if drawn == self._drawn:
            return None
        self._drawn = drawn
        return render(snapshot, size, self._look, self._hint(size))

    def _hint(self, size: Size) -> str:
        if self._frozen is not None:
            return f"FROZEN at {spoken(self._frozen.t)}: space goes on"
        if self._keys is None:
            return ""
        return "q quit  r new song  space freeze" if size[0] >= 80 else "q  r  space"
