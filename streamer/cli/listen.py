"""What every listening command does: build the session, mind the signals, give the exit code."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import click

from streamer.audio.resample import Resampled
from streamer.audio.source import Source
from streamer.cli.main import FAILED, INTERRUPTED, TERMINATED
from streamer.cli.options import Listening
from streamer.errors import OutputError
from streamer.events import Event, Notice
from streamer.network.model import load_model
from streamer.session import Session, TimedSource
from streamer.sinks.jsonl import JsonLines
from streamer.sinks.sink import Sink
from streamer.tracker import EmotionTracker


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
    for output in (options.jsonl, options.summary):
        _refuse_overwriting(output, inputs)
    model = load_model(options.model)
    source = open_source()
    try:
        resampled = Resampled(source, model.config.features.sample_rate)
        with contextlib.ExitStack() as stack:
            sinks = _Outputs(stack)
            if not sys.stdout.isatty() or not options.dashboard:
                sinks.to_standard_output()
            if options.jsonl is not None:
                sinks.to_file(options.jsonl)
            if not options.quiet:
                sinks.all.append(Notices())
            silence = options.reset_on_silence
            session = Session(
                resampled,
                EmotionTracker(
                    model,
                    options.interval,
                    source.info.start_s,
                    math.inf if silence is None else silence,
                ),
                sinks.all,
                duration_s=duration_s,
                on_failure=sinks.note_failure,
                timed=timed,
            )
            with signals(session) as caught:
                session.run()
            return _exit_code(caught, sinks)
    finally:
        source.close()


@dataclass
class _Outputs:
    """The sinks of a session and what became of them."""

    stack: contextlib.ExitStack
    all: list[Sink] = field(default_factory=list)
    failed: bool = False

    def to_standard_output(self) -> None:
        # Unbuffered: a line is out when it is known, and a dead reader is noticed at once.
        stream = open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)
        self.all.append(JsonLines(self.stack.enter_context(stream)))

    def to_file(self, path: Path) -> None:
        try:
            stream: BinaryIO = path.open("wb", buffering=0)  # noqa: SIM115 - the stack closes it
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from None
        self.all.append(JsonLines(self.stack.enter_context(stream), str(path)))

    def note_failure(self, error: OutputError) -> None:
        self.failed = True
        click.echo(f"streamer: {error}; tracking goes on without it", err=True)


class Notices:
    """Prints notices to standard error, one a line."""

    def write(self, event: Event) -> None:
        """Print a notice; everything else is for other sinks."""
        if isinstance(event, Notice):
            click.echo(f"streamer: {event.message}", err=True)

    def close(self) -> None:
        """Nothing to release."""


@contextlib.contextmanager
def signals(session: Session) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM end the session in order; the list tells which one came."""
    caught: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's shape
        caught.append(number)
        session.stop(interrupt=True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_code(caught: list[int], outputs: _Outputs) -> int:
    if caught:
        return TERMINATED if caught[0] == signal.SIGTERM else INTERRUPTED
    return FAILED if outputs.failed else 0


def _refuse_overwriting(output: Path | None, inputs: tuple[Path, ...]) -> None:
    if output is None or not output.exists():
        return
    for path in inputs:
        if path.exists() and path.samefile(output):
            raise click.UsageError(f"{output} is the file to be read: name another output")
