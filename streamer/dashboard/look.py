"""What a terminal can show, and which inks the picture is drawn with.

The colours of the plane are those of every screen, lamp and desk (:mod:`streamer.circumplex`).
The others are hues of Okabe and Ito ("Color Universal Design", 2008), moved to a lightness that
reads on black and on white alike, and apart again until simulated colour-blind eyes tell them from
each other (the tests hold both). Nothing is said by colour alone: everything coloured has a word, a
place or a mark of its own.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from rich.color import Color
from rich.console import Console
from rich.style import Style

from streamer.circumplex import colour, hex_colour, quadrant

#: Ink: (true colour, name among the 16). The 16 belong to the theme of the terminal.
INKS: dict[str, tuple[str, str]] = {
    "happy": (hex_colour(*colour(1, 1)), "yellow"),
    "tense": (hex_colour(*colour(-1, 1)), "red"),
    "sad": (hex_colour(*colour(-1, -1)), "blue"),
    "calm": (hex_colour(*colour(1, -1)), "green"),
    "valence": ("#3a8fd0", "cyan"),
    "arousal": ("#c06a9a", "magenta"),
    "warn": ("#d55e00", "red"),
}
PLAIN = Style.null()
BOLD, DIM = Style(bold=True), Style(dim=True)
MARK = Style(bold=True, reverse=True)


@dataclass(frozen=True, slots=True)
class Look:
    """The abilities of a terminal.

    ``unicode``: block and braille characters can be written, else ASCII alone; ``colours``:
    "none", "few" (the 16 of the theme) or "many".
    """

    unicode: bool = True
    colours: str = "many"

    @classmethod
    def of(cls, console: Console) -> Look:
        """What this console can show; ``NO_COLOR`` is respected."""
        unicode = console.encoding.lower().replace("-", "").startswith("utf")
        if console.no_color or console.color_system is None:
            return cls(unicode, "none")
        few = console.color_system in ("standard", "windows")
        return cls(unicode, "few" if few else "many")

    def ink(self, name: str, *, bold: bool = False, dim: bool = False) -> Style:
        """The style of an ink in this terminal."""
        return _style(self.colours, name, bold, dim)

    def tint(
        self, valence: float, arousal: float, *, bold: bool = False, dim: bool = False
    ) -> Style:
        """The style of a place of the plane, to a tenth; few colours have its quadrant's."""
        if self.colours != "many":
            return self.ink(quadrant(valence, arousal), bold=bold, dim=dim)
        return _tint(round(10 * valence), round(10 * arousal), bold, dim)

    def alarm(self, name: str) -> Style:
        """The style of a mark that must be seen: reversed, so that it needs no colour."""
        return self.ink(name) + MARK


@functools.cache
def _tint(valence: int, arousal: int, bold: bool, dim: bool) -> Style:
    """The style of a place, counted in tenths: so few that they are made once."""
    code = hex_colour(*colour(valence / 10, arousal / 10))
    return Style(color=code, bold=bold or None, dim=dim or None)


@functools.cache
def _style(colours: str, name: str, bold: bool, dim: bool) -> Style:
    many, few = INKS.get(name, ("", ""))
    colour = {"many": many, "few": few}.get(colours) or None
    if colours == "few" and colour:
        # Parsed as one of the 16, so that the theme of the terminal decides.
        return Style(color=Color.parse(colour), bold=bold or None, dim=dim or None)
    return Style(color=colour, bold=bold or None, dim=dim or None)
