"""Beside the plane: the mood's word in large letters, the numbers, the quadrants and the level."""

from __future__ import annotations

import functools

from rich.style import Style

from streamer.dashboard.canvas import Canvas
from streamer.dashboard.look import BOLD, DIM, PLAIN, Look
from streamer.events import QUADRANTS
from streamer.sinks.history import Snapshot
from streamer.sinks.meter import Level

#: Lines of cells that a word takes: seven dots above the base line, two below.
LARGE = 5
#: Cells across of the longest word of the plane.
LONGEST = 42

_DRAWN = {
    "a": "    /    / ## /   #/ ###/#  #/ ###",
    "b": "#   /#   /### /#  #/#  #/#  #/### ",
    "c": "    /    / ###/#   /#   /#   / ###",
    "d": "   #/   #/ ###/#  #/#  #/#  #/ ###",
    "e": "    /    / ## /#  #/####/#   / ###",
    "f": " ##/#  /###/#  /#  /#  /#  ",
    "g": "    /    / ###/#  #/#  #/#  #/ ###/   #/ ## ",
    "h": "#   /#   /### /#  #/#  #/#  #/#  #",
    "i": "#/ /#/#/#/#/#",
    "j": " #/  / #/ #/ #/ #/ #/ #/# ",
    "k": "#   /#   /#  #/# # /##  /# # /#  #",
    "l": "# /# /# /# /# /# / #",
    "m": "     /     /#### /# # #/# # #/# # #/# # #",
    "n": "    /    /### /#  #/#  #/#  #/#  #",
    "o": "    /    / ## /#  #/#  #/#  #/ ## ",
    "p": "    /    /### /#  #/#  #/#  #/### /#   /#   ",
    "q": "    /    / ###/#  #/#  #/#  #/ ###/   #/   #",
    "r": "   /   /# #/## /#  /#  /#  ",
    "s": "    /    / ###/#   / ## /   #/### ",
    "t": "   /#  /###/#  /#  /#  / ##",
    "u": "    /    /#  #/#  #/#  #/#  #/ ###",
    "v": "     /     /#   #/#   #/ # # / # # /  #  ",
    "w": "     /     /#   #/# # #/# # #/# # #/ # # ",
    "x": "    /    /#  #/#  #/ ## /#  #/#  #",
    "y": "    /    /#  #/#  #/#  #/#  #/ ###/   #/ ## ",
    "z": "    /    /####/   #/ ## /#   /####",
    " ": "  ",
}


@functools.lru_cache(maxsize=64)
def large(word: str, scale: int = 1) -> tuple[str, ...] | None:
    """The lines of a word in large letters, or ``None`` where a letter is not drawn here.

    ``scale`` multiplies width and height; the height is ``LARGE`` lines at 1.
    """
    if not word or any(letter not in _DRAWN for letter in word):
        return None
    rows = [""] * (2 * LARGE)
    for letter in word:
        drawn = _DRAWN[letter].split("/")
        width = len(drawn[0])
        for y in range(len(rows)):
            rows[y] += (drawn[y] if y < len(drawn) else "").ljust(width) + " "
    rows = ["".join(dot * scale for dot in row) for row in rows for _ in range(scale)]
    halves = {"  ": " ", "# ": "▀", " #": "▄", "##": "█"}
    return tuple(
        "".join(halves[a + b] for a, b in zip(upper, lower, strict=True))[:-scale]
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )


def write_large(
    canvas: Canvas, x: int, y: int, word: str, ink: Style, *, width: int, scale: int
) -> bool:
    """Write a word in large letters if it fits in ``width`` cells; says whether it did."""
    lines = large(word, scale)
    if lines is None or len(lines[0]) > width:
        return False
    for row, line in enumerate(lines):
        canvas.write(x, y + row, line, ink)
    return True


#: The level meter shows from this many dB below full scale.
_METER_DB = 60.0
#: Seconds of exact zeros after which a person should look at the cable.
_ZEROS_S = 3.0
_EIGHTHS = " ▏▎▍▌▋▊▉"
#: Cells for the name before a bar and for the value after it.
_NAME, _VALUE = 9, 7
_WIDEST_BAR = 64


def draw_panel(
    canvas: Canvas, left: int, top: int, width: int, height: int, snapshot: Snapshot, look: Look
) -> None:
    """Draw into a rectangle of the canvas; what has no room is left out, the least needed first."""
    scale = 2 if width >= 2 * LONGEST and height >= 2 * LARGE + 12 else 1
    word_rows = scale * LARGE if height >= LARGE + 8 else 1
    spare = height - word_rows - 8
    # Blank lines go where they are missed most, one after the other, until none is left.
    blanks = [0, 0, 0, 0]
    for turn in range(max(0, min(spare, 10))):
        blanks[turn % 4] += 1
    y = top + blanks[0]
    y += _word(canvas, left, y, width, word_rows, snapshot, look) + blanks[1]
    y = _numbers(canvas, left, y, width, snapshot, look) + blanks[2]
    y = _quadrants(canvas, left, y, width, snapshot, look) + blanks[3]
    _meter(canvas, left, y, width, snapshot, look)


def headline(snapshot: Snapshot) -> tuple[str, str | None]:
    """The word in large type, and the quadrant that it is in, where there is one."""
    reading = snapshot.reading
    if reading is None:
        return ("waiting" if snapshot.level is None else "listening"), None
    if reading.mood is None:
        return reading.sound, None
    return reading.mood, reading.quadrant if reading.mood != "neutral" else None


def tint(snapshot: Snapshot, look: Look) -> Style:
    """The style of a word: the colour of the place that it was read at."""
    reading = snapshot.reading
    assert reading is not None, "a word is read"
    return look.tint(reading.valence or 0.0, reading.arousal or 0.0, bold=True)


def _word(
    canvas: Canvas, left: int, y: int, width: int, rows: int, snapshot: Snapshot, look: Look
) -> int:
    word, quadrant = headline(snapshot)
    plain = BOLD if word == "neutral" else DIM
    ink = plain if quadrant is None else tint(snapshot, look)
    if rows < LARGE:
        canvas.write(left, y, word.upper(), ink, limit=width)
    elif not look.unicode or not write_large(
        canvas, left, y, word, ink, width=width, scale=rows // LARGE
    ):
        spaced = " ".join(word.upper())
        fitting = spaced if len(spaced) <= width else word.upper()
        canvas.write(left, y + LARGE // 2, fitting, ink, limit=width)
    return rows


def _numbers(canvas: Canvas, left: int, y: int, width: int, snapshot: Snapshot, look: Look) -> int:
    reading = snapshot.reading
    between = "±" if look.unicode else "+-"
    values = (
        ("valence", reading and reading.valence, reading and reading.valence_sd),
        ("arousal", reading and reading.arousal, reading and reading.arousal_sd),
    )
    for name, value, sd in values:
        ink = look.ink(name, bold=True)
        canvas.write(left, y, name, ink)
        x = left + _NAME
        if value is None:
            canvas.write(x, y, "--", DIM, limit=left + width - x)
        else:
            x = canvas.write(x, y, f"{value:+.2f}", BOLD, limit=left + width - x)
            canvas.write(x, y, f" {between} {sd or 0:.2f}", DIM, limit=left + width - x)
        y += 1
    return y


def _quadrants(
    canvas: Canvas, left: int, y: int, width: int, snapshot: Snapshot, look: Look
) -> int:
    """The probability of each quadrant: a bar that moves with every estimate, a calm number."""
    latest, reading = snapshot.latest, snapshot.reading
    room = min(_WIDEST_BAR, width - _NAME - _VALUE)
    for name in QUADRANTS:
        here = reading is not None and reading.quadrant == name
        canvas.write(left, y, name, look.ink(name, bold=here), limit=width)
        share = latest.quadrant_p[name] if latest is not None and latest.quadrant_p else 0.0
        if room >= 4:
            bar(canvas, left + _NAME, y, room, share, look, name)
        if reading is not None and reading.quadrant_p:
            text = f"{100 * reading.quadrant_p[name]:3.0f} %"
            canvas.write_right(
                left + _NAME + max(0, room) + _VALUE, y, text, BOLD if here else PLAIN
            )
        y += 1
    return y


def bar(canvas: Canvas, x: int, y: int, width: int, share: float, look: Look, ink: str) -> None:
    """A bar over a thin ground, to an eighth of a cell."""
    share = max(0.0, min(1.0, share))
    if not look.unicode:
        full = round(share * width)
        canvas.write(x, y, "#" * full, look.ink(ink))
        canvas.write(x + full, y, "." * (width - full), DIM)
        return
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    canvas.write(x, y, "█" * full + (_EIGHTHS[rest] if rest else ""), look.ink(ink))
    begin = full + (1 if rest else 0)
    canvas.write(x + begin, y, "·" * (width - begin), DIM)


def line(canvas: Canvas, x: int, y: int, width: int, share: float, look: Look) -> None:
    """A thin line, full up to a share of its width, to half a cell."""
    halves = round(max(0.0, min(1.0, share)) * width * 2)
    if look.unicode:
        done = "━" * (halves // 2) + ("╸" if halves % 2 else "")
        rest = "─"
    else:
        done, rest = "=" * (halves // 2), "-"
    canvas.write(x, y, done, PLAIN)
    canvas.write(x + len(done), y, rest * (width - len(done)), DIM)


def _meter(canvas: Canvas, left: int, y: int, width: int, snapshot: Snapshot, look: Look) -> None:
    """Is it hearing anything? The level now, the peak held, and the marks that matter."""
    level, reading = snapshot.level, snapshot.reading
    canvas.write(left, y, "level", PLAIN, limit=width)
    room = min(_WIDEST_BAR, width - _NAME - _VALUE)
    if level is None and reading is not None:
        # A recorded session is shown again: there is no sound, but its level is known.
        level = Level(rms_db=reading.level_db)
    if level is None:
        canvas.write(left + _NAME, y, "no sound yet", DIM, limit=max(0, width - _NAME))
        return
    if room >= 4:
        share = 1 + max(-_METER_DB, level.rms_db) / _METER_DB
        line(canvas, left + _NAME, y, room, share, look)
        peak = 1 + max(-_METER_DB, min(0.0, level.peak_db)) / _METER_DB
        if peak > 0:
            mark = "┃" if look.unicode else "|"
            canvas.put(left + _NAME + min(room - 1, int(peak * room)), y, mark, BOLD)
    shown = reading.level_db if reading is not None else level.rms_db
    canvas.write_right(left + _NAME + max(0, room) + _VALUE, y, f"{shown:3.0f} dB")
    marks = []
    if level.clipped:
        marks.append((" CLIP ", look.alarm("warn")))
    if level.zeros_s >= _ZEROS_S:
        marks.append((" ALL ZEROS ", look.alarm("warn")))
    elif reading is not None and reading.silent:
        marks.append((" SILENT ", look.alarm("")))
    elif reading is not None and reading.mood is None:
        marks.append((" NO MUSIC HEARD ", look.alarm("")))
    x, row = left + _NAME, y + 1
    if row >= canvas.height:
        return
    for text, ink in marks:
        if x + len(text) <= left + width:
            x = canvas.write(x, row, text, ink) + 1
