"""The terminal under the dashboard: keys looked for without waiting, and standard error set aside.

The refresh thread asks for keys at each of its turns, so that no further thread is needed. What is
said on standard error meanwhile is kept, and said when the dashboard is over.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import re
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from rich.console import Console

#: Lines kept for the end; the oldest go first.
_LINES = 50


class Terminal(Console):
    """A Rich console whose reader may go away: that is an ``OSError`` like any other.

    Rich itself would put nothing in the place of standard output then, whose lines may well be
    read, and raise ``SystemExit``.
    """

    def on_broken_pipe(self) -> None:
        """Raise the ``BrokenPipeError`` that called for this."""
        raise  # noqa: PLE0704 - Rich calls this where it handles the error


class Aside(io.TextIOBase):
    """Stands for standard error: lines go to ``on_line`` and are held back until ``close``.

    Rich writes past it to the terminal (``rich_proxied_file``).
    """

    def __init__(self, terminal: TextIO, on_line: Callable[[str], None]) -> None:
        self.rich_proxied_file = terminal
        self._on_line = on_line
        self._begun = ""
        self._held: deque[str] = deque(maxlen=_LINES)

    @classmethod
    def take_over(cls, on_line: Callable[[str], None]) -> Aside:
        """Put itself in the place of ``sys.stderr``."""
        aside = cls(sys.stderr, on_line)
        sys.stderr = aside
        return aside

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the terminal."""
        return self.rich_proxied_file.encoding

    def writable(self) -> bool:
        """It can be written to."""
        return True

    def isatty(self) -> bool:
        """Whether it stands for a terminal."""
        return self.rich_proxied_file.isatty()

    def fileno(self) -> int:
        """The terminal's descriptor."""
        return self.rich_proxied_file.fileno()

    def write(self, text: str) -> int:
        """Hold text back; every line that it completes is told."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._held.append(line)
            if line.strip():
                self._on_line(line)
        return len(text)

    def give_back(self) -> None:
        """Put standard error back and say there what was held; may be called twice."""
        if sys.stderr is self:
            sys.stderr = self.rich_proxied_file
        if self._begun:
            self._held.append(self._begun)
            self._begun = ""
        while self._held:
            self.rich_proxied_file.write(self._held.popleft() + "\n")
        self.rich_proxied_file.flush()


try:
    import termios
except ImportError:  # Windows: the dashboard works without keys, Ctrl-C ends it.
    termios = None  # type: ignore[assignment]


#: What terminals send for one key or one answer (ECMA-48; the Linux console's F1 to F5 have two
#: brackets), Alt and a letter among it; also a click as old mice tell it (three bytes of any kind)
#: and what is pasted between brackets, where a program before this one left them on.
_SEQUENCE = re.compile(
    rb"\x1b(?:\[\[.|\[M...|\[200~.*?\x1b\[201~|\[(?!M|200~)[0-?]*[ -/]*[@-Z\\-~]|O[0-9;]*[^0-9;]"
    rb"|[\]P_^X].*?(?:\x07|\x1b\\)|[^\[O\]P_^X\x1b])",
    re.DOTALL,
)
#: Bytes of the longest sequence that is waited for.
_LONGEST = 4096


class Keys:
    """A terminal that hands over each key at once and unseen, until it is closed."""

    def __init__(self, descriptor: int, *, owned: bool = False) -> None:
        """Take over a terminal by its file descriptor; ``owned`` ones are closed at the end.

        Raises ``OSError`` or ``termios.error`` where the descriptor is no terminal.
        """
        self._descriptor, self._owned = descriptor, owned
        self._begun = b""  # a sequence of which more is to come
        self._before: list[Any] | None = termios.tcgetattr(descriptor)
        manners = termios.tcgetattr(descriptor)
        manners[3] &= ~(termios.ECHO | termios.ICANON)
        manners[6][termios.VMIN], manners[6][termios.VTIME] = 1, 0
        # Ctrl-Z comes as a key: the screen must be given back before the program stops.
        manners[6][termios.VSUSP] = bytes((os.fpathconf(descriptor, "PC_VDISABLE") & 0xFF,))
        with _in_background_too():
            termios.tcsetattr(descriptor, termios.TCSANOW, manners)
        atexit.register(self.close)

    @classmethod
    def open(cls) -> Keys | None:
        """The keys of standard input if that is a terminal, else of the controlling terminal.

        ``None`` where there is neither, or where another program has it.
        """
        if termios is None:
            return None
        descriptor, owned = 0, False
        try:
            if sys.stdin is None or not os.isatty(descriptor):
                descriptor, owned = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY), True
            if os.tcgetpgrp(descriptor) == os.getpgrp():
                return cls(descriptor, owned=owned)
        except (OSError, termios.error):
            pass
        if owned:
            os.close(descriptor)
        return None

    def poll(self) -> str:
        """The characters typed since the last call; never waits.

        A function key, an arrow or a terminal's answer is a sequence that begins with Escape: the
        letters in it are no letters that somebody typed.
        """
        if self._before is None:
            return ""
        try:
            ready, _, _ = select.select([self._descriptor], [], [], 0)
            typed = os.read(self._descriptor, 64) if ready else b""
        except OSError:
            return ""
        if not typed or len(self._begun) > _LONGEST:
            self._begun = b""  # Escape itself, or a sequence that goes on no more
            return ""
        whole = _SEQUENCE.sub(b"", self._begun + typed)
        keys, escape, begun = whole.partition(b"\x1b")
        self._begun = escape + begun
        return keys.decode("latin-1")

    def close(self) -> None:
        """Give the terminal back as it was; may be called twice."""
        before, self._before = self._before, None
        if before is None:
            return
        atexit.unregister(self.close)
        with _in_background_too(), contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, before)
        if self._owned:
            os.close(self._descriptor)


@contextlib.contextmanager
def _in_background_too() -> Iterator[None]:
    """Let a program set its terminal right even when it was put into the background meanwhile."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
