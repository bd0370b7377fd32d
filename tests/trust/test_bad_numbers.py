"""Numbers that are no music: the lines stay valid, the state finite, and trouble is forgotten."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_schema import VALIDATOR

from streamer import EmotionTracker, Estimate, Model, TrackerState, load_model
from streamer.errors import ModelError
from streamer.events import to_json

#: Trouble of one kind: (samples, seed) to numbers, most of them no sound.
TROUBLE = {
    "NaN": lambda n, _: np.full(n, np.nan),
    "infinity": lambda n, _: np.full(n, np.inf),
    "minus infinity": lambda n, _: np.full(n, -np.inf),
    "denormals": lambda n, seed: np.random.default_rng(seed).normal(0, 1e-40, n),
    "1e-30": lambda n, _: np.full(n, 1e-30),
    "1e30": lambda n, _: np.full(n, 1e30),
    "1e300": lambda n, _: np.full(n, 1e300),
    "the largest float32": lambda n, _: np.full(n, np.finfo(np.float32).max),
    "square waves": lambda n, seed: np.where(np.arange(n) // (1 + seed % 200) % 2, 1.0, -1.0),
    "fastest square wave": lambda n, _: np.where(np.arange(n) % 2, 1.0, -1.0),
    "DC": lambda n, seed: np.full(n, 1.0 if seed % 2 else -1.0),
    "one impulse": lambda n, seed: np.where(np.arange(n) == seed % n, 1.0, 0.0),
    "impulses": lambda n, seed: np.where(np.arange(n) % (100 + seed % 3000) == 0, 1.0, 0.0),
    "as loud as is let through": lambda n, seed: np.random.default_rng(seed).choice([-8.0, 8.0], n),
    "noise": lambda n, seed: np.random.default_rng(seed).normal(0, 0.3, n),
    "silence": lambda n, _: np.zeros(n),
    "every second sample is NaN": lambda n, _: np.where(np.arange(n) % 2, np.nan, 0.1),
    "any bits": lambda n, seed: np.frombuffer(np.random.default_rng(seed).bytes(8 * n)),
    "a NaN that signals": lambda n, _: np.full(n, 0x7FF4 << 48, np.uint64).view(np.float64),
}  # fmt: skip

#: Far beyond full scale, yet let through: the running level needs half a minute to forget it.
TOO_LOUD = "as loud as is let through"


def stretches_of(kinds: set[str]) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """Up to five stretches of trouble, each of up to three quarters of a second."""
    stretch = st.tuples(
        st.sampled_from(sorted(kinds)), st.integers(1, 12_000), st.integers(0, 9_999)
    )
    return st.lists(stretch, min_size=1, max_size=5)


def samples_of(stretches: list[tuple[str, int, int]]) -> np.ndarray:
    """The stretches one after the other, float64: what float32 cannot hold is in it."""
    return np.concatenate([TROUBLE[kind](length, seed) for kind, length, seed in stretches])


def check(estimates: list[Estimate], tracker: EmotionTracker) -> None:
    """Lines are valid JSON of the schema, the means in the plane, the state finite."""
    for estimate in estimates:
        VALIDATOR.validate(json.loads(to_json(estimate), parse_constant=pytest.fail))
        assert (estimate.valence is None) == (estimate.arousal is None)
        if estimate.valence is not None and estimate.arousal is not None:
            assert -1 <= estimate.valence <= 1
            assert -1 <= estimate.arousal <= 1
        assert estimate.level_db >= -120
    arrays = tracker.state.to_arrays()
    assert arrays["lstm.hidden"].any() or not any(not e.silent for e in estimates)
    for name, array in arrays.items():
        assert np.isfinite(array).all(), name


@settings(max_examples=120)
@given(stretches=stretches_of(set(TROUBLE)), block=st.sampled_from([137, 1_600, 50_000]))
def test_any_mixture(small_model: Model, stretches: list[tuple[str, int, int]], block: int) -> None:
    """Whatever comes, in whatever blocks: valid lines, means in [-1, 1], a finite state."""
    tracker = EmotionTracker(small_model, interval=0.1)
    samples = samples_of(stretches)
    estimates: list[Estimate] = []
    for begin in range(0, len(samples), block):
        estimates += tracker.push(samples[begin : begin + block])
    check(estimates, tracker)
    assert tracker.t == len(samples) / tracker.sample_rate
    times = [estimate.t for estimate in estimates]
    assert times == sorted(set(times))


@pytest.mark.parametrize("kind", TROUBLE)
def test_each_kind_alone(small_model: Model, kind: str) -> None:
    """A second of each kind of trouble is survived, and music after it is judged."""
    tracker = EmotionTracker(small_model)
    check(tracker.push(TROUBLE[kind](16_000, 7)), tracker)
    after = tracker.push(np.random.default_rng(1).normal(0, 0.1, 48_000))
    check(after, tracker)
    assert [estimate.silent for estimate in after[-2:]] == [False, False]


@lru_cache(maxsize=1)
def shipped() -> Model:
    """The model that is used where none is named."""
    try:
        return load_model()
    except ModelError as error:
        pytest.skip(f"no model ships yet: {error}")


@lru_cache(maxsize=16)
def heard_up_to(clip: Path, samples: int) -> TrackerState:
    """The state of a tracker that has heard its beginning."""
    tracker = EmotionTracker(shipped())
    tracker.push(song(clip)[:samples])
    return tracker.state


# Not fixtures: Hypothesis would show all of their numbers with an example that fails.
@lru_cache(maxsize=1)
def song(clip: Path) -> np.ndarray:
    """The example clip, 40 s, at 16 kHz."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(clip, dtype="float32")
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, 16_000), np.float32)


@lru_cache(maxsize=1)
def untroubled(clip: Path) -> list[Estimate]:
    """What is told of it where nothing happens to it."""
    return EmotionTracker(shipped()).push(song(clip))


@settings(max_examples=40)
@given(stretches=stretches_of(set(TROUBLE) - {TOO_LOUD}), where=st.integers(0, 10))
def test_trouble_is_forgotten(
    clip: Path, stretches: list[tuple[str, int, int]], where: int
) -> None:
    """Ten seconds after the trouble, estimates are within .15 of a stream that never had it."""
    rate = shipped().config.features.sample_rate
    assert rate == 16_000
    begin = (8 + where) * rate
    trouble = samples_of(stretches)
    end = begin + len(trouble)
    # Both hear the same music at the same time: the trouble takes the place of some of it.
    troubled = EmotionTracker(shipped())
    troubled.state = heard_up_to(clip, begin)
    estimates = troubled.push(np.concatenate([trouble, song(clip)[end : end + 16 * rate]]))
    check(estimates, troubled)
    compared = 0
    later = {e.t: e for e in estimates if e.t > end / rate + 10}
    for estimate in untroubled(clip):
        other = later.get(estimate.t)
        if other is None or estimate.sound != "music":
            continue
        assert other.sound == "music"
        assert other.valence == pytest.approx(estimate.valence, abs=0.15)
        assert other.arousal == pytest.approx(estimate.arousal, abs=0.15)
        compared += 1
    assert compared >= 10
