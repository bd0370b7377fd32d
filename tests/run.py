"""Pass the tests, on a machine that has nothing but Python 3.11.

    python3 tests/run.py [arguments of pytest]

Makes `.venv` beside the sources if it is not there and installs streamer with all its extras into
it. Without arguments, the tests that need a sound server or a browser, build wheels or the manual,
or start clusters are left out; `.ci/run` runs those too.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from environment import ROOT, prepare


def main() -> int:
    """Run pytest; its exit code."""
    python = prepare("test")
    apart = ("live", "wheel", "cluster", "docs", "browser", "slow")
    arguments = sys.argv[1:] or ["-m", " and ".join(f"not {marker}" for marker in apart)]
    # One thread a library: the tests run beside each other, not beside themselves.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [str(python), "-m", "pytest", "-q", *arguments]
    environment = {**threads, **os.environ}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
