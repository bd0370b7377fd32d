"""Pass a core of the tests on the other Pythons that pyproject.toml promises, and compare lines.

    python3 tests/trust/pythons.py [arguments of pytest]

For each that this machine has (`python3.12` on the PATH, or among those of pyenv), makes an
environment in a temporary folder, installs streamer there as a user would, replays the example
clip, and holds the lines to those of the Python that runs this program: 1e-5 a number, and it tells
whether they are the same to the byte. A Python that is not here is named and left out.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Beside the one that everything else runs with.
OTHERS = ("3.12", "3.13")
TOOLS = ("hypothesis", "jsonschema", "pexpect", "pytest", "pytest-xdist")
#: On all cores, a file of tests on one of them.
BESIDE = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile")
#: What sound goes through, without the extras.
TESTS = (
    "tests/features",
    "tests/test_events.py",
    "tests/test_tracker.py",
    "tests/test_playback.py",
    "tests/cli/test_replay.py",
)


def interpreter(version: str) -> Path | None:
    """The program of that Python which this machine has, if it runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    for program in (*found, Path(f"python{version}")):
        asked = [str(program), "-c", "import sys, venv; print(sys.executable)"]
        try:
            told = subprocess.run(asked, capture_output=True, text=True, check=False)
        except OSError:
            continue
        if told.returncode == 0:
            return Path(told.stdout.strip())
    return None


def environment(python: Path, folder: Path) -> Path:
    """A new environment of that Python with streamer and the tools; its own Python."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, ROOT, *TOOLS], check=True)
    return own


def lines(python: Path) -> list[bytes]:
    """What `replay` writes of the example clip, but for the first line, which tells the time."""
    clip = ROOT / "examples" / "four_moods.flac"
    command = [python, "-m", "streamer", "replay", clip, "--speed", "max"]
    with tempfile.TemporaryDirectory() as elsewhere:
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=elsewhere).stdout
    return said.splitlines()[1:-1]


def agree(ones: list[bytes], others: list[bytes]) -> bool:
    """Whether all numbers of the estimates are within what is promised."""
    if len(ones) != len(others):
        return False
    for one, other in zip(map(json.loads, ones), map(json.loads, others), strict=True):
        for name, value in one.items():
            if isinstance(value, float):
                if not math.isclose(value, other[name], abs_tol=1e-5, rel_tol=0):
                    return False
            elif name != "quadrant_p" and value != other[name]:
                return False
    return True


def main() -> int:
    """Try each; 1 where something was wrong."""
    failed = False
    there = {version: interpreter(version) for version in OTHERS}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        # All at once: installing is mostly waiting.
        installing = {
            version: pool.submit(environment, python, Path(folder, version))
            for version, python in there.items()
            if python is not None
        }
        expected = lines(environment(Path(sys.executable), Path(folder, "here")))
        for version in OTHERS:
            if version not in installing:
                print(f"Python {version}: not on this machine, left out", flush=True)
                continue
            own = installing[version].result()
            found = lines(own)
            same = "the same bytes" if found == expected else "within 1e-5"
            well = agree(expected, found)
            print(f"Python {version}: {len(found)} lines, {same if well else 'OTHER LINES'}")
            command = [own, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            tested = subprocess.run(
                [*command, *(sys.argv[1:] or (*BESIDE, *TESTS))],
                check=False,
                cwd=ROOT,
                env={**os.environ, **threads},
            )
            failed |= not well or tested.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
