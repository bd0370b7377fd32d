"""The picture of the dashboard in the README, from the example clip and the model of the package.

    python examples/screenshot.py [--at SECONDS] [--model NAME|DIR] [--size WxH] [OUT.svg]

plays `four_moods.flac` as fast as it goes up to a moment (18 s: music that has just turned tense)
and writes `dashboard.svg` beside itself, or OUT.svg, by Rich's own export.
"""

from __future__ import annotations

import argparse
import io
import math
from pathlib import Path

from rich.console import Console

from streamer.audio.files import FileSource
from streamer.audio.pacing import Paced, SystemClock
from streamer.audio.resample import Resampled
from streamer.dashboard.look import Look
from streamer.dashboard.picture import render
from streamer.network.model import load_model
from streamer.session import Session
from streamer.sinks.history import History, Snapshot
from streamer.tracker import EmotionTracker

HERE = Path(__file__).resolve().parent
KEYS = "q quit  r new song  space freeze"


def play(clip: Path, model_name: str | None, seconds: float) -> Snapshot:
    """What a dashboard would know after so many seconds of the clip."""
    model = load_model(model_name)
    source = Paced(FileSource(clip), math.inf, SystemClock())
    history = History()
    session = Session(
        Resampled(source, model.config.features.sample_rate),
        EmotionTracker(model, 0.0),
        [],
        interval=0.5,
        watcher=history,
        duration_s=seconds,
    )
    session.run()
    return history.snapshot()


def save(snapshot: Snapshot, size: tuple[int, int], out: Path) -> None:
    """Write the picture of a snapshot as SVG."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=size[0],
        height=size[1],
        color_system="truecolor",
        force_terminal=True,
        legacy_windows=False,
        no_color=False,
    )
    console.print(render(snapshot, size, Look(), KEYS))
    console.save_svg(str(out), title="streamer replay four_moods.flac", unique_id="streamer")


def main() -> None:
    """Read the command line and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", nargs="?", type=Path, default=HERE / "dashboard.svg")
    parser.add_argument("--at", type=float, default=18.0, help="seconds into the clip")
    parser.add_argument("--model", help="a model's name or directory")
    parser.add_argument("--size", default="100x30", help="cells, as WIDTHxHEIGHT")
    options = parser.parse_args()
    width, height = (int(cells) for cells in options.size.split("x"))
    snapshot = play(HERE / "four_moods.flac", options.model, options.at)
    save(snapshot, (width, height), options.out)
    print(options.out)


if __name__ == "__main__":
    main()
