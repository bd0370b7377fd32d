"""What stays in the scroll-back when a session has ended: its summary, as a picture."""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment

from streamer.dashboard.canvas import Canvas, Line, Picture, heard_name, shorten, tame
from streamer.dashboard.look import BOLD, DIM, PLAIN, Look
from streamer.dashboard.panel import bar
from streamer.dashboard.timeline import clock
from streamer.events import QUADRANTS
from streamer.sinks.summary import Axis, Summary

_WIDEST = 100
_NAME = 9
_STEPS, _ASCII_STEPS = "▁▂▃▄▅▆▇█", "_.-=+*%#"


def closing(summary: Summary, width: int, look: Look | None = None) -> Picture:
    """The picture of a summary, at most ``width`` cells wide and without trailing blanks."""
    look = look or Look()
    width = max(20, min(_WIDEST, width - 1))
    canvas = Canvas(width, 20)
    y = _title(canvas, summary, look)
    if summary.valence is None or summary.arousal is None:
        words = "nothing was judged"
        if summary.silent or summary.no_music:
            words = "no music heard" if summary.no_music else "silence all the way"
        canvas.write(2, y, words, PLAIN)
        y += 1
    else:
        y = _shares(canvas, y, summary, look) + 1
        y = _curves(canvas, y, summary, look) + 1
        y = _moments(canvas, y, summary, look)
        y = _moods(canvas, y, summary)
    canvas.write(2, y, losses(summary), PLAIN if summary.gaps == 0 else look.ink("warn", bold=True))
    return Picture(tuple(_trimmed(line) for line in canvas.picture().lines[: y + 1]))


def as_html(summary: Summary, width: int = _WIDEST) -> str:
    """The picture of a summary for a page or a notebook: one preformatted block."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(closing(summary, width))
    picture = console.export_html(inline_styles=True, code_format="{code}")
    style = "font-family: monospace; line-height: 1.2; white-space: pre"
    return f'<pre style="{style}">{picture}</pre>'


def losses(summary: Summary) -> str:
    """Gaps and what was lost in them, in words."""
    if not summary.gaps:
        return "no gaps"
    plural = "" if summary.gaps == 1 else "s"
    return (
        f"{summary.gaps} gap{plural}: {summary.lost_samples:,} samples, {summary.lost_s:.2f} s lost"
    )


def _title(canvas: Canvas, summary: Summary, look: Look) -> int:
    about = f"{clock(summary.length_s)} heard"
    if summary.model:
        about += f" with {tame(summary.model, unicode=look.unicode)}"
    x = canvas.write(0, 0, "♪ " if look.unicode else "> ", look.ink("calm", bold=True))
    name = heard_name(summary.source, unicode=look.unicode)
    room = max(8, canvas.width - x - cell_len(about) - 2)
    x = canvas.write(x, 0, shorten(name, room, unicode=look.unicode), BOLD)
    canvas.write(x + (2 if name else 0), 0, about, DIM)
    return 2


def _shares(canvas: Canvas, y: int, summary: Summary, look: Look) -> int:
    """How the time was shared, the longest first; beside it mean and range of each axis."""
    shares = [(name, summary.quadrants.get(name, 0.0)) for name in QUADRANTS]
    shares.sort(key=lambda item: -item[1])
    beside = canvas.width >= 80
    room = max(4, min(36, canvas.width - 2 - _NAME - 8 - (38 if beside else 0)))
    unjudged = [("silent", summary.silent), ("no music", summary.no_music)]
    shares += [(name, share) for name, share in unjudged if share]
    for row, (name, share) in enumerate(shares):
        canvas.write(2, y + row, name, look.ink(name, bold=True))
        bar(canvas, 2 + _NAME, y + row, room, share, look, name)
        canvas.write_right(2 + _NAME + room + 6, y + row, f"{100 * share:3.0f} %")
    below = y + len(shares)
    x, top = (2 + _NAME + room + 12, y) if beside else (2, below)
    for row, (name, axis) in enumerate(
        (("valence", summary.valence), ("arousal", summary.arousal))
    ):
        if axis is not None:
            _axis(canvas, x, top + row, name, axis, look)
    return below if beside else below + 2


def _axis(canvas: Canvas, x: int, y: int, name: str, axis: Axis, look: Look) -> None:
    between = "±" if look.unicode else "+-"
    x = canvas.write(x, y, name.ljust(_NAME), look.ink(name, bold=True))
    x = canvas.write(x, y, f"{axis.mean:+.2f} {between} {axis.sd:.2f}", BOLD)
    canvas.write(x, y, f"  {axis.lowest:+.2f} to {axis.highest:+.2f}", DIM)


def _curves(canvas: Canvas, y: int, summary: Summary, look: Look) -> int:
    """Both axes over the whole session, each from its lowest to its highest point."""
    points = summary.outline
    room = min(canvas.width - 2 - _NAME, max(8, len(points)))
    steps = _STEPS if look.unicode else _ASCII_STEPS
    for axis, name in enumerate(("valence", "arousal")):
        canvas.write(2, y + axis, name, look.ink(name, bold=True))
        known = [point[axis] for point in points if point is not None]
        low, high = min(known), max(known)
        for cell in range(room):
            begin = cell * len(points) // room
            end = max(begin + 1, (cell + 1) * len(points) // room)
            part = [point[axis] for point in points[begin:end] if point is not None]
            if part:
                share = (sum(part) / len(part) - low) / (high - low) if high > low else 0.5
                step = steps[min(len(steps) - 1, int(share * len(steps)))]
                canvas.put(2 + _NAME + cell, y + axis, step, look.ink(name))
    first, last = clock(summary.begin_s), clock(summary.end_s)
    canvas.write(2 + _NAME, y + 2, first, DIM)
    if room >= len(first) + len(last) + 2:
        canvas.write_right(2 + _NAME + room, y + 2, last, DIM)
    return y + 3


def _moments(canvas: Canvas, y: int, summary: Summary, look: Look) -> int:
    canvas.write(2, y, "most felt", BOLD)
    for row, moment in enumerate(summary.moments, start=1):
        x = canvas.write_right(2 + 7, y + row, clock(moment.t), BOLD) + len(clock(moment.t)) + 2
        canvas.write(x, y + row, moment.mood, PLAIN)
        canvas.write(x + 10, y + row, moment.what, DIM)
        text = f"v {moment.valence:+.2f}  a {moment.arousal:+.2f}"
        if x + 27 + len(text) <= canvas.width:
            canvas.write(x + 27, y + row, text, look.ink(""))
    return y + len(summary.moments) + 1


def _moods(canvas: Canvas, y: int, summary: Summary) -> int:
    words = [f"{word} {100 * share:.0f} %" for word, share in summary.moods.items()][:3]
    canvas.write(2, y, "mostly " + ", ".join(words), PLAIN)
    return y + 1


def _trimmed(line: Line) -> Line:
    """A line without the blanks at its end: they would wrap when the window is made narrower."""
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
    return tuple(kept)
