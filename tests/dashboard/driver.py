"""A program with the dashboard on standard error and JSON lines on standard output.

The tests run it under a real terminal: a scripted session in true time, ended by Ctrl-C, SIGTERM,
the key q, or, when told so, by an exception.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType

from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripted_session import HOP_S, Script, start

from streamer.dashboard.closing import closing
from streamer.dashboard.dashboard import Dashboard
from streamer.events import to_json
from streamer.sinks.history import History


def terminate(number: int, frame: FrameType | None) -> None:
    """End in order, as the command line does."""
    sys.exit(143)


def main() -> int:
    """Play until told to stop; ``fail`` as an argument raises after a second."""
    signal.signal(signal.SIGTERM, terminate)
    history = History()
    history.write(start())
    script = Script(history, silent=(12.0, 14.0))
    if "skip" in sys.argv:
        script.advance(float(sys.argv[sys.argv.index("skip") + 1]))
    stopped: list[str] = []
    code = 0
    console = Console(stderr=True)
    try:
        with Dashboard(
            history,
            console,
            on_quit=lambda: stopped.append("quit"),
            on_reset=history.afresh,
        ):
            begun = time.monotonic()
            while not stopped:
                elapsed = time.monotonic() - begun
                if "fail" in sys.argv and elapsed > 1:
                    raise RuntimeError("on purpose")
                script.advance(HOP_S)
                latest = history.snapshot().latest
                if latest is not None and script.hops % 16 == 0:
                    print(to_json(latest), flush=True)
                time.sleep(HOP_S)
    except KeyboardInterrupt:
        code = 130
    finally:
        console.print(closing(history.summary(), console.width))
    return code


if __name__ == "__main__":
    sys.exit(main())
