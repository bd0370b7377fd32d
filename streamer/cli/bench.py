"""``streamer bench``: how fast each part is, beside its alternatives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from streamer.cli.completion import MODEL
from streamer.cli.main import FAILED
from streamer.cli.overwriting import check_outputs, draft, overwriting
from streamer.cli.sentence import say
from streamer.errors import writing


@click.command(name="bench")
@click.option(
    "--model",
    type=MODEL,
    metavar="NAME|DIR",
    help="A model's name (see `models`) or its directory.",
)
@click.option(
    "--json", "output", type=click.Path(path_type=Path), help="Write the figures to a JSON file."
)
@click.option("--quick", is_flag=True, help="Measure hardly at all: to see that everything runs.")
@click.option(
    "--slow",
    is_flag=True,
    help="Measure 10,000 files and one of a day as well: about an hour, and 2 GB of disk.",
)
@overwriting
def command(
    model: str | None, output: Path | None, quick: bool, slow: bool, overwrite: bool
) -> int:
    """Time every part beside its alternatives, in one run, on one core.

    Ratios are what can be compared: times are those of this machine. Alternatives that are not
    installed are said to be (pip install 'emotion-streamer[bench]').

    Example: streamer bench --json bench.json
    """
    from streamer.bench.report import from_json, text
    from streamer.bench.timing import ONE_THREAD
    from streamer.network.model import load_model

    check_outputs([output], overwrite=overwrite)
    load_model(model)  # what is wrong with it is said here, in one sentence
    measuring = [sys.executable, "-m", "streamer.bench"]
    measuring += ["--quick"] if quick else []
    measuring += ["--slow"] if slow else []
    measuring += ["--model", model] if model is not None else []
    # Standard error passes through: it tells what is being measured. A group of its own, so that
    # Ctrl-C comes here alone, and one signal ends all that it has started.
    group: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
    environment = os.environ | ONE_THREAD
    with subprocess.Popen(measuring, stdout=subprocess.PIPE, env=environment, **group) as process:
        try:
            measured, _ = process.communicate()
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        return FAILED
    report = from_json(measured.decode())
    say(text(report))
    if output is not None:
        with draft(output) as made, writing(output):
            made.write_text(report.to_json(), encoding="utf-8")
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the measuring process and what it has started, and wait for it."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
        process.wait()
