"""The inks: readable on black and white, told apart by colour-blind eyes, true to NO_COLOR."""

from __future__ import annotations

import io
import itertools
from itertools import product

import numpy as np
import pytest
from rich.console import Console
from scripted_session import Script, start

from streamer.circumplex import MOODS, colour, hex_colour
from streamer.dashboard.look import INKS, Look
from streamer.dashboard.panel import LARGE, LONGEST, large
from streamer.dashboard.picture import render
from streamer.events import QUADRANTS
from streamer.sinks.history import History

#: Simulation of colour vision deficiency at full severity on linear RGB (Machado et al. 2009).
SIMULATIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB under D65."""
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(matrix) @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("name", INKS)
def test_inks_read_on_black_and_on_white(name: str) -> None:
    """The contrast is at least 3 to 1 (WCAG, large text and graphics) on either ground."""
    luminance = float(linear(INKS[name][0]) @ [0.2126, 0.7152, 0.0722])
    assert (luminance + 0.05) / 0.05 >= 3
    assert 1.05 / (luminance + 0.05) >= 3


@pytest.mark.parametrize("place", [*product((-1.0, -0.5, 0.0, 0.5, 1.0), repeat=2), (0.1, 0.0)])
def test_every_place_reads_on_black_and_on_white(place: tuple[float, float]) -> None:
    """The one table of colours has the contrast of the inks, wherever the music is."""
    code = hex_colour(*colour(*place))
    luminance = float(linear(code) @ [0.2126, 0.7152, 0.0722])
    assert (luminance + 0.05) / 0.05 >= 3
    assert 1.05 / (luminance + 0.05) >= 3
    shown = Look().tint(*place).color
    assert shown is not None
    assert shown.name == code


@pytest.mark.parametrize("vision", SIMULATIONS)
@pytest.mark.parametrize("group", [QUADRANTS, ("valence", "arousal")])
def test_colour_blind_readers_can_tell_the_inks_apart(vision: str, group: tuple[str, ...]) -> None:
    """Any two inks that stand side by side differ by a colour difference of 15 or more."""
    seen = {name: lab(SIMULATIONS[vision] @ linear(INKS[name][0])) for name in group}
    for one, other in itertools.combinations(group, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= 15, (one, other)


def printed(**options: object) -> str:
    file = io.StringIO()
    settings = {"width": 100, "height": 30, "force_terminal": True, "legacy_windows": False}
    console = Console(file=file, **{**settings, **options})  # type: ignore[arg-type]
    history = History(clock=lambda: 0.0)
    history.write(start())
    Script(history).advance(20.0)
    console.print(render(history.snapshot(), (100, 30), Look.of(console)))
    return file.getvalue()


def test_no_color_leaves_no_colour() -> None:
    """Under NO_COLOR only weight is used: no code of a colour is printed."""
    plain = printed(color_system="truecolor", no_color=True)
    assert "\x1b[" in plain
    assert "38;" not in plain
    assert not any(f"\x1b[{code}m" in plain for code in range(30, 38))
    assert "\x1b[" not in printed(color_system=None)


def test_sixteen_colours_are_those_of_the_theme() -> None:
    """A simple terminal gets the sixteen of its own theme, chosen by name."""
    few = printed(color_system="standard")
    assert "38;" not in few
    assert "\x1b[32m" in few or "\x1b[1;32m" in few
    assert "38;2;" in printed(color_system="truecolor")


class Ascii(io.StringIO):
    """A stream that cannot write more than ASCII."""

    encoding = "ascii"


def test_the_encoding_decides_about_unicode() -> None:
    """Blocks and braille are used only where they can be written."""
    assert Look.of(Console(file=io.StringIO(), color_system=None)).unicode
    assert not Look.of(Console(file=Ascii(), color_system=None)).unicode


def test_every_word_of_the_plane_has_large_letters() -> None:
    """Each word that the headline may show is drawn, and none is wider than the layout expects."""
    words = [*MOODS.values(), "neutral", "silence", "listening", "waiting"]
    for word in words:
        lines = large(word)
        assert lines is not None, word
        assert len(lines) == LARGE
        assert len({len(line) for line in lines}) == 1
        assert len(lines[0]) <= LONGEST
        double = large(word, 2)
        assert double is not None
        assert (len(double), len(double[0])) == (2 * LARGE, 2 * len(lines[0]))
    assert large("Größe") is None
