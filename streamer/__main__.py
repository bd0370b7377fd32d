"""``python -m streamer`` is the command ``streamer``."""

import sys

from streamer.cli.main import run

sys.exit(run())
