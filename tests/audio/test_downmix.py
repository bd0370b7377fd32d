"""Many channels to one, and the one that is heard where the mix has lost the sound."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.audio.source import Downmix

RATE = 8_000
LOOK = RATE // 4

Channels = NDArray[np.float32]


def noise(seconds: float, channels: int, seed: int = 0) -> Channels:
    """Independent noise in each channel."""
    values = np.random.default_rng(seed).normal(0, 0.1, (round(seconds * RATE), channels))
    return values.astype(np.float32)


def mono(downmix: Downmix, block: Channels) -> NDArray[np.float32]:
    """What the mix makes of a block."""
    out = np.empty(len(block), np.float32)
    downmix(block, out)
    return out


def test_channels_are_averaged() -> None:
    """Independent channels, also of quite different levels, are mixed, and nothing is said."""
    block = noise(2.0, 3) * np.array([1.0, 0.5, 0.2], np.float32)
    downmix = Downmix(RATE, 3)
    np.testing.assert_allclose(mono(downmix, block), block.mean(axis=1), atol=1e-7)
    assert downmix.news() is None


@pytest.mark.parametrize("gain", [1.0, 0.95])
def test_opposed_channels(gain: float) -> None:
    """Right = -left is silence for a quarter of a second, then the louder channel; it is told."""
    left = noise(1.0, 1)
    block = np.concatenate([left, -gain * left], axis=1)
    downmix = Downmix(RATE, 2)
    heard = mono(downmix, block)
    assert np.abs(heard[:LOOK]).max() < 0.05
    np.testing.assert_array_equal(heard[LOOK:], left[LOOK:, 0])
    news = downmix.news()
    assert news is not None
    assert "cancel each other out" in news
    assert "channel 1 is heard alone" in news
    assert downmix.news() is None


@pytest.mark.parametrize("offset", [0.3, -0.05])
@pytest.mark.parametrize("channels", [2, 3])
def test_an_offset_is_no_sound(offset: float, channels: int) -> None:
    """A constant offset beside opposed channels does not hide that the mix has lost the sound."""
    left = noise(1.0, 1)
    rest = np.zeros((len(left), channels - 2), np.float32)
    block = np.concatenate([left, -left, rest], axis=1) + np.float32(offset)
    downmix = Downmix(RATE, channels)
    heard = mono(downmix, block)
    assert downmix.alone in (1, 2)
    np.testing.assert_array_equal(heard[LOOK:], block[LOOK:, downmix.alone - 1])
    assert "cancel each other out" in (downmix.news() or "")
    nothing = Downmix(RATE, channels)
    mono(nothing, np.full_like(block, offset))
    assert nothing.alone is None


def test_one_channel_of_many() -> None:
    """Of eighteen the one that has sound is heard, and another one when the sound moves there."""
    block = np.zeros((4 * RATE, 18), np.float32)
    block[: 2 * RATE, 6] = noise(2.0, 1)[:, 0]
    block[2 * RATE :, 11] = noise(2.0, 1, seed=1)[:, 0]
    downmix = Downmix(RATE, 18)
    heard = mono(downmix, block[: 2 * RATE])
    np.testing.assert_array_equal(heard[LOOK:], block[LOOK : 2 * RATE, 6])
    assert downmix.alone == 7
    heard = mono(downmix, block[2 * RATE :])
    np.testing.assert_array_equal(heard[LOOK:], block[2 * RATE + LOOK :, 11])
    assert "channel 12 is heard alone" in (downmix.news() or "")


def test_the_mix_comes_back() -> None:
    """When the channels have been in order for two seconds, all of them are heard again."""
    left = noise(1.0, 1)
    downmix = Downmix(RATE, 2)
    mono(downmix, np.concatenate([left, -left], axis=1))
    downmix.news()
    both = noise(3.0, 2)
    heard = mono(downmix, both)
    np.testing.assert_array_equal(heard[: 2 * RATE], both[: 2 * RATE, 0])
    np.testing.assert_allclose(heard[2 * RATE :], both[2 * RATE :].mean(axis=1), atol=1e-7)
    assert downmix.news() == "all channels are heard again, mixed"


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_decides_nothing(level: float) -> None:
    """Opposed channels at -100 dB are no sound that could be lost."""
    left = noise(1.0, 1) * np.float32(10 * level)
    downmix = Downmix(RATE, 2)
    mono(downmix, np.concatenate([left, -left], axis=1))
    assert downmix.alone is None
    assert downmix.news() is None


def test_picked_channels() -> None:
    """Two of four are mixed, one is itself; the others are not heard, however loud."""
    block = noise(1.0, 4) * np.array([1, 1, 9, 1], np.float32)
    np.testing.assert_allclose(
        mono(Downmix(RATE, 4, (2, 4)), block), block[:, [1, 3]].mean(axis=1), atol=1e-7
    )
    np.testing.assert_array_equal(mono(Downmix(RATE, 4, (4,)), block), block[:, 3])


@given(st.lists(st.integers(0, 2 * RATE), max_size=12))
def test_cut_anywhere(cuts: list[int]) -> None:
    """However the blocks are cut, the samples are the same, switches included."""
    left = noise(1.0, 1)
    block = np.concatenate([np.concatenate([left, -left], axis=1), noise(1.0, 2)])
    whole = mono(Downmix(RATE, 2), block)
    assert np.abs(whole).max() > 0.1
    downmix = Downmix(RATE, 2)
    bounds = sorted({0, len(block), *cuts})
    parts = [mono(downmix, block[a:b]) for a, b in pairwise(bounds)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_what_is_no_number_changes_nothing() -> None:
    """NaN and infinities pass, and decide nothing."""
    block = noise(1.0, 2)
    block[5] = (np.nan, np.inf)
    downmix = Downmix(RATE, 2)
    with np.errstate(all="ignore"):
        mono(downmix, block)
    assert downmix.alone is None


def test_all_that_changed_within_a_block_is_told() -> None:
    """Channels that cancel each other out for a moment, and are back: both, in their order."""
    left = noise(1.0, 1)
    right = left.copy()
    right[: len(left) // 2] *= -1
    downmix = Downmix(RATE, 2)
    mono(downmix, np.concatenate([np.concatenate([left, right], axis=1), noise(4.0, 2)]))
    news = downmix.news()
    assert news is not None
    assert news.index("is heard alone") < news.index("; then all channels are heard again")
    assert downmix.news() is None
