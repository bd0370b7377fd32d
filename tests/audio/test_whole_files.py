"""Files are heard to their end: as long as FFmpeg finds them, or there is a word about it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamer.audio import decoder
from streamer.audio.files import FileSource
from streamer.audio.source import Remark
from streamer.errors import AudioError

RATE = 44_100


@pytest.fixture(scope="module")
def ffmpeg() -> Callable[..., bytes]:
    """Runs ffmpeg with words, and returns what it writes to standard output."""
    program = shutil.which("ffmpeg")
    if program is None:
        if os.environ.get("STREAMER_REQUIRE_LIVE") == "1":
            pytest.fail("STREAMER_REQUIRE_LIVE=1, but ffmpeg is not installed")
        pytest.skip("ffmpeg, which makes these files and measures them, is not installed")

    def run(*words: object) -> bytes:
        command = [program, "-v", "error", "-nostdin", "-y", *map(str, words)]
        return subprocess.run(command, capture_output=True, check=True).stdout

    return run


@pytest.fixture(scope="module")
def songs(ffmpeg: Callable[..., bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of music-like noise, in stereo, mono and at 48 kHz."""
    folder = tmp_path_factory.mktemp("songs")
    t = np.arange(4 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * t) * (1 + np.sin(2 * np.pi * 2 * t)) / 2
    noise = np.random.default_rng(0).normal(0, 0.05, (len(t), 2))
    soundfile.write(folder / "stereo.wav", tone[:, None] + noise, RATE)
    ffmpeg("-i", folder / "stereo.wav", "-ac", 1, folder / "mono.wav")
    ffmpeg("-i", folder / "stereo.wav", "-ar", 48_000, folder / "48.wav")
    return folder


def seconds_of(ffmpeg: Callable[..., bytes], path: Path) -> float:
    """The length of all that ffmpeg decodes of a file."""
    decoded = ffmpeg(*("-i", path, "-map", "0:a:0", "-ac", 1, "-ar", 16_000), "-f", "s16le", "-")
    return len(decoded) / 2 / 16_000


def heard(path: Path, start_s: float = 0.0) -> tuple[float, list[str], FileSource]:
    """Seconds that a source yields, its remarks, and itself."""
    source = FileSource(path, start_s=start_s)
    samples, remarks = 0, []
    for piece in source.pieces():
        if isinstance(piece, Remark):
            remarks.append(piece.message)
        else:
            assert isinstance(piece, np.ndarray)
            assert np.abs(piece).max() > 0
            samples += len(piece)
    return samples / source.info.sample_rate, remarks, source


#: Name of a file: ffmpeg's words for each of its parts, the song that it is made from.
MADE = {
    "vbr.mp3": [("stereo", "-c:a libmp3lame -q:a 2 -f mp3")],
    "abr.mp3": [("mono", "-c:a libmp3lame -b:a 64k -f mp3")],
    "three.mp3": [("stereo", "-q:a 2 -f mp3"), ("mono", "-b:a 64k -f mp3"), ("48", "-f mp3")],
    "chain.ogg": [("stereo", "-c:a libvorbis -f ogg"), ("mono", "-c:a libvorbis -f ogg")],
    "chain.opus": [("48", "-c:a libopus -f ogg"), ("48", "-c:a libopus -f ogg")],
    "three.flac": [("stereo", "-f flac")],
    "speech.spx": [("mono", "-ar 16000 -c:a libspeex -f ogg")],
    "flac.oga": [("stereo", "-c:a flac -f ogg")],
    "wide.wav": [("stereo", "-c:a pcm_s64le -f wav")],
    "piped.caf": [("stereo", "-f caf")],
    "song.wma": [("stereo", "-c:a wmav2 -f asf")],
    "song.aac": [("stereo", "-c:a aac -f adts")],
    "song.mka": [("stereo", "-c:a ac3 -f matroska")],
    "old.mp2": [("stereo", "-c:a mp2 -f mp2")],
    "song.tta": [("stereo", "-f tta")],
    "song.dts": [("stereo", "-strict -2 -c:a dca -f dts")],
}


@pytest.mark.parametrize("name", MADE)
def test_as_long_as_ffmpeg_finds_it(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, name: str
) -> None:
    """To a tenth of a second, without a remark; beginning later loses that much."""
    path = tmp_path / name
    parts = [ffmpeg("-i", songs / f"{song}.wav", *words.split(), "-") for song, words in MADE[name]]
    path.write_bytes(b"".join(parts))
    length_s, remarks, source = heard(path)
    assert remarks == []
    assert not source.incomplete
    assert length_s == pytest.approx(seconds_of(ffmpeg, path), abs=0.1)
    assert length_s == pytest.approx(4.0 * len(parts), abs=0.2)
    later_s, _, source = heard(path, start_s=2.5)
    assert source.info.start_s == pytest.approx(2.5, abs=1e-3)
    assert later_s == pytest.approx(length_s - 2.5, abs=1e-3)


@pytest.mark.parametrize(
    "links",
    [
        ("-c:a libvorbis", "-c:a flac"),
        ("-c:a flac", "-c:a libopus"),
        ("-c:a flac -ar 22050 -ac 1", "-c:a flac"),
        ("-c:a libvorbis", "-c:a libspeex -ar 16000 -ac 1"),
    ],
)
def test_links_of_other_codecs(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, links: tuple[str, str]
) -> None:
    """A chain of Ogg streams is heard to its end where a codec or a form changes (FFmpeg stops)."""
    path = tmp_path / "chain.ogg"
    song = songs / "stereo.wav"
    path.write_bytes(
        b"".join(ffmpeg("-i", song, *words.split(), "-f", "ogg", "-") for words in links)
    )
    length_s, remarks, source = heard(path)
    assert length_s == pytest.approx(8.0, abs=0.1)
    assert (remarks, source.incomplete) == ([], False)


@pytest.mark.parametrize("codec", ["libvorbis", "libopus", "flac"])
def test_a_link_that_was_cut(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, codec: str
) -> None:
    """A chain is heard to its end, and which of its parts breaks off is told."""
    link = ffmpeg("-i", songs / "48.wav", "-c:a", codec, "-f", "ogg", "-")
    path = tmp_path / "radio.ogg"
    path.write_bytes(link[: len(link) // 2] + link)
    length_s, remarks, source = heard(path)
    assert 5 < length_s < 6.2
    assert source.incomplete
    assert remarks == [f"{path} breaks off in part 1 of its 2: a last page is missing"]
    path.write_bytes(link + link)
    assert heard(path)[1] == []


WORDS = {
    "wav": "-f wav -bitexact",
    "flac": "-f flac",
    "ogg": "-c:a libvorbis -f ogg",
    "mp3": "-c:a libmp3lame -f mp3",
}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *(("wav", "wav"), ("wav", "flac"), ("wav", "mp3"), ("flac", "ogg"), ("flac", "wav")),
        *(("ogg", "flac"), ("ogg", "wav"), ("ogg", "mp3")),
    ],
)
def test_recordings_of_two_kinds_in_one_file(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, first: str, second: str
) -> None:
    """What stands behind the end of another recording is heard."""
    path = tmp_path / f"joined.{first}"
    for number, kind in enumerate((first, second)):
        # Not into a pipe: there neither WAV nor FLAC can tell of a length.
        ffmpeg("-i", songs / "stereo.wav", *WORDS[kind].split(), tmp_path / f"{number}")
    path.write_bytes((tmp_path / "0").read_bytes() + (tmp_path / "1").read_bytes())
    length_s, remarks, source = heard(path)
    assert length_s == pytest.approx(8, abs=0.1)
    assert remarks == []
    assert not source.incomplete


@pytest.mark.parametrize("second", ["flac", "ogg", "wav"])
def test_another_kind_behind_mp3(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, second: str
) -> None:
    """It is not heard, and that is told."""
    path = tmp_path / "joined.mp3"
    for number, kind in enumerate(("mp3", second)):
        # Not into a pipe: there neither WAV nor FLAC can tell of a length.
        ffmpeg("-i", songs / "stereo.wav", *WORDS[kind].split(), tmp_path / f"{number}")
    path.write_bytes((tmp_path / "0").read_bytes() + (tmp_path / "1").read_bytes())
    length_s, remarks, source = heard(path)
    assert length_s == pytest.approx(4, abs=0.1)
    assert source.incomplete
    (remark,) = remarks
    assert f"a recording of another kind ({second.upper()}), which is not heard" in remark


@pytest.mark.parametrize("counted", [0.5, 1, 3])
def test_an_index_of_fraunhofers(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, counted: float
) -> None:
    """MP3 of varying bit rate with a VBRI is heard to its end, whatever that counts."""
    path = tmp_path / "whole.mp3"
    words = ("-c:a", "libmp3lame", "-q:a", 4, "-id3v2_version", 0)
    ffmpeg("-i", songs / "stereo.wav", *words, path)
    data = bytearray(path.read_bytes())
    index = data.index(b"Xing")
    frames, size = struct.unpack_from(">2I", data, index + 8)
    following = data.index(data[:2], index + 100)
    data[4:following] = bytes(following - 4)
    struct.pack_into(
        ">4s3H2I4H", data, 36, b"VBRI", 1, 0, 75, size, round(counted * frames), 1, 1, 2, 1
    )
    vbri = tmp_path / "vbri.mp3"
    vbri.write_bytes(data)
    length_s, remarks, source = heard(vbri)
    assert length_s == pytest.approx(seconds_of(ffmpeg, vbri), abs=0.1)
    assert (remarks, source.incomplete) == ([], False)


def test_more_than_the_header_tells_of(tmp_path: Path) -> None:
    """Sound behind what a WAV's header counts is not heard, and that is told; zeros are nothing."""
    path = tmp_path / "short.wav"
    sound = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    soundfile.write(path, sound, RATE, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 40, 2 * RATE)
    path.write_bytes(data)
    length_s, remarks, _ = heard(path)
    assert length_s == 1.0
    (remark,) = remarks
    assert "holds 88 kB that its header does not tell of" in remark
    data[44 + 2 * RATE :] = bytes(2 * RATE)
    path.write_bytes(data)
    assert heard(path)[1] == []


def test_sound_that_begins_late(
    ffmpeg: Callable[..., bytes],
    songs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Matroska file promises no sound before its first moment, nor while its picture goes on."""
    late, film = tmp_path / "late.mka", tmp_path / "film.mkv"
    ffmpeg("-itsoffset", 2, "-i", songs / "stereo.wav", "-c:a", "flac", late)
    picture = ("-f", "lavfi", "-i", "color=s=32x32:r=2:d=7")
    ffmpeg("-i", songs / "stereo.wav", *picture, "-c:v", "mpeg4", "-c:a", "flac", film)
    for decoders in ("PyAV, where it is installed", "the program"):
        if decoders == "the program":
            monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        for path in (late, film):
            length_s, remarks, _ = heard(path)
            assert length_s == pytest.approx(4.0, abs=0.1)
            assert remarks == []


@pytest.mark.parametrize("name", ["speech.spx", "flac.oga", "song.wma", "chain.ogg", "chain.opus"])
def test_what_ogg_and_wma_lack_is_told(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, name: str
) -> None:
    """Cut off, they are heard as far as ffmpeg hears them, and said to break off."""
    path = tmp_path / name
    whole = b""
    for song, words in MADE[name]:
        # Not into a pipe: there ASF cannot promise anything.
        ffmpeg("-i", songs / f"{song}.wav", *words.split(), path)
        whole += path.read_bytes()
    path.write_bytes(whole[: round(0.8 * len(whole))])
    length_s, remarks, source = heard(path)
    assert length_s == pytest.approx(seconds_of(ffmpeg, path), abs=0.15)
    assert source.incomplete
    (remark,) = remarks
    assert f"breaks off after {length_s:.1f} s" in remark


def test_the_second_piece_is_cut_off(tmp_path: Path) -> None:
    """A WAV with its sound in two pieces, of which the second is not all there, says both."""
    path = tmp_path / "two.wav"
    half = len(SOUND) // 2
    path.write_bytes(wav((b"data", half, SOUND[:half]), (b"data", half, SOUND[half:-RATE])))
    length_s, remarks, source = heard(path)
    assert (length_s, source.incomplete) == (1.5, True)
    assert "2 pieces" in remarks[0]
    assert "breaks off after 1.5 s of the 2.0 s it promises" in remarks[1]


@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_m4a(ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, codec: str) -> None:
    """The encoder's delay is taken off as ffmpeg takes it off; the length is known beforehand."""
    path = tmp_path / "song.m4a"
    ffmpeg("-i", songs / "stereo.wav", "-c:a", codec, path)
    length_s, remarks, source = heard(path)
    assert length_s == pytest.approx(seconds_of(ffmpeg, path), abs=0.01)
    assert source.info.duration_s == pytest.approx(4.0, abs=0.1)
    assert remarks == []


@pytest.mark.parametrize("decoders", ["ffmpeg alone", "none"])
def test_other_decoders(
    ffmpeg: Callable[..., bytes],
    songs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    decoders: str,
) -> None:
    """Without PyAV the program ``ffmpeg`` decodes; without both, a sentence names the extra."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    if decoders == "none":
        monkeypatch.setattr(shutil, "which", lambda _: None)
    m4a, joined = tmp_path / "song.m4a", tmp_path / "joined.mp3"
    mp3 = [ffmpeg("-i", songs / f"{name}.wav", "-f", "mp3", "-") for name in ("stereo", "48")]
    joined.write_bytes(b"".join(mp3))
    ffmpeg("-i", songs / "stereo.wav", m4a)
    length_s, remarks, source = heard(joined)
    if decoders == "none":
        with pytest.raises(AudioError, match=r"pip install 'emotion-streamer\[av\]', or install"):
            FileSource(m4a)
        assert length_s == pytest.approx(4.0, abs=0.1)
        assert source.incomplete
        (remark,) = remarks
        assert "emotion-streamer[av]" in remark
    else:
        assert heard(m4a)[0] == pytest.approx(4.0, abs=0.1)
        assert length_s == pytest.approx(seconds_of(ffmpeg, joined), abs=0.1)
        assert remarks == []


def test_a_file_that_breaks_off_in_a_decoder(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path
) -> None:
    """A Matroska file of which a half is missing is heard up to there, and said to break off."""
    path = tmp_path / "cut.mka"
    ffmpeg("-i", songs / "stereo.wav", "-c:a", "ac3", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    length_s, remarks, source = heard(path)
    assert 1.0 < length_s < 3.0
    assert source.incomplete
    (remark,) = remarks
    assert "breaks off after" in remark


def wav(
    *chunks: tuple[bytes, int, bytes], size: int | None = None, magic: bytes = b"RIFF"
) -> bytes:
    """A WAV file of 16 bits, mono, of chunks with the sizes that they claim."""
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    for name, claimed, data in chunks:
        body += name + struct.pack("<I", claimed) + data
    return magic + struct.pack("<I", len(body) if size is None else size) + body


SOUND = np.random.default_rng(2).integers(-9_000, 9_000, 2 * RATE).astype("<i2").tobytes()
DS64 = b"ds64" + struct.pack("<IQQQI", 28, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        wav((b"data", 0, SOUND), size=0),
        wav((b"data", 0, SOUND), size=36),
        wav((b"LIST", 4, b"INFO"), (b"data", 0, SOUND), size=0),
        wav((b"data", 0xFFFF_FFFF, SOUND), size=0xFFFF_FFFF),
        wav((b"data", 0xFFFF_FFFF, SOUND), magic=b"RF64").replace(b"WAVE", b"WAVE" + DS64),
    ],
    ids=["zeros", "an empty file's", "after a tag", "endless", "RF64"],
)
def test_a_recorder_that_was_killed(tmp_path: Path, data: bytes) -> None:
    """Sizes that were never filled in cost nothing of the sound, to the sample."""
    path = tmp_path / "killed.wav"
    path.write_bytes(data)
    source = FileSource(path)
    samples = np.concatenate([piece for piece in source.pieces() if isinstance(piece, np.ndarray)])
    np.testing.assert_array_equal(samples * 32_768, np.frombuffer(SOUND, "<i2"))
    assert not source.incomplete


def test_sound_in_two_chunks(tmp_path: Path) -> None:
    """Both are heard, one after the other, and it is said that others may not hear both."""
    path = tmp_path / "two.wav"
    half = len(SOUND) // 2
    tag = (b"LIST", 4, b"INFO")
    path.write_bytes(wav((b"data", half, SOUND[:half]), tag, (b"data", half, SOUND[half:])))
    source = FileSource(path)
    pieces = list(source.pieces())
    samples = np.concatenate([piece for piece in pieces if isinstance(piece, np.ndarray)])
    np.testing.assert_array_equal(samples * 32_768, np.frombuffer(SOUND, "<i2"))
    (remark,) = [piece.message for piece in pieces if isinstance(piece, Remark)]
    assert "2 pieces" in remark


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), bytes(5_000), b"APETAGEX" + bytes(60)])
def test_a_whole_flac_with_something_behind_it(tmp_path: Path, tail: bytes) -> None:
    """A tag or zeros behind a FLAC file are not its sound, and no word is said about it."""
    path = tmp_path / "tagged.flac"
    soundfile.write(path, np.frombuffer(SOUND, "<i2"), RATE)
    path.write_bytes(path.read_bytes() + tail)
    length_s, remarks, source = heard(path)
    assert (length_s, remarks, source.incomplete) == (2.0, [], False)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of Unix")
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "CAF", "AU", "OGG", "MP3", "W64"])
def test_a_named_pipe(tmp_path: Path, kind: str) -> None:
    """What comes through a pipe is what the file holds."""
    path, pipe = tmp_path / "file", tmp_path / "pipe"
    soundfile.write(path, np.frombuffer(SOUND, "<i2"), RATE, format=kind)
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    writer.start()
    length_s, remarks, _ = heard(pipe)
    writer.join()
    assert length_s == pytest.approx(heard(path)[0], abs=0.1 if kind == "MP3" else 1e-6)
    assert remarks == []


def test_a_playlist_opens_nothing(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path
) -> None:
    """A list of other files or addresses, whatever it is called, is refused and not followed."""
    for number, text in enumerate(
        [
            "#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/x.mp3\n#EXT-X-ENDLIST\n",
            f"ffconcat version 1.0\nfile '{songs / 'stereo.wav'}'\n",
        ]
    ):
        path = tmp_path / f"list{number}.m4a"
        path.write_text(text)
        with pytest.raises(AudioError, match="is not sound"):
            FileSource(path)
        with pytest.raises(AudioError):
            decoder.Decoder(str(path))


def test_a_decoder_that_hangs_or_dies(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before is heard, and the file is said to break off; nothing waits for ever."""
    path = tmp_path / "song.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    program = tmp_path / "ffmpeg"
    header = (
        r"\056snd\000\000\000\030\377\377\377\377\000\000\000\006\000\000\037\100\000\000\000\001"
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(decoder, "_PATIENCE_S", 1.0)
    for end in ("exec sleep 1000", "kill -9 $$"):
        program.write_text(f"#!/bin/sh\nprintf '{header}'\nhead -c 32000 /dev/urandom\n{end}\n")
        program.chmod(0o755)
        source = FileSource(path)
        pieces = list(source.pieces())
        assert sum(len(piece) for piece in pieces if isinstance(piece, np.ndarray)) == 8_000
        assert source.incomplete
        assert isinstance(pieces[-1], Remark)
        assert "breaks off after 1.0 s" in pieces[-1].message


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of Unix")
def test_what_cannot_be_heard_from_a_pipe(
    ffmpeg: Callable[..., bytes], songs: Path, tmp_path: Path
) -> None:
    """A chain is heard to its first song's end, an M4A not at all: a sentence says what to do."""
    pipe, m4a = tmp_path / "pipe", tmp_path / "song.m4a"
    ogg = ffmpeg("-i", songs / "stereo.wav", "-c:a", "libvorbis", "-f", "ogg", "-")
    ffmpeg("-i", songs / "stereo.wav", m4a)
    os.mkfifo(pipe)

    def write(data: bytes) -> threading.Thread:
        def run() -> None:
            with contextlib.suppress(BrokenPipeError):
                pipe.write_bytes(data)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    writer = write(ogg + ogg)
    length_s, remarks, source = heard(pipe)
    writer.join()
    assert (length_s, source.incomplete) == (4.0, True)
    assert "goes on after 4.0 s with another recording" in remarks[0]
    writer = write(m4a.read_bytes())
    with pytest.raises(AudioError, match=r"\(MP4\) cannot be decoded .* save it to a file"):
        FileSource(pipe)
    writer.join()
