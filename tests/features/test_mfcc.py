"""MFCC rows: equal to the reference, and the same however the samples are cut."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import python_speech_features as psf
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from small_network import small_config

from streamer.features.framing import Framing, frame_count, frame_start
from streamer.features.mfcc import WINDOWS, FeatureConfig, Mfcc

CONFIG = dataclasses.replace(small_config().features, chroma=None)


def streamed(config: FeatureConfig, samples: np.ndarray, cuts: list[int]) -> np.ndarray:
    """Rows of ``samples`` pushed in the blocks between ``cuts``."""
    framing, mfcc = Framing(config.frame, config.hop), Mfcc(config)
    state = framing.initial()
    rows = []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(samples)]):
        frames, _, state = framing.cut(samples[begin:end], state)
        rows.append(mfcc.rows(frames))
    return np.concatenate(rows)


def reference(config: FeatureConfig, samples: np.ndarray) -> np.ndarray:
    """python_speech_features on the whole signal, its padded last frame left out."""
    rows = psf.mfcc(
        samples.astype(float),
        samplerate=config.sample_rate,
        winlen=config.frame / config.sample_rate,
        winstep=config.hop / config.sample_rate,
        numcep=config.coefficients,
        nfilt=config.filters,
        nfft=config.fft_size,
        lowfreq=config.low_hz,
        highfreq=config.high_hz,
        preemph=config.preemphasis,
        ceplifter=config.lifter,
        appendEnergy=config.append_energy,
        winfunc=lambda length: config.window_values() if length == config.frame else None,
    )
    return rows[: frame_count(len(samples), config.frame, config.hop)]


def sounds(music: np.ndarray) -> dict[str, np.ndarray]:
    t = np.arange(40_000) / 16_000
    random = np.random.default_rng(0)
    return {
        "music": music[:60_000],
        "low tone": (0.5 * np.sin(2 * np.pi * 55 * t)).astype(np.float32),
        "noise": random.normal(0, 0.2, 40_000).astype(np.float32),
        "silence, then a click": np.eye(1, 40_000, 20_000, dtype=np.float32)[0],
    }


@pytest.mark.parametrize("energy", [False, True])
@pytest.mark.parametrize("frame", [800, 801])
def test_rows_equal_python_speech_features(music: np.ndarray, energy: bool, frame: int) -> None:
    """Every streamed row equals ``python_speech_features.mfcc`` on the whole signal to 1e-9."""
    config = dataclasses.replace(CONFIG, append_energy=energy, frame=frame)
    for name, samples in sounds(music).items():
        rows = streamed(config, samples, cuts=list(range(0, len(samples), 777)))
        expected = reference(config, samples)
        assert rows.shape == expected.shape, name
        assert len(rows) > 90, name
        assert rows.std() > 0.1, name
        np.testing.assert_allclose(rows, expected, atol=1e-9, rtol=0, err_msg=name)


@pytest.mark.parametrize("preemphasis", [0.0, 0.5, 0.97])
@pytest.mark.parametrize("window", ["hamming", "hann", "boxcar"])
def test_every_number_of_the_configuration_counts(
    music: np.ndarray, preemphasis: float, window: str
) -> None:
    """Pre-emphasis and window are those that are asked for, each unlike the others."""
    config = dataclasses.replace(CONFIG, preemphasis=preemphasis, window=window)
    windows = {"hamming": np.hamming, "hann": np.hanning, "boxcar": np.ones}
    expected = psf.mfcc(
        music[:8_000].astype(float),
        16_000,
        0.05,
        0.025,
        20,
        24,
        1024,
        30.0,
        8000.0,
        preemphasis,
        22,
        False,
        windows[window],
    )[:19]
    rows = streamed(config, music[:8_000], [1_000])
    np.testing.assert_allclose(rows, expected, atol=1e-9, rtol=0)
    others = dataclasses.replace(config, preemphasis=0.7, window="blackman")
    assert np.abs(streamed(others, music[:8_000], []) - rows).max() > 0.1


def test_a_gap_clears_the_history_of_pre_emphasis() -> None:
    """A gap that ends on the hop grid: before the first frame after it there was nothing."""
    framing = Framing(CONFIG.frame, CONFIG.hop)
    _, _, state = framing.cut(np.full(900, 0.5), framing.initial())
    frames, _, _ = framing.cut(np.full(800, 0.25), framing.skip(300, state))
    assert len(frames) == 1
    assert frames[0, 0] == 0
    assert set(frames[0, 1:]) == {0.25}


@given(cuts=st.lists(st.integers(0, 6000), max_size=12), hop=st.integers(100, 1300))
def test_rows_do_not_depend_on_the_cuts(music: np.ndarray, cuts: list[int], hop: int) -> None:
    """Any partition into blocks gives the same rows to 1e-9, for hops short and long."""
    config = dataclasses.replace(CONFIG, hop=hop)
    samples = music[1000:7000]
    whole = streamed(config, samples, [])
    assert len(whole) == frame_count(6000, config.frame, hop) > 3
    assert whole.std() > 0.1
    np.testing.assert_allclose(streamed(config, samples, cuts), whole, atol=1e-9, rtol=0)


def test_rows_do_not_depend_on_single_samples(music: np.ndarray) -> None:
    """Sample by sample gives the same rows as all at once."""
    samples = music[:4000]
    whole = streamed(CONFIG, samples, [])
    assert whole.shape == (9, CONFIG.coefficients)
    single = streamed(CONFIG, samples, list(range(4000)))
    np.testing.assert_allclose(single, whole, atol=1e-9, rtol=0)


@given(before=st.integers(0, 3000), lost=st.integers(1, 5000))
def test_after_a_gap_framing_starts_again_on_the_grid(before: int, lost: int) -> None:
    """No frame spans a gap; the next one starts on the hop grid and ignores what came before."""
    random = np.random.default_rng(1)
    head, tail = random.normal(size=before), random.normal(size=5000)
    framing = Framing(CONFIG.frame, CONFIG.hop)
    _, _, state = framing.cut(head, framing.initial())
    state = framing.skip(lost, state)
    frames, ends, after = framing.cut(tail, state)
    resumed = before + lost
    first = -(-resumed // CONFIG.hop)
    assert len(ends) == len(frames) > 5
    assert ends[0] == frame_start(first, CONFIG.hop) + CONFIG.frame
    offset = frame_start(first, CONFIG.hop) - resumed
    np.testing.assert_array_equal(frames[0, 1:], tail[offset : offset + CONFIG.frame])
    assert frames[0, 0] == (tail[offset - 1] if offset else 0)
    assert after.position == resumed + 5000


def test_log_bands_give_the_same_rows(music: np.ndarray) -> None:
    """Rows made from cached log bands are the rows of the frames."""
    framing, mfcc = Framing(CONFIG.frame, CONFIG.hop), Mfcc(CONFIG)
    frames, _, _ = framing.cut(music[:8000], framing.initial())
    rows = mfcc.rows(frames)
    assert rows.shape == (19, CONFIG.coefficients)
    np.testing.assert_allclose(mfcc.from_log_mel(mfcc.log_mel(frames)), rows, atol=1e-12)


def test_empty_filters_are_refused() -> None:
    """More filters than the FFT can feed are an error, not rows of epsilon."""
    with pytest.raises(ValueError, match="empty"):
        Mfcc(dataclasses.replace(CONFIG, filters=200))


@pytest.mark.parametrize(
    ("name", "borders", "beyond", "said", "others"),
    [
        ("sample_rate", [4000, 192_000], [3999, 192_001], "sample_rate must", {"high_hz": 2000.0}),
        ("frame", [16, 1024], [15], "frame must", {}),
        ("frame", [65_536], [65_537], "frame must", {"fft_size": 65_536, "filters": 64,
                                                     "hop": 65_536}),
        ("hop", [32, 65_536], [31, 65_537], "hop must be between", {}),
        ("hop", [1024], [1023], "a 64th of frame", {"frame": 65_536, "fft_size": 65_536}),
        ("fft_size", [800, 65_536], [799, 65_537], "fft_size must", {}),
        ("filters", [2], [1], "filters must", {"coefficients": 1}),
        ("filters", [512], [513], "filters must", {}),
        ("filters", [64], [65], "filters times", {"fft_size": 65_536}),
        ("filters", [65], [66], "filters times", {"fft_size": 64_527}),
        ("coefficients", [1, 24], [0, 25], "coefficients must", {}),
        ("low_hz", [0.0, 7999.5], [-0.5, 8000.0], "the bands", {}),
        ("high_hz", [8000.0, 30.5], [8000.5, 30.0], "the bands", {}),
        ("preemphasis", [0.0, 0.999], [-0.5, 1.0, 1.5], "preemphasis must", {}),
        ("lifter", [0, 1000], [-1, 1001], "lifter must", {}),
        ("window", ["bartlett", "blackman", "boxcar", "hamming", "hann"], ["kaiser"],
         "window must be one of bartlett, blackman, boxcar, hamming, hann", {}),
    ],
)  # fmt: skip
def test_numbers_end_at_their_borders(
    name: str, borders: list[Any], beyond: list[Any], said: str, others: dict[str, Any]
) -> None:
    """What is at a border is taken, and what is beyond it is refused by name."""
    for value in borders:
        assert getattr(dataclasses.replace(CONFIG, **others | {name: value}), name) == value
    for value in beyond:
        with pytest.raises(ValueError, match=said):
            dataclasses.replace(CONFIG, **others | {name: value})


def test_chroma_must_go_with_the_frames() -> None:
    """A frame that has no chroma is refused where the features are put together."""
    whole = small_config().features
    assert whole.chroma is not None
    with pytest.raises(ValueError, match="whole multiples"):
        dataclasses.replace(whole, hop=401)


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_are_those_of_scipy(window: str) -> None:
    """Symmetric, by SciPy's names."""
    config = dataclasses.replace(CONFIG, window=window, frame=801)
    expected = scipy.signal.get_window(window, 801, fftbins=False)
    np.testing.assert_allclose(config.window_values(), expected, atol=1e-12)


def test_frames_cannot_be_written_to() -> None:
    """They overlap in one buffer: who changed a sample of one would change its neighbours'."""
    framing = Framing(CONFIG.frame, CONFIG.hop)
    frames, _, _ = framing.cut(np.ones(2000), framing.initial())
    with pytest.raises(ValueError, match="read-only"):
        frames[0, 0] = 1


def test_log_bands_do_not_tell_the_energy() -> None:
    """Rows whose first coefficient is the frame's energy cannot be made of them."""
    mfcc = Mfcc(dataclasses.replace(CONFIG, append_energy=True))
    with pytest.raises(ValueError, match="do not tell"):
        mfcc.from_log_mel(np.zeros((1, CONFIG.filters)))
