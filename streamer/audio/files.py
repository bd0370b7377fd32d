"""Sound files, read block by block: through libsndfile, or a decoder in a process of its own."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.audio.containers import (
    HEAD,
    Contents,
    goes_on,
    kind_of,
    look_into,
    tag_size,
    unfinished_index,
)
from streamer.audio.decoder import Decoder, MissingDecoderError
from streamer.audio.source import (
    Downmix,
    Piece,
    Plausible,
    Remark,
    SourceInfo,
    check_layout,
)
from streamer.errors import AudioError

#: Samples that one call of libsndfile decodes: a third of a second. A broken file costs the call in
#: which it breaks, so calls are short and pieces are put together; each takes a while by itself.
_CHUNK = 16_384
#: Samples of a piece, a second and a half of most files.
BLOCK = 65_536
#: The same where nobody waits for the first estimates and nobody ends the session by what
#: it hears: six seconds of most files. Every array operation further on costs a call.
LONG_BLOCK = 1 << 18
#: libsndfile's word for "length unknown" is the largest 64-bit number.
_UNKNOWN = 1 << 62
#: Bytes behind what was decoded of a FLAC file in which more of it is looked for: a few frames.
_BEHIND = 1 << 18
#: Samples by which libsndfile's length may be wrong where it was counted in frames of a codec.
_EDGE = 2_048


class FileSource:
    """A sound file mixed to mono, in bounded memory.

    WAV, FLAC, OGG, Opus, MP3, AIFF and others through libsndfile; what it does not read, or not to
    the end, through a decoder (the extra ``av``, or ``ffmpeg``). Begins at the sample nearest to
    ``start_s`` seconds; a piece has at most ``block`` samples. Raises ``AudioError`` where there is
    no such file, it is a folder, empty, not audio, cut off in its header, shorter than ``start_s``,
    or of a kind that needs a decoder where there is none. A file of which not all can be heard
    yields what can, then a remark, and is :attr:`incomplete`; so is one whose samples are mostly no
    sound, or that has none.
    """

    def __init__(self, path: Path | str, *, start_s: float = 0.0, block: int = BLOCK) -> None:
        self._path = Path(path)
        self._file, self._contents = _open(self._path)
        #: Some of its sound was not heard, or there is none.
        self.incomplete = False
        try:
            check_layout(self._file.samplerate, self._file.channels, str(path))
            rate = int(self._file.samplerate)
            self._length = self._file.frames
            if not (math.isfinite(start_s) and start_s >= 0.0):
                raise AudioError(f"cannot start {path} at {start_s} s: give 0 or more seconds")
            self._position = 0
            self._chunk = np.empty((_CHUNK, self._file.channels), np.float32)
            self._downmix = Downmix(rate, self._file.channels)
            self._plausible = Plausible(rate)
            self._block = block
            self._closed = False
            self._advance(start_s)
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
            if self._contents.remark:
                yield Remark(f"{self._path} {self._contents.remark}")
            broken = False
            while not (broken or self._closed):
                block = np.empty(self._block, np.float32)
                filled = 0
                # Infinite samples of opposite sign give NaN, which becomes a loss further on.
                with np.errstate(invalid="ignore", over="ignore"):
                    while filled < self._block:
                        got, broken = self._decode(min(_CHUNK, self._block - filled))
                        self._downmix(self._chunk[:got], block[filled : filled + got])
                        filled += got
                        if got == 0 or broken:
                            break
                if filled == 0:
                    break
                self._plausible.glance(block[:filled])
                yield block[:filled]
                if news := self._downmix.news():
                    yield Remark(f"{self._path}: {news}")
            if not self._closed and (fault := self._fault(broken) or self._nonsense()):
                self.incomplete = True
                yield Remark(f"{self._path} {fault}", missing=True)
        finally:
            self.close()

    def close(self) -> None:
        """Close the file; :meth:`pieces` ends with the piece it is at."""
        self._closed = True
        self._file.close()

    def _decode(self, most: int) -> tuple[int, bool]:
        """Decode up to ``most`` samples into the chunk: how many came, and whether it broke."""
        got, broken = self._file.read(self._chunk[:most])
        self._position += got
        return got, broken

    def _advance(self, start_s: float) -> None:
        """Go to the moment ``start_s``, or say that the file is not that long."""
        rate = self._file.samplerate
        if start_s * rate < 0.5:
            return
        start = round(min(start_s * rate, float(_UNKNOWN)))
        if self._length is None or start < self._length:
            if self._file.seekable and self._length is not None:
                if (found := self._file.seek(start)) is not None:
                    self._position = found
                    return
                # A decoder that could not get there is left anywhere: a new one begins at 0.
                self._file.close()
                self._file, self._contents = _open(self._path)
            self._decode_to(start)
        if self._position == start:
            return
        end_s = self._position / rate
        if self._length is not None and start < self._length:
            state = f"breaks off after {end_s:.1f} s of the {self._length / rate:.1f} s it promises"
        else:
            length = self._length if self._length is not None else self._position
            state = f"is {length / rate:.1f} s long"
        raise AudioError(
            f"{self._path} {state}, so it cannot start at {start_s:g} s: choose an earlier start"
        )

    def _decode_to(self, start: int) -> None:
        """Decode up to a sample, or the end."""
        # Exact, and passes an hour in a few seconds.
        broken = False
        while self._position < start and not broken:
            got, broken = self._decode(min(_CHUNK, start - self._position))
            if got == 0:
                break

    def _nonsense(self) -> str | None:
        """What is wrong with a file whose samples are no sound, for the most part, or none."""
        if self._position == 0:
            return "has no samples: there is no sound in it"
        return self._plausible.complaint

    def _fault(self, broken: bool) -> str | None:
        """What is wrong with a file that ended, by its decoder, its header, its frames."""
        heard = self._position / self._file.samplerate
        if (fault := self._file.fault(heard, broken)) is not None:
            return fault
        if self._contents.share < 1.0:
            return _breaks_off(heard, heard / self._contents.share)
        if self._contents.open_ends:
            count = len(self._contents.parts)
            if self._contents.open_ends == (count,):
                return f"breaks off after {heard:.1f} s: its last page is missing"
            which = ", ".join(map(str, self._contents.open_ends))
            return f"breaks off in part {which} of its {count}: a last page is missing"
        if (behind := self._contents.behind) is not None:
            return (
                f"goes on after {heard:.1f} s with a recording of another kind ({behind}), which "
                f"is not heard: take them apart, or convert each"
            )
        counted = self._contents.length_s
        if counted is not None and heard < counted - _SLACK_S * len(self._contents.parts):
            return _breaks_off(heard, counted)
        return None


#: Less than this may differ between what was counted and what was heard: a few frames of MP3.
_SLACK_S = 0.1


def _breaks_off(heard: float, promised: float) -> str:
    return f"breaks off after {heard:.1f} s of the {promised:.1f} s it promises"


class _Reader(Protocol):
    """An open file: decodes its samples in their order."""

    samplerate: int
    channels: int
    #: Samples that its header promises; ``None`` where it does not know.
    frames: int | None
    #: :meth:`seek` is exact, and safe.
    seekable: bool

    def read(self, out: NDArray[np.float32]) -> tuple[int, bool]:
        """Fill ``out`` (samples, channels); how many samples came, and whether it broke there."""

    def seek(self, position: int) -> int | None:
        """Go to a sample; where it got to, or ``None`` where it cannot go there."""

    def fault(self, heard_s: float, broken: bool) -> str | None:
        """What is wrong with it, at its end after ``heard_s`` seconds, if anything."""

    def close(self) -> None:
        """Let it go. May be called again."""


class _Sndfile:
    """A file that libsndfile reads. ``rest``: what was not read of a pipe."""

    def __init__(self, file: Any, contents: Contents, rest: BinaryIO | None = None) -> None:
        self._file = file
        self._rest = rest
        self._descriptor: int | None = getattr(file, "descriptor", None)
        self._parts = len(contents.parts)
        self.samplerate = int(file.samplerate)
        self.channels = int(file.channels)
        self._format = str(file.format)
        known = file.frames < _UNKNOWN and not contents.guessed
        self.frames = int(file.frames) if known else None
        # In MP3 it is a guess by bit rate, off by any amount; in a damaged Ogg file libsndfile
        # 1.2.2 reads memory that is not its own, and the process dies.
        self.seekable = self._format not in {"MP3", "OGG"}

    def read(self, out: NDArray[np.float32]) -> tuple[int, bool]:
        """Fill ``out``; a decoder that fails leaves what it had done, but not its length."""
        import soundfile

        out.fill(np.nan)
        try:
            return len(self._file.read(out=out)), False
        except soundfile.SoundFileError:
            undone = np.flatnonzero(np.isnan(out[:, 0]))
            return (int(undone[0]) if undone.size else len(out)), True

    def seek(self, position: int) -> int | None:
        """Go to a sample: not in a damaged file, nor in GSM, G.72x, NMS and DWVW."""
        import soundfile

        try:
            return int(self._file.seek(position))
        except soundfile.SoundFileError:
            return None

    def fault(self, heard_s: float, broken: bool) -> str | None:
        """Whether it ended before its decoder says, or holds more than that reads."""
        if self._parts > 1:
            return (
                f"holds {self._parts} recordings, of which the first alone is heard without a "
                f"decoder: pip install 'emotion-streamer[av]', or install ffmpeg"
            )
        if self._rest is not None and _more_than_a_tag(self._rest):
            return (
                f"goes on after {heard_s:.1f} s with another recording, or with more than its "
                f"header tells of, which is not heard from a pipe: save it to a file"
            )
        # Where nobody knows its length, its end cannot be told from a break by that.
        if self.frames is not None and round(heard_s * self.samplerate) < self.frames - _EDGE:
            return _breaks_off(heard_s, self.frames / self.samplerate)
        if self._format == "FLAC" and self._descriptor is not None:
            left = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            if goes_on(os.pread(self._descriptor, _BEHIND, left)):
                return (
                    f"breaks off after {heard_s:.1f} s: what follows is damaged, or its header "
                    f"tells of less: get a complete copy, or try to rescue it with ffmpeg"
                )
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Joined:
    """Recordings that stand one after the other in a file, as one: the first one's rate holds.

    ``parts`` open one each, when its turn comes. Raises what the first one does.
    """

    def __init__(self, parts: Sequence[Callable[[], _Reader]]) -> None:
        self._parts = parts
        self._part: _Reader | None = parts[0]()
        self.samplerate = self._part.samplerate
        self.channels = self._part.channels
        self.frames: int | None = None
        self.seekable = False
        self._at = 0
        self._resampler: Any = None
        self._ready = np.empty((0, self.channels), np.float32)  # resampled, not yet handed out
        self._broken: int | None = None

    def read(self, out: NDArray[np.float32]) -> tuple[int, bool]:
        """Fill ``out``, from the next part where one ends."""
        while self._at < len(self._parts) and not len(self._ready):
            part = self._part or self._next()
            if part is None:
                continue
            block = np.empty((len(out), part.channels), np.float32)
            got, broken = part.read(block)
            if broken and self._broken is None:
                self._broken = self._at
            self._ready = self._fitted(block[:got], part, last=got == 0 or broken)
            if got == 0 or broken:
                self._at += 1
                self._part = None
                part.close()
        count = min(len(out), len(self._ready))
        out[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count, False

    def _next(self) -> _Reader | None:
        """Open the part whose turn it is; one that cannot be opened is passed over."""
        try:
            self._part = self._parts[self._at]()
        except AudioError:
            if self._broken is None:
                self._broken = self._at
            self._at += 1
        return self._part

    def _fitted(self, block: NDArray[np.float32], part: _Reader, *, last: bool) -> Any:
        """A block of a part at the rate and with the channels of the first one."""
        if part.channels != self.channels:
            block = np.repeat(block.mean(axis=1, keepdims=True), self.channels, axis=1)
        if part.samplerate == self.samplerate:
            return block
        if self._resampler is None:
            import soxr

            self._resampler = soxr.ResampleStream(
                part.samplerate, self.samplerate, self.channels, dtype="float32"
            )
        block = self._resampler.resample_chunk(block, last=last)
        if last:
            self._resampler = None
        return block

    def seek(self, position: int) -> int | None:
        """Not here: what is to be passed over is decoded."""
        return None

    def fault(self, heard_s: float, broken: bool) -> str | None:
        """Whether one of the parts broke, or the last one ended early."""
        if self._broken is not None:
            return f"is damaged in part {self._broken + 1} of its {len(self._parts)}"
        return None

    def close(self) -> None:
        """Close the part that is open."""
        if self._part is not None:
            self._part.close()


class _Decoded:
    """A file that the decoder reads."""

    def __init__(self, made: Decoder, slack_s: float = 0.0) -> None:
        self._decoder = made
        self._slack_s = slack_s
        self.samplerate = int(made.samplerate)
        self.channels = int(made.channels)
        self.frames = made.frames
        self.seekable = False

    def read(self, out: NDArray[np.float32]) -> tuple[int, bool]:
        """Fill ``out``."""
        return self._decoder.read(out), False

    def seek(self, position: int) -> int | None:
        """Not here: what is to be passed over is decoded."""
        return None

    def fault(self, heard_s: float, broken: bool) -> str | None:
        """The decoder's own word."""
        return self._decoder.fault(heard_s, self._slack_s)

    def close(self) -> None:
        """End the process."""
        self._decoder.close()


class _Stretches:
    """A file made of stretches of another one and of bytes in between, to be read and searched."""

    def __init__(self, path: Path, stretches: tuple[bytes | tuple[int, int], ...]) -> None:
        self._file = path.open("rb")
        self._stretches: list[tuple[int, bytes | tuple[int, int]]] = []
        self._size = self._position = 0
        for each in stretches:
            self._stretches.append((self._size, each))
            self._size += len(each) if isinstance(each, bytes) else each[1] - each[0]

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int) -> bytes:
        """The bytes from here on."""
        parts = []
        for begin, each in self._stretches:
            first = self._position - begin
            if isinstance(each, bytes):
                part = each[first : first + size] if first >= 0 else b""
            elif 0 <= first < each[1] - each[0]:
                self._file.seek(each[0] + first)
                part = self._file.read(min(size, each[1] - each[0] - first))
            else:
                part = b""
            parts.append(part)
            self._position += len(part)
            size -= len(part)
        return b"".join(parts)

    def write(self, data: bytes) -> int:
        """Never: soundfile asks for it of whatever it opens."""
        raise OSError("open for reading alone")

    def close(self) -> None:
        """Close the file underneath."""
        self._file.close()


class _Piped(_Stretches):
    """A pipe as a file whose beginning can be read again; its end is far away until it comes."""

    def __init__(self, pipe: BinaryIO, head: bytes) -> None:
        self._pipe = pipe
        self._head = bytearray(head)
        self._at = len(head)  # bytes taken from the pipe
        self._position = 0
        self._size = 1 << 40

    def read(self, size: int) -> bytes:
        """The bytes from here on, where they are still there or the next to come."""
        if self._position < len(self._head):
            data = bytes(self._head[self._position : self._position + size])
        elif self._position == self._at:
            data = _filled(self._pipe, size)
            if self._at == len(self._head) < _REMEMBERED:
                self._head += data
            self._at += len(data)
        else:
            data = b""
        self._position += len(data)
        if data and len(data) < size and self._position == self._at:
            return data + self.read(size - len(data))
        return data

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()


def _passed_over(pipe: BinaryIO, size: int) -> None:
    """Read ``size`` bytes of a pipe for nothing."""
    while size > 0 and (data := pipe.read(min(size, 1 << 16))):
        size -= len(data)


def _more_than_a_tag(pipe: BinaryIO) -> bool:
    """Whether more than a tag, or zeros, is still to come from a pipe."""
    while len(data := _filled(pipe, _FOLLOWING)) == _FOLLOWING:
        if any(data):
            return True
    return False


#: Bytes of an MPEG frame, at most.
_LONGEST_FRAME = 4_096
#: Bytes behind a recording that are more than a tag.
_FOLLOWING = 8_192
#: Bytes at the beginning of a pipe that can be read again: headers are shorter.
_REMEMBERED = 1 << 18


def _filled(pipe: BinaryIO, size: int) -> bytes:
    """``size`` bytes of an unbuffered pipe, fewer at its end alone."""
    parts = []
    while size > 0 and (part := pipe.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _pumped(source: BinaryIO | _Stretches, head: bytes = b"") -> BinaryIO:
    """A pipe of ours with ``head`` and all that follows it in ``source``; a thread fills it."""
    inner, outer = os.pipe()

    def fill() -> None:
        with contextlib.closing(source), os.fdopen(outer, "wb", buffering=0) as pipe:
            try:
                pipe.write(head)
                while data := source.read(1 << 16):
                    pipe.write(data)
            except OSError:
                pass  # closed at the other end: nobody wants to hear more

    threading.Thread(target=fill, daemon=True).start()
    return os.fdopen(inner, "rb", buffering=0)


def _open(path: Path) -> tuple[_Reader, Contents]:
    """The open file and what is in it, or the sentence that says why there is none."""
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a folder: name a sound file in it")
        if not path.is_file() and not path.exists():
            raise AudioError(f"no such file: {path}")
        if not path.is_file():  # what is read from a pipe is gone from it
            return _open_pipe(path)
        if path.stat().st_size == 0:
            raise AudioError(f"{path} is empty (0 bytes): there is no sound in it")
        contents = look_into(path)
        return _open_file(path, contents), contents
    except OSError as error:
        raise AudioError(f"cannot open {path}: {error.strerror or error}") from error


def _open_file(path: Path, contents: Contents) -> _Reader:
    """A regular file: through libsndfile where it hears all of it, otherwise through a decoder."""
    joined = len(contents.parts) > 1
    if joined and contents.kind in ("OGG", "Ogg FLAC", "Speex", "FLAC", "WAV"):
        ends = (*contents.parts[1:], contents.size)
        stretches = zip(contents.parts, ends, strict=True)
        return _Joined([partial(_open_part, path, stretch) for stretch in stretches])
    if contents.kind in ("Ogg FLAC", "Speex") or (joined and contents.kind == "MP3"):
        try:
            slack_s = _JOINT_S * len(contents.parts)
            return _Decoded(Decoder(str(path)), slack_s)
        except MissingDecoderError:
            if not joined or contents.kind != "MP3":
                raise MissingDecoderError(f"{path} ({contents.kind})") from None
        except AudioError as error:
            raise _broken_header(path, contents.kind, str(error)) from error
    source: Any = path
    if contents.mended:
        source = _Stretches(path, contents.mended)
    if contents.guessed:
        # From a pipe libsndfile reads to the end, instead of to where it guesses that to be.
        source = _pumped(source if contents.mended else path.open("rb"))
    file = _sndfile(source)
    if file is not None and file.frames == 0 and "(should be" in file.extra_info:
        file.close()  # a header cut off in its last field opens as a file of no samples
        raise _broken_header(path, str(file.format))
    if file is not None:
        return _Sndfile(file, contents)
    if contents.kind is None:
        raise AudioError(
            f"{path} is not sound in a format that can be read (WAV, FLAC, OGG, Opus, MP3, AIFF; "
            f"M4A, WMA and others with a decoder): convert it, for instance with "
            f"ffmpeg -i {shlex.quote(str(path))} converted.flac"
        )
    return _Decoded(_decoder(path, contents.kind))


def _open_part(path: Path, stretch: tuple[int, int]) -> _Reader:
    """One of the recordings in a file."""
    part: Any = _Stretches(path, (stretch,))
    kind = kind_of(part.read(HEAD))
    part.seek(0)
    if kind == "MP3":  # as a file libsndfile would guess its length
        part = _pumped(part)
    if kind not in ("Ogg FLAC", "Speex"):
        if (file := _sndfile(part)) is not None:
            return _Sndfile(file, Contents(kind, stretch[1] - stretch[0]))
        part = _Stretches(path, (stretch,))
    pipe = _pumped(part)
    try:
        return _Decoded(Decoder(str(path), stream=pipe))
    except MissingDecoderError:
        raise MissingDecoderError(f"{path} ({kind or 'of an unknown kind'})") from None
    except AudioError as error:
        raise _broken_header(path, kind or "sound", str(error)) from error
    finally:
        pipe.close()  # the process has it


#: What a decoder may lose where one MP3 follows another: its first frame, and the index.
_JOINT_S = 0.06


def _decoder(path: Path, kind: str) -> Decoder:
    """The decoder at work on a file, or the sentence that says why not."""
    try:
        return Decoder(str(path))
    except MissingDecoderError:
        if kind in _SNDFILE:
            raise AudioError(
                f"{path} begins like a {kind} file, but libsndfile cannot open it: its header is "
                f"broken or cut off, or it needs a decoder (pip install 'emotion-streamer[av]', or "
                f"install ffmpeg)"
            ) from None
        raise MissingDecoderError(f"{path} ({kind})") from None
    except AudioError as error:
        raise _broken_header(path, kind, str(error)) from error


#: Kinds that libsndfile reads, as a rule.
_SNDFILE = ("WAV", "W64", "FLAC", "OGG", "AIFF", "CAF", "AU", "MP3")
#: Those that it reads from a pipe by itself, and those that it reads where one can look back.
_STREAMED, _LOOKED_BACK = ("MP3", "OGG"), ("WAV", "W64", "FLAC", "CAF", "AU", "AIFF")


def _open_pipe(path: Path) -> tuple[_Reader, Contents]:
    """A named pipe: its first bytes say who reads it."""
    pipe = path.open("rb", buffering=0)
    head = _filled(pipe, HEAD)
    if not head:
        raise AudioError(f"{path} is empty (0 bytes): there is no sound in it")
    while head[:3] == b"ID3":  # libsndfile does not look behind a long one
        beyond = head[tag_size(head, 0) :]
        _passed_over(pipe, tag_size(head, 0) - len(head))
        head = beyond + _filled(pipe, HEAD - len(beyond))
    kind = kind_of(head)
    if kind == "MP3":
        head += _filled(pipe, _LONGEST_FRAME)
        head = head[unfinished_index(head, 0) :]
    contents = Contents(kind, len(head), guessed=True)  # of its length nothing is known
    rest: BinaryIO | None = None
    if kind in _LOOKED_BACK:
        # The size of 0 that a recorder leaves which cannot seek back.
        head = head.replace(b"data\0\0\0\0", b"data\xff\xff\xff\xff")
        file = _sndfile(_Piped(pipe, head))
        rest = pipe if kind == "FLAC" else None  # others have more than sound behind it
    else:
        inner = _pumped(pipe, head)
        if kind not in _STREAMED:
            try:
                return _Decoded(Decoder(str(path), stream=inner)), contents
            except MissingDecoderError:
                raise MissingDecoderError(f"{path} ({kind or 'of an unknown kind'})") from None
            except AudioError as error:
                raise AudioError(
                    f"{path} ({kind or 'of an unknown kind'}) cannot be decoded as it comes out of "
                    f"a pipe ({error}): save it to a file"
                ) from error
            finally:
                inner.close()  # the process has it
        file = _sndfile(inner)
        rest = inner
    if file is None:
        raise AudioError(
            f"{path} begins like a {kind} file, but cannot be read as it comes out of a pipe: "
            f"save it to a file, or get a complete copy"
        )
    return _Sndfile(file, contents, rest), contents


def _sndfile(source: Any) -> Any:
    """The open ``soundfile.SoundFile`` of a path or a file; ``None`` where libsndfile fails."""
    try:
        import soundfile
    except OSError as error:
        raise AudioError(
            "libsndfile, which reads sound files, is not installed: "
            "apt install libsndfile1, or brew install libsndfile"
        ) from error

    #: Of a file that was opened here: says up to where the decoder has read.
    opened: int | None = None

    class StraightThrough(soundfile.SoundFile):  # type: ignore[misc]
        """Not rewound to where it is after each read, as soundfile does with what can be rewound.

        The rewinding makes libsndfile lose MP3's bit reservoir (wrong samples after each read that
        does not end with an MP3 frame) and fail at the end of a FLAC file of unknown length.
        """

        @property
        def descriptor(self) -> int | None:
            return opened

        def seekable(self) -> bool:
            return False

        def close(self) -> None:
            super().close()
            if not isinstance(source, Path):
                source.close()

    wanted = source
    if isinstance(source, Path):
        # soundfile would encode a name itself, and fail where it is no text.
        if os.name == "posix":
            wanted = opened = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    elif not isinstance(source, _Stretches):
        wanted = os.dup(source.fileno())
    try:
        return StraightThrough(wanted)
    except soundfile.SoundFileError:
        if not isinstance(source, Path):
            source.close()
        return None


def _broken_header(path: Path, kind: str, why: str = "") -> AudioError:
    because = f" ({why})" if why else ""
    name = shlex.quote(str(path))
    return AudioError(
        f"{path} begins like a {kind} file, but its header is broken or cut off{because}: "
        f"get a complete copy, or try to rescue it with ffmpeg -i {name} rescued.wav"
    )
