"""Sources of sound: what they say of themselves, and the samples, losses and remarks they yield.

Beside them what holds for all: plausible rates and channel counts, the mix of channels to mono, and
samples that cannot be sound (NaN, infinite, absurdly loud), which become losses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.errors import AudioError

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


#: Rates in Hz that sound is kept at; outside of them a header is wrong, not unusual.
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
#: libsndfile's own limit.
MOST_CHANNELS = 1_024


def check_layout(rate: int, channels: int, what: str) -> None:
    """Raise ``AudioError`` where ``what`` claims a rate or a number of channels beyond belief."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"{what} has a sample rate of {rate} Hz, outside {LOWEST_RATE} to {HIGHEST_RATE} Hz: "
            f"give the right rate, or convert the sound"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(
            f"{what} has {channels} channels, outside 1 to {MOST_CHANNELS}: "
            f"give the right number of channels, or convert the sound"
        )


def mix(block: NDArray[np.float32], out: Samples) -> None:
    """Write the mean of the channels of ``block`` (samples, channels) into ``out`` (samples,).

    Channel by channel instead of a matrix product: the result of a sample must not depend on where
    a block was cut, and nothing is allocated (the sound card's callback calls this).
    """
    np.copyto(out, block[:, 0])
    channels = block.shape[1]
    if channels > 1:
        for channel in range(1, channels):
            np.add(out, block[:, channel], out=out)
        np.multiply(out, np.float32(1.0 / channels), out=out)


#: Full scale is 1; float recordings overshoot it a little, never by 18 dB.
LIMIT = np.float32(8.0)
CAUSE = "invalid samples"


def split_valid(block: Samples) -> Iterator[Samples | Lost]:
    """Cut a block of shape (samples,) at its runs of invalid samples.

    A run of NaN, infinite or beyond ±8 becomes ``Lost(length, "invalid samples")``; what lies
    between is yielded as views, in order, so that the lengths add up to the block's. A block that
    is valid throughout is yielded itself; an empty block yields nothing.
    """
    if block.size == 0:
        return
    # NaN survives min and max, and fails every comparison.
    if block.min() >= -LIMIT and block.max() <= LIMIT:
        yield block
        return
    valid = np.abs(block) <= LIMIT
    edges = np.flatnonzero(valid[1:] != valid[:-1]) + 1
    bounds = [0, *edges.tolist(), block.size]
    for begin, end in pairwise(bounds):
        if valid[begin]:
            yield block[begin:end]
        else:
            yield Lost(end - begin, CAUSE)
