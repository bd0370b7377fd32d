"""Pass a core of the tests with the lowest versions that pyproject.toml allows.

    python3 tests/trust/lowest.py [arguments of pytest]

Makes an environment in a temporary folder with every dependency, and those of the extras, at
exactly its lower bound, and installs streamer there as a user would. PyTorch (hundreds of
megabytes, and CUDA with the old ones) and the extra `bench` are left out. What dependencies
themselves depend on comes in its newest version.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("av", "cluster", "lsl", "mqtt", "onnx", "osc", "parquet", "plot", "web")
TOOLS = ("hypothesis", "jsonschema", "pexpect", "pytest", "pytest-xdist")
#: On all cores, a file of tests on one of them.
BESIDE = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile")
#: Every stage that sound goes through, the commands that users call, and what the extras bring.
TESTS = (
    "tests/audio",
    "tests/features",
    "tests/network",
    "tests/sinks",
    "tests/test_events.py",
    "tests/test_tracker.py",
    "tests/annotate/test_cluster.py",
    "tests/analysis/test_plot.py",
    "tests/cli/test_replay.py",
    "tests/cli/test_replay_from.py",
    "tests/training/test_teachers.py",
)


def lowest() -> list[str]:
    """`name==bound` for each requirement that takes part."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in groups[extra])]
    lines += [line for line in groups["test"] if line.startswith(TOOLS)]
    pinned = []
    for line in lines:
        found = re.fullmatch(r"([\w.-]+)>=([\w.]+)(,.*)?", line)
        if found is None:
            sys.exit(f"pyproject.toml: {line!r} has no lower bound")
        pinned.append(f"{found[1]}=={found[2]}")
    return sorted(set(pinned))


def main() -> int:
    """Install and test; pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        pinned = lowest()
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(pinned) + "\n")
        environment = Path(folder, "environment")
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        tools = [line for line in pinned if line.startswith(TOOLS)]
        print("lowest versions:", *pinned, flush=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install += ["--constraint", constraints, f"{ROOT}[{','.join(EXTRAS)}]", *tools]
        if subprocess.run([str(word) for word in install], check=False).returncode:
            return 1
        # Old versions meet newer ones of what they depend on, and are warned of it.
        quiet = ["-W", "ignore::DeprecationWarning", "-W", "ignore::PendingDeprecationWarning"]
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *quiet]
        done = subprocess.run(
            [*command, *(sys.argv[1:] or (*BESIDE, *TESTS))],
            check=False,
            cwd=ROOT,
            env={**os.environ, **threads},
        )
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
