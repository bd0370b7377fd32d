"""Drawing finer than a cell: eight braille dots in each, or one ASCII mark where there is no more.

Each dot has a rank, and a cell takes its ink from the ranks of its dots joined: the highest
(``numpy.maximum``) or all of them as bits (``numpy.bitwise_or``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.style import Style

from streamer.dashboard.canvas import Canvas

#: The bit of each dot in a cell of braille, by row and column (Unicode, block 2800).
_BITS = [
    [np.uint8(left), np.uint8(right)]
    for left, right in ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
]

Floats = NDArray[np.float64]


class Dots:
    """A sheet of dots, two wide and four high in each cell; rank 0 is an empty dot."""

    def __init__(self, width: int, height: int, join: np.ufunc = np.maximum) -> None:
        self.width, self.height = 2 * width, 4 * height
        self._join = join
        self.ranks = np.zeros((self.height, self.width), dtype=np.uint8)

    def add(self, x: Floats, y: Floats, rank: int | NDArray[np.uint8]) -> None:
        """Set dots; x, y: (n,) in dots from the upper left, cut off outside."""
        column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
        inside = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        ranks = np.broadcast_to(np.asarray(rank, dtype=np.uint8), column.shape)[inside]
        self._join.at(self.ranks, (row[inside], column[inside]), ranks)

    def paint(
        self,
        canvas: Canvas,
        left: int,
        top: int,
        ink: Callable[[int, int, int], Style],
        *,
        ascii_marks: str = "",
    ) -> None:
        """Put the dots on a canvas; cells without a dot stay as they are.

        ``ink(rank, x, y)`` gives the style of a cell by its joined rank; ``ascii_marks[rank]``,
        where given, stands for the whole cell.
        """
        corners = [(row, column) for row in range(4) for column in range(2)]
        planes = [self.ranks[row::4, column::2] for row, column in corners]
        joined = planes[0].copy()
        bits = np.zeros_like(joined)
        for (row, column), ranks in zip(corners, planes, strict=True):
            self._join(joined, ranks, out=joined)
            bits += (ranks != 0) * _BITS[row][column]
        rows, columns = np.nonzero(joined)
        found = zip(
            rows.tolist(),
            columns.tolist(),
            joined[rows, columns].tolist(),
            bits[rows, columns].tolist(),
            strict=True,
        )
        for y, x, rank, pattern in found:
            mark = ascii_marks[rank] if ascii_marks else chr(0x2800 + pattern)
            canvas.put(left + x, top + y, mark, ink(rank, x, y))


def along(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """A path through points, about one step a dot.

    x, y: (n,) in dots. Returns x, y and the position on the path in points, from 0 to n - 1.
    """
    if x.size < 2:
        return x, y, np.zeros(x.size)
    lengths = np.maximum(np.abs(np.diff(x)), np.abs(np.diff(y)))
    walked = np.concatenate(([0.0], np.cumsum(np.maximum(lengths, 1e-9))))
    steps = np.linspace(0.0, walked[-1], max(2, int(np.ceil(walked[-1])) + 1))
    at = np.interp(steps, walked, np.arange(x.size, dtype=np.float64))
    points = np.arange(x.size, dtype=np.float64)
    return np.interp(at, points, x), np.interp(at, points, y), at
