"""The level of the last second: RMS without a constant offset, and nothing from before a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer import EmotionTracker, Model
from streamer.features.framing import Framing
from streamer.features.level import FLOOR_DB, Loudness

RATE, FRAME, HOP = 16_000, 3_200, 1_600


def levels(samples: np.ndarray) -> np.ndarray:
    """The level at the end of every frame."""
    framing, loudness = Framing(FRAME, HOP), Loudness(RATE, FRAME, HOP)
    frames, _, _ = framing.cut(samples, framing.initial())
    found, _ = loudness.measure(frames, loudness.initial())
    return found


def tone(seconds: float, hertz: float = 440.0, peak: float = 0.1) -> np.ndarray:
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


@pytest.mark.parametrize("hertz", [30.0, 55.0, 440.0, 7_000.0])
def test_a_sine_is_three_decibels_under_its_peak(hertz: float) -> None:
    """From the lowest bass on: 20 log10 of the peak, less 3.01, within a tenth."""
    np.testing.assert_allclose(levels(tone(2.0, hertz)), -23.01, atol=0.1)


@given(offset=st.floats(-0.9, 0.9), level_db=st.floats(-80, -20))
def test_an_offset_is_no_sound(offset: float, level_db: float) -> None:
    """A constant alone is at the floor, and under a sound it changes nothing."""
    assert (levels(np.full(8_000, offset)) <= -100).all()
    noise = 10 ** (level_db / 20) * np.random.default_rng(0).normal(size=16_000)
    np.testing.assert_allclose(levels(noise + offset), levels(noise), atol=1e-3)


@given(
    sizes=st.sampled_from([(200, 100), (50, 188), (250, 44), (1000, 1000), (31, 2500)]),
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=3),
    cut=st.integers(0, 30),
)
def test_it_is_the_mean_of_the_newest_hops(
    sizes: tuple[int, int], lengths: list[int], cut: int
) -> None:
    """By its definition, for several streams side by side and in two calls.

    Each frame's newest hop, its mean taken out; the mean over as many hops as a second has, the
    last of them begun, or over those heard so far.
    """
    frame, hop = sizes
    loudness = Loudness(1000, frame, hop)
    random = np.random.default_rng(sum(lengths) + hop)
    streams = [random.normal(0.1, 0.2, (length, frame + 1)) for length in lengths]
    firsts = [frames[:cut] for frames in streams]
    seconds = [frames[cut:] for frames in streams]
    states = [loudness.initial()] * len(streams)
    found: list[list[float]] = [[] for _ in streams]
    for part in (firsts, seconds):
        told, states = loudness.measure_streams(np.concatenate(part), [*map(len, part)], states)
        assert told.shape == (sum(map(len, part)),)
        begin = 0
        for k, frames in enumerate(part):
            found[k] += told[begin : begin + len(frames)].tolist()
            begin += len(frames)
    hops = max(1, math.ceil(1000 / hop))
    for own, frames, state in zip(found, streams, states, strict=True):
        powers = [np.var(row[-min(hop, frame) :]) for row in frames]
        expected = [np.mean(powers[max(0, k + 1 - hops) : k + 1]) for k in range(len(powers))]
        np.testing.assert_allclose(own, 10 * np.log10(expected), atol=1e-9)
        assert state.heard == min(hops, len(frames))
        assert len(state.powers) == hops - 1


def test_an_offset_alone_is_silent(small_model: Model) -> None:
    """One percent of constant, as cheap inputs have it: silence from the first frame to the last.

    It was called tense.
    """
    estimates = EmotionTracker(small_model, interval=0).push(np.full(48_000, 0.01, np.float32))
    assert len(estimates) == 119
    assert all(estimate.silent for estimate in estimates)


def test_the_last_second_and_no_more() -> None:
    """A second after the sound ended nothing of it is left, and half a second after, half."""
    found = levels(np.concatenate([tone(2.0), np.zeros(RATE * 2)]))
    loud = round(2.0 * RATE - FRAME) // HOP
    np.testing.assert_allclose(found[loud], -23.01, atol=0.05)
    np.testing.assert_allclose(found[loud + 5], -26.02, atol=0.05)
    assert found[loud + 9] > -34
    assert (found[loud + 10 :] == FLOOR_DB).all()


def test_nothing_is_kept_across_a_gap(small_model: Model) -> None:
    """Loud music before a gap, a whisper after it: the first level after it is the whisper's."""
    random = np.random.default_rng(1)
    tracker = EmotionTracker(small_model, interval=0)
    before = tracker.push(random.normal(0, 0.3, RATE).astype(np.float32))
    tracker.skip(123)
    after = tracker.push(random.normal(0, 0.003, RATE // 4).astype(np.float32))
    assert before[-1].level_db == pytest.approx(-10.5, abs=0.5)
    assert after[0].level_db == pytest.approx(-50.5, abs=0.7)
