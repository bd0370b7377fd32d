"""What is said to a person: in lines that steer no terminal, whatever names are in them."""

from __future__ import annotations

import contextlib

import click


def sentence(text: object) -> str:
    r"""The text with control characters written out: a file's name must not steer a terminal.

    >>> sentence("no such file: a\x1b[2Jb\n.wav")
    'no such file: a\\x1b[2Jb\\n.wav'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


def say(text: object, *, err: bool = False) -> None:
    """Print on standard output, or on standard error; line breaks and tabs stay what they are."""
    lines = str(text).removesuffix("\n").split("\n")
    for line in lines:
        click.echo("\t".join(map(sentence, line.split("\t"))), err=err)


def tell(message: object) -> None:
    """Say a sentence on standard error, from any thread, if anybody can hear it."""
    with contextlib.suppress(OSError, ValueError):
        say(f"streamer: {sentence(message)}", err=True)
