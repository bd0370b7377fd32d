"""``python -m streamer`` is the command ``streamer``: both begin here."""

import signal
import sys


def run() -> int:
    """Run the command line and return its exit code."""
    # Until the command minds its signals, Ctrl-C ends it as SIGTERM does, at once and without a
    # word: Python would show a traceback of its imports.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from streamer.cli.main import run as run_command

    return run_command()


if __name__ == "__main__":
    sys.exit(run())
