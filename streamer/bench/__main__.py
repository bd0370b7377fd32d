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
    # Ended in order: what it has started does not outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        tell = lambda text: print(text, file=sys.stderr)  # noqa: E731 - a line, not a function
        report = run(asked.model, quick=asked.quick, slow=asked.slow, tell=tell)
    except KeyboardInterrupt:
        sys.exit(130)  # the parent tells the shell
    sys.stdout.write(report.to_json())


if __name__ == "__main__":
    main()
