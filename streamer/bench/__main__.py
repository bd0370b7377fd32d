"""The measuring process of ``streamer bench``: JSON on standard output, progress on error.

A process of its own, because the number of threads is settled when NumPy is imported.
"""

from __future__ import annotations

import argparse
import signal
import sys

from streamer.bench.suite import run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--slow", action="store_true")
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    tell = lambda text: print(text, file=sys.stderr)  # noqa: E731 - a line, not a function
    report = run(asked.model, quick=asked.quick, slow=asked.slow, tell=tell)
    sys.stdout.write(report.to_json())


def _leave(number: int, _: object) -> None:
    """End in order; another signal meanwhile does not break off the tidying."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
