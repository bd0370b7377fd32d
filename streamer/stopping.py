"""How a running loop is asked to end: between two pieces, or out of the wait for the next one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

Piece = TypeVar("Piece")


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Raised out of the wait for the next piece when the loop is told to stop."""


class Abandoned(BaseException):
    """Raised out of whatever is under way when the loop is told to stop and does not.

    A line that nobody reads may be what it hangs at: no further one is written.
    """


class Stop:
    """The request to stop, and the wait that it may break off."""

    def __init__(self) -> None:
        self._asked = False
        self._waiting = False

    def ask(self, *, interrupt: bool = False) -> None:
        """Ask the loop to end.

        ``interrupt`` is for signal handlers, which run in the main thread: a wait for the next
        piece is broken off at once, while a line being written is finished first.
        """
        self._asked = True
        if interrupt and self._waiting:
            raise Stopped

    def next(self, pieces: Iterator[Piece]) -> Piece | None:
        """The next piece; ``None`` at the end, or once somebody asked."""
        self._waiting = True
        try:
            # A signal that came before `_waiting` was set must not wait for a piece.
            return None if self._asked else next(pieces, None)
        finally:
            self._waiting = False
