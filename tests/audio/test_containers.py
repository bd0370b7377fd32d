"""What a file's bytes say of it: parts, lengths and sizes, without a decoder."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamer.audio.containers import HEAD, Contents, kind_of, look_into

RATE = 44_100


def encoded(seconds: float = 1.0, channels: int = 1, rate: int = RATE, **kind: object) -> bytes:
    """Noise in the format that soundfile is told of."""
    noise = np.random.default_rng(1).normal(0, 0.1, (round(seconds * rate), channels))
    file = io.BytesIO()
    soundfile.write(file, noise, rate, **kind)
    return file.getvalue()


def mp3(seconds: float = 2.0, channels: int = 1, rate: int = RATE, mode: str = "VARIABLE") -> bytes:
    """An MP3 file with an index in its first frame."""
    return encoded(seconds, channels, rate, format="MP3", bitrate_mode=mode, compression_level=0.5)


def without_index(data: bytes) -> bytes:
    """An MP3 stream as encoders write it into a pipe: without its first frame, the index."""
    assert b"Xing" in data[:200] or b"Info" in data[:200]
    return data[data.index(b"\xff\xfb", 4) :]


def contents(tmp_path: Path, data: bytes) -> Contents:
    """What is in a file of these bytes."""
    path = tmp_path / "file"
    path.write_bytes(data)
    return look_into(path)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", "WAV"),
        (b"RIFF\x24\0\0\0AVI LIST", None),
        (b"\x7f\xfe\x80\x01\xfc", "DTS"),
        (b"\0\0\0\x20ftypM4A ", "MP4"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
        (b"Creative Voice File\x1a\x1a\0", "VOC"),
        (b"dns.\x18\0\0\0", "AU"),
        (b"\xff\xf1\x50\x80", "AAC"),
        (b"\xff\xfb\x90\x64", "MP3"),
        (b"\xff\xfd\xa4\x04", "MP3"),
        (b"\xff\xfe\x41\x00", None),  # text in UTF-16
        (b"OggS\0\2" + bytes(22) + b"\x7fFLAC", "Ogg FLAC"),
        (b"OggS\0\2" + bytes(22) + b"Speex   ", "Speex"),
        (b"OggS\0\2" + bytes(22) + b"\1vorbis", "OGG"),
        (b"Dear diary", None),
        (b"", None),
    ],
)
def test_kinds(head: bytes, kind: str | None) -> None:
    """A file's first bytes tell what people call it."""
    assert kind_of(head[:HEAD]) == kind


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_is_counted_frame_by_frame(tmp_path: Path, rate: int, channels: int) -> None:
    """With its index the length is exact; without one it is exact to the encoder's padding."""
    data = mp3(3.0, channels, rate)
    whole = contents(tmp_path, data)
    assert (whole.parts, whole.guessed) == ((0,), False)
    assert whole.length_s == pytest.approx(3.0, abs=0.001)
    piped = contents(tmp_path, without_index(data) if rate > 24_000 else data)
    assert piped.guessed is (rate > 24_000)
    assert piped.length_s == pytest.approx(3.0, abs=0.1)


def test_tags_around_an_mp3_are_no_part_of_it(tmp_path: Path) -> None:
    """ID3 before, APE and ID3v1 behind: one part, the same length."""
    before = b"ID3\4\0\0" + bytes([0, 0, 8, 0]) + bytes(1024)
    ape = b"APETAGEX" + struct.pack("<4I", 2000, 32, 0, 0) + bytes(8)
    found = contents(tmp_path, before + mp3() + ape + b"TAG" + bytes(125))
    assert found.kind == "MP3"
    assert found.parts == (0,)
    assert found.length_s == pytest.approx(2.0, abs=0.001)


@pytest.mark.parametrize("between", [b"", b"ID3\4\0\0" + bytes([0, 0, 1, 0]) + bytes(128)])
@pytest.mark.parametrize("second", [(1, RATE), (2, RATE), (1, 48_000), (1, 16_000)])
def test_joined_mp3s(tmp_path: Path, second: tuple[int, int], between: bytes) -> None:
    """A second recording behind the first one is seen, of whatever form, tag or no tag."""
    found = contents(tmp_path, mp3() + between + mp3(1.0, *second))
    assert len(found.parts) == 2
    assert found.length_s == pytest.approx(3.0, abs=0.2)


def test_chained_ogg(tmp_path: Path) -> None:
    """Each stream of a chain is a part; a whole file and one with junk behind it have one."""
    one = encoded(format="OGG", subtype="VORBIS")
    two = encoded(rate=48_000, format="OGG", subtype="OPUS")
    assert contents(tmp_path, one).parts == (0,)
    assert contents(tmp_path, one + b"OggS").parts == (0,)
    assert contents(tmp_path, one + bytes(500) + two + one).parts == (
        0,
        len(one) + 500,
        len(one) + 500 + len(two),
    )


def test_a_chain_whose_first_link_was_cut_off(tmp_path: Path) -> None:
    """What follows a page that breaks off is a part, though the page reaches into it."""
    one = encoded(3.0, format="OGG", subtype="VORBIS")
    cut = len(one) // 2
    assert contents(tmp_path, one[:cut] + one).parts == (0, cut)


def test_joined_flac(tmp_path: Path) -> None:
    """The second one's beginning is found."""
    one = encoded(format="FLAC")
    assert contents(tmp_path, one).parts == (0,)
    assert contents(tmp_path, one + one).parts == (0, len(one))


def test_an_empty_wav_is_no_unfinished_one(tmp_path: Path) -> None:
    """No sound and a tag behind it: nothing is mended."""
    empty = bytearray(encoded(0.0, format="WAV"))
    tagged = empty + b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert contents(tmp_path, bytes(empty)).mended == ()
    assert contents(tmp_path, bytes(tagged)).mended == ()


def test_pages_that_break_off(tmp_path: Path) -> None:
    """Wherever an Ogg file is cut, the search ends."""
    one = encoded(0.3, format="OGG", subtype="VORBIS")
    for length in (*range(1, 60), *range(len(one) - 40, len(one))):
        assert contents(tmp_path, one[:length] + b"OggS").parts == (0,)
