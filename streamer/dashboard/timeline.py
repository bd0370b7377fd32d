"""Valence and arousal over the last minute or more, with its gaps, and where nothing was judged.

Each has a strip of its own, filled from zero up or down: real curves often run close together, and
would hide each other on one scale. The scale is ±0.5 until something visible goes beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style

from streamer.dashboard.canvas import Canvas, Line
from streamer.dashboard.look import BOLD, DIM, Look
from streamer.sinks.history import BIN_S, Bin

#: The strips, from above.
AXES = ("valence", "arousal")
#: Cells on the left for the names of the strips and the scale.
NAMES = 8
#: Bins in one cell, and in a window where that would show less than a minute.
_BINS, _BINS_SHORT = 2, 3
_UP = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class _Cell:
    """What one column of cells shows; values are means, ``None`` where nothing was judged."""

    valence: float | None
    arousal: float | None
    silent: bool
    lost: bool
    no_music: bool


_Drawn = tuple[tuple[Bin, ...], tuple[int, int, int, Look], tuple[Line, ...]]
_drawn: _Drawn | None = None


def timeline(
    bins: tuple[Bin, ...], width: int, height: int, margin: int, look: Look
) -> tuple[Line, ...]:
    """Two strips of curves and the axis of time, as ``height`` lines.

    The bins of a history stay the same object for half a second, in which the lines made from
    them are kept: the same lines, at no cost.
    """
    global _drawn  # noqa: PLW0603 - one entry, replaced whole, so that threads cannot disagree
    wanted, kept = (width, height, margin, look), _drawn
    if kept is not None and kept[0] is bins and kept[1] == wanted:
        return kept[2]
    canvas = Canvas(width, height)
    _draw(canvas, margin, width - 2 * margin, bins, look)
    _drawn = (bins, wanted, canvas.picture().lines)
    return _drawn[2]


def _draw(canvas: Canvas, left: int, width: int, bins: tuple[Bin, ...], look: Look) -> None:
    span, half = width - NAMES, (canvas.height - 1) // 4
    if span < 4 or half < 1:
        return
    group = _BINS if span * _BINS * BIN_S >= 60 else _BINS_SHORT
    last = bins[-1].index // group if bins else -1
    cells = _cells(bins, span, group, last)
    reach = _reach(cells)
    # Where the height is odd, the line that is left over keeps the strips apart.
    tops = (0, canvas.height - 1 - 2 * half)
    for name, top in zip(AXES, tops, strict=True):
        ink = look.ink(name)
        canvas.write(left, top, name, look.ink(name, bold=True), limit=NAMES)
        _strip(canvas, left + NAMES, top, half, span, look, _values(cells, name, reach), ink)
    _marks(canvas, left + NAMES, canvas.height - 1, tops, half, cells, look)
    scale = f"{'±' if look.unicode else '+-'}{reach:g}"
    canvas.write(left, canvas.height - 1, scale, DIM)
    _time(canvas, left + NAMES, canvas.height - 1, span, last, group * BIN_S, look)


def _cells(bins: tuple[Bin, ...], span: int, group: int, last: int) -> dict[int, _Cell]:
    """What is known of each column, 0 at the left edge; nothing where nothing is known."""
    gathered: dict[int, list[Bin]] = {}
    for entry in bins[-(span + 1) * group :]:
        column = entry.index // group - last + span - 1
        if column >= 0:
            gathered.setdefault(column, []).append(entry)
    cells = {}
    for column, entries in gathered.items():
        valence = [entry.valence for entry in entries if entry.valence is not None]
        arousal = [entry.arousal for entry in entries if entry.arousal is not None]
        cells[column] = _Cell(
            sum(valence) / len(valence) if valence else None,
            sum(arousal) / len(arousal) if arousal else None,
            any(entry.silent for entry in entries),
            any(entry.lost for entry in entries),
            any(entry.no_music for entry in entries),
        )
    return cells


def _reach(cells: dict[int, _Cell]) -> float:
    """The end of the scale: 0.5, or what of 0.75 and 1 holds all that is visible."""
    values = [
        abs(value)
        for cell in cells.values()
        for value in (cell.valence, cell.arousal)
        if value is not None
    ]
    highest = max(values, default=0.0)
    return next((reach for reach in (0.5, 0.75) if highest <= reach), 1.0)


def _values(cells: dict[int, _Cell], name: str, reach: float) -> dict[int, float]:
    """One axis by column, as shares of the scale in [-1, 1]."""
    found = {column: getattr(cell, name) for column, cell in cells.items()}
    return {
        column: max(-1.0, min(1.0, value / reach))
        for column, value in found.items()
        if value is not None
    }


def _strip(
    canvas: Canvas,
    left: int,
    top: int,
    half: int,
    span: int,
    look: Look,
    values: dict[int, float],
    ink: Style,
) -> None:
    """Fill from zero to each value, to an eighth of a cell; ``half`` lines up, ``half`` down."""
    zero = top + half - 1
    canvas.write(left, zero, ("▁" if look.unicode else "_") * span, DIM)
    # A block is filled from below: reversed, what it leaves out is filled from above.
    reverse = ink + Style(reverse=True)
    for column, value in values.items():
        eighths = round(abs(value) * half * 8)
        for row in range(half):
            filled = max(0, min(8, eighths - 8 * row))
            if not filled:
                break
            y = zero - row if value > 0 else zero + 1 + row
            if not look.unicode:
                canvas.put(left + column, y, "#" if filled >= 4 else "_", ink)
            elif value > 0 or filled == 8:
                canvas.put(left + column, y, _UP[filled], ink)
            else:
                canvas.put(left + column, y, _UP[8 - filled], reverse)


def _marks(
    canvas: Canvas,
    left: int,
    axis: int,
    tops: tuple[int, int],
    half: int,
    cells: dict[int, _Cell],
    look: Look,
) -> None:
    """Silence and no music shaded, gaps as bars across both strips; each named once, below."""
    shade, bar = ("░", "┃") if look.unicode else (".", "!")
    warn = look.ink("warn", bold=True)
    unjudged: dict[str, list[int]] = {"silence": [], "no music": []}
    free = 0
    for column, cell in sorted(cells.items()):
        if cell.lost:
            for y in range(tops[0], tops[1] + 2 * half):
                canvas.put(left + column, y, bar, warn)
            if column >= free:
                free = canvas.write(left + column, axis, "gap", warn) + 1 - left
        elif (cell.silent or cell.no_music) and cell.valence is None:
            for top in tops:
                for y in range(top, top + 2 * half):
                    canvas.put(left + column, y, shade, DIM)
            unjudged["no music" if cell.no_music else "silence"].append(column)
    for name, columns in unjudged.items():
        if len(columns) >= len(name):
            canvas.write(left + columns[0], axis, name, BOLD)


def _time(
    canvas: Canvas, left: int, y: int, span: int, last: int, cell_s: float, look: Look
) -> None:
    """Stream time below, a mark each ten seconds that moves along with the curves."""
    tick = "╵" if look.unicode else "'"
    end_s = (last + 1) * cell_s
    first_s = max(0.0, end_s - span * cell_s)
    for second in range(-int(-first_s // 10) * 10, int(end_s) + 1, 10):
        x = left + span - 1 - last + int(second / cell_s)
        label = f"{tick}{clock(second)}"
        wide = second % 20 == 0 and x + len(label) <= left + span
        text = label if wide else tick
        if x + len(text) <= left + span and canvas.is_free(x, y, len(text) + 1):
            canvas.write(x, y, text, DIM)


def clock(seconds: float) -> str:
    """A time of the stream as a person says it: 1:05, 1:02:05."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    tail = f"{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
    return f"{hours}:{tail}" if hours else tail
