"""Values of the options that send events to other programs."""

from __future__ import annotations

from typing import Any

import click

from streamer.sinks import osc, plugins


class OscPrefix(click.ParamType[str]):
    """What OSC addresses begin with: ``/word``, or several of them."""

    name = "prefix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The prefix without a slash at its end, or click's complaint."""
        prefix = str(value).rstrip("/")
        if not osc.is_address(prefix):
            self.fail(f"{value!r} cannot begin an OSC address: give a path such as /emotion")
        return prefix


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


class SinkOption(click.Option):
    """An option whose help tells which sinks are installed; looked up for the help alone."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help, with the names."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        names = ", ".join(plugins.available()) or "none"
        return record[0], f"{record[1]}  [installed: {names}]"
