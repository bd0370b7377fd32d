"""``streamer convert``: recorded sessions in the forms of other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from streamer.cli.completion import SESSION_FORM
from streamer.cli.overwriting import check_outputs, draft, overwriting
from streamer.cli.sentence import say, tell
from streamer.errors import writing


@click.command(name="convert")
@click.argument("session", metavar="SESSION", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    required=True,
    type=SESSION_FORM,
    help="A table; labels for Audacity, xLights and Vixen; JAMS for music research.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write.  [default: standard output]",
)
@overwriting
def command(session: Path, form: str, out: Path | None, overwrite: bool) -> None:
    """Convert a recorded SESSION, a file of JSON lines, for another program.

    Times are seconds of the music, so that a session of a file fits that file.

    Example: streamer convert song.jsonl --to labels -o song.txt
    """
    from streamer.analysis.convert import FORMS
    from streamer.analysis.recorded import read_sessions

    check_outputs([out], [session], overwrite=overwrite)
    recording, *others = read_sessions(session)
    if others:
        tell(f"{session} holds {1 + len(others)} sessions: only the first is converted")
    text = FORMS[form](recording)
    if out is None:
        if sys.stdout is not None and sys.stdout.isatty():
            say(text)
        else:
            click.echo(text, nl=False)  # for a program: as it is
        return
    with draft(out) as made, writing(out):
        made.write_text(text, encoding="utf-8", newline="")
