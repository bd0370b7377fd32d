"""What every listening command does: build the session, mind the signals, give the exit code."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Protocol

from streamer.audio.resample import Resampled
from streamer.audio.source import Source
from streamer.cli.main import FAILED, INTERRUPTED, TERMINATED
from streamer.cli.options import Listening
from streamer.cli.outputs import Outputs, outputs
from streamer.cli.screen import Screen
from streamer.events import End
from streamer.network.model import load_model
from streamer.session import Session, TimedSource
from streamer.stopping import Abandoned
from streamer.tracker import EmotionTracker

#: Two signals within this many seconds are one: shells and programs that wrap this one repeat them.
_PATIENCE_S = 1.0


class Running(Protocol):
    """A session, or the playback of one."""

    def run(self) -> End:
        """Go on until the end."""

    def stop(self, *, interrupt: bool = False) -> None:
        """Ask it to end in order."""

    def request_reset(self) -> None:
        """Ask for the judgement to start afresh."""


def listen(
    open_source: Callable[[], Source],
    options: Listening,
    *,
    duration_s: float = math.inf,
    timed: TimedSource | None = None,
    inputs: tuple[Path, ...] = (),
) -> int:
    """Open the source, listen until it ends or a signal comes, and return the exit code.

    ``inputs`` are files that no output may overwrite.
    """
    model = load_model(options.model)
    screen = Screen(options)
    with contextlib.closing(open_source()) as source, outputs(screen.options, inputs) as out:
        silence = options.reset_on_silence
        session = Session(
            Resampled(source, model.config.features.sample_rate),
            EmotionTracker(
                model,
                options.interval if screen.watcher is None else 0.0,
                source.info.start_s,
                math.inf if silence is None else silence,
            ),
            [*out.sinks, *screen.sinks],
            interval=options.interval,
            watcher=screen.watcher,
            duration_s=duration_s,
            on_failure=out.note_failure,
            timed=timed,
        )
        with screen.around(session):
            return run(session, out)


def run(session: Running, out: Outputs) -> int:
    """Run a session or a playback to its end, and return the exit code."""
    with signals(session) as caught, contextlib.suppress(Abandoned):
        session.run()
    if caught:
        return TERMINATED if caught[0] == signal.SIGTERM else INTERRUPTED
    return FAILED if out.failed else 0


@contextlib.contextmanager
def signals(session: Running) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM end the session in order; the list tells which one came.

    Where that takes longer than ``_PATIENCE_S`` (a line is written to a pipe that nobody reads),
    the next one ends it at once.
    """
    caught: list[int] = []
    first = 0.0

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's shape
        nonlocal first
        now = time.monotonic()
        if not caught:
            first = now
        elif now - first > _PATIENCE_S:
            raise Abandoned
        caught.append(number)
        session.stop(interrupt=True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
