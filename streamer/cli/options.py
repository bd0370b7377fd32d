"""The options of the commands that listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from streamer.cli.reach import OscPrefix, SinkName, SinkOption
from streamer.cli.values import Address, Rotate, Seconds
from streamer.sinks.osc import PORT, PREFIX
from streamer.sinks.rotating import Rotation

Command = TypeVar("Command", bound=Callable[..., Any])


#: Other programs that get the events: lamps, instruments, sinks of other packages.
REACH = [
    click.option(
        "--osc",
        type=Address(PORT),
        metavar="HOST:PORT",
        multiple=True,
        help=f"Send each value as an OSC message too, such as {PREFIX}/valence; may be repeated.",
    ),
    click.option(
        "--osc-prefix",
        type=OscPrefix(),
        default=PREFIX,
        show_default=True,
        help="What OSC addresses begin with.",
    ),
    click.option(
        "--sink",
        cls=SinkOption,
        type=SinkName(),
        metavar="NAME[:ARG]",
        multiple=True,
        help="Send the events to a sink of another package too; may be repeated.",
    ),
]


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
    osc: tuple[tuple[str, int], ...] = ()
    osc_prefix: str = PREFIX
    sink: tuple[tuple[str, str | None], ...] = ()
    rotate: Rotation | None = None

    def __post_init__(self) -> None:
        if self.rotate is not None and self.jsonl is None:
            raise click.UsageError("--rotate is for the file that --jsonl names")


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
            "--rotate",
            type=Rotate(),
            metavar="1h|100MB",
            help="Begin a new file of --jsonl after this time or size, each complete in itself; "
            "PATH.jsonl becomes PATH.<UTC time>.jsonl.",
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
        *REACH,
    ]
    for option in reversed(options):
        command = option(command)
    return command
