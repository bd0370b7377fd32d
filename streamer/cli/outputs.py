"""Where a session's events go: the sinks that the options ask for, and what becomes of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from streamer.cli.options import Listening
from streamer.cli.sentence import sentence
from streamer.errors import OutputError
from streamer.events import Event, Notice
from streamer.sinks.jsonl import JsonLines, RotatingJsonLines, Rotation
from streamer.sinks.lsl import Lsl
from streamer.sinks.mqtt import Mqtt
from streamer.sinks.osc import Osc
from streamer.sinks.plugins import open_sink
from streamer.sinks.sink import Sink


class Outputs:
    """The sinks of a session; ``failed`` says that one of them gave up."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.sinks: list[Sink] = []
        self.failed = False
        self._distant: list[Osc | Mqtt] = []

    def add(self, sink: Sink) -> None:
        """Add a sink, to be closed at the end."""
        self._stack.callback(sink.close)
        self.sinks.append(sink)

    def to_standard_output(self) -> None:
        """Add JSON lines on standard output."""
        # Unbuffered: a line is out when it is known, and a dead reader is noticed at once.
        stream = open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115
        self.add(JsonLines(self._stack.enter_context(stream)))

    def to_file(self, path: Path, rotation: Rotation | None = None) -> None:
        """Add JSON lines in a file, or in one after the other."""
        if rotation is not None:
            self.add(RotatingJsonLines(path, rotation))
            return
        try:
            stream: BinaryIO = path.open("wb", buffering=0)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from None
        self.add(JsonLines(self._stack.enter_context(stream), str(path)))

    def to_network(self, sink: Osc | Mqtt) -> None:
        """Add a sink whose receiver may be out of reach."""
        self._distant.append(sink)
        self.add(sink)

    def to_page(self, host: str, port: int, *, quiet: bool) -> None:
        """Add the page, and tell where it is."""
        from streamer.sinks.page import Page  # asyncio is slow to import

        page = Page(port, host)
        self.add(page)
        if not quiet:
            ours = host in ("127.0.0.1", "::1", "localhost")
            reach = "" if ours else ", open to everybody who reaches this machine"
            tell(f"the page is at {page.url} (add ?overlay for OBS){reach}")

    def hang_up(self) -> None:
        """Close what sends over the network; a receiver that is out of reach at the end failed."""
        for sink in self._distant:
            sink.close()
            self.failed = self.failed or sink.contact.is_lost

    def note_failure(self, error: OutputError) -> None:
        """Tell of a sink that gave up; the session goes on."""
        self.failed = True
        click.echo(f"streamer: {sentence(error)}; tracking goes on without it", err=True)


def tell(message: str) -> None:
    """Say something on standard error, from any thread."""
    click.echo(f"streamer: {sentence(message)}", err=True)


class Notices:
    """Prints notices to standard error, one a line."""

    def write(self, event: Event) -> None:
        """Print a notice; everything else is for other sinks."""
        if isinstance(event, Notice):
            tell(event.message)

    def close(self) -> None:
        """Nothing to release."""


@contextlib.contextmanager
def outputs(options: Listening, inputs: tuple[Path, ...]) -> Iterator[Outputs]:
    """The sinks that ``options`` ask for, closed afterwards.

    ``inputs`` are files that no output may overwrite.
    """
    for output in (options.jsonl, options.summary):
        refuse_overwriting(output, inputs)
    with contextlib.ExitStack() as stack:
        made = Outputs(stack)
        if options.serve is not None:
            made.to_page(*options.serve, quiet=options.quiet)
        if options.mqtt is not None:
            made.to_network(Mqtt(options.mqtt, tell))
        for host, port in options.osc:
            sink = Osc(host, port, options.osc_prefix, span=options.osc_range, tell=tell)
            made.to_network(sink)
        if options.lsl is not None:
            made.add(Lsl(options.lsl))
        for name, argument in options.sink:
            made.add(open_sink(name, argument))
        if not sys.stdout.isatty() or not options.dashboard:
            made.to_standard_output()
        if options.jsonl is not None:
            made.to_file(options.jsonl, options.rotate)
        if not options.quiet:
            made.add(Notices())
        yield made


def refuse_overwriting(output: Path | None, inputs: tuple[Path, ...]) -> None:
    """Refuse an output that is one of the files to be read."""
    if output is None or not output.exists():
        return
    for path in inputs:
        if path.exists() and path.samefile(output):
            raise click.UsageError(f"{output} is the file to be read: name another output")
