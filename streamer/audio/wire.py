"""What the capturing process tells the listening one: messages on a pipe.

A message is a header (kind, flag, length of the payload in bytes, two numbers) and its payload.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from streamer.audio.ring import Block, Refused

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
class Failed:
    """No device, or no longer; ``message`` is a sentence for the person at the screen."""

    message: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The inputs there are, each as the fields of ``devices.Input``."""

    inputs: list[dict[str, Any]]


Message = Block | Refused | Tick | Opened | Clocked | Failed | Listed
_RECORDS = {kind.__name__: kind for kind in (Opened, Clocked, Failed, Listed)}


def pack(message: Message) -> bytes:
    """The bytes of a message."""
    if isinstance(message, Block):
        payload = message.samples.astype("<f4", copy=False).tobytes()
        header = _HEADER.pack(
            b"B", message.overflow, len(payload), message.captured, message.entered
        )
        return header + payload
    if isinstance(message, Refused):
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
        return Refused(int(one))
    if kind == b"T":
        return Tick()
    name, fields = json.loads(payload)
    record: Message = _RECORDS[name](**fields)
    return record
