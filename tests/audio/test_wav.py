"""What was heard is kept, and can be read at any moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from given_source import Given

from streamer.audio import wav
from streamer.audio.source import Lost, Piece, Remark
from streamer.audio.wav import WavTee
from streamer.errors import OutputError

RATE = 8_000


def noise(count: int, seed: int) -> np.ndarray:
    """Uniform noise."""
    return np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32)


def test_what_is_heard_is_written_exactly(tmp_path: Path) -> None:
    """Samples bit for bit, losses as zeros of their length, the pieces passed on untouched."""
    path = tmp_path / "heard.wav"
    one, two = noise(5_000, 1), noise(12_345, 2)
    pieces: list[Piece] = [one, Lost(70_000, "ring overrun"), Remark("hello"), two]
    source = Given(RATE, pieces)
    tee = WavTee(source, path)
    assert tee.info == source.info
    assert list(tee.pieces()) == pieces
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    wanted = np.concatenate([one, np.zeros(70_000, np.float32), two])
    np.testing.assert_array_equal(samples, wanted)
    tee.close()
    assert source.closed


def test_it_is_readable_at_any_moment(tmp_path: Path) -> None:
    """Whenever one looks, all but at most the last second of sound is there to be read."""
    path = tmp_path / "heard.wav"
    blocks: list[Piece] = [noise(160, seed) for seed in range(200)]
    heard = 0
    seen = []
    for piece in WavTee(Given(RATE, blocks), path).pieces():
        assert isinstance(piece, np.ndarray)
        heard += len(piece)
        samples, _ = soundfile.read(path, dtype="float32")
        assert heard - RATE <= len(samples) <= heard
        seen.append(len(samples))
        if samples.size:
            joined = np.concatenate([block for block in blocks if isinstance(block, np.ndarray)])
            np.testing.assert_array_equal(samples, joined[: len(samples)])
    assert max(seen) > 0
    assert len(soundfile.read(path)[0]) == 200 * 160


def test_beyond_four_gigabytes_it_is_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where 32 bits no longer hold the sizes, the header's spare room holds 64."""
    path = tmp_path / "heard.wav"
    samples = noise(5_000, 3)
    monkeypatch.setattr(wav, "_LIMIT", 10_000)
    # The smaller limit also stands in the header's 32-bit fields, which RF64 readers ignore.
    list(WavTee(Given(RATE, [samples]), path).pieces())
    assert path.read_bytes()[:4] == b"RF64"
    with soundfile.SoundFile(path) as file:
        assert file.format == "RF64"
        np.testing.assert_array_equal(file.read(dtype="float32"), samples)


def test_an_interrupted_session_leaves_a_finished_file(tmp_path: Path) -> None:
    """When the listener goes away in mid-stream, all that was heard is in the file."""
    path = tmp_path / "heard.wav"
    pieces = WavTee(Given(RATE, [noise(100, 1), noise(100, 2)]), path).pieces()
    next(pieces)
    pieces.close()
    assert len(soundfile.read(path)[0]) == 100


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A path that cannot be written is one sentence, at once."""
    with pytest.raises(OutputError, match=r"cannot write the WAV file .*No such file"):
        WavTee(Given(RATE, []), tmp_path / "nowhere" / "heard.wav")


def test_a_disk_that_fills_up_ends_the_wav_alone(tmp_path: Path) -> None:
    """A failing write is remarked on once; the stream goes on, and ``failed`` tells."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    blocks: list[Piece] = [noise(100, seed) for seed in range(3)]
    tee = WavTee(Given(RATE, blocks), tmp_path / "heard.wav")
    tee._file.close()
    tee._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    pieces = list(tee.pieces())
    assert [piece for piece in pieces if isinstance(piece, np.ndarray)] == blocks
    (remark,) = [piece for piece in pieces if isinstance(piece, Remark)]
    assert "No space left" in remark.message
    assert tee.failed
