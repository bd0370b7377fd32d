"""The plane of valence and arousal: where the music is, where it came from, and how sure that is.

Across is valence, up is arousal, both from -1 to 1. The point is the newest estimate, the glow
around it one and two of its deviations, the trail the last ten seconds. Nothing is smoothed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.style import Style

from streamer.circumplex import MOODS
from streamer.dashboard.canvas import Canvas
from streamer.dashboard.look import DIM, Look
from streamer.events import Estimate
from streamer.sinks.history import TRAIL_S, Snapshot

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


#: Ranks of the dots, the later above the earlier; and their marks where only ASCII is.
_GLOW, _OLDEST, _OLD, _YOUNG, _NEW, _POINT = range(1, 7)
_ASCII = " :..o*@"
#: The words of the circle stand at this distance from the middle.
_RING = 0.84
#: From this size on (inside the frame) the plane carries the circle of words.
_RING_WIDTH, _RING_HEIGHT = 34, 11
#: Density of the glow at the point, and how many deviations it reaches.
_GLOW_PEAK, _GLOW_REACH = 0.42, 2.0
#: From so many dots across on, the point is drawn larger.
_LARGE = 120
#: Order in which the dots of a 4 x 4 tile light up (Bayer 1973): an even, standing pattern.
_BAYER = (
    np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], dtype=np.float64) + 0.5
) / 16


def draw_plane(
    canvas: Canvas, left: int, top: int, width: int, height: int, snapshot: Snapshot, look: Look
) -> None:
    """Draw the plane into a rectangle of the canvas, its frame included."""
    _frame(canvas, left, top, width, height, look)
    left, top, width, height = left + 1, top + 1, width - 2, height - 2
    if width < 5 or height < 3:
        return
    estimate = snapshot.latest
    marks = "" if look.unicode else _ASCII

    def ink(rank: int, x: int, y: int) -> Style:
        return _ink(look, rank, 2 * (x + 0.5) / width - 1, 1 - 2 * (y + 0.5) / height)

    # From the ground up: axes, the glow, words that stay readable on it, the trail, the point.
    _axes(canvas, left, top, width, height, look)
    if estimate is not None and estimate.valence is not None and estimate.arousal is not None:
        glow = Dots(width, height)
        _glow(glow, estimate)
        around = _ink(look, _GLOW, estimate.valence, estimate.arousal)
        glow.paint(canvas, left, top, lambda *_: around, ascii_marks=marks)
    _names(canvas, left, top, width, height, estimate, look)
    if width >= _RING_WIDTH and height >= _RING_HEIGHT:
        reading = snapshot.reading
        _ring(canvas, left, top, width, height, reading.mood if reading else None, look)
    path = Dots(width, height)
    _trail(path, snapshot)
    if estimate is not None and estimate.valence is not None:
        _point(path, estimate)
    path.paint(canvas, left, top, ink, ascii_marks=marks)


def _ink(look: Look, rank: int, valence: float, arousal: float) -> Style:
    """The style of a rank at a place: colour says where, brightness says when."""
    if rank == _OLDEST:
        return DIM
    return look.tint(valence, arousal, bold=rank > _OLD, dim=rank == _GLOW)


def place(valence: float, arousal: float, dots: Dots) -> tuple[float, float]:
    """Where a point of the plane lies among the dots, from the upper left."""
    return (
        (max(-1.0, min(1.0, valence)) + 1) / 2 * (dots.width - 1),
        (1 - max(-1.0, min(1.0, arousal))) / 2 * (dots.height - 1),
    )


def _frame(canvas: Canvas, left: int, top: int, width: int, height: int, look: Look) -> None:
    across, down = ("─", "│") if look.unicode else ("-", "|")
    above, below = (("╭", "╮"), ("╰", "╯")) if look.unicode else (("+", "+"), ("+", "+"))
    right, bottom = left + width - 1, top + height - 1
    for y, (first, last) in ((top, above), (bottom, below)):
        canvas.write(left, y, first + across * (width - 2) + last, DIM)
    for y in range(top + 1, bottom):
        canvas.put(left, y, down, DIM)
        canvas.put(right, y, down, DIM)
    up, ahead = ("▲", "▶") if look.unicode else ("^", ">")
    canvas.write_centred(left, width, top, f" arousal {up} ", DIM)
    canvas.write_right(right - 1, bottom, f" valence {ahead} ", DIM)


def _axes(canvas: Canvas, left: int, top: int, width: int, height: int, look: Look) -> None:
    across, down, cross = ("╌", "┊", "┼") if look.unicode else ("-", ":", "+")
    middle_x, middle_y = left + width // 2, top + height // 2
    canvas.write(left, middle_y, across * width, DIM)
    for y in range(top, top + height):
        canvas.put(middle_x, y, down, DIM)
    canvas.put(middle_x, middle_y, cross, DIM)


def _names(
    canvas: Canvas,
    left: int,
    top: int,
    width: int,
    height: int,
    estimate: Estimate | None,
    look: Look,
) -> None:
    """The names of the quadrants, in capitals, in their corners; the one we are in stands out."""
    corners = {"happy": (1, 0), "tense": (0, 0), "sad": (0, 1), "calm": (1, 1)}
    now = estimate.quadrant if estimate is not None else None
    for name, (right, low) in corners.items():
        y = top + height - 1 if low else top
        ink = look.ink(name, bold=True) if name == now else look.ink(name, dim=True)
        word = name.upper()
        if right:
            canvas.write_right(left + width - 1, y, word, ink)
        else:
            canvas.write(left + 1, y, word, ink)


def _ring(
    canvas: Canvas,
    left: int,
    top: int,
    width: int,
    height: int,
    mood: str | None,
    look: Look,
) -> None:
    """The twelve words around the plane, each at its own angle; the present one stands out."""
    for degrees, word in MOODS.items():
        valence = _RING * math.cos(math.radians(degrees))
        arousal = _RING * math.sin(math.radians(degrees))
        x = left + (valence + 1) / 2 * (width - 1) - (len(word) - 1) / 2
        y = top + (1 - arousal) / 2 * (height - 1)
        x = max(left, min(left + width - len(word), round(x)))
        ink = look.tint(valence, arousal, bold=True) if word == mood else DIM
        canvas.write(int(x), round(y), word, ink)


def _glow(dots: Dots, estimate: Estimate) -> None:
    """The uncertainty: an even pattern of dots, thinner the less likely the place."""
    x0, y0 = place(estimate.valence or 0.0, estimate.arousal or 0.0, dots)
    across = max(1.0, (estimate.valence_sd or 0.0) / 2 * (dots.width - 1))
    up = max(1.0, (estimate.arousal_sd or 0.0) / 2 * (dots.height - 1))
    x = (np.arange(dots.width, dtype=np.float64) - x0) / across
    y = (np.arange(dots.height, dtype=np.float64) - y0) / up
    far = x[None, :] ** 2 + y[:, None] ** 2
    tiles = np.tile(_BAYER, (dots.height // 4 + 1, dots.width // 4 + 1))
    lit = _GLOW_PEAK * np.exp(-far / 2) > tiles[: dots.height, : dots.width]
    lit &= far <= _GLOW_REACH**2
    # One deviation is drawn as a line of its own: a size that can be read off.
    turn = np.linspace(0, 2 * np.pi, max(16, round(1.2 * np.pi * (across + up))), endpoint=False)
    dots.ranks[lit] = _GLOW
    dots.add(x0 + across * np.cos(turn), y0 + up * np.sin(turn), _GLOW)


def _trail(dots: Dots, snapshot: Snapshot) -> None:
    """The last ten seconds: brighter the younger, the oldest part thinned out."""
    if not snapshot.trail:
        return
    points = np.array(snapshot.trail, dtype=np.float64)
    t = points[:, 0]
    x = (np.clip(points[:, 1], -1, 1) + 1) / 2 * (dots.width - 1)
    y = (1 - np.clip(points[:, 2], -1, 1)) / 2 * (dots.height - 1)
    # A silence or a gap interrupts the line: nothing is known of the way between.
    for part in np.split(np.arange(t.size), np.nonzero(np.diff(t) > 0.5)[0] + 1):
        path_x, path_y, at = along(x[part], y[part])
        age = snapshot.t - np.interp(at, np.arange(part.size, dtype=np.float64), t[part])
        _mark_by_age(dots, path_x, path_y, age / TRAIL_S)


def _mark_by_age(dots: Dots, x: Floats, y: Floats, age: Floats) -> None:
    ranks = np.select(
        [age < 0.12, age < 0.4, age < 0.7], [_NEW, _YOUNG, _OLD], default=_OLDEST
    ).astype(np.uint8)
    standing = (np.rint(x) + np.rint(y)) % 2 == 0
    kept = (age <= 1.0) & (standing | (age < 0.4))
    dots.add(x[kept], y[kept], ranks[kept])


def _point(dots: Dots, estimate: Estimate) -> None:
    """The newest estimate: a full disc in a clear ring, placed to the dot."""
    x, y = place(estimate.valence or 0.0, estimate.arousal or 0.0, dots)
    columns = np.arange(dots.width)[None, :] - round(x)
    rows = np.arange(dots.height)[:, None] - round(y)
    far = columns**2 + rows**2
    large = dots.width >= _LARGE
    dots.ranks[far <= (20 if large else 10)] = 0
    dots.ranks[far <= (10 if large else 5)] = _POINT
