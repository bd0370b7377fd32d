"""A sheet of character cells, and the picture that it becomes: few, long spans of one style."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from rich.cells import cell_len, get_character_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from streamer.dashboard.look import PLAIN

Line = tuple[Segment, ...]

#: Texts whose every character is one cell wide: Latin, box drawing, blocks, shapes, braille.
_NARROW = re.compile(r"[\x20-\x7e\xa1-\xac\xae-\xff\u2026\u2500-\u25fc\u2800-\u28ff]*")
#: Runs of one ink; blanks that nobody wrote (0) go along with what stands before them, unless
#: that is reversed (from 128 on) and would show on them.
_RUNS = re.compile(rb"([\x01-\x7f])(?:\1|\x00)*|([\x80-\xff])\2*|\x00+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Picture:
    """Finished lines; a Rich renderable whose segments need no further layout."""

    lines: tuple[Line, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The segments as they are, line by line."""
        for index, line in enumerate(self.lines):
            if index:
                yield Segment.line()
            yield from line

    def text(self) -> list[str]:
        """The lines without their styles."""
        return ["".join(segment.text for segment in line) for line in self.lines]


class Canvas:
    """``width`` x ``height`` cells to draw on; what falls outside is cut off."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = [[" "] * width for _ in range(height)]
        # Inks are small numbers in bytes: runs of one ink are then found at the speed of C.
        self._inks = [bytearray(width) for _ in range(height)]
        self._styles = {0: PLAIN}
        self._numbers: dict[int, int] = {}
        self._wide: set[int] = set()

    def put(self, x: int, y: int, character: str, ink: Style = PLAIN) -> None:
        """Set one cell to a character one cell wide."""
        if 0 <= x < self.width and 0 <= y < self.height:
            if y in self._wide:
                self._clear_wide(y, x, x + 1)
            self._cells[y][x] = character
            self._inks[y][x] = self._number(ink)

    def write(self, x: int, y: int, text: str, ink: Style = PLAIN, limit: int = -1) -> int:
        """Write text from a cell on, at most ``limit`` cells; returns the cell after it."""
        end = self.width if limit < 0 else min(self.width, x + limit)
        if not (0 <= y < self.height and 0 <= x < end):
            return x
        if _NARROW.fullmatch(text):
            parts = list(text[: end - x])
        else:
            parts = []
            # The one way of text to the screen: whoever wrote it, it steers no terminal.
            for cluster, width in clusters(tame(text)):
                if x + len(parts) + width > end:
                    break
                parts.extend((cluster, "")[:width])
                if width == 2:
                    self._wide.add(y)
        after = x + len(parts)
        if y in self._wide:
            self._clear_wide(y, x, after)
        self._cells[y][x:after] = parts
        self._inks[y][x:after] = bytes((self._number(ink),)) * len(parts)
        return after

    def write_right(self, end: int, y: int, text: str, ink: Style = PLAIN) -> int:
        """Write text so that it ends before cell ``end``; returns its first cell."""
        x = end - cell_len(text)
        self.write(x, y, text, ink)
        return x

    def write_centred(self, x: int, width: int, y: int, text: str, ink: Style = PLAIN) -> None:
        """Write text in the middle of ``width`` cells."""
        self.write(x + max(0, (width - cell_len(text)) // 2), y, text, ink, limit=width)

    def is_free(self, x: int, y: int, width: int) -> bool:
        """Whether cells of a line are still blank, as far as they lie on the canvas."""
        return all(cell == " " for cell in self._cells[y][max(0, x) : x + width])

    def picture(self) -> Picture:
        """What was drawn, with neighbours of one ink joined."""
        return Picture(tuple(self._line(y) for y in range(self.height)))

    def _line(self, y: int) -> Line:
        cells, styles = self._cells[y], self._styles
        return tuple(
            Segment("".join(cells[run.start() : run.end()]), styles[run.group()[0]])
            for run in _RUNS.finditer(self._inks[y])
        )

    def _number(self, ink: Style) -> int:
        number = self._numbers.get(id(ink))
        if number is None:
            number = len(self._styles) + (128 if ink.reverse else 0)
            self._numbers[id(ink)], self._styles[number] = number, ink
        return number

    def _clear_wide(self, y: int, first: int, after: int) -> None:
        """Blank the other halves of wide characters that are about to be overwritten."""
        row = self._cells[y]
        if row[first] == "" and first:
            row[first - 1] = " "
        if after < self.width and row[after] == "":
            row[after] = " "


def clusters(text: str) -> Iterator[tuple[str, int]]:
    """The characters of a tame text with the marks that sit on them, and their width in cells."""
    if text.isascii():
        yield from ((character, 1) for character in text)
        return
    held, width = "", 0
    for character in text:
        own = get_character_cell_size(character)
        if own == 0 and held:
            held += character
            continue
        if held and width:
            yield held, width
        held, width = character, own
    if held and width:
        yield held, width


def tame(text: str, *, unicode: bool = True) -> str:
    """A text from outside made fit for the screen.

    Control characters, line breaks, joiners and the like, over whose width terminals disagree,
    become blanks or go; flags become letters; without Unicode, what ASCII lacks becomes "?".
    """
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        code = ord(character)
        if 0x1F1E6 <= code <= 0x1F1FF:
            kept.append(chr(code - 0x1F1E6 + ord("A")))
            continue
        kind = unicodedata.category(character)
        disputed = 0xFE00 <= code <= 0xFE0F or 0x1F3FB <= code <= 0x1F3FF
        if kind in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif not disputed and kind not in ("Cf", "Cs", "Co", "Cn"):
            kept.append(character)
    joined = "".join(kept)
    if unicode:
        return joined
    plain = unicodedata.normalize("NFKD", joined)
    letters = (char for char in plain if not unicodedata.combining(char))
    return "".join(char if char.isascii() else "?" for char in letters)


def shorten(text: str, width: int, *, unicode: bool = True) -> str:
    """A text cut to at most ``width`` cells, an ellipsis in its middle: both ends tell things."""
    if cell_len(text) <= width:
        return text
    dots = "…" if unicode else ".."
    room = width - len(dots)
    if room < 2:
        return _head(text, width)
    tail = room // 3
    return _head(text, room - tail) + dots + _tail(text, tail)


def _head(text: str, width: int) -> str:
    kept, used = "", 0
    for cluster, own in clusters(text):
        if used + own > width:
            break
        kept, used = kept + cluster, used + own
    return kept


def _tail(text: str, width: int) -> str:
    parts = list(clusters(text))
    kept, used = "", 0
    for cluster, own in reversed(parts):
        if used + own > width:
            break
        kept, used = cluster + kept, used + own
    return kept


def heard_name(source: Mapping[str, object], *, unicode: bool = True) -> str:
    """What is listened to, fit for the screen; of a file, its name without the folders."""
    name = str(source.get("name", ""))
    if source.get("kind") == "file":
        name = PurePath(name).name or name
    return tame(name, unicode=unicode)
