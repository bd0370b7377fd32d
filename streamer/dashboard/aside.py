"""Standard error while the dashboard is on it: what is said is kept, and said when it is over."""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Callable
from typing import TextIO

#: Lines kept for the end; the oldest go first.
_LINES = 50


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
