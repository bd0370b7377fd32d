"""``streamer plot``: pictures of recorded sessions."""

from __future__ import annotations

from pathlib import Path

import click

from streamer.cli.overwriting import check_outputs, draft, overwriting


@click.command(name="plot")
@click.argument("sessions", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The picture to write: .png, .svg or .pdf.",
)
@overwriting
def command(sessions: tuple[Path, ...], out: Path, overwrite: bool) -> int:
    """Draw recorded SESSIONS: the way across the plane, and both curves over time.

    SESSIONS are files of JSON lines, as `live` and `replay` write them; several are drawn over
    each other for comparison, all of a file that holds several among them. Needs matplotlib:
    pip install 'emotion-streamer[plot]'.

    Example: streamer plot song.jsonl -o song.png
    """
    # Reading and drawing are imported here: `--help` is answered without them.
    from streamer.analysis.plot import draw
    from streamer.analysis.recorded import read_sessions

    check_outputs([out], sessions, overwrite=overwrite)
    recordings = [recording for path in sessions for recording in read_sessions(path)]
    with draft(out) as made:
        draw(recordings, made)
    return 0
