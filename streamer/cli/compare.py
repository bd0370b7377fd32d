"""``streamer compare``: how far two recorded sessions agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer.cli.options import Seconds
from streamer.cli.sentence import say, tell

if TYPE_CHECKING:
    from streamer.analysis.compare import Agreement

_COLUMNS = ("axis", "moments", "r", "CCC", "RMSE", "mean difference", "best lag", "r there")


@click.command(name="compare")
@click.argument("first", metavar="A.jsonl", type=click.Path(path_type=Path))
@click.argument("second", metavar="B.jsonl", type=click.Path(path_type=Path))
@click.option(
    "--lag",
    type=Seconds(),
    default=10.0,
    show_default=True,
    help="The longest lag that is tried, either way.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(first: Path, second: Path, lag: float, as_json: bool) -> None:
    """Tell how far two sessions, A.jsonl and B.jsonl, agree in valence and in arousal.

    Correlation (r), concordance (CCC), root mean squared error, the mean of B minus A, and the lag
    at which they correlate most: above 0 where B runs behind A. Both need to be of the same music.

    Example: streamer compare desk.jsonl room.jsonl
    """
    from streamer.analysis.compare import compare
    from streamer.analysis.recorded import read_sessions

    found = []
    for path in (first, second):
        recording, *others = read_sessions(path)
        if others:
            tell(f"{path} holds {1 + len(others)} sessions: only the first is compared")
        found.append(recording)
    agreements = compare(found[0], found[1], lag)
    if as_json:
        record = {axis: agreement.to_dict() for axis, agreement in agreements.items()}
        say(json.dumps(record, allow_nan=False))
        return
    rows = [_COLUMNS, *(_row(axis, agreement) for axis, agreement in agreements.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        say("  ".join(cells))


def _row(axis: str, agreement: Agreement) -> tuple[str, ...]:
    lag = "-" if agreement.lag_s is None else f"{agreement.lag_s:+.2f} s"
    return (
        axis,
        str(agreement.n),
        _number(agreement.r),
        _number(agreement.ccc),
        _number(agreement.rmse),
        f"{agreement.difference:+.3f}",
        lag,
        _number(agreement.lag_r),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
