"""The line to the capturing process: started, read from, and cut off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import BinaryIO, Protocol, cast

from streamer.audio import wire
from streamer.audio.devices import Input
from streamer.errors import AudioError, DeviceError

#: A sound server that has not answered by now does not answer at all.
ANSWER_S = 10.0


class Line(Protocol):
    """Messages from a capturing process."""

    def receive(self) -> wire.Message | None:
        """The next message; it comes within about a quarter of a second. ``None``: cut off."""

    def cut(self) -> None:
        """End the capturing process, from any thread; :meth:`receive` then returns ``None``."""

    def end(self) -> None:
        """Cut the line and release what it holds; nothing may be received any more."""


class Process:
    """A capturing process of our own.

    It has a process group to itself, so that suspending the listening process (Ctrl-Z) leaves the
    capture running: what is heard meanwhile waits in the ring, and what does not fit is counted.
    """

    def __init__(self, request: dict[str, object]) -> None:
        # Whatever made this package importable here must make it importable there.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        new_group = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            if sys.platform == "win32"
            else {"process_group": 0}
        )
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "streamer.audio.capture", json.dumps(request)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # ALSA talks there about every device it cannot find
                env={**os.environ, "PYTHONPATH": path},
                **new_group,
            )
        except OSError as error:
            raise AudioError(f"cannot start the capturing process: {error}") from error
        self._pipe = cast(BinaryIO, self._process.stdout)

    @property
    def pid(self) -> int:
        """The capturing process's id."""
        return int(self._process.pid)

    def receive(self) -> wire.Message | None:
        """The next message, or ``None`` where the process has ended."""
        try:
            return wire.unpack(self._pipe)
        except (OSError, ValueError):
            return None

    def cut(self) -> None:
        """Kill the process. Safe in a signal's handler: it waits a moment, and for no lock."""
        self._process.kill()
        for _ in range(50):
            if self._process.poll() is not None:
                break
            time.sleep(0.002)

    def end(self) -> None:
        """Kill the process, wait until it is gone, close the pipes. May be called again."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def list_inputs(timeout_s: float = ANSWER_S) -> list[Input]:
    """The inputs of this computer; ``DeviceError`` where PortAudio is missing or hangs."""
    process = Process({"list": True})
    try:
        ticks = 0
        while True:
            message = process.receive()
            if isinstance(message, wire.Listed):
                return [Input(**fields) for fields in message.inputs]
            if isinstance(message, wire.Failed):
                raise DeviceError(message.message)
            if message is None:
                raise DeviceError("the sound system failed while its inputs were being listed")
            ticks += 1
            if ticks * 0.25 >= timeout_s:
                raise DeviceError(
                    f"the sound system did not answer within {timeout_s:g} s: "
                    f"is a sound server hanging?"
                )
    finally:
        process.end()
