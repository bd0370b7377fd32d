"""Nothing leaves the machine, and nothing is stored that was not named."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from processes import hasty_device

#: Every connection, every name that is looked up and every datagram is written down and refused.
GUARD = """
import os, sys

def guard(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto",
                 "socket.sendmsg", "socket.gethostbyname", "urllib.Request", "ftplib.connect"}:
        with open(os.environ["TOLD"], "a") as told:
            print(event, *map(str, arguments), file=told)
        raise OSError("the network is guarded")

sys.addaudithook(guard)
"""

COMMANDS = {
    "replay": ["replay", "song.wav", "--speed", "max", "--model", "model"],
    "live": ["live", "--no-dashboard", "--duration", "3", "--model", "model"],
    "devices": ["devices"],
    "models": ["models"],
    "annotate": ["annotate", "song.wav", "--quiet", "-o", "named", "--model", "model"],
    "export": ["export", "model", "--onnx", "named"],
    "compare": ["compare", "a.jsonl", "a.jsonl"],
}


@pytest.fixture
def guarded(tmp_path: Path, model_directory: Path, music: np.ndarray) -> dict[str, str]:
    """The environment of a user with an empty home, and a network that tells."""
    modules = tmp_path / "modules"
    environment = hasty_device(modules)
    (modules / "sitecustomize.py").write_text(GUARD)
    for name in ("home", "work", "temporary"):
        (tmp_path / name).mkdir()
    work = tmp_path / "work"
    (work / "model").symlink_to(model_directory)
    soundfile.write(work / "song.wav", music, 16_000)
    hidden = ("XDG_", "ORT_", "PYTEST")
    environment = {k: v for k, v in environment.items() if not k.startswith(hidden)}
    return environment | {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "temporary"),
        "TOLD": str(tmp_path / "told"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def files(folder: Path) -> set[str]:
    """Everything in a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def run(arguments: list[str], environment: dict[str, str], work: Path) -> bytes:
    """Run a command that must succeed; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "streamer", *arguments],
        cwd=work, env=environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_no_connection_and_no_file(guarded: dict[str, str], tmp_path: Path, name: str) -> None:
    """No command that listens or reads asks the network, or writes what was not named."""
    if name == "export":
        pytest.importorskip("onnx", reason="extra 'onnx'")
        pytest.importorskip("onnxruntime", reason="extra 'onnx'")
    work = tmp_path / "work"
    if name == "compare":
        (work / "a.jsonl").write_bytes(run(COMMANDS["replay"], guarded, work))
    arguments = [f"{word}.csv" if word == "named" else word for word in COMMANDS[name]]
    before = files(work)
    run(arguments, guarded, work)
    assert files(work) - before == ({"named.csv"} if "named" in COMMANDS[name] else set())
    assert files(tmp_path / "home") == set()
    assert files(tmp_path / "temporary") == set()
    assert not (tmp_path / "told").exists(), (tmp_path / "told").read_text()


#: Every way out that has to be asked for by name, and what the guard sees of it: the extra, the
#: package, the arguments, the event.
WAYS_OUT = {
    "osc": ("osc", "pythonosc", ["--osc", "127.0.0.1:9"], "socket.getaddrinfo"),
    "mqtt": ("mqtt", "paho.mqtt", ["--mqtt", "mqtt://127.0.0.1:9"], "socket.bind"),
    "serve": ("web", "websockets", ["--serve", "8765"], "socket.bind"),
}


@pytest.mark.parametrize("name", WAYS_OUT)
def test_the_guard_notices(guarded: dict[str, str], tmp_path: Path, name: str) -> None:
    """What sends or listens because it was asked for by name is seen: the guard is no straw man."""
    extra, package, wish, event = WAYS_OUT[name]
    pytest.importorskip(package, reason=f"extra {extra!r}")
    subprocess.run(
        [sys.executable, "-m", "streamer", *COMMANDS["replay"], *wish],
        cwd=tmp_path / "work", env=guarded, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert event in (tmp_path / "told").read_text()


#: Options of the commands that listen which hand estimates to other programs: ``--lsl`` is a C
#: library's work, which no guard of Python sees, and ``--sink`` that of a package of the user's.
ASKED_FOR = {"serve", "mqtt", "osc", "lsl", "sink"}


def test_every_way_out_is_named_here() -> None:
    """No option hands estimates to other programs that this file does not know."""
    from streamer.cli.options import GROUPS

    ways = {name for name in GROUPS["Other programs"] if not name.startswith("osc_")}
    assert ways == ASKED_FOR
    assert set(WAYS_OUT) == ASKED_FOR - {"lsl", "sink"}


def test_no_module_of_ours_fetches() -> None:
    """What reaches the network stands in the sinks that are asked for by name, and nowhere else."""
    import streamer

    package = Path(streamer.__file__).parent
    users = {}
    for path in package.rglob("*.py"):
        words = path.read_text(encoding="utf-8").split()
        imports = {b for a, b in itertools.pairwise(words) if a in ("import", "from")}
        names = {name.split(".")[0] for name in imports if not name.startswith("urllib.parse")}
        found = names & {
            "socket", "http", "urllib", "requests", "ftplib", "smtplib", "httpx", "asyncio",
            "paho", "pylsl", "pythonosc", "websockets",
        }  # fmt: skip
        if found:
            users[path.relative_to(package).as_posix()] = found
    assert users == {
        "bench/live.py": {"socket", "websockets"},  # the viewer of its own page, on this machine
        "bench/outputs.py": {"socket"},  # receivers for the bench, on this machine
        "sinks/lsl.py": {"pylsl"},
        "sinks/mqtt.py": {"paho"},
        "sinks/osc.py": {"pythonosc", "socket"},
        "sinks/page.py": {"asyncio", "socket", "websockets"},
        "tracking.py": {"asyncio"},  # `async for` over estimates: no connection
    }
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
