"""A virtual environment beside the sources, made with the standard library alone."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
#: What the set-up pins: a looser wish for PyTorch brings gigabytes of CUDA.
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
MARK = VENV / "streamer-installed"


def prepare(*extras: str) -> Path:
    """The environment's Python, with streamer and its ``extras`` installed.

    Installs anew where the sources or the wishes have changed since. Exits with a sentence where
    Python is too old or installing fails.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs before anything is installed
        sys.exit(f"streamer needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        print(f"making {VENV}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    have = set(MARK.read_text().split()) if MARK.is_file() else set()
    wanted = set(extras) | {word for word in have if not word.startswith("sources:")}
    state = {f"sources:{_fingerprint()}"} | wanted
    if state != have:
        what = f"{ROOT}[{','.join(sorted(wanted))}]" if wanted else str(ROOT)
        print(f"installing {what} (once)", file=sys.stderr)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # The wheel itself, not the sources, is what is run and tested.
        command = [*install, "--constraint", str(CONSTRAINTS), what]
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
            sys.exit("streamer could not be installed: see above")
        MARK.write_text(" ".join(sorted(state)))
    return python


def _fingerprint() -> str:
    """Changes when anything that goes into the wheel changes."""
    digest = hashlib.sha256()
    files = [ROOT / "pyproject.toml", CONSTRAINTS]
    for folder in ("streamer", "models"):
        files += sorted(p for p in (ROOT / folder).rglob("*") if p.suffix != ".pyc" and p.is_file())
    for file in files:
        status = file.stat()
        digest.update(f"{file.relative_to(ROOT)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
