"""Pass the tests, on a machine that has nothing but Python 3.11.

    python3 tests/run.py [arguments of pytest]

Makes `.venv` beside the sources if it is not there and installs streamer with all its extras into
it. Without arguments, the tests that need a sound server or a browser, build wheels or the manual,
or start clusters are left out (`.ci/run` runs those too), and the others run on all cores, each
file of tests on one of them: what a file shares is made once. With arguments, those of pytest-xdist
among them (`-n 2 --dist loadfile`), pytest runs as they say.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from environment import ROOT, prepare

APART = ("live", "wheel", "cluster", "docs", "browser", "slow")
#: Every process imports and collects everything: more of them take longer for that than they save.
MOST_PROCESSES = 8


def quick() -> list[str]:
    """Arguments of pytest for everything quick, on as many processes as this one may use cores."""
    # Not xdist's `auto`, which asks for the cores of the machine.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    processes = min(cores, MOST_PROCESSES) if cores > 1 else 0
    marked = " and ".join(f"not {marker}" for marker in APART)
    return ["-m", marked, "-n", str(processes), "--dist", "loadfile"]


def main() -> int:
    """Run pytest; its exit code."""
    python = prepare("test")
    # One thread a library: the tests run beside each other, not beside themselves.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [str(python), "-m", "pytest", "-q", *(sys.argv[1:] or quick())]
    environment = {**threads, **os.environ}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
