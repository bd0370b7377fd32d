"""The pool: each stream is judged as a tracker alone would judge it, whoever else is there."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_network import random_weights, small_config

from streamer import EmotionTracker, Estimate, Model, TrackerPool, load_model

#: What a stream may be given in one call: its number among four, and how many samples.
BLOCKS = st.dictionaries(st.integers(0, 3), st.integers(0, 3_000), min_size=1)
JOIN, LEAVE = st.just("join"), st.just("leave")
STEPS = st.lists(st.one_of(BLOCKS, BLOCKS, JOIN, LEAVE), min_size=4, max_size=25)


def numbers(estimates: list[Estimate]) -> np.ndarray:
    names = ("t", "valence", "arousal", "valence_sd", "arousal_sd", "level_db")
    return np.array([[getattr(e, name) for name in names] for e in estimates], dtype=float)


def voices(music: np.ndarray) -> list[np.ndarray]:
    """Four different streams: music, a later part, music with pauses, and one with bad samples."""
    paused, broken = music[60_000:].copy(), music[30_000:].copy()
    paused[9_000:40_000] = 0
    broken[7_000:7_100] = math.nan
    return [music, music[80_000:], paused, broken]


@settings(max_examples=40)
@given(steps=STEPS)
def test_every_stream_is_judged_as_if_it_were_alone(
    small_model: Model, music: np.ndarray, steps: list[dict[int, int] | str]
) -> None:
    """Any interleaving of blocks, joining and leaving gives a lone tracker's estimates to 1e-5."""
    sounds = voices(music)
    pool = TrackerPool(small_model)
    given_so_far: dict[int, int] = {}
    together: dict[int, list[Estimate]] = {}
    alone: dict[int, EmotionTracker] = {}

    def join() -> None:
        terms = {"interval": 0.05, "start_s": 1.0 * len(together), "reset_on_silence": 0.5}
        stream = pool.add(**terms)
        alone[stream] = EmotionTracker(small_model, **terms)
        given_so_far[stream], together[stream] = 0, []

    join()
    for step in [*steps, {0: 3_000}]:
        if step == "join":
            join()
        elif step == "leave" and len(pool) > 1:
            stream = min(pool)
            left = pool.remove(stream)
            # Whoever left goes on alone from where it was.
            sound, begin = sounds[stream % 4], given_so_far[stream]
            expected = alone[stream].push(sound[: begin + 4_000])
            found = together.pop(stream) + left.push(sound[begin : begin + 4_000])
            assert left.t == alone[stream].t
            np.testing.assert_allclose(numbers(found), numbers(expected), atol=1e-5, rtol=0)
        elif isinstance(step, dict):
            present = list(pool)
            blocks = {}
            for place, length in step.items():
                stream = present[place % len(present)]
                if stream in blocks:
                    continue
                begin = given_so_far[stream]
                blocks[stream] = sounds[stream % 4][begin : begin + length]
                given_so_far[stream] = begin + len(blocks[stream])
            found_now = pool.push(blocks)
            assert found_now.keys() == blocks.keys()
            for stream, estimates in found_now.items():
                together[stream] += estimates
    compared = 0
    for stream, found in together.items():
        expected = alone[stream].push(sounds[stream % 4][: given_so_far[stream]])
        compared += len(expected)
        assert [e.t for e in found] == [e.t for e in expected]
        assert pool[stream].t == alone[stream].t
        assert pool[stream].invalid_samples == alone[stream].invalid_samples
        np.testing.assert_allclose(numbers(found), numbers(expected), atol=1e-5, rtol=0)
        for part in ("hidden", "cell"):
            ours, theirs = (getattr(t.state.lstm, part) for t in (pool[stream], alone[stream]))
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert compared >= 1


def test_many_streams_at_once(small_model: Model, music: np.ndarray) -> None:
    """Thirty streams, each a moment further into the music, all equal their lone trackers."""
    pool = TrackerPool(small_model)
    streams = [pool.add(interval=0) for _ in range(30)]
    found: dict[int, list[Estimate]] = {stream: [] for stream in streams}
    for begin in range(0, 16_000, 640):
        blocks = {s: music[begin + 777 * s : begin + 777 * s + 640] for s in streams}
        for stream, estimates in pool.push(blocks).items():
            found[stream] += estimates
    for stream in streams:
        lone = EmotionTracker(small_model, interval=0)
        expected = lone.push(music[777 * stream : 777 * stream + 16_000])
        assert len(expected) == 39
        assert numbers(expected)[:, 1].std() > 1e-4
        np.testing.assert_allclose(numbers(found[stream]), numbers(expected), atol=1e-5, rtol=0)


def test_long_blocks_of_many_streams_are_worked_through(
    small_model: Model, music: np.ndarray
) -> None:
    """Blocks longer than what is worked on at a time give the same estimates."""
    pool = TrackerPool(small_model)
    streams = [pool.add() for _ in range(70)]
    found = pool.push({stream: music[stream * 100 :] for stream in streams})
    for stream in streams[::23]:
        expected = EmotionTracker(small_model).push(music[stream * 100 :])
        assert len(expected) == 23
        np.testing.assert_allclose(numbers(found[stream]), numbers(expected), atol=1e-5, rtol=0)


def test_a_stream_that_leaves_keeps_its_state(small_model: Model, music: np.ndarray) -> None:
    """A tracker taken in, stepped, and let go continues with the state it had."""
    tracker, reference = EmotionTracker(small_model), EmotionTracker(small_model)
    tracker.push(music[:8_000])
    pool = TrackerPool(small_model)
    stream = pool.adopt(tracker)
    pool.add()
    pool.push({stream: music[8_000:16_000]})
    assert pool.remove(stream) is tracker
    assert list(pool) == [stream + 1]
    reference.push(music[:16_000])
    assert tracker.t == 1.0
    np.testing.assert_allclose(tracker.state.lstm.hidden, reference.state.lstm.hidden, atol=1e-5)


def test_a_stream_takes_little_memory(music: np.ndarray) -> None:
    """A stream of the default model, harmony included, adds under 40 kB to a pool, all counted.

    At the worst moment: just before a frame is complete.
    """
    model = load_model()
    pool = TrackerPool(model)
    features = model.config.features
    block = music[: 2 * features.frame + features.hop - 1]
    pool.push({pool.add(): block})
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(50):
            pool.push({pool.add(): block})
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1_000 < (after - before) / 50 < 40_000


def test_a_mistake_pushes_nothing(small_model: Model, music: np.ndarray) -> None:
    """An unknown stream or a block that is no sound leaves every stream as it was."""
    pool = TrackerPool(small_model)
    stream, other = pool.add(), pool.add()
    with pytest.raises(KeyError, match="no stream 77"):
        pool.push({stream: music[:4_000], 77: music[:4_000]})
    with pytest.raises(ValueError, match="floats"):
        pool.push({stream: music[:4_000], other: np.zeros(100, np.int16)})
    assert pool[stream].t == pool[other].t == 0
    pool.remove(other)
    with pytest.raises(KeyError):
        pool.remove(other)
    assert pool.push({}) == {}


def test_a_pool_is_of_one_model(small_model: Model) -> None:
    """A tracker of another model, or one that is there already, is refused."""
    pool = TrackerPool(small_model)
    config = small_config()
    other = Model("other", config, random_weights(config, seed=1))
    with pytest.raises(ValueError, match="another model"):
        pool.adopt(EmotionTracker(other))
    with pytest.raises(ValueError, match="already"):
        pool.adopt(pool[pool.add()])
