"""What the dashboard costs, beside a bare Rich ``Live`` of the same size and rate."""

from __future__ import annotations

import functools
import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from streamer.dashboard.dashboard import Dashboard
from streamer.dashboard.refresh import RATE
from streamer.sinks.history import History


@dataclass(frozen=True, slots=True)
class Cost:
    """Shares of one core.

    ``bare_text`` is a ``Live`` of long lines without styles, ``bare_cells`` one whose cells have a
    style each, ``dashboard`` the dashboard with its history fed.
    """

    bare_text: float
    bare_cells: float
    dashboard: float
    pictures_per_s: float


def dashboard_cost(
    feed: Callable[[History, float], None],
    *,
    seconds: float = 5.0,
    size: tuple[int, int] = (100, 30),
    rate: float = RATE,
    step_s: float = 0.032,
) -> Cost:
    """Run both for some seconds, one after the other, in true time and on a terminal of no one.

    ``feed(history, t)`` plays the session: it is called each ``step_s`` seconds, and what it
    costs counts as the dashboard's.
    """

    def run(turn: Callable[[float], None]) -> float:
        begun, computed = time.monotonic(), time.process_time()
        while (t := time.monotonic() - begun) < seconds:
            turn(t)
            time.sleep(step_s)
        return (time.process_time() - computed) / (time.monotonic() - begun)

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(
            file=nowhere,
            force_terminal=True,
            width=size[0],
            height=size[1],
            color_system="truecolor",
            legacy_windows=False,
        )
        bare = []
        for renderable in (_text, _cells):
            with Live(
                console=console,
                screen=True,
                refresh_per_second=rate,
                redirect_stdout=False,
                redirect_stderr=False,
                get_renderable=functools.partial(renderable, size, itertools.count()),
            ):
                bare.append(run(lambda _: None))
        history = History()
        with Dashboard(history, console, open_keys=lambda: None, rate=rate) as dashboard:
            own = run(lambda t: feed(history, t))
            pictures = dashboard.live.pictures
    return Cost(bare[0], bare[1], own, pictures / seconds)


def _text(size: tuple[int, int], turns: Iterator[int]) -> Text:
    line = f"{next(turns)} ".ljust(size[0], "#")
    return Text("\n".join([line] * size[1]), no_wrap=True)


def _cells(size: tuple[int, int], turns: Iterator[int]) -> Text:
    text, turn = Text(no_wrap=True), next(turns)
    for y in range(size[1]):
        for x in range(size[0]):
            text.append("#", style=("red", "green", "blue")[(x + y + turn) % 3])
        text.append("\n")
    return text
