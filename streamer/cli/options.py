"""Options of the commands that listen, and what their values must be."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from streamer.cli.completion import MODEL
from streamer.cli.overwriting import check_outputs, overwriting
from streamer.sinks import plugins
from streamer.sinks.jsonl import Rotation
from streamer.sinks.mqtt import Broker
from streamer.sinks.osc import PORT, PREFIX, RANGES, is_address

#: The longest time in seconds (thirty years), the shortest interval, and the bounds of a speed:
#: beyond, a number is a slip of the hand.
_LONGEST_S, _SHORTEST_S = 1e9, 1e-3
_SLOWEST, _FASTEST = 1e-3, 1e6


class Channels(click.ParamType[tuple[int, ...]]):
    """Numbers of channels, from 1 on, with commas between them: ``3,4``."""

    name = "channels"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers, each once, or click's complaint."""
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"[1-9]\d{0,3}(,[1-9]\d{0,3})*", str(value), re.ASCII):
            self.fail(f"{value!r} does not name channels, such as 3,4 or 5", param, ctx)
        return tuple(dict.fromkeys(map(int, str(value).split(","))))


class Seconds(click.ParamType[float]):
    """A number of seconds, from ``least`` to thirty years; 0 too if it ``may_be_0``."""

    name = "seconds"

    def __init__(self, least: float = 0.0, *, may_be_0: bool = False) -> None:
        self._least = least
        self._may_be_0 = may_be_0

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, or click's complaint."""
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        if seconds == 0 and self._may_be_0:
            return 0.0
        if not self._least <= seconds <= _LONGEST_S:  # NaN is neither
            zero = "0, or " if self._may_be_0 else ""
            self.fail(
                f"{value} must be {zero}{self._least:g} seconds or more, at most {_LONGEST_S:g}",
                param,
                ctx,
            )
        return seconds


class Decibels(click.ParamType[float]):
    """A level relative to full scale: ``FLOOR_DB`` to 0."""

    name = "decibels"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The level, or click's complaint."""
        from streamer.features.level import FLOOR_DB  # with NumPy: not for every `--help`

        try:
            level = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a level in dB", param, ctx)
        if not FLOOR_DB <= level <= 0:
            self.fail(f"{value} must be between {FLOOR_DB:g} and 0 dB", param, ctx)
        return level


class Speed(click.ParamType[float]):
    """A factor, or ``max`` for as fast as it goes (infinity)."""

    name = "speed"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The factor, or click's complaint."""
        if value in ("max", math.inf):
            return math.inf
        try:
            speed = float(value)
        except ValueError:
            speed = math.nan
        if not _SLOWEST <= speed <= _FASTEST:
            self.fail(
                f"{value!r} is neither a factor above 0 nor 'max' "
                f"({_SLOWEST:g} to {_FASTEST:g} can be asked for)",
                param,
                ctx,
            )
        return speed


class Address(click.ParamType[tuple[str, int]]):
    """``HOST:PORT``, ``HOST`` with the usual port, or a port of this machine."""

    name = "address"

    def __init__(self, port: int) -> None:
        self._port = port

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Host and port, or click's complaint."""
        if isinstance(value, tuple):
            return value
        text = str(value)
        bare_ipv6 = text.count(":") > 1 and not text.startswith("[")
        host, _, port = (text, "", "") if bare_ipv6 else text.rpartition(":")
        if not bare_ipv6 and ":" not in text:
            host, port = ("", text) if text.isdecimal() else (text, "")
        host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
        # Of absurdly many digits Python makes no number.
        number = int(port) if re.fullmatch(r"\d{1,5}", port) else 0 if port else self._port
        if not 0 < number < 65536 or " " in host or not text:
            self.fail(f"{value!r} is not HOST:PORT, such as 127.0.0.1:{self._port}", param, ctx)
        return host, number


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES = {"kb": 1000, "mb": 1000**2, "gb": 1000**3}


class Rotate(click.ParamType[Rotation]):
    """How long or how large a file may become: ``1h``, ``7d``, ``100MB``."""

    name = "rotation"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Rotation:
        """The bounds, or click's complaint."""
        if isinstance(value, Rotation):
            return value
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([a-z]+)", str(value).lower(), re.ASCII)
        number, unit = (float(found[1]), found[2]) if found else (0.0, "")
        seconds, size = number * _SECONDS.get(unit, 0), number * _BYTES.get(unit, 0)
        # Less would be a file for a handful of lines.
        if seconds < 1 and size < 10_000:
            self.fail(
                f"{value!r} is neither a time such as 1h (s, m, h, d; from 1s on) "
                f"nor a size such as 100MB (kB, MB, GB; from 10kB on)",
                param,
                ctx,
            )
        return Rotation(seconds=seconds or math.inf, size=size or math.inf)


class OscPrefix(click.ParamType[str]):
    """What OSC addresses begin with: ``/word``, or several of them."""

    name = "prefix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The prefix without a slash at its end, or click's complaint."""
        prefix = str(value).rstrip("/")
        if not is_address(prefix):
            self.fail(f"{value!r} cannot begin an OSC address: give a path such as /emotion")
        return prefix


class BrokerUrl(click.ParamType[Broker]):
    """``mqtt://HOST`` and what more there is to say of a broker."""

    name = "url"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Broker:
        """The broker, or click's complaint, which must not show a password."""
        if isinstance(value, Broker):
            return value
        try:
            return Broker.parse(str(value))
        except ValueError as error:
            self.fail(f"the URL {error}", param, ctx)


class StreamName(click.ParamType[str]):
    """A name for a stream: not nothing."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, or click's complaint."""
        if not str(value).strip():
            self.fail("a stream needs a name", param, ctx)
        return str(value)


class SinkName(click.ParamType[tuple[str, str | None]]):
    """``NAME[:ARG]`` of a sink that an installed package offers."""

    name = "sink"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str | None]:
        """Name and argument, or click's complaint."""
        if isinstance(value, tuple):
            return value
        name, colon, argument = str(value).partition(":")
        known = plugins.available()
        if name not in known:
            which = f"choose from {', '.join(known)}" if known else "no package installed has one"
            self.fail(f"there is no sink {name!r}: {which}", param, ctx)
        return name, argument if colon else None

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The installed sinks that begin so."""
        return [CompletionItem(name) for name in plugins.available() if name.startswith(incomplete)]


class SinkOption(click.Option):
    """An option whose help tells which sinks are installed; looked up for the help alone."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help, with the names."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        names = ", ".join(plugins.available()) or "none"
        return record[0], f"{record[1]}  [installed: {names}]"


#: The groups of the help of `live` and `replay`, by options' names; what is in none comes first.
GROUPS = {
    "Judgement": ("model", "interval", "silence", "judge_everything", "reset_on_silence"),
    "Screen, lines and files": ("jsonl", "rotate", "summary", "overwrite", "dashboard", "quiet"),
    "Other programs": ("serve", "mqtt", "osc", "osc_prefix", "osc_range", "lsl", "sink"),
}


class SessionCommand(click.Command):
    """A command that listens: its help shows the options in groups, on one screen."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.context_settings = {**self.context_settings, "max_content_width": 100}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each group under its title."""
        grouped = {name for names in GROUPS.values() for name in names}
        shown = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        own = tuple(each.name or "" for each in shown if each.name not in grouped)
        for title, names in {"Sound": own, **GROUPS}.items():
            records = [each.get_help_record(ctx) for each in shown if each.name in names]
            with formatter.section(title):
                formatter.write_dl([record for record in records if record is not None])


Command = TypeVar("Command", bound=Callable[..., Any])


#: Where the page is served if a host is named and no port.
PAGE_PORT = 8765

#: Other programs that get the events: browsers, homes, desks, laboratories, sinks of others.
REACH = [
    click.option(
        "--serve",
        type=Address(PAGE_PORT),
        metavar="[HOST:]PORT",
        help="A page for browsers and OBS, and the lines over WebSocket; this machine's alone "
        "unless a HOST is named.",
    ),
    click.option(
        "--mqtt",
        type=BrokerUrl(),
        metavar="URL",
        help="Publish at mqtt://[USER:PASSWORD@]HOST[/TOPIC], for Home Assistant.",
    ),
    click.option(
        "--osc",
        type=Address(PORT),
        metavar="HOST:PORT",
        multiple=True,
        help=f"Send OSC messages such as {PREFIX}/valence; may be repeated.",
    ),
    click.option(
        "--osc-prefix",
        type=OscPrefix(),
        default=PREFIX,
        show_default=True,
        help="What OSC addresses begin with.",
    ),
    click.option(
        "--osc-range",
        type=click.Choice(RANGES),
        default=RANGES[0],
        show_default=True,
        help="0..1 for faders and desks.",
    ),
    click.option(
        "--lsl",
        type=StreamName(),
        metavar="NAME",
        help="Offer a stream of this name to Lab Streaming Layer.",
    ),
    click.option(
        "--sink",
        cls=SinkOption,
        type=SinkName(),
        metavar="NAME[:ARG]",
        multiple=True,
        help="A sink of another package; may be repeated.",
    ),
]


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """The options of every command that listens."""

    model: str | None
    interval: float
    jsonl: Path | None
    dashboard: bool
    quiet: bool
    summary: Path | None
    reset_on_silence: float | None
    silence: float | None = None
    judge_everything: bool = False
    osc: tuple[tuple[str, int], ...] = ()
    osc_prefix: str = PREFIX
    osc_range: str = RANGES[0]
    serve: tuple[str, int] | None = None
    mqtt: Broker | None = None
    lsl: str | None = None
    sink: tuple[tuple[str, str | None], ...] = ()
    rotate: Rotation | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.rotate is not None and self.jsonl is None:
            raise click.UsageError("--rotate is for the file that --jsonl names")

    @property
    def writes_lines(self) -> bool:
        """Whether standard output gets the JSON lines: not a terminal that shows the dashboard.

        It may be closed (`>&-`): whoever did that wants none. ``sys.stdout`` itself is something
        else while the lines are written (``streamer.cli.outputs``).
        """
        return sys.__stdout__ is not None and not (self.dashboard and os.isatty(1))

    @property
    def tells_others(self) -> bool:
        """Whether the estimates go anywhere but onto the dashboard."""
        places = (self.jsonl, self.serve, self.mqtt, self.lsl)
        return (
            self.writes_lines
            or any(place is not None for place in places)
            or bool(self.osc or self.sink)
        )

    def check_outputs(self, inputs: Sequence[Path] = (), more: Sequence[Path | None] = ()) -> None:
        """Refuse files that would cost something; ``more`` are outputs of one command alone."""
        # Files of a rotation have names that are free.
        single = self.jsonl if self.rotate is None else None
        check_outputs([single, self.summary, *more], inputs, overwrite=self.overwrite)


def session_options(command: Command) -> Command:
    """Add the options of :class:`SessionOptions` to a command."""
    options = [
        click.option(
            "--model",
            type=MODEL,
            metavar="NAME|DIR",
            help="A model's name (see `models`) or its directory.",
        ),
        click.option(
            "--interval",
            type=Seconds(_SHORTEST_S, may_be_0=True),
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
            help="Begin a new file of --jsonl after this time or size.",
        ),
        click.option(
            "--no-dashboard",
            "dashboard",
            is_flag=True,
            # Turned round here, so that a variable of the option's name says yes to it.
            callback=lambda _ctx, _option, without: not without,
            help="JSON lines on standard output even if it is a terminal; for readers of the pipe "
            "that print to the terminal themselves.",
        ),
        click.option("--quiet", is_flag=True, help="Nothing on standard error but errors."),
        click.option(
            "--summary",
            type=click.Path(path_type=Path),
            help="Write the closing summary to a JSON file.",
        ),
        click.option(
            "--reset-on-silence",
            type=Seconds(0.1),
            help="Start the judgement afresh after this many seconds of silence or no music.",
        ),
        click.option(
            "--silence",
            type=Decibels(),
            metavar="DB",
            help="Silence begins under this level of the last second, such as -60.  "
            "[default: the model's own]",
        ),
        click.option(
            "--judge-everything",
            is_flag=True,
            help="Judge what is no music, too: speech, applause, noise.",
        ),
        overwriting,
        *REACH,
    ]
    for option in reversed(options):
        command = option(command)
    return command
