"""A WAV file written while a source is heard, readable whenever one looks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from streamer.audio.source import Lost, Piece, Remark, Samples, Source, SourceInfo
from streamer.errors import OutputError

_FLOAT = 3  # WAVE_FORMAT_IEEE_FLOAT
_WIDTH = 4
#: "JUNK" is room that becomes the 64-bit sizes ("ds64") when 32 bits no longer hold them.
_HEADER = struct.Struct("<4sI4s 4sIQQQI 4sIHHIIHH 4sI")
_LIMIT = 0xFFFF_FFFF
_BLOCK = 65_536


class WavTee:
    """Passes a source's pieces on and writes them to ``path``, mono 32-bit float at its rate.

    Losses are written as zeros, so that a moment of the file is the same moment of the stream.
    The header is brought up to date each second of sound: whatever ends the program, the file is
    readable up to then. Past 4 GB it is an RF64 file. Raises ``OutputError`` where the file cannot
    be created, and replaces one that exists; a disk that fills up later is remarked on, and sets
    :attr:`failed`.
    """

    def __init__(self, source: Source, path: Path | str) -> None:
        self._source = source
        self._path = path
        self._rate = source.info.sample_rate
        self._samples = 0
        self._told = 0
        #: The file could not be written to its end.
        self.failed = False
        try:
            # Unbuffered: what was written is with the system when the program is killed.
            self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115
            self._update()
        except OSError as error:
            raise self._failure(error) from error

    @property
    def info(self) -> SourceInfo:
        """What the source says of itself."""
        return self._source.info

    def pieces(self) -> Iterator[Piece]:
        """The source's pieces, each written before it is passed on."""
        try:
            for piece in self._source.pieces():
                if not self.failed:
                    try:
                        self._keep(piece)
                    except OSError as error:
                        self.failed = True
                        yield Remark(f"{self._failure(error)}: it goes on without the file")
                yield piece
        finally:
            self._finish()

    def close(self) -> None:
        """Close the source; the file is finished when :meth:`pieces` ends."""
        self._source.close()

    def _keep(self, piece: Piece) -> None:
        if isinstance(piece, Lost):
            self._write_zeros(piece.samples)
        elif isinstance(piece, np.ndarray):
            self._write(piece)

    def _write(self, samples: Samples) -> None:
        self._file.write(samples.astype("<f4", copy=False).tobytes())
        self._samples += len(samples)
        if self._samples - self._told >= self._rate:
            self._update()

    def _write_zeros(self, count: int) -> None:
        zeros = np.zeros(min(count, _BLOCK), np.float32)
        while count > 0:
            self._write(zeros[:count])
            count -= min(count, _BLOCK)

    def _finish(self) -> None:
        if not (self._file.closed or self.failed):
            try:
                self._update()
            except OSError:
                self.failed = True
        self._file.close()

    def _update(self) -> None:
        """Write the header for the samples so far, and return to the end."""
        data = self._samples * _WIDTH
        whole = data + _HEADER.size - 8
        long = whole > _LIMIT
        header = _HEADER.pack(
            b"RF64" if long else b"RIFF",
            _LIMIT if long else whole,
            b"WAVE",
            b"ds64" if long else b"JUNK",
            28,
            whole if long else 0,
            data if long else 0,
            self._samples if long else 0,
            0,
            b"fmt ",
            16,
            _FLOAT,
            1,
            self._rate,
            self._rate * _WIDTH,
            _WIDTH,
            8 * _WIDTH,
            b"data",
            _LIMIT if long else data,
        )
        self._file.seek(0)
        self._file.write(header)
        self._file.seek(0, 2)
        self._told = self._samples

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write the WAV file {self._path}: {error.strerror or error}")
