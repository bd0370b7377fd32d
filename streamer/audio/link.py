"""Messages between the capturing process and the listening one, and the pipe that carries them.

A message is a header (kind, flag, length of the payload in bytes, two numbers) and its payload.
``Process`` starts the capturing process, is read from, and can be cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, cast

import numpy as np

from streamer.audio.devices import Input
from streamer.audio.ring import OVERRUN, Block
from streamer.audio.source import Lost
from streamer.errors import DeviceError
from streamer.processes import start_capture

_HEADER = struct.Struct("<c?Idd")
_LONGEST = 1 << 26


@dataclass(frozen=True, slots=True)
class Tick:
    """A sign of life where there was nothing to tell for a while."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A device is open: its name (to find it again), rate in Hz, channels, its block in seconds."""

    name: str
    rate: int
    channels: int
    block_s: float
    latency_clock: str


@dataclass(frozen=True, slots=True)
class Clocked:
    """How capture times are taken from here on."""

    latency_clock: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What the computer plays goes to another output now; ``name`` is the source that hears it."""

    name: str


@dataclass(frozen=True, slots=True)
class Told:
    """A word on what is heard that the person at the screen should know."""

    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No device, or no longer; ``message`` is a sentence for the person at the screen."""

    message: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The inputs there are, each as the fields of ``devices.Input``."""

    inputs: list[dict[str, Any]]


Message = Block | Lost | Tick | Opened | Clocked | Moved | Told | Failed | Listed
_RECORDS = {kind.__name__: kind for kind in (Opened, Clocked, Moved, Told, Failed, Listed)}


def pack(message: Message) -> bytes:
    """The bytes of a message."""
    if isinstance(message, Block):
        payload = message.samples.astype("<f4", copy=False).tobytes()
        header = _HEADER.pack(
            b"B", message.overflow, len(payload), message.captured, message.entered
        )
        return header + payload
    if isinstance(message, Lost):
        return _HEADER.pack(b"R", False, 0, float(message.samples), 0.0)
    if isinstance(message, Tick):
        return _HEADER.pack(b"T", False, 0, 0.0, 0.0)
    fields = {name: getattr(message, name) for name in message.__dataclass_fields__}
    payload = json.dumps([type(message).__name__, fields]).encode()
    return _HEADER.pack(b"J", False, len(payload), 0.0, 0.0) + payload


def unpack(stream: BinaryIO) -> Message | None:
    """The next message; ``None`` where the stream has ended, in mid-message or before one.

    Raises ``ValueError`` for bytes that :func:`pack` did not make.
    """
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    kind, flag, length, one, two = _HEADER.unpack(header)
    if kind not in (b"B", b"R", b"T", b"J") or length > _LONGEST:
        raise ValueError(f"not a message of the capturing process: {header!r}")
    payload = stream.read(length) if length else b""
    if len(payload) < length:
        return None
    if kind == b"B":
        return Block(np.frombuffer(payload, "<f4").astype(np.float32), one, two, flag)
    if kind == b"R":
        return Lost(int(one), OVERRUN)
    if kind == b"T":
        return Tick()
    name, fields = json.loads(payload)
    record: Message = _RECORDS[name](**fields)
    return record


#: A sound server that has not answered by now does not answer at all.
ANSWER_S = 10.0


class Line(Protocol):
    """Messages from a capturing process."""

    def receive(self) -> Message | None:
        """The next message; ``None``: cut off.

        It comes within about a quarter of a second, or so much after the time of ``gather``.
        """

    def gather(self, every: int, turn: int) -> None:
        """Ask for ``every`` blocks at a time, the last of them number ``turn``, ``every`` on, ...

        Blocks of the line count from 1.
        """

    def cut(self) -> None:
        """End the capturing process, from any thread; :meth:`receive` then returns ``None``."""

    def end(self) -> None:
        """Cut the line and release what it holds; nothing may be received any more."""


class Process:
    """A capturing process of our own; ``DeviceError`` where the system cannot start one.

    ``started`` is one that was started ahead of its request.
    """

    def __init__(
        self, request: dict[str, object], started: subprocess.Popen[bytes] | None = None
    ) -> None:
        try:
            self._process = started or start_capture()
        except OSError as error:
            raise DeviceError(f"cannot start the capturing process: {error}") from error
        self._pipe = cast(BinaryIO, self._process.stdout)
        self._say(json.dumps(request))

    @property
    def pid(self) -> int:
        """The capturing process's id."""
        return int(self._process.pid)

    def receive(self) -> Message | None:
        """The next message, or ``None`` where the process has ended."""
        try:
            return unpack(self._pipe)
        except (OSError, ValueError):
            return None

    def gather(self, every: int, turn: int) -> None:
        """Tell the process."""
        self._say(f"{every} {turn}")

    def _kill(self) -> None:
        """Kill the process, and with it the programs that it has started, where groups are."""
        if hasattr(os, "killpg") and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def _say(self, line: str) -> None:
        """Write a line to the process; one that has ended needs not know."""
        with contextlib.suppress(OSError, ValueError):  # its pipe may be closed, at either end
            os.write(cast(BinaryIO, self._process.stdin).fileno(), f"{line}\n".encode())

    def cut(self) -> None:
        """Kill the process. Safe in a signal's handler: it waits a moment, and for no lock."""
        self._kill()
        for _ in range(50):
            if self._process.poll() is not None:
                break
            time.sleep(0.002)

    def end(self) -> None:
        """Kill the process, wait until it is gone, close the pipes. May be called again."""
        self._kill()
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
            if isinstance(message, Listed):
                return [Input(**fields) for fields in message.inputs]
            if isinstance(message, Failed):
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
