"""Raw PCM: the bytes may be cut anywhere."""

from __future__ import annotations

import io
import os
import select
import sys
import threading

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.audio.pcm import FORMATS, PcmSource
from streamer.audio.source import Remark
from streamer.errors import AudioError

SUBTYPE = {"s16le": "PCM_16", "s24le": "PCM_24", "s32le": "PCM_32", "f32le": "FLOAT"}
WIDTH = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}


class Dribble(io.RawIOBase):
    """A stream that gives its bytes in pieces of the given sizes, then the rest one by one."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes = data, list(sizes)

    def read(self, size: int = -1) -> bytes:
        """At most the next size."""
        assert size > 0
        count = min(size, self._sizes.pop(0) if self._sizes else 1)
        piece, self._data = self._data[:count], self._data[count:]
        return piece


def encode(samples: NDArray[np.float64], fmt: str) -> bytes:
    """What libsndfile writes for these samples, without a header."""
    file = io.BytesIO()
    soundfile.write(file, samples, 48_000, subtype=SUBTYPE[fmt], format="RAW", endian="LITTLE")
    return file.getvalue()


def hear(source: PcmSource) -> tuple[NDArray[np.float32], list[str]]:
    """All samples in a row, and the remarks."""
    pieces = list(source.pieces())
    blocks = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    assert all(block.dtype == np.float32 and len(block) > 0 for block in blocks)
    remarks = [piece.message for piece in pieces if isinstance(piece, Remark)]
    return np.concatenate([np.zeros(0, np.float32), *blocks]), remarks


@settings(max_examples=60, deadline=None)
@given(
    fmt=st.sampled_from(FORMATS),
    channels=st.integers(1, 5),
    count=st.integers(0, 60),
    sizes=st.lists(st.integers(1, 200), max_size=20),
    seed=st.integers(0, 1000),
)
def test_bytes_cut_anywhere(
    fmt: str, channels: int, count: int, sizes: list[int], seed: int
) -> None:
    """However the bytes arrive, the samples are those that libsndfile reads, mixed to mono."""
    values = np.random.default_rng(seed).uniform(-1, 1, (count, channels))
    data = encode(values, fmt)
    assert len(data) == count * channels * WIDTH[fmt]
    dribble = Dribble(data, sizes)
    got, remarks = hear(PcmSource(dribble, rate=48_000, channels=channels, fmt=fmt))  # type: ignore[arg-type]
    whole, _ = hear(PcmSource(io.BytesIO(data), rate=48_000, channels=channels, fmt=fmt))
    np.testing.assert_array_equal(got, whole)
    nothing = "nothing came from standard input: there is no sound in it"
    assert remarks == ([] if count else [nothing])
    assert len(got) == count
    read, _ = soundfile.read(
        io.BytesIO(data),
        dtype="float64",
        always_2d=True,
        samplerate=48_000,
        channels=channels,
        subtype=SUBTYPE[fmt],
        format="RAW",
        endian="LITTLE",
    )
    np.testing.assert_allclose(got, read.mean(axis=1), atol=2e-7)


@pytest.mark.parametrize("fmt", FORMATS)
def test_full_scale(fmt: str) -> None:
    """The most negative number is -1; half of it is -0.5."""
    if fmt == "f32le":
        data = np.array([-1.0, -0.5], "<f4").tobytes()
    else:
        width = WIDTH[fmt]
        data = b"".join(
            (-(1 << bits)).to_bytes(width, "little", signed=True)
            for bits in (8 * width - 1, 8 * width - 2)
        )
    got, _ = hear(PcmSource(io.BytesIO(data), rate=8_000, channels=1, fmt=fmt))
    assert got.tolist() == [-1.0, -0.5]


def test_a_partial_sample_at_the_end() -> None:
    """Bytes that do not make up a sample in every channel are remarked on, and not heard."""
    data = encode(np.zeros((10, 2)), "s16le") + b"\x01\x02\x03"
    got, remarks = hear(PcmSource(io.BytesIO(data), rate=8_000, channels=2, fmt="s16le"))
    assert len(got) == 10
    assert len(remarks) == 1
    assert "3 bytes of an unfinished sample" in remarks[0]


def test_blocks_are_bounded() -> None:
    """No piece is longer than the block, however much the stream would give at once."""
    data = encode(np.zeros((100_000, 2)), "s16le")
    source = PcmSource(io.BytesIO(data), rate=8_000, channels=2, fmt="s16le", block=1_000)
    lengths = [len(piece) for piece in source.pieces() if isinstance(piece, np.ndarray)]
    assert sum(lengths) == 100_000
    assert max(lengths) == 1_000


def test_infinite_samples_pass_without_a_warning() -> None:
    """Opposite infinities in two channels give NaN silently: a later stage makes it a gap."""
    data = np.array([[np.inf, -np.inf], [0.5, 0.5]], "<f4").tobytes()
    got, _ = hear(PcmSource(io.BytesIO(data), rate=8_000, channels=2, fmt="f32le"))
    assert np.isnan(got[0])
    assert got[1] == 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fmt": "u8"}, "unknown sample format 'u8'"),
        ({"rate": 0}, "sample rate of 0 Hz"),
        ({"rate": 3_000_000}, "sample rate of 3000000 Hz"),
        ({"channels": 0}, "0 channels"),
        ({"channels": 5_000}, "5000 channels"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], says: str) -> None:
    """An unknown format, an absurd rate or number of channels is one sentence."""
    known: dict[str, object] = {"rate": 8_000, "channels": 1, "fmt": "s16le"}
    with pytest.raises(AudioError, match=says):
        PcmSource(io.BytesIO(b""), **{**known, **options})  # type: ignore[arg-type]


def test_a_stream_that_fails() -> None:
    """A read error becomes a sentence of ours."""

    class Broken(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    source = PcmSource(Broken(), rate=8_000, channels=1, fmt="s16le")  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="standard input cannot be read further"):
        list(source.pieces())


def test_close_ends_the_pieces_and_leaves_the_stream_open() -> None:
    """The stream belongs to whoever opened it."""
    stream = io.BytesIO(bytes(8_000))
    source = PcmSource(stream, rate=8_000, channels=1, fmt="s16le", block=10)
    pieces = source.pieces()
    next(pieces)
    source.close()
    assert list(pieces) == []
    assert not stream.closed


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of Unix")
@pytest.mark.parametrize("buffered", [True, False])
def test_a_descriptor_that_does_not_wait(buffered: bool) -> None:
    """Where another program has made standard input non-blocking, nothing yet is not the end."""
    inner, outer = os.pipe()
    os.set_blocking(inner, False)
    data = encode(np.random.default_rng(1).uniform(-1, 1, (1_000, 1)), "s16le")

    def write() -> None:
        with os.fdopen(outer, "wb", buffering=0) as pipe:
            for begin in range(0, len(data), 500):
                # As late as can be: when the reader has found nothing there.
                select.select([], [pipe], [])
                pipe.write(data[begin : begin + 500])

    with os.fdopen(inner, "rb", buffering=-1 if buffered else 0) as stream:
        source = PcmSource(stream, rate=8_000, channels=1, fmt="s16le")
        pieces = source.pieces()
        writer = threading.Timer(0.05, write)
        writer.start()
        got = np.concatenate([piece for piece in pieces if isinstance(piece, np.ndarray)])
        writer.join()
    np.testing.assert_array_equal(got * 32_768, np.frombuffer(data, "<i2"))


@pytest.mark.parametrize("level", [0.3, 0.001])
def test_bytes_of_another_format(level: float) -> None:
    """16-bit sound told to be f32le is mostly no sound: one remark, once, with the likely cause."""
    values = np.random.default_rng(1).uniform(-level, level, (80_000, 2))
    stream = io.BytesIO(encode(values, "s16le"))
    source = PcmSource(stream, rate=8_000, channels=2, fmt="f32le")
    _, remarks = hear(source)
    (remark,) = remarks
    assert "no sound" in remark
    assert "is it f32le, or another --format?" in remark
    assert source.incomplete


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(8, 15_000),
    tail=st.integers(0, 4_000),
    sizes=st.lists(st.integers(100, 60_000), min_size=1, max_size=8),
)
def test_a_pipe_of_any_length_that_is_no_sound(count: int, tail: int, sizes: list[int]) -> None:
    """Told once, however short the pipe and however its bytes come; a bad end alone is not told."""
    wrong, right = np.full(count, 3e4, "<f4"), np.full(8_000 + 4_000, 0.1, "<f4")
    wrong[::2] *= np.nan
    for data, told in (
        (wrong.tobytes(), 1),
        (np.concatenate([right, wrong[:tail]]).tobytes(), 0),
    ):
        sizes_of_all = [*sizes, *[60_000] * 10]
        source = PcmSource(Dribble(data, sizes_of_all), rate=8_000, channels=1, fmt="f32le")  # type: ignore[arg-type]
        _, remarks = hear(source)
        assert len(remarks) == told
        assert source.incomplete is bool(told)


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "nothing came from standard input"), (b"\x01\x02\x03", "3 bytes of an unfinished")],
)
def test_nothing_is_no_sound(data: bytes, says: str) -> None:
    """A stream that ends without a sample says so: whatever was to write it did not run."""
    source = PcmSource(io.BytesIO(data), rate=8_000, channels=2, fmt="f32le")
    samples, remarks = hear(source)
    assert (len(samples), len(remarks)) == (0, 1)
    assert says in remarks[0]
    assert source.incomplete


@pytest.mark.parametrize(("every", "told"), [(3, True), (150, True), (250, False)])
def test_what_is_too_short_to_be_heard_is_no_sound(every: int, told: bool) -> None:
    """Where so many samples are none that what lies between them is lost, too, it is told."""
    values = np.full(40_000, 0.1, "<f4")
    values[::every] = np.nan
    source = PcmSource(io.BytesIO(values.tobytes()), rate=8_000, channels=1, fmt="f32le")
    assert bool(hear(source)[1]) is source.incomplete is told


@pytest.mark.parametrize("broken", [0.0, 0.1, 0.4])
def test_sound_with_holes_is_sound(broken: float) -> None:
    """Floats of which less than a half are NaN, zeros, and faint music are no other format."""
    values = np.random.default_rng(1).normal(0, 1e-4, 40_000)
    values[:8_000] = 0.0
    values[np.arange(40_000) % 1_000 < broken * 1_000] = np.nan
    source = PcmSource(
        io.BytesIO(values.astype("<f4").tobytes()), rate=8_000, channels=1, fmt="f32le"
    )
    assert hear(source)[1] == []
    assert not source.incomplete
