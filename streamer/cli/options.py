"""Options that several commands share, and what their values must be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class Seconds(click.ParamType[float]):
    """A finite number of seconds, at least ``least``."""

    name = "seconds"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, or click's complaint."""
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        if not (math.isfinite(seconds) and seconds >= self._least):
            self.fail(f"{value} must be {self._least:g} seconds or more", param, ctx)
        return seconds


class Speed(click.ParamType[float]):
    """A factor above 0, or ``max`` for as fast as it goes (infinity)."""

    name = "speed"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The factor, or click's complaint."""
        if value == "max":
            return math.inf
        try:
            speed = float(value)
        except ValueError:
            speed = math.nan
        if not (math.isfinite(speed) and speed > 0):
            self.fail(f"{value!r} is neither a factor above 0 nor 'max'", param, ctx)
        return speed


@dataclass(frozen=True, slots=True)
class Listening:
    """The options of every command that listens."""

    model: str | None
    interval: float
    jsonl: Path | None
    dashboard: bool
    quiet: bool
    summary: Path | None
    reset_on_silence: float | None


def listening(command: Command) -> Command:
    """Add the options of :class:`Listening` to a command."""
    options = [
        click.option(
            "--model", metavar="NAME|DIR", help="A model's name (see `models`) or its directory."
        ),
        click.option(
            "--interval",
            type=Seconds(),
            default=0.5,
            show_default=True,
            help="Seconds between estimates; 0 writes every frame.",
        ),
        click.option(
            "--jsonl", type=click.Path(path_type=Path), help="Write the JSON lines to a file too."
        ),
        click.option(
            "--no-dashboard",
            "dashboard",
            is_flag=True,
            flag_value=False,
            default=True,
            help="No dashboard; JSON lines on standard output even if it is a terminal. "
            "For readers of the pipe that print to the terminal themselves.",
        ),
        click.option(
            "--quiet", is_flag=True, help="Nothing on standard error but errors (no dashboard)."
        ),
        click.option(
            "--summary",
            type=click.Path(path_type=Path),
            help="Write the closing summary to a JSON file.",
        ),
        click.option(
            "--reset-on-silence",
            type=Seconds(0.1),
            help="Start the judgement afresh after this many seconds of silence.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command
