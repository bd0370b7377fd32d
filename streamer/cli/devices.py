"""``streamer devices``: the inputs that can be listened to."""

from __future__ import annotations

import click

from streamer.cli.sentence import say, sentence

_HINTS = """\
What the computer plays: streamer live --device monitor (PulseAudio, PipeWire); on macOS and
Windows choose a loopback device; docs/listening.md, "What the computer plays", tells how to set one
up."""


@click.command(name="devices")
def command() -> None:
    """List the inputs of this computer.

    An asterisk marks the system's default, `loopback` what the computer itself plays. `live`
    takes an index or a part of a name; inputs without an index go by name.

    Example: streamer devices
    """
    from streamer.audio.link import list_inputs

    inputs = list_inputs()
    if not inputs:
        say("no sound inputs: plug one in, or start the sound server", err=True)
        return
    names = [sentence(each.name) for each in inputs]
    width = max(map(len, names))
    say(f"      {'name':<{width}}  channels     Hz  host API")
    for name, each in zip(names, inputs, strict=True):
        index = "-" if each.index is None else str(each.index)
        line = (
            f"{'*' if each.default else ' '} {index:>3} {name:<{width}}  "
            f"{each.channels:>8}  {each.rate:>5}  {sentence(each.api)}"
        )
        say(f"{line}  loopback" if each.loopback else line)
    if not any(each.loopback for each in inputs):
        say("no loopback input was found", err=True)
    say(_HINTS, err=True)
