"""Shows a recorded session once more: the sinks, signals and exit codes of a listening command."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

from streamer.analysis.recorded import read_events
from streamer.cli.listen import run
from streamer.cli.options import Listening
from streamer.cli.outputs import outputs
from streamer.cli.screen import Screen
from streamer.playback import Playback


def show(
    recording: Path,
    options: Listening,
    *,
    speed: float,
    start_s: float | None,
    duration_s: float,
) -> int:
    """Play the recording back ``speed`` times as fast, and return the exit code."""
    with contextlib.closing(read_events(recording)) as events:
        # Read before an output is opened: what is no recording must not cost an older file.
        first = list(itertools.islice(events, 1))
        screen = Screen(options)
        with outputs(screen.options, (recording,)) as out:
            playback = Playback(
                itertools.chain(first, events),
                [*out.sinks, *screen.sinks],
                speed=speed,
                start_s=start_s,
                duration_s=duration_s,
                watcher=screen.watcher,
                on_failure=out.note_failure,
            )
            with screen.around(playback):
                return run(playback, out)
