"""Values that a shell can complete: models, recipes, devices, and choices known further inside.

They are looked up when they are asked for, so that completing a command imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


class Named(click.ParamType[str]):
    """A name of those that ``names`` gives, or something else that the command knows to read.

    ``path``: what else is completed, ``file`` or ``dir``.
    """

    name = "name"

    def __init__(self, names: Callable[[], Iterable[str]], path: str | None = None) -> None:
        self._names = names
        self._path = path

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is."""
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin so, and where paths may be given, those of the shell."""
        # What cannot be typed is not offered, nor does it reach the terminal.
        names = [name for name in self._names() if name.isprintable()]
        found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        if self._path is not None and not found:
            return [CompletionItem(incomplete, type=self._path)]
        return found


class LazyChoice(click.ParamType[str]):
    """One of the names that ``names`` gives, which are looked up when they are needed."""

    name = "choice"

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names

    def _choice(self) -> click.Choice[str]:
        return click.Choice(sorted(self._names()))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """The names between bars, as for any choice."""
        return self._choice().get_metavar(param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, or click's complaint."""
        return self._choice().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin so."""
        return self._choice().shell_complete(ctx, param, incomplete)


def _models() -> Iterable[str]:
    from streamer.network.names import list_models

    return list_models()


def _recipes() -> Iterable[str]:
    import streamer

    folder = Path(streamer.__file__).parent / "training" / "recipes"
    return sorted(path.stem for path in folder.glob("*.toml"))


def _devices() -> Iterable[str]:
    from streamer.audio.link import list_inputs
    from streamer.errors import StreamerError

    try:
        return ["monitor", *(each.name for each in list_inputs())]
    except StreamerError:  # no PortAudio: what it would name cannot be completed
        return ["monitor"]


def _sample_formats() -> Iterable[str]:
    from streamer.audio.pcm import FORMATS

    return FORMATS


def _session_forms() -> Iterable[str]:
    from streamer.analysis.convert import FORMS

    return FORMS


MODEL = Named(_models, "dir")
RECIPE = Named(_recipes, "file")
DEVICE = Named(_devices)
SAMPLE_FORMAT = LazyChoice(_sample_formats)
SESSION_FORM = LazyChoice(_session_forms)
