"""Sources of sound: what they say of themselves, and the samples, losses and remarks they yield.

Beside them what holds for all: plausible rates and channel counts, the mix of channels to mono, and
samples that cannot be sound (NaN, infinite, absurdly loud), which become losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """A source's word to the person at the screen (a device went away, the input is all zeros).

    ``missing``: it tells of sound that is not heard and has no place in the stream.
    """

    message: str
    missing: bool = False


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


#: Seconds after which it is judged anew whether the mix has the sound.
_LOOK_S = 0.25
#: Below this share of the loudest channel's power the mix has lost the sound: 17 dB.
_CANCELLED = 0.02
#: From this share on, for ``_BACK`` looks in a row, the mix has it again.
_SOUNDS, _BACK = 0.1, 8
#: Mean power of a channel that has sound at all: -70 dB.
_FAINTEST = 1e-7
#: Share of a constant offset's power that may be left of it by rounding.
_ROUNDED = 1e-5
_OPPOSED = "mixed, its channels cancel each other out (a balanced line in a stereo input?)"
_SILENT = "one of its channels has the sound"


class Downmix:
    """Mono from several channels: their mean, or one channel where the mean loses the sound.

    That is so where channels of opposite sign cancel each other out (a balanced line in a stereo
    input), and where one of many has all the sound. Judged every quarter of a second of the stream,
    by what has been: the result of a sample does not depend on where a block was cut. ``rate`` in
    Hz; ``channels`` of the blocks; ``picked``: numbers, from 1 on, of those to be heard.
    """

    def __init__(self, rate: int, channels: int, picked: Sequence[int] = ()) -> None:
        self._columns = [number - 1 for number in picked] or list(range(channels))
        self._share = np.float32(1.0 / len(self._columns))
        self._window = max(1, round(rate * _LOOK_S))
        self._left = self._window
        pair = self._columns == [0, 1] and channels == 2
        # Both channels as one row of complex numbers, which BLAS runs through without gaps.
        self._ones = np.ones(self._window, np.complex64 if pair else np.float32)
        self._powers = [0.0] * len(self._columns)
        self._sums = [0.0] * len(self._columns)
        self._power = 0.0
        #: The channel that is heard alone, by its number from 1 on.
        self.alone: int | None = None
        self._sounds = 0  # looks in a row at which the mix had the sound
        self._news: list[str] = []

    def __call__(self, block: NDArray[np.float32], out: Samples) -> None:
        """Write the mono of ``block`` (samples, channels) into ``out`` (samples,).

        The sound card's callback calls this: it allocates nothing of the block's size.
        """
        if len(self._columns) == 1:
            np.copyto(out, block[:, self._columns[0]])
            return
        begin = 0
        while begin < len(block):
            end = min(len(block), begin + self._left)
            self._mix(block[begin:end], out[begin:end])
            self._left -= end - begin
            begin = end
            if self._left == 0:
                self._look()

    def news(self) -> str | None:
        """What has changed since the last call and a person should know."""
        news, self._news = self._news, []
        return "; then ".join(news) or None

    def _mix(self, block: NDArray[np.float32], out: Samples) -> None:
        # Channel by channel instead of a matrix product, which would round by the block's length.
        first, second, *others = self._columns
        np.add(block[:, first], block[:, second], out=out)
        for column in others:
            np.add(out, block[:, column], out=out)
        np.multiply(out, self._share, out=out)
        ones = self._ones[: len(block)]
        if self._ones.dtype == np.complex64 and block.flags.c_contiguous:
            pairs = block.reshape(-1).view(np.complex64)
            both, apart = complex(np.vdot(pairs, pairs)).real, complex(np.dot(pairs, pairs))
            powers = [(both + apart.real) / 2, (both - apart.real) / 2]
            self._power += (both + apart.imag) / 4
            total = complex(np.dot(pairs, ones))
            sums = [total.real, total.imag]
        else:
            self._power += float(np.dot(out, out))
            powers = [float(np.dot(block[:, k], block[:, k])) for k in self._columns]
            sums = [float(np.dot(block[:, k], ones).real) for k in self._columns]
        for index, (power, total_of_one) in enumerate(zip(powers, sums, strict=True)):
            self._powers[index] += power
            self._sums[index] += total_of_one
        if self.alone is not None:
            np.copyto(out, block[:, self.alone - 1])

    def _look(self) -> None:
        """Decide what is heard from here on; where a power is NaN, nothing changes."""
        # A constant offset is no sound: channels that cancel each other out would seem to have it.
        offsets = [total * total / self._window for total in self._sums]
        powers = [power - offset for power, offset in zip(self._powers, offsets, strict=True)]
        mixed = self._power - (sum(self._sums) * float(self._share)) ** 2 / self._window
        most = max(powers)
        loudest = self._columns[powers.index(most)] + 1
        if most > _FAINTEST * self._window + _ROUNDED * max(offsets):
            if self.alone is None:
                if mixed < _CANCELLED * most:
                    others = sum(power > 0.1 * most for power in powers) > 1
                    self._hear(loudest, _OPPOSED if others else _SILENT)
            elif mixed >= _SOUNDS * most:
                self._sounds += 1
                if self._sounds == _BACK:
                    self._news.append("all channels are heard again, mixed")
                    self.alone = None
            else:
                self._sounds = 0
                if powers[self._columns.index(self.alone - 1)] < _CANCELLED * most:
                    self._hear(loudest, _SILENT)
        self._left = self._window
        self._power = 0.0
        self._powers = [0.0] * len(self._columns)
        self._sums = [0.0] * len(self._columns)

    def _hear(self, channel: int, why: str) -> None:
        self.alone = channel
        self._sounds = 0
        self._news.append(f"{why}: channel {channel} is heard alone")


#: Full scale is 1; float recordings overshoot it a little, never by 18 dB.
LIMIT = np.float32(8.0)
CAUSE = "invalid samples"
#: Sound shorter than this, in seconds, between two losses of one cause is lost with them: no frame
#: fits in.
SLIVER_S = 0.025


def split_valid(block: Samples, least: int = 1) -> Iterator[Samples | Lost]:
    """Cut a block of shape (samples,) at its runs of invalid samples.

    A run of NaN, infinite or beyond ±8 becomes ``Lost(length, "invalid samples")``, and so does a
    valid run of fewer than ``least`` samples between two of them; what lies between is yielded as
    views, in order, so that the lengths add up to the block's. A block that is valid throughout is
    yielded itself; an empty block yields nothing.
    """
    if block.size == 0:
        return
    # NaN survives min and max, and fails every comparison.
    if block.min() >= -LIMIT and block.max() <= LIMIT:
        yield block
        return
    valid = np.abs(block) <= LIMIT
    bounds = _bounds(valid)
    slivers = np.flatnonzero(np.diff(bounds) < least)
    for run in slivers[(slivers > 0) & (slivers < len(bounds) - 2)].tolist():
        valid[bounds[run] : bounds[run + 1]] = False
    bounds = _bounds(valid) if slivers.size else bounds
    for begin, end in pairwise(bounds):
        if valid[begin]:
            yield block[begin:end]
        else:
            yield Lost(end - begin, CAUSE)


def _bounds(valid: NDArray[np.bool_]) -> list[int]:
    """Where runs of equal values begin and end."""
    return [0, *(np.flatnonzero(valid[1:] != valid[:-1]) + 1).tolist(), valid.size]


#: Softer than this is no sound but the bytes of something else: 16-bit sound read as floats has it.
_SOFTEST = np.float32(1e-20)
#: The share of samples that may be none.
_NOISE = 0.5


class Plausible:
    """Whether a stream is sound at all, by the samples so far that cannot be.

    What lies between two of them and is too short to be heard counts with them. ``rate`` in Hz.
    """

    def __init__(self, rate: int) -> None:
        #: Samples so far.
        self.samples = 0
        self._sliver = round(SLIVER_S * rate)
        self._loud = self._undefined = self._wrong = 0

    def look(self, mono: Samples) -> None:
        """Count in a block of shape (samples,)."""
        size = np.abs(mono)
        self.samples += len(mono)
        wrong = (size > 0) & (size < _SOFTEST)
        invalid = np.flatnonzero(~(size <= LIMIT))
        if invalid.size:
            self._loud += int(np.count_nonzero(size > LIMIT))
            self._undefined += int(np.count_nonzero(np.isnan(size)))
            # From each of them to the next, where that is near: 1 at the beginning, -1 at the end.
            steps = np.zeros(len(mono) + 1, np.int32)
            ends = invalid + 1
            near = np.flatnonzero(np.diff(invalid) <= self._sliver)
            ends[near] = invalid[near + 1]
            steps[invalid] += 1
            steps[ends] -= 1
            wrong |= np.cumsum(steps[:-1]) > 0
        self._wrong += int(np.count_nonzero(wrong))

    def glance(self, mono: Samples) -> None:
        """The same for a fraction of the time: no closer look at what has the power of sound.

        (Of such a block less than a sixtieth is beyond the limit, and nothing is undefined.)
        """
        with np.errstate(over="ignore", invalid="ignore"):
            power = float(np.dot(mono, mono))
        if power <= len(mono):
            self.samples += len(mono)
        else:
            self.look(mono)

    @property
    def fault(self) -> str | None:
        """What is wrong with most of the samples: "far beyond full scale", "not a number"."""
        if not self._loud + self._undefined or self._wrong <= _NOISE * self.samples:
            return None
        return "far beyond full scale" if self._loud >= self._undefined else "not a number"

    @property
    def complaint(self) -> str | None:
        """What is to be said of a file or an array with such a fault, after its name."""
        fault = self.fault
        return fault and (
            f"is no sound: most of it is lost, since so many of its samples are {fault}: "
            f"{_REMEDY[fault]}"
        )


#: What is to be done about the faults that :class:`Plausible` finds in a file or an array.
_REMEDY = {
    "far beyond full scale": "scale them to [-1, 1]",
    "not a number": "whatever wrote them is broken",
}
