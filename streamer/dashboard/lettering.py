"""Large letters of half blocks, lower case, for the word that a person across the room reads."""

from __future__ import annotations

import functools

from rich.style import Style

from streamer.dashboard.canvas import Canvas

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
