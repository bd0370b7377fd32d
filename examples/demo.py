"""Run streamer on the example clip, on a machine that has nothing but Python 3.11.

    python3 examples/demo.py [options of `streamer replay`]

Makes `.venv` beside the sources if it is not there, installs streamer into it, and replays the
clip: a dashboard in a terminal, JSON lines in a pipe. No sound card is needed.
"""

import subprocess
import sys
from pathlib import Path

from environment import prepare

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Replay the clip with the arguments given; the exit code of streamer."""
    python = prepare()
    clip = HERE / "four_moods.flac"
    command = [str(python), "-m", "streamer", "replay", str(clip), *sys.argv[1:]]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
