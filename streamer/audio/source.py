"""What every source of sound is: something that says what it is and yields samples or losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lost:
    """Samples of the source that cannot be had: ``samples`` at the source's rate, and why."""

    samples: int
    cause: str
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """A source's word to the person at the screen (a device went away, the input is all zeros)."""

    message: str


Piece = Samples | Lost | Remark


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source says of itself.

    ``kind`` is "file", "stdin", "device" or another word; ``sample_rate`` is the source's own in
    Hz; ``channels`` what it had before they were mixed to mono; ``start_s`` the stream time of its
    first sample; ``duration_s`` the stream time at which it will end, where that is known.
    """

    kind: str
    name: str
    sample_rate: int
    channels: int
    start_s: float = 0.0
    duration_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The form of the ``start`` line; what is unknown is left out."""
        record: dict[str, Any] = {
            "kind": self.kind,
            "name": self.name,
            "rate": self.sample_rate,
            "channels": self.channels,
        }
        if self.start_s:
            record["start_s"] = self.start_s
        if self.duration_s is not None:
            record["duration_s"] = self.duration_s
        return record


class Source(Protocol):
    """Yields mono float32 blocks in [-1, 1] at its own rate, ``Lost`` pieces, or remarks."""

    @property
    def info(self) -> SourceInfo:
        """What the source says of itself; constant from the moment it is open."""

    def pieces(self) -> Iterator[Piece]:
        """The stream, piece by piece, in order; every sample is in exactly one piece."""

    def close(self) -> None:
        """Release the file or device; ``pieces`` ends soon after. May be called twice."""
