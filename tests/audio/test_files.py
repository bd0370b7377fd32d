"""Sound files: every format, bounded blocks, and a sentence for everything that can be wrong."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import struct
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.audio.files import FileSource
from streamer.audio.source import Remark
from streamer.errors import AudioError

RATE = 22_050


def music(seconds: float, channels: int, rate: int = RATE) -> NDArray[np.float64]:
    """(samples, channels): two tones in each channel and a little noise, well inside ±1."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(7).standard_normal((len(t), channels)) * 0.01
    tones = [
        0.3 * np.sin(2 * np.pi * 220 * (c + 1) * t) + 0.1 * np.sin(2 * np.pi * 1760 * t)
        for c in range(channels)
    ]
    return np.stack(tones, axis=1) + noise


def hear(source: FileSource) -> tuple[NDArray[np.float32], list[str]]:
    """All samples in a row, and the remarks; asserts that no piece is longer than a block."""
    blocks, remarks = [np.zeros(0, np.float32)], []
    for piece in source.pieces():
        if isinstance(piece, Remark):
            remarks.append(piece.message)
        else:
            assert isinstance(piece, np.ndarray)
            assert piece.dtype == np.float32
            assert piece.ndim == 1
            blocks.append(piece)
    return np.concatenate(blocks), remarks


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    ("subtype", "error"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-23),
        ("PCM_32", 1e-7),
        ("FLOAT", 1e-7),
        ("DOUBLE", 1e-7),
        ("ULAW", 0.03),
        ("ALAW", 0.03),
    ],
)
def test_wav(tmp_path: Path, subtype: str, error: float, channels: int) -> None:
    """WAV of every sample type comes out as the mean of its channels, to its own precision."""
    wanted = music(1.5, channels)
    path = tmp_path / "a.wav"
    soundfile.write(path, wanted, RATE, subtype=subtype)
    source = FileSource(path)
    assert source.info.kind == "file"
    assert source.info.sample_rate == RATE
    assert source.info.channels == channels
    assert source.info.duration_s == pytest.approx(1.5)
    samples, remarks = hear(source)
    assert remarks == []
    assert len(samples) == len(wanted) > 0
    np.testing.assert_allclose(samples, wanted.mean(axis=1), atol=error)


COMPRESSED = [
    ("a.flac", "FLAC", "PCM_16", 0.9999, (8_000, 16_000, 24_000, 44_100, 48_000, 96_000)),
    ("a.ogg", "OGG", "VORBIS", 0.98, (8_000, 16_000, 24_000, 44_100, 48_000, 96_000)),
    ("a.mp3", "MP3", "MPEG_LAYER_III", 0.98, (8_000, 16_000, 24_000, 44_100, 48_000)),
    ("a.opus", "OGG", "OPUS", 0.98, (8_000, 16_000, 24_000, 48_000)),
    ("a.aiff", "AIFF", "PCM_16", 0.9999, (8_000, 16_000, 24_000, 44_100, 48_000, 96_000)),
]


@pytest.mark.parametrize(
    ("name", "format_", "subtype", "correlation", "rate"),
    [(*each[:4], rate) for each in COMPRESSED for rate in each[4]],
)
def test_compressed(
    tmp_path: Path, *, name: str, format_: str, subtype: str, correlation: float, rate: int
) -> None:
    """FLAC, OGG, MP3, Opus and AIFF of any rate that they allow sound like what was written."""
    wanted = music(2.0, 2, rate)
    path = tmp_path / name
    soundfile.write(path, wanted, rate, format=format_, subtype=subtype)
    source = FileSource(path)
    samples, remarks = hear(source)
    assert remarks == []
    assert source.info.sample_rate in {rate, 48_000 if subtype == "OPUS" else rate}
    assert len(samples) == len(wanted)
    assert np.corrcoef(samples, wanted.mean(axis=1))[0, 1] > correlation


@pytest.mark.parametrize("block", [1, 100, 4_096, 5_000, 65_536])
def test_block_by_block(tmp_path: Path, block: int) -> None:
    """No piece is longer than asked for, and the pieces are the file whatever the length."""
    wanted = music(0.5, 2)
    path = tmp_path / "a.wav"
    soundfile.write(path, wanted, RATE, subtype="FLOAT")
    pieces = list(FileSource(path, block=block).pieces())
    lengths = [len(piece) for piece in pieces if isinstance(piece, np.ndarray)]
    assert len(lengths) == len(pieces) == -(-len(wanted) // block)
    assert max(lengths) <= block
    joined = np.concatenate([piece for piece in pieces if isinstance(piece, np.ndarray)])
    np.testing.assert_array_equal(joined, hear(FileSource(path))[0])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.opus"])
@pytest.mark.parametrize("start", [0.0, 0.5, 1.7])
def test_start(tmp_path: Path, name: str, start: float) -> None:
    """Starting at S gives the samples of the whole file from S on, in every format."""
    path = tmp_path / name
    opus = name == "a.opus"
    rate = 48_000 if opus else RATE
    soundfile.write(
        path,
        music(2.0, 1, rate),
        rate,
        format="OGG" if opus else None,
        subtype="OPUS" if opus else None,
    )
    whole, _ = hear(FileSource(path))
    source = FileSource(path, start_s=start)
    assert source.info.start_s == pytest.approx(start, abs=1 / rate)
    samples, remarks = hear(source)
    assert remarks == []
    assert len(samples) == len(whole) - round(start * rate) > 0
    np.testing.assert_allclose(samples, whole[round(start * rate) :], atol=2e-3)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "GSM610"),
        ("W64", "GSM610"),
        ("AIFF", "GSM610"),
        ("WAV", "G721_32"),
        ("WAV", "NMS_ADPCM_16"),
        ("AU", "G723_24"),
        ("AIFF", "DWVW_16"),
    ],
)
def test_start_where_libsndfile_cannot_seek(tmp_path: Path, kind: str, subtype: str) -> None:
    """A codec in which there is no seeking is decoded up to the start: the same samples."""
    path = tmp_path / "a"
    soundfile.write(path, music(3.0, 1, 8_000), 8_000, format=kind, subtype=subtype)
    with soundfile.SoundFile(path) as file, pytest.raises(soundfile.SoundFileError):
        file.seek(20_000)
    whole, _ = hear(FileSource(path))
    source = FileSource(path, start_s=2.5)
    samples, remarks = hear(source)
    assert (source.info.start_s, remarks) == (2.5, [])
    assert len(samples) > 3_000
    np.testing.assert_array_equal(samples, whole[20_000:])


def test_start_behind_a_break(tmp_path: Path) -> None:
    """A start that a file promises and does not reach is said to lie behind its break."""
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(3).normal(0, 0.1, 4 * RATE), RATE)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"breaks off after [12]\.\d s .* cannot start at 3\.5 s"):
        FileSource(path, start_s=3.5)
    assert len(hear(FileSource(path, start_s=1.0))[0]) > RATE // 2


def test_a_file_shorter_than_a_frame_is_no_error(tmp_path: Path) -> None:
    """Three samples are three samples; none are none, and said to be."""
    for count in (0, 3):
        path = tmp_path / f"{count}.wav"
        soundfile.write(path, np.full(count, 0.25), RATE)
        source = FileSource(path)
        samples, remarks = hear(source)
        assert samples.tolist() == [0.25] * count
        assert remarks == ([] if count else [f"{path} has no samples: there is no sound in it"])
        assert source.incomplete is not bool(count)


@settings(max_examples=30, deadline=None)
@given(
    block=st.integers(50, 40_000), wrong=st.floats(0.0, 1.0), scale=st.sampled_from([1.0, np.nan])
)
def test_samples_that_are_no_sound(
    tmp_path_factory: pytest.TempPathFactory, block: int, wrong: float, scale: float
) -> None:
    """A file is no sound where more than a half of it is none, however its blocks are cut."""
    path = tmp_path_factory.mktemp("scaled") / "a.wav"
    sound = np.sign(music(1.0, 1)[:, 0])
    count = round(wrong * len(sound))
    sound[:count] *= 32_768 * scale
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    source = FileSource(path, block=block)
    _, remarks = hear(source)
    assert source.incomplete is bool(remarks) is (count > len(sound) / 2)
    if remarks:
        what = (
            "not a number" if np.isnan(scale) else r"far beyond full scale: scale them to [-1, 1]"
        )
        assert what in remarks[0]


def test_close_ends_the_pieces(tmp_path: Path) -> None:
    """After close, which may be called twice, no further piece comes."""
    path = tmp_path / "a.wav"
    soundfile.write(path, music(1.0, 1), RATE)
    source = FileSource(path, block=100)
    pieces = source.pieces()
    next(pieces)
    source.close()
    source.close()
    assert list(pieces) == []


def header(path: Path, offset: int, form: str, value: int) -> None:
    """Overwrite one number in the header of a WAV file."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, offset, value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.wav", None, "no such file: {path}"),
        ("empty.wav", b"", "{path} is empty (0 bytes)"),
        ("text.wav", b"Dear diary, today I heard a song.\n" * 40, "{path} is not sound"),
        ("noise.mp3", bytes(range(256)) * 20, "{path} is not sound"),
        ("head.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "{path} begins like a WAV file"),
        ("tiny.wav", b"RIFF", "{path} begins like a WAV file"),
        ("head.flac", b"fLaC\x00\x00\x00\x22", "{path} begins like a FLAC file"),
        ("head.ogg", b"OggS\x00\x02" + bytes(30), "{path} begins like a OGG file"),
        ("head.mp3", b"\xff\xfb\x90\x64" + bytes(20), "{path} begins like a MP3 file"),
        ("head.aiff", b"FORM\x00\x00\x10\x00AIFF", "{path} begins like a AIFF file"),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    """Each file that cannot be opened is one sentence that names it and says why."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        FileSource(path)
    assert str(caught.value).startswith(says.format(path=path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", range(12, 43, 5))
def test_every_truncated_wav_header(tmp_path: Path, length: int) -> None:
    """Wherever a WAV header breaks off, the sentence says that it is broken."""
    path = tmp_path / "a.wav"
    soundfile.write(path, music(0.1, 1), RATE)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(AudioError, match="header is broken or cut off"):
        FileSource(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """It is told to be one, and to name a file in it."""
    with pytest.raises(AudioError, match=r"is a folder: name a sound file in it"):
        FileSource(tmp_path)


@pytest.mark.parametrize(
    ("offset", "form", "value", "says"),
    [
        (22, "<H", 0, "begins like a WAV file"),
        (22, "<H", 60_000, "begins like a WAV file"),
        (24, "<I", 0, "begins like a WAV file"),
        (24, "<I", 1, "sample rate of 1 Hz"),
        (24, "<I", 2_000_000_000, "sample rate of 2000000000 Hz"),
        (24, "<I", 4_294_967_295, "begins like a WAV file"),
    ],
)
def test_absurd_headers(tmp_path: Path, offset: int, form: str, value: int, says: str) -> None:
    """A header with no channels, too many, or a rate beyond belief is refused in a sentence."""
    path = tmp_path / "a.wav"
    soundfile.write(path, music(0.1, 1), RATE)
    header(path, offset, form, value)
    with pytest.raises(AudioError, match=says):
        FileSource(path)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
@pytest.mark.parametrize("start", [2.0, 3.0, 1e9])
def test_start_beyond_the_end(tmp_path: Path, name: str, start: float) -> None:
    """A start at the end or later is one sentence that says how long the file is."""
    path = tmp_path / name
    soundfile.write(path, music(2.0, 1), RATE)
    with pytest.raises(AudioError, match=r"is 2\.0 s long, so it cannot start at"):
        FileSource(path, start_s=start)


@pytest.mark.parametrize("start", [-1.0, float("nan"), float("inf")])
def test_start_that_is_no_time(tmp_path: Path, start: float) -> None:
    """A negative, infinite or undefined start is refused."""
    path = tmp_path / "a.wav"
    soundfile.write(path, music(0.1, 1), RATE)
    with pytest.raises(AudioError, match="give 0 or more seconds"):
        FileSource(path, start_s=start)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.opus", "a.aiff"])
def test_a_body_that_breaks_off(tmp_path: Path, name: str) -> None:
    """What could be decoded before the break is heard, and the break is remarked on."""
    path = tmp_path / name
    opus = name == "a.opus"
    rate = 48_000 if opus else RATE
    wanted = np.random.default_rng(3).standard_normal(rate * 8) * 0.1
    with soundfile.SoundFile(
        path, "w", rate, 1, format="OGG" if opus else None, subtype="OPUS" if opus else None
    ) as file:
        for second in range(8):
            file.write(wanted[second * rate : (second + 1) * rate])
    whole, remarks = hear(FileSource(path))
    assert remarks == []
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    samples, remarks = hear(FileSource(path))
    assert len(whole) * 0.3 < len(samples) < len(whole) * 0.7
    np.testing.assert_allclose(samples[:rate], whole[:rate], atol=1e-4)
    assert len(remarks) == 1
    assert "breaks off after" in remarks[0]


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "SVX", "AU", "CAF", "VOC"])
@settings(max_examples=15, deadline=None)
@given(share=st.floats(0.2, 0.99), channels=st.integers(1, 2))
def test_a_header_tells_of_sound_that_is_not_there(
    tmp_path_factory: pytest.TempPathFactory, kind: str, share: float, channels: int
) -> None:
    """Uncompressed sound cut off anywhere is heard up to there, and the promise is named."""
    path = tmp_path_factory.mktemp("cut") / "a"
    sound = music(4.0, 1 if kind == "SVX" else channels, 8_000)
    soundfile.write(path, sound, 8_000, format=kind, subtype="PCM_16")
    whole, remarks = hear(FileSource(path))
    assert (len(whole), remarks) == (32_000, [])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - sound.size * 2 + round(share * sound.size) * 2])
    source = FileSource(path)
    samples, remarks = hear(source)
    # CAF has its sound behind a page of nothing, VOC a byte behind it.
    assert len(samples) == pytest.approx(share * 32_000, abs=4)
    np.testing.assert_array_equal(samples, whole[: len(samples)])
    assert remarks == [
        f"{path} breaks off after {len(samples) / 8_000:.1f} s of the 4.0 s it promises"
    ]
    assert source.incomplete


@pytest.mark.parametrize("kind", ["RF64", "W64", "AU", "CAF", "VOC"])
@pytest.mark.parametrize("left", range(10, 130, 17))
def test_a_header_cut_anywhere(tmp_path: Path, kind: str, left: int) -> None:
    """Of a header without its end comes a sentence, or what little sound is there; never more."""
    path = tmp_path / "a"
    soundfile.write(path, music(0.1, 1), RATE, format=kind)
    path.write_bytes(path.read_bytes()[: left + 1])
    samples = np.zeros(0, np.float32)
    with contextlib.suppress(AudioError):
        samples, _ = hear(FileSource(path))
    assert len(samples) <= 100


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_wav_header_written_into_a_pipe(tmp_path: Path, length: int) -> None:
    """The endless length that a recorder leaves when it cannot seek back is no break-off."""
    path = tmp_path / "a.wav"
    soundfile.write(path, music(1.0, 1), RATE)
    data = path.read_bytes()
    header(path, data.index(b"data") + 4, "<I", length)
    samples, remarks = hear(FileSource(path))
    assert len(samples) == RATE
    assert remarks == []


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 0x80000000])
def test_an_au_header_written_into_a_pipe(tmp_path: Path, length: int) -> None:
    """So it is in AU, whose word for an unknown length is the largest number."""
    path = tmp_path / "a.au"
    soundfile.write(path, music(1.0, 1), RATE)
    header(path, 8, ">I", length)
    samples, remarks = hear(FileSource(path))
    assert (len(samples), remarks) == (RATE, [])


def test_a_flac_of_unknown_length(tmp_path: Path) -> None:
    """A FLAC whose header gives no length (written into a pipe) is heard to its last sample."""
    path = tmp_path / "a.flac"
    soundfile.write(path, music(1.0, 1), RATE)
    whole, _ = hear(FileSource(path))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the 36-bit number of samples in STREAMINFO
    data[22:26] = bytes(4)
    path.write_bytes(data)
    source = FileSource(path)
    assert source.info.duration_s is None
    samples, remarks = hear(source)
    np.testing.assert_array_equal(samples, whole)
    assert len(samples) == RATE
    assert remarks == []
    np.testing.assert_array_equal(hear(FileSource(path, start_s=0.5))[0], whole[RATE // 2 :])
    with pytest.raises(AudioError, match=r"1\.0 s long"):
        FileSource(path, start_s=5.0)


def damaged_flac(known: bool) -> bytes:
    """A FLAC file with a hole in the middle, its length in the header or not."""
    file = io.BytesIO()
    soundfile.write(file, music(6.0, 1), RATE, format="FLAC")
    data = bytearray(file.getvalue())
    if not known:
        data[21] &= 0xF0
        data[22:26] = bytes(4)
    middle = len(data) // 2
    data[middle : middle + 3_000] = bytes(3_000)
    return bytes(data)


@pytest.mark.skipif(sys.platform == "win32", reason="libsndfile gets a name there")
@pytest.mark.parametrize("kind", ["known", "unknown", "too few"])
def test_a_flac_that_goes_on(tmp_path: Path, kind: str) -> None:
    """A FLAC of which libsndfile hears a part alone says so, whatever its header tells of."""
    path = tmp_path / "a.flac"
    if kind == "too few":
        soundfile.write(path, music(6.0, 1), RATE)
        data = bytearray(path.read_bytes())
        data[22:26] = struct.pack(">I", 4_096)
        path.write_bytes(data)
    else:
        path.write_bytes(damaged_flac(kind == "known"))
    source = FileSource(path)
    samples, remarks = hear(source)
    assert len(samples) < 5 * RATE
    assert source.incomplete
    assert len(remarks) == 1
    assert "breaks off after" in remarks[0]


def nobody_counted(data: bytes) -> bytes:
    """An MP3 whose recorder was killed: the number of frames in its index is still 0."""
    (mark,) = [data.find(name) for name in (b"Xing", b"Info") if name in data[:256]]
    return data[: mark + 8] + bytes(4) + data[mark + 12 :]


def test_an_mp3_whose_recorder_was_killed(tmp_path: Path) -> None:
    """An index of 0 frames ends nothing: all that was recorded is heard."""
    path = tmp_path / "a.mp3"
    soundfile.write(path, music(6.0, 1), RATE)
    path.write_bytes(nobody_counted(path.read_bytes()))
    samples, remarks = hear(FileSource(path))
    assert len(samples) / RATE == pytest.approx(6.0, abs=0.15)
    assert np.abs(samples[-RATE:]).max() > 0.1
    assert remarks == []


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of Unix")
@pytest.mark.parametrize("what", ["a long tag", "an index of 0 frames", "zeros behind"])
def test_an_mp3_through_a_pipe(tmp_path: Path, what: str) -> None:
    """Pictures before it, zeros behind it and a killed recorder's index are no part of it."""
    path, pipe = tmp_path / "a.mp3", tmp_path / "pipe"
    soundfile.write(path, music(2.0, 1), RATE)
    data = path.read_bytes()
    if what == "a long tag":
        picture = np.random.default_rng(1).bytes(40 << 14)
        data = b"ID3\4\0\0" + bytes([0, 40, 0, 0]) + picture + data
    elif what == "zeros behind":
        data += bytes(50_000)
    else:
        data = nobody_counted(data)
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    samples, remarks = hear(FileSource(pipe))
    writer.join()
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.15)
    assert remarks == []


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of Unix")
def test_joined_flac_through_a_pipe(tmp_path: Path) -> None:
    """The first recording is heard, and it is told that another one follows."""
    path, pipe = tmp_path / "a.flac", tmp_path / "pipe"
    soundfile.write(path, music(2.0, 1), RATE)
    os.mkfifo(pipe)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody wants to hear the second one
            pipe.write_bytes(2 * path.read_bytes())

    writer = threading.Thread(target=write)
    writer.start()
    source = FileSource(pipe)
    samples, remarks = hear(source)
    writer.join()
    assert (len(samples), source.incomplete) == (2 * RATE, True)
    assert "another recording" in remarks[0]


def test_an_mp3_without_an_index(tmp_path: Path) -> None:
    """Where the length of an MP3 is only guessed from its bit rate, its end is no break-off."""
    path = tmp_path / "a.mp3"
    soundfile.write(path, music(2.0, 1), RATE)
    data = path.read_bytes()
    assert b"Info" in data[:256] or b"Xing" in data[:256]
    path.write_bytes(data.replace(b"Info", bytes(4)).replace(b"Xing", bytes(4))[: len(data) - 900])
    samples, remarks = hear(FileSource(path))
    assert len(samples) > RATE
    assert remarks == []


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of Unix")
def test_a_named_pipe(tmp_path: Path) -> None:
    """A WAV that comes through a pipe is heard, as in ``streamer replay <(program)``."""
    path = tmp_path / "a.wav"
    soundfile.write(path, music(1.0, 1), RATE)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    writer.start()
    samples, remarks = hear(FileSource(pipe))
    writer.join()
    np.testing.assert_array_equal(samples, hear(FileSource(path))[0])
    assert len(samples) == RATE
    assert remarks == []


def test_names_in_commands_to_copy_are_quoted(tmp_path: Path) -> None:
    """A name with spaces and brackets is one word of the command that a sentence proposes."""
    path = tmp_path / "my song (live).wav"
    for content in (b"RIFF", b"Dear diary, today I heard a song."):
        path.write_bytes(content)
        with pytest.raises(AudioError) as caught:
            FileSource(path)
        command = str(caught.value).partition("ffmpeg ")[2]
        assert shlex.split(command)[:2] == ["-i", str(path)]
