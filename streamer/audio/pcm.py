"""Raw PCM from a byte stream (standard input, a pipe), as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from streamer.audio.source import Piece, Remark, Samples, SourceInfo, check_layout, mix
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


class PcmSource:
    """Interleaved little-endian PCM without a header, read from ``stream`` until it ends.

    ``rate`` in Hz, ``channels`` per sample (mixed to mono), ``fmt`` one of :data:`FORMATS`. A piece
    is what one read gave, at most ``block`` samples, so a slow writer is heard at once. Raises
    ``AudioError`` for an unknown format, an absurd rate or number of channels, and where reading
    fails. The stream stays open: it belongs to the caller.
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
                yield self._mono(self._decode(data[:used]))
        if left and not self._closed:
            yield Remark(
                f"{self.info.name} ended with {len(left)} bytes of an unfinished sample "
                f"({self._fmt}, {self.info.channels} channels): are format and channels right?"
            )

    def close(self) -> None:
        """End :meth:`pieces` after the read under way; the stream itself stays open."""
        self._closed = True

    def _read(self, size: int) -> bytes:
        """What is there now, at least one byte unless the stream has ended."""
        read = getattr(self._stream, "read1", self._stream.read)
        try:
            return bytes(read(size))
        except (OSError, ValueError) as error:
            raise AudioError(f"{self.info.name} cannot be read further: {error}") from error

    def _mono(self, flat: NDArray[np.float32]) -> Samples:
        if self.info.channels == 1:
            return flat
        block = flat.reshape(-1, self.info.channels)
        mono = np.empty(len(block), np.float32)
        # Infinite samples of opposite sign give NaN, which `validity` deals with.
        with np.errstate(invalid="ignore", over="ignore"):
            mix(block, mono)
        return mono
