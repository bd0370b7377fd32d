"""``streamer export``: a model for other runtimes."""

from __future__ import annotations

from pathlib import Path

import click

from streamer.cli.completion import MODEL
from streamer.cli.overwriting import check_outputs, draft, overwriting
from streamer.cli.sentence import say, sentence


@click.command(name="export")
@click.argument("model", metavar="MODEL", type=MODEL)
@click.option(
    "--onnx",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    help="Write an ONNX graph to this file.",
)
@overwriting
def command(model: str, output: Path, overwrite: bool) -> None:
    """Write MODEL (a name or a directory) as an ONNX graph, checked against the network.

    The graph takes rows (MFCC, and chroma where the model hears harmony) and a state, and gives
    estimates and the state after them; its metadata hold the whole config.json.
    examples/onnx_stream.py runs one with ONNX Runtime alone.

    Example: streamer export hybrid-4 --onnx hybrid-4.onnx
    """
    from streamer.network import onnx
    from streamer.network.model import load_model

    check_outputs([output], overwrite=overwrite)
    with draft(output) as made:
        difference = onnx.export(load_model(model), made)
    say(
        f"{sentence(output)}: {output.stat().st_size:,} bytes; outputs and state within "
        f"{difference:.1e} of the network"
    )
