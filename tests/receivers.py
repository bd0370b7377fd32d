"""Real programs that receive what a session sends: found, started, and asked for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest


def demand(*programs: str) -> None:
    """Skip the test where a program is missing; fail it where STREAMER_REQUIRE_LIVE is 1."""
    places = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
    if lacking := [name for name in programs if shutil.which(name, path=places) is None]:
        if os.environ.get("STREAMER_REQUIRE_LIVE") == "1":
            pytest.fail(f"STREAMER_REQUIRE_LIVE=1, but {', '.join(lacking)} not installed")
        pytest.skip(f"{', '.join(lacking)} not installed")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of this machine where nobody listens."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(fact: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait until something outside of this thread has become true."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not fact():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        pause.wait(0.02)


class Mosquitto:
    """A real MQTT broker on a port of its own; it forgets everything when it is stopped.

    ``settings`` are lines of its configuration beside those of the port; by default anybody may do
    anything.
    """

    def __init__(self, folder: Path, settings: str = "allow_anonymous true") -> None:
        demand("mosquitto")
        self.port = free_port()
        self._configuration = folder / "mosquitto.conf"
        # Debian's own user would not be able to read the test's files.
        self._configuration.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\npersistence false\n{settings}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it listens."""
        path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(self._configuration)],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._listens, "mosquitto to start")

    def stop(self) -> None:
        """Kill it, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
