"""Sound files, read block by block through libsndfile."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from streamer.audio.source import Piece, Remark, SourceInfo, check_layout, mix
from streamer.errors import AudioError

_MAGIC = {
    b"RIFF": "WAV",
    b"RIFX": "WAV",
    b"RF64": "WAV",
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
}


def container_of(head: bytes) -> str | None:
    """The kind of sound file that begins with ``head`` (four bytes are enough), if it is one."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    return None


def mp3_has_index(path: Path) -> bool:
    """Whether an MP3 file begins with an index, which knows its length.

    Without one the length is guessed from the bit rate at the beginning.
    """
    with path.open("rb") as stream:
        head = stream.read(10)
        start = 0
        if head.startswith(b"ID3"):  # a tag, often with a picture: its length is in 7-bit bytes
            for byte in head[6:]:
                start = start << 7 | byte & 0x7F
            start += len(head)
        stream.seek(start)
        frame = stream.read(256)
    return any(index in frame for index in (b"Xing", b"Info", b"VBRI"))


def ogg_is_whole(path: Path) -> bool:
    """Whether an Ogg file ends with a complete page that says that it is the last.

    (libsndfile's own log says so too, but not every time.)
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 70_000))  # a page has at most 65,307 bytes
        tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4:
        return False
    segments = page[26]
    return len(page) >= 27 + segments + sum(page[27 : 27 + segments])


#: Samples that one call of libsndfile decodes: one block of FLAC, a tenth of a second. A broken
#: file costs the call in which it breaks, so calls are short and pieces are put together.
_CHUNK = 4_096
_BLOCK = 65_536
#: libsndfile's word for "length unknown" is the largest 64-bit number.
_UNKNOWN = 1 << 62
#: A writer that could not seek back leaves a length about the largest 31- or 32-bit number.
_ENDLESS = 0x7FFF_0000
_CUT = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)


class FileSource:
    """A sound file (WAV, FLAC, OGG, Opus, MP3, AIFF and others) mixed to mono, in bounded memory.

    Begins at the sample nearest to ``start_s`` seconds; a piece has at most ``block`` samples.
    Raises ``AudioError`` where there is no such file, it is a folder, empty, not audio, cut off in
    its header, or shorter than ``start_s``. A file that breaks off further on yields what could be
    decoded, then a remark.
    """

    def __init__(self, path: Path | str, *, start_s: float = 0.0, block: int = _BLOCK) -> None:
        self._path = Path(path)
        self._file = _open(self._path)
        try:
            check_layout(self._file.samplerate, self._file.channels, str(path))
            rate = int(self._file.samplerate)
            frames = int(self._file.frames)
            self._log = str(self._file.extra_info)  # cleared by reading
            self._length = frames if frames < _UNKNOWN else None
            if not (math.isfinite(start_s) and start_s >= 0.0):
                raise AudioError(f"cannot start {path} at {start_s} s: give 0 or more seconds")
            self._position = 0
            self._chunk = np.empty((_CHUNK, self._file.channels), np.float32)
            self._block = block
            self._closed = False
            self._advance(round(start_s * rate), start_s)
        except BaseException:
            self._file.close()
            raise
        self.info = SourceInfo(
            kind="file",
            name=os.fsencode(path).decode("utf-8", "replace"),  # not all file names are text
            sample_rate=rate,
            channels=int(self._file.channels),
            start_s=self._position / rate,
            duration_s=None if self._length is None else self._length / rate,
        )

    def pieces(self) -> Iterator[Piece]:
        """Blocks of mono float32, and a remark where the file ends before its time."""
        try:
            broken = False
            while not (broken or self._closed):
                block = np.empty(self._block, np.float32)
                filled = 0
                while filled < self._block:
                    got, broken = self._decode(min(_CHUNK, self._block - filled))
                    # Infinite samples of opposite sign give NaN, which `validity` deals with.
                    with np.errstate(invalid="ignore", over="ignore"):
                        mix(self._chunk[:got], block[filled : filled + got])
                    filled += got
                    if got == 0 or broken:
                        break
                if filled == 0:
                    break
                yield block[:filled]
            if not self._closed and (remark := self._break_off(broken)):
                yield remark
        finally:
            self.close()

    def close(self) -> None:
        """Close the file; :meth:`pieces` ends with the piece it is at."""
        self._closed = True
        self._file.close()

    def _decode(self, most: int) -> tuple[int, bool]:
        """Decode up to ``most`` samples into the chunk: how many came, and whether it broke."""
        import soundfile

        out = self._chunk[:most]
        out.fill(np.nan)  # a decoder that fails leaves what it had done, but not its length
        try:
            got = len(self._file.read(out=out))
            broken = False
        except soundfile.SoundFileError:
            undone = np.flatnonzero(np.isnan(out[:, 0]))
            got = int(undone[0]) if undone.size else most
            broken = True
        self._position += got
        return got, broken

    def _advance(self, start: int, start_s: float) -> None:
        """Go to sample ``start``, or say that the file is not that long."""
        if start == 0:
            return
        if self._length is not None and (start >= self._length or self._can_seek()):
            if start < self._length:
                self._seek(start, start_s)
                return
        else:
            # Decoding is exact, and passes an hour in a few seconds.
            broken = False
            while self._position < start and not broken:
                got, broken = self._decode(min(_CHUNK, start - self._position))
                if got == 0:
                    break
            if self._position == start:
                return
        length = self._length if self._length is not None else self._position
        raise AudioError(
            f"{self._path} is {length / self._file.samplerate:.1f} s long, so it cannot start at "
            f"{start_s:g} s: choose an earlier start"
        )

    def _can_seek(self) -> bool:
        # In MP3 it is a guess by bit rate, off by any amount; in a damaged Ogg file libsndfile
        # 1.2.2 reads memory that is not its own, and the process dies.
        return self._file.format not in {"MP3", "OGG"}

    def _seek(self, start: int, start_s: float) -> None:
        import soundfile

        try:
            self._position = int(self._file.seek(start))
        except soundfile.SoundFileError as error:
            raise AudioError(
                f"{self._path} is damaged, so {start_s:g} s cannot be found in it: start at 0"
            ) from error

    def _break_off(self, broken: bool) -> Remark | None:
        """The remark on a file that ended before its header, its log or its decoder says."""
        heard = self._position / self._file.samplerate
        if self._length is None or not self._path.is_file():
            return None  # its end cannot be told from a break
        if cut := _CUT.search(self._log):
            promised, found = int(cut[1]), int(cut[2])
            if promised < _ENDLESS and found > 0:
                return self._remark(heard, heard * promised / found)
        elif self._file.format == "OGG" and not ogg_is_whole(self._path):
            return Remark(f"{self._path} breaks off after {heard:.1f} s: its last page is missing")
        elif broken or (self._position < self._length and self._is_counted()):
            return self._remark(heard, self._length / self._file.samplerate)
        return None

    def _is_counted(self) -> bool:
        """Whether the length was counted by whoever wrote the file, and not guessed by a reader."""
        return self._file.format != "MP3" or mp3_has_index(self._path)

    def _remark(self, heard: float, promised: float) -> Remark:
        return Remark(
            f"{self._path} breaks off after {heard:.1f} s of the {promised:.1f} s it promises"
        )


def _open(path: Path) -> Any:
    """The open ``soundfile.SoundFile``, or the sentence that says why there is none."""
    head = b""
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a folder: name a sound file in it")
        if path.is_file():  # what is read from a pipe is gone from it
            with path.open("rb") as file:
                head = file.read(4)
            if not head:
                raise AudioError(f"{path} is empty (0 bytes): there is no sound in it")
        elif not path.exists():
            raise AudioError(f"no such file: {path}")
    except OSError as error:
        raise AudioError(f"cannot open {path}: {error.strerror or error}") from error
    try:
        import soundfile
    except OSError as error:
        raise AudioError(
            "libsndfile, which reads sound files, is not installed: "
            "apt install libsndfile1, or brew install libsndfile"
        ) from error

    class StraightThrough(soundfile.SoundFile):  # type: ignore[misc]
        """Not rewound to where it is after each read, as soundfile does with what can be rewound.

        The rewinding makes libsndfile lose MP3's bit reservoir (wrong samples after each read that
        does not end with an MP3 frame) and fail at the end of a FLAC file of unknown length.
        """

        def seekable(self) -> bool:
            return False

    try:
        # soundfile would encode a name itself, and fail where it is no text.
        file = StraightThrough(os.fsencode(path) if os.name == "posix" else path)
    except soundfile.SoundFileError as error:
        if kind := container_of(head):
            raise _broken_header(path, kind) from error
        raise AudioError(
            f"{path} is not sound in a format that libsndfile reads (WAV, FLAC, OGG, Opus, MP3, "
            f"AIFF and others): convert it, for instance with ffmpeg -i {path} converted.flac"
        ) from error
    if file.frames == 0 and "(should be" in file.extra_info:
        # A header cut off in its last field opens as a file of no samples.
        file.close()
        raise _broken_header(path, str(file.format))
    return file


def _broken_header(path: Path, kind: str) -> AudioError:
    return AudioError(
        f"{path} begins like a {kind} file, but its header is broken or cut off: "
        f"get a complete copy, or try to rescue it with ffmpeg -i {path} rescued.wav"
    )
