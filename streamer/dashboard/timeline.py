"""Valence and arousal over the last minute or more, with its gaps and silences.

Valence is a solid line, arousal a row of separate dots; one cell is one second. The scale is ±0.5
until something visible goes beyond, then ±1: real estimates stay near the middle.
"""

from __future__ import annotations

import numpy as np
from rich.style import Style

from streamer.dashboard.canvas import Canvas, Line
from streamer.dashboard.dots import Dots, Floats, along
from streamer.dashboard.look import BOLD, DIM, Look
from streamer.sinks.history import BIN_S, Bin

#: Seconds in one cell: two columns of dots, a bin each.
CELL_S = 2 * BIN_S
_AROUSAL, _VALENCE = 1, 2
_ASCII = " o*#"
#: Cells on the left for the scale, on the right for the names of the curves.
SCALE = 5
NAMES = 10


_Drawn = tuple[tuple[Bin, ...], tuple[int, int, int, Look], tuple[Line, ...]]
_drawn: _Drawn | None = None


def timeline(
    bins: tuple[Bin, ...], width: int, height: int, margin: int, look: Look
) -> tuple[Line, ...]:
    """A heading, the curves and the axis of time, as lines.

    The bins of a history stay the same object for half a second, in which the lines made from
    them are kept: the same lines, at no cost.
    """
    global _drawn  # noqa: PLW0603 - one entry, replaced whole, so that threads cannot disagree
    wanted, kept = (width, height, margin, look), _drawn
    if kept is not None and kept[0] is bins and kept[1] == wanted:
        return kept[2]
    canvas = Canvas(width, height)
    draw_timeline(canvas, margin, 0, width - 2 * margin, height, bins, look)
    _drawn = (bins, wanted, canvas.picture().lines)
    return _drawn[2]


def draw_timeline(
    canvas: Canvas,
    left: int,
    top: int,
    width: int,
    height: int,
    history: tuple[Bin, ...],
    look: Look,
) -> None:
    """Draw into a rectangle of a canvas."""
    named = width >= 90
    span = width - SCALE - (NAMES if named else 0)
    rows = height - 2
    if span < 4 or rows < 1:
        return
    bins = _visible(history, span)
    reach = _reach(bins)
    _heading(canvas, left, top, width, bins, span, look)
    first_row, first_cell = top + 1, left + SCALE
    _scale(canvas, left, first_row, rows, reach)
    _background(canvas, first_cell, first_row, span, rows, bins, look)
    dots = Dots(span, rows, join=np.bitwise_or)
    _curves(dots, bins, reach)
    inks = (DIM, look.ink("arousal", bold=True), look.ink("valence"), BOLD)
    dots.paint(
        canvas,
        first_cell,
        first_row,
        lambda rank, *_: inks[rank],
        ascii_marks="" if look.unicode else _ASCII,
    )
    _time(canvas, first_cell, top + height - 1, span, _last_index(history), look)
    if named:
        _label_curves(canvas, first_cell + span + 1, first_row, rows, reach, history, look)


def _last_index(history: tuple[Bin, ...]) -> int:
    """The bin at the right edge: always the second of its second, so that cells stand still."""
    index = history[-1].index if history else -1
    return index | 1


def _visible(history: tuple[Bin, ...], span: int) -> dict[int, Bin]:
    """The bins by their column of dots, 0 at the left edge."""
    first = _last_index(history) - 2 * span + 1
    recent = history[-2 * span :]
    return {entry.index - first: entry for entry in recent if entry.index >= first}


def _reach(bins: dict[int, Bin]) -> float:
    """The end of the scale: 0.5, or 1 where anything visible goes beyond."""
    highest = max(
        (
            max(abs(entry.valence), abs(entry.arousal))
            for entry in bins.values()
            if entry.valence is not None and entry.arousal is not None
        ),
        default=0.0,
    )
    return 0.5 if highest <= 0.5 else 1.0


def _heading(
    canvas: Canvas, left: int, top: int, width: int, bins: dict[int, Bin], span: int, look: Look
) -> None:
    seconds = int(span * CELL_S)
    name = f"last {seconds} s" if seconds < 120 else f"last {seconds / 60:.2g} min"
    x = canvas.write(left, top, name, DIM) + 3
    solid, dotted, shade, bar = ("━━", "••", "░░", "┃") if look.unicode else ("**", "oo", "..", "!")
    marks = [
        (solid, "valence", look.ink("valence")),
        (dotted, "arousal", look.ink("arousal", bold=True)),
    ]
    if any(entry.silent for entry in bins.values()):
        marks.append((shade, "silence", DIM))
    if any(entry.lost for entry in bins.values()):
        marks.append((bar, "gap", look.ink("warn", bold=True)))
    for mark, word, ink in marks:
        if x + len(mark) + 1 + len(word) > left + width:
            break
        x = canvas.write(x, top, mark, ink) + 1
        x = canvas.write(x, top, word, ink) + 3


def _scale(canvas: Canvas, left: int, top: int, rows: int, reach: float) -> None:
    end = f"{reach:.1f}" if reach < 1 else "1"
    if rows >= 3:
        canvas.write_right(left + SCALE - 1, top, f"+{end}", DIM)
        canvas.write_right(left + SCALE - 1, top + rows - 1, f"-{end}", DIM)
    canvas.write_right(left + SCALE - 1, top + rows // 2, "0", DIM)


def _background(
    canvas: Canvas,
    left: int,
    top: int,
    span: int,
    rows: int,
    bins: dict[int, Bin],
    look: Look,
) -> None:
    """The line of zero, the silences shaded, the gaps as bars from top to bottom."""
    zero, shade, bar = ("╌", "░", "┃") if look.unicode else ("-", ".", "!")
    middle = top + rows // 2
    canvas.write(left, middle, zero * span, DIM)
    marks: dict[int, tuple[str, Style]] = {}
    for column, entry in bins.items():
        other = bins.get(column ^ 1)
        if entry.lost:
            marks[column // 2] = (bar, look.ink("warn"))
        elif (
            entry.silent
            and entry.valence is None
            and (other is None or (other.silent and other.valence is None))
        ):
            marks[column // 2] = (shade, DIM)
    for cell, (mark, ink) in marks.items():
        for y in range(top, top + rows):
            canvas.put(left + cell, y, mark, ink)


def _curves(dots: Dots, bins: dict[int, Bin], reach: float) -> None:
    """Valence joined up, arousal dot by dot; where both fall on one dot, it says so."""
    known = [
        (column, entry.valence, entry.arousal)
        for column, entry in sorted(bins.items())
        if entry.valence is not None and entry.arousal is not None
    ]
    if not known:
        return
    columns, valence, arousal = np.array(known, dtype=np.float64).T

    def row(value: Floats) -> Floats:
        return (1 - np.clip(value / reach, -1, 1)) / 2 * (dots.height - 1)

    apart = columns % 2 == 0
    lines = 2 if dots.height >= 16 else 1
    for line in range(lines):
        dots.add(columns[apart], row(arousal[apart]) + line, _AROUSAL)
    for part in np.split(np.arange(columns.size), np.nonzero(np.diff(columns) > 1)[0] + 1):
        x, y, _ = along(columns[part], row(valence[part]))
        for line in range(lines):
            dots.add(x, y + line, _VALENCE)


def _time(canvas: Canvas, left: int, y: int, span: int, last: int, look: Look) -> None:
    """Stream time below the curves, a mark each ten seconds that moves along with them."""
    tick = "╵" if look.unicode else "'"
    end_cell = (last + 1) // 2
    step = 20 if span >= 40 else 10
    for second in range(max(0, end_cell - span) // 10 * 10, end_cell + 1, 10):
        x = left + span - (end_cell - int(second / CELL_S))
        if x < left:
            continue
        label = clock(second)
        if second % step == 0 and x + len(label) + 1 <= left + span:
            canvas.write(x, y, f"{tick}{label}", DIM)
        elif x < left + span:
            canvas.put(x, y, tick, DIM)


def _label_curves(
    canvas: Canvas, x: int, top: int, rows: int, reach: float, history: tuple[Bin, ...], look: Look
) -> None:
    """The name of each curve at its newest end."""
    last = next((entry for entry in reversed(history) if entry.valence is not None), None)
    if last is None or last.valence is None or last.arousal is None:
        return

    def row(value: float) -> int:
        share = (1 - max(-1.0, min(1.0, value / reach))) / 2
        return min(rows - 1, int(share * rows))

    valence, arousal = row(last.valence), row(last.arousal)
    if valence == arousal:
        up = last.valence >= last.arousal
        valence, arousal = (valence - 1, arousal) if up else (valence, arousal - 1)
        if min(valence, arousal) < 0:
            valence, arousal = valence + 1, arousal + 1
    mark = ("━", "•") if look.unicode else ("*", "o")
    canvas.write(x, top + valence, f"{mark[0]} valence", look.ink("valence"))
    canvas.write(x, top + arousal, f"{mark[1]} arousal", look.ink("arousal", bold=True))


def clock(seconds: float) -> str:
    """A time of the stream as a person says it: 1:05, 1:02:05."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    tail = f"{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
    return f"{hours}:{tail}" if hours else tail
