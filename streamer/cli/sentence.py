"""What is said on standard error: one line each, whatever names are in it."""

from __future__ import annotations

import contextlib

import click


def sentence(text: object) -> str:
    r"""The text with control characters written out: a file's name must not steer a terminal.

    >>> sentence("no such file: a\x1b[2Jb\n.wav")
    'no such file: a\\x1b[2Jb\\n.wav'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


def tell(message: object) -> None:
    """Say a sentence on standard error, from any thread, if anybody can hear it."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(f"streamer: {sentence(message)}", err=True)
