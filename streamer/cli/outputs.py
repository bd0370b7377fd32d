"""Where a session's events go: the sinks that the options ask for, and what becomes of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from streamer.cli.options import SessionOptions
from streamer.cli.sentence import tell
from streamer.errors import OutputError
from streamer.events import Event, Notice
from streamer.sinks.jsonl import JsonLinesFile, RotatingJsonLines, StandardOutput
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
        tell(f"{error}; tracking goes on without it")


class Notices:
    """Prints notices to standard error, one a line."""

    def write(self, event: Event) -> None:
        """Print a notice; everything else is for other sinks."""
        if isinstance(event, Notice):
            tell(event.message)

    def close(self) -> None:
        """Nothing to release."""


@contextlib.contextmanager
def outputs(options: SessionOptions) -> Iterator[Outputs]:
    """The sinks that ``options`` ask for, closed afterwards."""
    with contextlib.ExitStack() as stack:
        made = Outputs(stack)
        if options.writes_lines:
            # Whatever else is printed, by a sink of somebody else, must not stand between lines.
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
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
        if options.writes_lines:
            made.add(StandardOutput())
        if options.jsonl is not None and options.rotate is not None:
            made.add(RotatingJsonLines(options.jsonl, options.rotate))
        elif options.jsonl is not None:
            made.add(JsonLinesFile(options.jsonl))
        if not options.quiet:
            made.add(Notices())
        yield made
