"""What every listening command does: build the session, mind the signals, give the exit code.

A recorded session shown again goes the same way. C libraries that talk to standard error meanwhile
are not heard.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Protocol

from streamer.analysis.recorded import read_events
from streamer.audio.resample import Resampled
from streamer.audio.source import Source
from streamer.cli.main import FAILED, INTERRUPTED, TERMINATED
from streamer.cli.options import Listening
from streamer.cli.outputs import Outputs, outputs
from streamer.cli.screen import Screen
from streamer.events import End
from streamer.network.model import load_model
from streamer.session import Abandoned, Playback, Session, TimedSource
from streamer.tracker import EmotionTracker


@contextlib.contextmanager
def libraries_silenced() -> Iterator[None]:
    """Send what C code writes to standard error nowhere; what Python writes goes where it did.

    libmpg123 comments on every fault of a broken MP3 file: in the middle of a dashboard, and where
    one sentence is promised.
    """
    before = sys.stderr
    try:
        before.flush()
        kept = os.dup(2)
        ours = before
        if before.fileno() == 2:
            ours = open(  # noqa: SIM115 - it lives as long as `kept`
                kept, "w", 1, before.encoding, before.errors, closefd=False
            )
    except (OSError, ValueError, AttributeError):  # closed, or no file at all
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = ours
    try:
        yield
    finally:
        ours.flush()
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)


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
                silence_db=options.silence,
                judge_everything=options.judge_everything,
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
    out.hang_up()
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
