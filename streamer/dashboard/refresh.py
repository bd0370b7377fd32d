"""A Rich ``Live`` that writes only what changed, and seldom enough to stay cheap."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import Segment

from streamer.dashboard.canvas import Line, Picture

#: Pictures a second, and the share of a core that drawing them may take: beyond, the rate falls. A
#: session on the wall is to take 4 % in all.
RATE, _BUDGET = 12.0, 0.02
#: Where the computer is slow, so many a second are worth up to so much of a core.
_FEWEST, _MOST = 2.0, 0.10
#: Seconds after which all lines are written again: heals what another program scribbled.
_HEAL_S = 4.0
#: Seconds for which the end of the refresh thread is waited for.
_JOIN_S = 2.0

Size = tuple[int, int]


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
        self._draw, self._clock, self._cpu = draw, clock, cpu
        self._shown: tuple[Line, ...] = ()
        self._size: Size = (0, 0)
        self._picture: Picture | None = None  # the last one, and whether it was written in part
        self._torn = False
        self._not_before = self._healed = -1.0
        self._cost = 0.0
        self.failure: Exception | None = None
        self.pictures = 0

    def start(self, refresh: bool = False) -> None:
        """Take over the screen; begins with an empty one."""
        self._shown, self._size = (), (0, 0)
        super().start(refresh)

    def stop(self) -> None:
        """Give the screen back; the refresh thread has ended then, unless this is it."""
        thread = self._refresh_thread
        super().stop()
        # It holds the session, and with it what must be gone before Python ends. A terminal that
        # takes nothing (Ctrl-S) may hold it up: that is not waited for.
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_S)

    def is_its_thread(self) -> bool:
        """Whether this is the thread that refreshes."""
        return threading.current_thread() is self._refresh_thread

    def refresh(self) -> None:
        """Draw the next picture, unless nothing changed or drawing has become too dear."""
        with self._lock:
            now = self._clock()
            if self.failure is not None or now < self._not_before or not self._started:
                return
            begun = self._cpu()
            try:
                drawn = self._update(now)
            except BlockingIOError:
                self._torn, self._size = True, (0, 0)  # it did not take all: anew next time
                return
            except OSError:
                # The terminal is gone: there is nobody to draw for.
                self._not_before = float("inf")
                return
            except Exception as failure:
                self.failure = failure
                return
            if drawn:
                cost = self._cpu() - begun
                self._cost = cost if not self.pictures else 0.8 * self._cost + 0.2 * cost
                rest = min(self._cost / _BUDGET, 1 / _FEWEST)
                self._not_before = now + max(rest, self._cost / _MOST)
                self.pictures += 1

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Nothing is added to what is printed: the picture is written by ``refresh`` alone."""
        return renderables

    def _update(self, now: float) -> bool:
        size = _size(self.console)
        resized = size != self._size
        picture = self._draw(size)
        if resized:
            picture = picture or self._draw(size)
        if picture is None and self._torn:
            picture = self._picture
        if picture is None:
            return False
        self._picture = picture
        if resized:
            self.console.control(Control.clear())
        if resized or len(picture.lines) != len(self._shown) or now - self._healed > _HEAL_S:
            self._shown, self._healed = (), now
        changes = _Changes(self._shown, picture.lines)
        if changes.segments:
            self.console.print(changes, end="", crop=False, soft_wrap=True)
        self._shown, self._size, self._torn = picture.lines, size, False
        return True


def _size(console: Console) -> Size:
    """The terminal's own size, which Rich would not look at where ``COLUMNS`` is exported."""
    try:
        size = os.get_terminal_size(console.file.fileno())
    except (OSError, ValueError):
        return console.size
    return (size.columns, size.lines) if size.columns and size.lines else console.size
