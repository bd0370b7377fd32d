"""A source of sound that yields what a test gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamer.audio.source import Piece, SourceInfo


class Given:
    """A source that yields the given pieces; ``rate`` in Hz."""

    def __init__(self, rate: int, pieces: Sequence[Piece], start_s: float = 0.0) -> None:
        self.info = SourceInfo("test", "given", rate, 1, start_s)
        self._pieces = pieces
        self.closed = False

    def pieces(self) -> Iterator[Piece]:
        """The pieces, in order."""
        yield from self._pieces

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True
