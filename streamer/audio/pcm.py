"""Raw PCM from a byte stream (standard input, a pipe), as it comes."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from streamer.audio.source import (
    Downmix,
    Piece,
    Plausible,
    Remark,
    Samples,
    SourceInfo,
    check_layout,
)
from streamer.errors import AudioError

_BLOCK = 16_384


def _s16(data: bytes) -> Samples:
    return np.frombuffer(data, "<i2").astype(np.float32) * np.float32(2.0**-15)


def _s24(data: bytes) -> Samples:
    # The three bytes become the upper three of an int32: its sign comes for free.
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.reshape(-1).view("<i4").astype(np.float32) * np.float32(2.0**-31)


def _s32(data: bytes) -> Samples:
    return np.frombuffer(data, "<i4").astype(np.float32) * np.float32(2.0**-31)


def _f32(data: bytes) -> Samples:
    return np.frombuffer(data, "<f4").astype(np.float32)


#: Name of a sample format: its width in bytes, and bytes -> float32 in [-1, 1].
_FORMATS: Final[dict[str, tuple[int, Callable[[bytes], Samples]]]] = {
    "s16le": (2, _s16),
    "s24le": (3, _s24),
    "s32le": (4, _s32),
    "f32le": (4, _f32),
}
#: The sample formats that :class:`PcmSource` reads.
FORMATS: Final = tuple(_FORMATS)
#: Seconds over which it is judged whether the stream is sound.
_LOOK_S = 1.0


class PcmSource:
    """Interleaved little-endian PCM without a header, read from ``stream`` until it ends.

    ``rate`` in Hz, ``channels`` per sample (mixed to mono), ``fmt`` one of :data:`FORMATS`. A piece
    is what one read gave, at most ``block`` samples, so a slow writer is heard at once. Raises
    ``AudioError`` for an unknown format, an absurd rate or number of channels, and where reading
    fails. A stream that is mostly no sound (bytes of another format, as a rule) gives one remark,
    and so does one that ends without a sample. The stream stays open: it belongs to the caller.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        rate: int,
        channels: int,
        fmt: str,
        name: str = "standard input",
        block: int = _BLOCK,
    ) -> None:
        if fmt not in _FORMATS:
            raise AudioError(f"unknown sample format {fmt!r}: choose one of {', '.join(FORMATS)}")
        check_layout(rate, channels, name)
        self._stream = stream
        self._width, self._decode = _FORMATS[fmt]
        self._fmt = fmt
        self._block = block
        self._closed = False
        self._downmix = Downmix(rate, channels)
        self._plausible = Plausible(rate)  # since the last look
        self._looked = False
        #: What came was mostly no sound, or nothing.
        self.incomplete = False
        self.info = SourceInfo(kind="stdin", name=name, sample_rate=rate, channels=channels)

    def pieces(self) -> Iterator[Piece]:
        """Blocks of mono float32; a partial sample at the end becomes a remark."""
        whole = self._width * self.info.channels
        left = b""
        while not self._closed:
            data = self._read(self._block * whole - len(left))
            if not data:
                break
            data = left + data
            used = len(data) - len(data) % whole
            left = data[used:]
            if used:
                mono = self._mono(self._decode(data[:used]))
                self._plausible.look(mono)
                if self._plausible.samples >= _LOOK_S * self.info.sample_rate:
                    yield from self._judged()
                yield mono
                if news := self._downmix.news():
                    yield Remark(f"{self.info.name}: {news}")
        if self._closed:
            return
        nothing = not self._looked and not self._plausible.samples
        if not self._looked and not (nothing and left):  # a stream shorter than a look
            yield from self._judged()
        if left:
            self.incomplete = self.incomplete or nothing
            yield Remark(
                f"{self.info.name} ended with {len(left)} bytes of an unfinished sample "
                f"({self._fmt}, {self.info.channels} channels): are format and channels right?",
                missing=nothing,
            )

    def close(self) -> None:
        """End :meth:`pieces` after the read under way; the stream itself stays open."""
        self._closed = True

    def _read(self, size: int) -> bytes:
        """What is there now, at least one byte unless the stream has ended."""
        read = getattr(self._stream, "read1", self._stream.read)
        try:
            while True:
                data = read(size)
                if data or (waiting := self._not_blocking()) is None:
                    return bytes(data or b"")
                # Nothing is not the end there: only the descriptor itself tells the two apart.
                select.select([waiting], [], [])
                read = waiting.read
                if (data := read(size)) is not None:
                    return bytes(data)
        except (OSError, ValueError) as error:
            raise AudioError(f"{self.info.name} cannot be read further: {error}") from error

    def _not_blocking(self) -> Any:
        """The raw stream where a read does not wait for bytes, as its other users may have set it.

        (It cannot be set back: that would change it under them.)
        """
        raw = getattr(self._stream, "raw", self._stream)
        if sys.platform == "win32" or not isinstance(raw, io.FileIO):
            return None
        return None if os.get_blocking(raw.fileno()) else raw

    def _judged(self) -> Iterator[Remark]:
        """The word on a stream that is mostly no sound, or nothing, once."""
        seen, self._plausible = self._plausible, Plausible(self.info.sample_rate)
        self._looked = True
        if self.incomplete:
            return
        if not seen.samples:
            self.incomplete = True
            yield Remark(
                f"nothing came from {self.info.name}: there is no sound in it", missing=True
            )
        elif seen.fault:
            self.incomplete = True
            yield Remark(
                f"most of what comes from {self.info.name} is no sound (not a number, or far "
                f"beyond full scale): is it {self._fmt}, or another --format? If it is, its sender "
                f"is broken",
                missing=True,
            )

    def _mono(self, flat: NDArray[np.float32]) -> Samples:
        if self.info.channels == 1:
            return flat
        block = flat.reshape(-1, self.info.channels)
        mono = np.empty(len(block), np.float32)
        # Infinite samples of opposite sign give NaN, which becomes a loss further on.
        with np.errstate(invalid="ignore", over="ignore"):
            self._downmix(block, mono)
        return mono
