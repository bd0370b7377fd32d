"""Streaming resampler from any source's rate to the model's, its sample count right after losses.

Samples that cannot be sound become losses here, before the filter would smear them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from streamer.audio.source import (
    CAUSE,
    SLIVER_S,
    Lost,
    Remark,
    Samples,
    Source,
    SourceInfo,
    split_valid,
)

#: A loss that goes on is told this often.
_TELL_S = 1.0
#: soxr's "high quality": flat to 0.91 of the lower Nyquist frequency, 20 bits. "Low" would hold
#: samples back for 20 ms instead of 40, but begins to fall at two thirds.
_QUALITY = "HQ"


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

    However the source cuts its pieces, the samples (mono float32 of shape (samples,), in about
    [-1, 1]) and the losses found in them are the same. Model-rate samples and skipped ones together
    always number ``round(source samples * rate / source rate)`` at the end of a loss and at the end
    of the stream. At equal rates the samples pass untouched. Losses of one cause that follow each
    other within 25 ms are one; invalid samples that go on are told by the second, a loss that the
    source counted as soon as a second of it is known.
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
        self._sliver = round(SLIVER_S * self._from)
        self._tell = round(_TELL_S * self._from)
        self._loss: Lost | None = None  # one that may go on
        self._after: list[Samples] = []  # what came after it, too short so far to be sure

    @property
    def info(self) -> SourceInfo:
        """What the source says of itself, its own rate included."""
        return self._source.info

    def __iter__(self) -> Iterator[Samples | Skipped | Remark]:
        """The stream until the source ends, losses in their place."""
        for piece in self._source.pieces():
            if isinstance(piece, Remark):
                yield from self._settle()
                yield piece
            elif isinstance(piece, Lost):
                yield from self._lose(piece)
            else:
                for part in split_valid(piece, self._sliver):
                    if isinstance(part, Lost):
                        yield from self._lose(part)
                    elif self._loss is None:
                        yield from self._feed(part)
                    else:
                        yield from self._resume(part)
        yield from self.rest()

    def rest(self) -> Iterator[Samples | Skipped]:
        """What is still held: a loss that was not over, samples in the filter.

        For a listener that breaks off; at the end of the stream there is nothing left.
        """
        yield from self._settle()
        yield from self._flush()

    def _lose(self, lost: Lost) -> Iterator[Samples | Skipped]:
        """Add to the loss under way, or begin one."""
        if self._loss is not None and self._loss.cause == lost.cause:
            between = sum(map(len, self._after))
            self._loss = Lost(
                self._loss.samples + between + lost.samples,
                lost.cause,
                self._loss.estimated or lost.estimated,
            )
            self._after = []
        else:
            yield from self._settle()
            yield from self._flush()
            self._loss = lost
        while self._loss.samples >= self._tell:
            # Not as much as there is: a piece of the source ends anywhere. But a loss that the
            # source itself counted, a night without a device for instance, is its word, and one.
            told = self._tell if lost.cause == CAUSE else self._loss.samples
            yield self._skip(replace(self._loss, samples=told))
            # It may go on, though nothing of it is left: what follows is no sound of its own yet.
            self._loss = replace(lost, samples=self._loss.samples - told)

    def _resume(self, samples: Samples) -> Iterator[Samples | Skipped]:
        """Sound after a loss: held until it is long enough to be no part of it."""
        self._after.append(samples)
        if sum(map(len, self._after)) >= self._sliver:
            yield from self._settle()

    def _settle(self) -> Iterator[Samples | Skipped]:
        """Let the loss be over, and what came after it go on."""
        if self._loss is not None and self._loss.samples:
            yield self._skip(self._loss)
        self._loss = None
        after, self._after = self._after, []
        for samples in after:
            yield from self._feed(samples)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _feed(self, samples: Samples) -> Iterator[Samples]:
        self._heard += len(samples)
        if self._stream is not None:
            self._fed = True
            samples = self._stream.resample_chunk(samples)
        if len(samples):
            self._told += len(samples)
            yield samples

    def _flush(self) -> Iterator[Samples]:
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
            yield rest

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
