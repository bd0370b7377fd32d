"""Decoder in a process of its own, for sound that libsndfile does not read to its end.

FFmpeg's libraries do the work, through PyAV (the extra ``av``) or the program ``ffmpeg``. They have
a long history of holes, so they run apart: what dies, hangs or grows there costs the file alone.
The process writes an AU file of 32-bit floats, in its own order of bytes, to its standard output;
rate and channels are those of the first frame, and what follows in another form is brought to it.
It may open nothing but the file that it was given: no network, no other file that a playlist names.

Run as a module it is that process, with PyAV.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from streamer.errors import AudioError, MissingExtraError
from streamer.processes import ONE_THREAD, environment

if TYPE_CHECKING:
    from io import BufferedReader

    # The process does without NumPy, whose import is a third of its start
    import numpy as np
    from numpy.typing import NDArray

#: Demuxers that hold one piece of sound. Playlists and descriptions of streams are not among them.
_FORMATS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,dts,eac3,flac,iff,matroska,webm,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,ogg,rm,tak,tta,voc,w64,wav,wv"
)
#: Demuxers whose files say how long they are; of the others it is a guess.
_COUNTED: Final = ("mov", "asf", "matroska", "wv", "tta", "ape", "flac", "caf", "dsf", "tak", "mpc")
#: A decoder from which nothing has come for this long hangs.
_PATIENCE_S = 30.0
#: Bytes of memory that a decoder may have; files of today need a tenth.
_MEMORY = 2 << 30
#: AU: its magic, where its data begins and how long that is, 32-bit floats, rate, channels. The
#: header and the floats have the same order of bytes.
_HEADER, _MAGIC = "4s5I", {b".snd": "big", b"dns.": "little"}
_HEADER_BYTES = struct.calcsize(f">{_HEADER}")
#: Bytes on their way from the process: the more, the less often the two wait for each other.
_PIPE = 1 << 20
_FLOATS = 6
_UNKNOWN = 0xFFFF_FFFF
#: Less than this may be missing: packets at the edges are cut in more than one way. The header of
#: ASF (WMA) may count in the seconds that a player is to wait, that of CAF counts whole packets.
_SLACK_S, _PREROLL_S = 0.1, 1.0
#: Samples that are written at once: a codec's frame has a quarter of that.
_TOGETHER = 4_096
#: Packets that cannot be decoded where it is not known how long they are: seconds of each.
_PACKET_S = 0.026


class MissingDecoderError(MissingExtraError, AudioError):
    """Sound that libsndfile does not read, and no decoder for it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}, which libsndfile does not read to its end,", "PyAV", "av")
        self.args = (f"{self.args[0]}, or install ffmpeg",)


class Decoder:
    """The sound of a file, decoded by a process: blocks of float32 (samples, channels).

    ``stream`` instead of a path's own bytes: a pipe that the process reads. Raises ``AudioError``
    where there is no sound that it can decode. ``samplerate`` in Hz, ``channels`` and ``frames``
    (samples promised by the file; ``None`` where nobody knows) are those of an open
    ``soundfile.SoundFile``.
    """

    def __init__(self, path: str, *, stream: BinaryIO | None = None) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        try:
            self._process = _start(path, stream, self._said)
        except BaseException:
            self._said.close()
            raise
        assert self._process.stdout is not None, "it was asked for"
        self._pipe = cast("BufferedReader", self._process.stdout)
        self._begun: float | None = None  # the read under way
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            header = self._read(_HEADER_BYTES)
            if len(header) < _HEADER_BYTES:
                raise AudioError(self._why())
            order = _MAGIC.get(header[:4])
            layout = f"{'<' if order == 'little' else '>'}{_HEADER}"
            _, begin, size, encoding, self.samplerate, self.channels = struct.unpack(layout, header)
            if order is None or encoding != _FLOATS or not self.channels:
                raise AudioError("its decoder gave something else than sound")
            self._swapped = order != sys.byteorder
            self._read(begin - _HEADER_BYTES)
        except BaseException:
            self.close()
            raise
        self._width = 4 * self.channels
        self.frames = None if size in (0, _UNKNOWN) else size // self._width

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill ``out`` (samples, channels), contiguous, from its beginning; how many came."""
        got: int = self._read_into(out.data.cast("B")) // self._width
        if self._swapped:
            out[:got].byteswap(inplace=True)
        return got

    def fault(self, heard_s: float, slack_s: float = 0.0) -> str | None:
        """What is wrong with a file of which ``heard_s`` seconds came until the end, if anything.

        ``slack_s``: seconds beyond a tenth that may be missing.
        """
        code = self._process.wait()
        told = _told(self._text())
        promised, undecoded = told.get("promised_s"), float(told.get("undecoded_s", 0.0))
        edge_s = float(told.get("slack_s", _SLACK_S))
        if promised is not None and heard_s + undecoded < promised - max(edge_s, 0.01 * promised):
            return f"breaks off after {heard_s:.1f} s of the {promised:.1f} s it promises"
        if code:
            return f"breaks off after {heard_s:.1f} s: its decoder failed"
        if undecoded > _SLACK_S + slack_s:
            return f"is damaged: {undecoded:.1f} s of it could not be decoded"
        return None

    def close(self) -> None:
        """End the process and let everything go. May be called again."""
        self._over.set()
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._said.close()

    def _read(self, size: int) -> bytes:
        data = bytearray(size)
        return bytes(data[: self._read_into(memoryview(data))])

    def _read_into(self, out: memoryview) -> int:
        """Fill ``out``; how many bytes came until the end."""
        self._begun = time.monotonic()
        try:
            return self._pipe.readinto(out)
        finally:
            self._begun = None

    def _watch(self) -> None:
        """Kill the process where it hangs; what it had written is read all the same."""
        while not self._over.wait(_PATIENCE_S / 10):
            begun = self._begun
            if begun is not None and time.monotonic() - begun > _PATIENCE_S:
                self._process.kill()

    def _text(self) -> str:
        self._said.seek(0)
        return self._said.read(1 << 20).decode("utf-8", "replace")

    def _why(self) -> str:
        """Why no sound came."""
        self._process.wait()
        return str(_told(self._text()).get("failed", "its decoder finds no sound in it"))


def _start(path: str, stream: BinaryIO | None, said: Any) -> subprocess.Popen[bytes]:
    if importlib.util.find_spec("av") is not None:
        command = [sys.executable, "-P", "-m", __name__, "-" if stream else path]
        around = environment() | ONE_THREAD
    elif (program := shutil.which("ffmpeg")) is not None:
        around = {**os.environ, "LC_ALL": "C.UTF-8"}
        where = "pipe:0" if stream else f"file:{path}"
        command = [
            *(program, "-nostdin", "-hide_banner", "-nostats", "-threads", "1"),
            *("-max_alloc", str(_MEMORY), "-protocol_whitelist", "pipe" if stream else "file"),
            *("-format_whitelist", _FORMATS, "-i", where),
            *("-map", "0:a:0", "-threads", "1", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"),
        ]
    else:
        raise MissingDecoderError(path)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stream is None else stream,
            stdout=subprocess.PIPE,
            stderr=said,
            env=around,
            pipesize=_PIPE,
        )
    except OSError as error:
        raise AudioError(f"its decoder cannot be started: {error}") from error


_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)(?:, start: (-?[\d.]+))?")


_STREAM = re.compile(r"^ *Stream #0:\d+.*: (?:Audio|Video): .*$", re.MULTILINE)


def _told(text: str) -> dict[str, Any]:
    """What a decoder said at its end: one JSON line of ours, or the words of ``ffmpeg``."""
    last = text.rstrip().rpartition("\n")[2]
    if last.startswith("{"):
        try:
            told: dict[str, Any] = json.loads(last)
        except ValueError:
            return {}
        return told
    told = {"undecoded_s": _PACKET_S * text.count("Error while decoding")}
    found = re.search(r"^Input #0, ([\w,]+), from", text, re.MULTILINE)
    length = _DURATION.search(text)
    # A picture of the cover takes no time; another stream may last longer than the sound.
    streams = _STREAM.findall(text.partition("Output #0")[0])
    alone = sum("(attached pic)" not in stream for stream in streams) == 1
    if found and length and alone and found[1].split(",")[0] in _COUNTED:
        hours, minutes, seconds, begin_s = length.groups()
        told["promised_s"] = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        if found[1].startswith("matroska"):  # it tells of the end, wherever the sound begins
            told["promised_s"] -= max(0.0, float(begin_s or 0))
        told["slack_s"] = _slack_s(found[1])
    return told


def _slack_s(form: str) -> float:
    return _PREROLL_S if form.startswith(("asf", "caf")) else _SLACK_S


def main(path: str) -> None:
    """Decode ``path`` ("-": standard input) to standard output, the verdict to standard error."""
    # The process that started this one decides what a Ctrl-C in the terminal means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bound()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no sound
    verdict: dict[str, Any] = {}
    try:
        source = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115
        _decode(source, out, verdict)
        out.flush()
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:  # FFmpeg's own, of many kinds, and MemoryError
        verdict.setdefault("failed", f"its decoder fails: {error or type(error).__name__}")
    print(json.dumps(verdict), file=sys.stderr, flush=True)
    os._exit(0 if "failed" not in verdict else 1)


def _bound() -> None:
    """Give this process no more memory than a decoder needs."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = _MEMORY if limit == resource.RLIM_INFINITY else min(_MEMORY, limit)
    resource.setrlimit(resource.RLIMIT_AS, (most, limit))


def _decode(source: BinaryIO, out: BinaryIO, verdict: dict[str, Any]) -> None:
    """Write the first audio stream of ``source`` as an AU file."""
    import av

    av.logging.set_level(av.logging.PANIC)
    bounds = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
    container: Any = av.open(source, metadata_errors="ignore", options=bounds)
    if not container.streams.audio:
        raise ValueError("there is no sound in it")
    stream = container.streams.audio[0]
    if container.format.name.split(",")[0] in _COUNTED:
        length_s = float((stream.duration or 0) * (stream.time_base or 0))
        if not length_s and len(container.streams) == 1:  # another one may be longer
            ends, begins = container.duration or 0, max(0, container.start_time or 0)
            length_s = (ends - begins) / av.time_base
        if length_s > 0:
            verdict["promised_s"] = length_s
            verdict["slack_s"] = _slack_s(container.format.name)
    rate = layout = None
    resampler: Any = None
    before: Any = None
    for frame in _frames(container, stream, verdict):
        if rate is None:
            rate, layout = frame.sample_rate, frame.layout
            channels = len(layout.channels)
            promised = round(verdict.get("promised_s", 0.0) * rate) * 4 * channels
            size = promised if 0 < promised < _UNKNOWN else _UNKNOWN
            magic = next(magic for magic, order in _MAGIC.items() if order == sys.byteorder)
            header = (magic, _HEADER_BYTES, size, _FLOATS, rate, channels)
            out.write(struct.pack(f"={_HEADER}", *header))
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != before:
            if resampler is not None:
                _write(out, resampler.resample(None))
            resampler = av.AudioResampler("flt", layout, rate, _TOGETHER)
            before = form
        frame.pts = None  # joined files begin again at 0
        _write(out, resampler.resample(frame))
    if resampler is None:
        raise ValueError("nothing in it could be decoded")
    _write(out, resampler.resample(None))


def _frames(container: Any, stream: Any, verdict: dict[str, Any]) -> Iterator[Any]:
    """Frames in their order; packets that cannot be decoded are counted in the verdict."""
    import av

    verdict["undecoded_s"] = 0.0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return  # the end that its length tells of does not come
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            length = packet.duration and packet.time_base and packet.duration * packet.time_base
            verdict["undecoded_s"] += float(length or _PACKET_S)


def _write(out: BinaryIO, frames: list[Any]) -> None:
    for frame in frames:
        if frame.samples:
            # A plane may be longer than the sound in it.
            size = 4 * frame.samples * len(frame.layout.channels)
            out.write(memoryview(frame.planes[0])[:size])


if __name__ == "__main__":
    main(sys.argv[1])
