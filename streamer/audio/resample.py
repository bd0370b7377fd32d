"""Any source's rate to the model's, as a stream, with a clock that losses cannot shift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from streamer.audio.source import CAUSE, Lost, Remark, Samples, Source, SourceInfo, split_valid

#: soxr's "high quality": flat to 0.91 of the lower Nyquist frequency, 20 bits. "Low" would hold
#: samples back for 20 ms instead of 40, but begins to fall at two thirds.
_QUALITY = "HQ"


@dataclass(frozen=True, slots=True)
class Heard:
    """Samples of shape (samples,), mono float32 in about [-1, 1], at the model's rate."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class Skipped:
    """A loss: it begins at stream time ``t_s`` and lasts ``samples`` at the model's rate.

    ``lost`` is the source's own word on it, counted at the source's rate.
    """

    t_s: float
    samples: int
    lost: Lost


class Resampled:
    """A source's pieces at ``rate`` Hz; invalid samples have become losses.

    However the source cuts its pieces, the samples are the same. Model-rate samples and skipped
    ones together always number ``round(source samples * rate / source rate)`` at the end of a loss
    and at the end of the stream. At equal rates the samples pass untouched.
    """

    def __init__(self, source: Source, rate: int) -> None:
        self._source = source
        self._from = source.info.sample_rate
        self._to = rate
        self._stream = None if self._from == rate else _stream(self._from, rate)
        #: Longest time in seconds that the resampler holds a sample back.
        self.delay_s = 0.0 if self._from == rate else measured_delay(self._from, rate)
        self._heard = 0  # samples of the source so far, lost ones included
        self._told = 0  # samples of the model's rate so far, skipped ones included
        self._fed = False  # the resampler holds samples

    @property
    def info(self) -> SourceInfo:
        """What the source says of itself, its own rate included."""
        return self._source.info

    def __iter__(self) -> Iterator[Heard | Skipped | Remark]:
        """The stream until the source ends, losses in their place."""
        # Invalid samples at the end of a block may go on in the next: one loss, however cut.
        invalid = 0
        for piece in self._source.pieces():
            if isinstance(piece, Remark):
                yield piece
                continue
            for part in (piece,) if isinstance(piece, Lost) else split_valid(piece):
                if isinstance(part, Lost):
                    yield from self._flush()
                    if part.cause == CAUSE:
                        invalid += part.samples
                        continue
                if invalid:
                    yield self._skip(Lost(invalid, CAUSE))
                    invalid = 0
                if isinstance(part, Lost):
                    yield self._skip(part)
                else:
                    yield from self._feed(part)
        yield from self._flush()
        if invalid:
            yield self._skip(Lost(invalid, CAUSE))

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _feed(self, samples: Samples) -> Iterator[Heard]:
        self._heard += len(samples)
        if self._stream is not None:
            self._fed = True
            samples = self._stream.resample_chunk(samples)
        if len(samples):
            self._told += len(samples)
            yield Heard(samples)

    def _flush(self) -> Iterator[Heard]:
        """What the resampler still holds, cut to the sample that the clock asks for."""
        if self._stream is None or not self._fed:
            return
        # It would round the length of this stretch alone; a few zeros more, and the stretch can be
        # cut by the clock of the whole stream.
        zeros = np.zeros(2 + self._from // self._to, np.float32)
        rest = self._stream.resample_chunk(zeros, last=True)
        rest = rest[: self._at(self._heard) - self._told]
        self._stream.clear()
        self._fed = False
        if len(rest):
            self._told += len(rest)
            yield Heard(rest)

    def _skip(self, lost: Lost) -> Skipped:
        begin = self.info.start_s + self._heard / self._from
        self._heard += lost.samples
        skipped = self._at(self._heard) - self._told
        self._told += skipped
        return Skipped(begin, skipped, lost)

    def _at(self, position: int) -> int:
        """Model-rate samples in ``position`` samples of the source, to the nearest, in integers."""
        return (2 * position * self._to + self._from) // (2 * self._from)


@lru_cache(maxsize=16)
def measured_delay(from_rate: int, to_rate: int) -> float:
    """Longest time in seconds from a sample going in to its moment having come out.

    Found by sending a second of an impulse through in steps of a quarter of a millisecond: the
    filter's look-ahead and the resampler's own blocks are both in it.
    """
    stream = _stream(from_rate, to_rate)
    step = max(1, from_rate // 4_000)
    signal = np.zeros(step, np.float32)
    signal[0] = 1.0
    went_in = came_out = 0
    longest = 0.0
    while went_in < from_rate:
        came_out += len(stream.resample_chunk(signal))
        signal[0] = 0.0
        went_in += step
        longest = max(longest, went_in / from_rate - came_out / to_rate)
    return longest


def _stream(from_rate: int, to_rate: int) -> Any:
    import soxr

    return soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=_QUALITY)
