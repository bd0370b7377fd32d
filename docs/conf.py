"""The manual, by Sphinx: `sphinx-build -W --keep-going docs build/docs`.

Pages are Markdown (MyST). Commands come from their own help, the Python reference from docstrings,
and the fields of the lines from `streamer/schema.json`: what is said twice would differ once.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import streamer  # noqa: E402 - from this checkout, whatever else is installed

project = "streamer"
author = "The streamer authors"
copyright = author  # noqa: A001 - Sphinx's name for it
version = release = streamer.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
html_theme = "furo"
html_title = f"streamer {release}"
html_copy_source = False
html_show_sphinx = False
exclude_patterns = ["_build"]
# An option is `--speed`, not a dash and "speed".
smartquotes = False
# Docstrings quote code with single backticks now and then.
default_role = "code"
myst_heading_anchors = 3
nitpicky = False
suppress_warnings = [
    "myst.header",  # a page may begin a passage at the level that it needs
    "misc.highlighting_failure",  # Pygments knows no CSV; the tests read every block
]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
python_use_unqualified_type_names = True
pygments_style = "friendly"


class Fields(SphinxDirective):
    """``{fields} emotion``: a table of the fields that one type of line has, from the schema."""

    required_arguments = 1
    option_spec = {"under": directives.unchanged}  # noqa: RUF012 - as docutils declares it

    def run(self) -> list[nodes.Node]:
        """The table, parsed as Markdown."""
        path = ROOT / "streamer" / "schema.json"
        self.env.note_dependency(str(path))
        schema = json.loads(path.read_text(encoding="utf-8"))
        part = schema["$defs"][self.arguments[0]]
        lines = [part["description"], ""] if part.get("description") else []
        lines += ["| field | holds | |", "| --- | --- | --- |"]
        for name, told, always in _fields(schema, part):
            optional = "" if always else "*not in every line.* "
            lines.append(f"| `{name}` | {_holds(told)} | {optional}{told.get('description', '')} |")
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source=str(path)), 0, holder)
        return holder.children


def _fields(
    schema: dict[str, Any], part: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Name, description and whether it is required, of every field; those of objects dotted."""
    required = part.get("required", [])
    # What depends on a condition is told by its "else": the "then" makes the same fields null.
    conditional = part.get("else", {}).get("properties", {})
    named = {**part.get("properties", {}), **conditional}
    order = [name for name in required if name in named]
    for name in [*order, *(name for name in named if name not in required)]:
        field = named[name]
        target = field.get("$ref", "").removeprefix("#/$defs/")
        told = {**schema["$defs"].get(target, {}), **field}
        told["null"] = name in conditional
        yield prefix + name, told, name in required
        if told.get("type") == "object":
            yield from _fields(schema, told, f"{prefix}{name}.")


def _holds(told: dict[str, Any]) -> str:
    """The values that a field takes, in a few words."""
    if "const" in told:
        return f"`{json.dumps(told['const'])}`"
    if "enum" in told:
        words = ", ".join(f"`{value}`" for value in told["enum"])
    else:
        kinds = told["type"] if isinstance(told["type"], list) else [told["type"]]
        words = " or ".join(kinds)
        low, high = told.get("minimum"), told.get("maximum")
        if low is not None and high is not None:
            words += f", {low} to {high}"
        elif low is not None:
            words += f", at least {low}"
        elif told.get("exclusiveMinimum") is not None:
            words += f", above {told['exclusiveMinimum']}"
    return f"{words}; null without a judgement" if told["null"] else words


def _with_examples(_app: Sphinx, ctx: click.Context, lines: list[str]) -> None:
    """Write the description of a command anew: its examples become blocks to copy."""
    described = inspect.cleandoc(ctx.command.help or "")
    lines.clear()
    for paragraph in described.split("\n\n"):
        words = " ".join(paragraph.split())
        if words.startswith("Example: "):
            lines += [".. code-block:: sh", "", "   " + words.removeprefix("Example: "), ""]
        else:
            # A single backtick is literal in click's help.
            lines += [words.replace("`", "``"), ""]


def setup(app: Sphinx) -> None:
    """Register what is written here."""
    app.add_directive("fields", Fields)
    app.connect("sphinx-click-process-description", _with_examples)
