"""What the values of options must be."""

from __future__ import annotations

import math
import re
from typing import Any

import click

from streamer.sinks.rotating import Rotation


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
        number = int(port) if port.isdecimal() else 0 if port else self._port
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
