"""Chroma rows: what they hear, and the same to the last bit however the samples are cut."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_network import small_config

from streamer.features.chroma import PITCH_CLASSES, Chroma, ChromaConfig
from streamer.features.framing import Framing

SMALL = small_config().features
assert SMALL.chroma is not None
#: Long enough to tell semitones apart from A3 up.
FINE = dataclasses.replace(SMALL.chroma, taps=128, window=2048)
RATE = 16_000
C4 = 60


def made(config: ChromaConfig = FINE, frame: int = 3200, hop: int = 1600) -> tuple[Framing, Chroma]:
    return Framing(frame, hop), Chroma(config, RATE, frame, hop)


def streamed(
    stages: tuple[Framing, Chroma], samples: np.ndarray, cuts: Sequence[int] = ()
) -> np.ndarray:
    """Rows of ``samples`` pushed in the blocks between ``cuts``."""
    framing, chroma = stages
    at, window, harmony = framing.initial(), chroma.initial_window(), chroma.initial()
    rows = []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(samples)]):
        frames, _, at = framing.cut(samples[begin:end], at)
        windows, window = chroma.windows(frames, window)
        found, harmony = chroma.rows(chroma.facts(windows), harmony)
        rows.append(found)
    return np.concatenate(rows)


def tone(pitches: Sequence[float], seconds: float = 3.0, partials: int = 6) -> np.ndarray:
    """A chord of harmonic tones at these MIDI pitches."""
    t = np.arange(round(seconds * RATE)) / RATE
    hertz = [440 * 2 ** ((pitch - 69) / 12) for pitch in pitches]
    waves = [
        np.sin(2 * np.pi * f * k * t + k) / k
        for f in hertz
        for k in range(1, partials + 1)
        if f * k < RATE / 2
    ]
    return (0.1 * np.sum(waves, axis=0)).astype(np.float32)


@given(
    cuts=st.lists(st.integers(0, 24_000), max_size=12),
    sizes=st.sampled_from([(800, 400), (1600, 400), (3200, 1600), (2000, 1200)]),
)
def test_rows_are_the_same_to_the_last_bit_however_they_are_cut(
    music: np.ndarray, cuts: list[int], sizes: tuple[int, int]
) -> None:
    """Any partition into blocks gives the very same rows, for several frames and hops."""
    stages = made(SMALL.chroma, *sizes) if sizes[0] < 2000 else made(FINE, *sizes)
    samples = music[:24_000].copy()
    samples[9_000:] *= 0.03
    whole = streamed(stages, samples)
    assert whole.shape == (1 + (24_000 - sizes[0]) // sizes[1], 42)
    assert whole.std(axis=0)[:PITCH_CLASSES].min() > 0.01
    np.testing.assert_array_equal(streamed(stages, samples, cuts), whole)


def test_single_samples_give_the_same_rows(music: np.ndarray) -> None:
    """Sample by sample the rows are the very same."""
    stages = made()
    whole = streamed(stages, music[:8_000])
    assert len(whole) == 4
    np.testing.assert_array_equal(streamed(stages, music[:8_000], range(8_000)), whole)


@given(
    lost=st.integers(1, 9_000),
    before=st.integers(0, 12_000),
    cuts=st.lists(st.integers(0, 16_000), max_size=5),
)
def test_no_window_spans_a_gap(music: np.ndarray, lost: int, before: int, cuts: list[int]) -> None:
    """After a gap the windows are a new stream's, whatever came before; the key is kept."""
    framing, chroma = made()
    head, tail = music[:before], music[20_000:36_000]
    frames, _, at = framing.cut(head, framing.initial())
    windows, _ = chroma.windows(frames, chroma.initial_window())
    _, harmony = chroma.rows(chroma.facts(windows), chroma.initial())
    at, window = framing.skip(lost, at), chroma.initial_window()
    found = []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(tail)]):
        frames, _, at = framing.cut(tail[begin:end], at)
        windows, window = chroma.windows(frames, window)
        found.append(chroma.facts(windows))
    after = np.concatenate(found)
    # A new stream that begins where framing does, on the hop grid.
    late = -(before + lost) % 1600
    frames, _, _ = framing.cut(tail[late:], framing.initial())
    windows, _ = chroma.windows(frames, chroma.initial_window())
    np.testing.assert_array_equal(after, chroma.facts(windows))
    rows, _ = chroma.rows(after, harmony)
    new, _ = chroma.rows(after, chroma.initial())
    assert len(frames) > 5
    assert (rows[:, 24:36] != new[:, 24:36]).any() == (before >= 3200)


@pytest.mark.parametrize("gain", [2.0**-8, 2.0**-4, 4.0])
def test_a_gain_of_whole_bits_changes_nothing(music: np.ndarray, gain: float) -> None:
    """Gain is free: by a factor that only moves the exponent, to the last bit."""
    stages = made()
    samples = music[:48_000]
    whole = streamed(stages, samples)
    assert len(whole) == 29
    np.testing.assert_array_equal(streamed(stages, samples * np.float32(gain)), whole)


@pytest.mark.parametrize("gain_db", [-40, -20, 7])
def test_the_volume_knob_changes_nothing(music: np.ndarray, gain_db: float) -> None:
    """Any other gain moves a row by what the rounding of its samples does."""
    stages = made()
    louder = music[:48_000] * np.float32(0.3 * 10 ** (gain_db / 20))
    np.testing.assert_allclose(
        streamed(stages, louder), streamed(stages, music[:48_000]), atol=1e-4
    )


@pytest.mark.parametrize("semitones", range(12))
def test_each_pitch_class_has_its_place(semitones: int) -> None:
    """A tone is strongest in its own class, C first; its leaky means as well."""
    rows = streamed(made(), tone([C4 + semitones]))
    assert len(rows) == 29
    for plane in range(3):
        part = rows[6:, 12 * plane : 12 * plane + 12]
        assert (part.argmax(axis=1) == semitones).all()
    np.testing.assert_allclose(np.linalg.norm(rows[:, :12], axis=1), 1, atol=1e-9)


def test_major_and_minor_differ_in_the_third() -> None:
    """The two triads on C: E against E flat, and nothing else by as much."""
    major, minor = (
        streamed(made(), tone([C4, C4 + third, C4 + 7], partials=3))[10:, :12].mean(axis=0)
        for third in (4, 3)
    )
    apart = major - minor
    assert apart.argmax() == 4
    assert apart.argmin() == 3
    assert min(apart[4], -apart[3]) > 0.3
    assert np.abs(np.delete(apart, [3, 4])).max() < 0.15


@pytest.mark.parametrize("semitones", [1, 5, 7])
def test_a_transposition_turns_the_row(semitones: int) -> None:
    """The same chord so many semitones higher is the same row, turned by as many places."""
    chord = np.array([C4, C4 + 4, C4 + 7])
    low, high = (streamed(made(), tone(chord + k, partials=3))[10:, :12] for k in (0, semitones))
    alike = (np.roll(low, semitones, axis=1) * high).sum(axis=1)
    assert alike.min() > 0.97
    assert (low * high).sum(axis=1).max() < 0.8


@pytest.mark.parametrize("cents", [-40, -30, 30, 40])
def test_tuning_is_followed(cents: float) -> None:
    """A piece out of tune by 30 cents gives nearly the row of the same one in tune."""
    chord = np.array([C4, C4 + 4, C4 + 7])
    plain, moved = (streamed(made(), tone(chord + k / 100))[10:, :12] for k in (0, cents))
    np.testing.assert_allclose(moved, plain, atol=0.08)


def test_a_leaky_mean_is_the_faded_mean_of_the_rows(music: np.ndarray) -> None:
    """Plane by plane: the rows up to now, each weighted by ``exp(-age / seconds)``."""
    rows = streamed(made(), music[:64_000])
    ages = np.subtract.outer(np.arange(len(rows)), np.arange(len(rows))) * 0.1
    for plane, seconds in ((1, 0.5), (2, 4.0)):
        weights = np.where(ages >= 0, np.exp(-np.maximum(ages, 0) / seconds), 0)
        expected = weights @ rows[:, :12] / weights.sum(axis=1, keepdims=True)
        found = rows[:, 12 * plane : 12 * plane + 12]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_tonalness_tells_tones_from_noise() -> None:
    """Peaks stand out of a chord's spectrum in each octave that it sounds in, less out of noise."""
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    hiss, chord = (
        streamed(made(), noise)[6:, 36:],
        streamed(made(), tone([45, 57, 64, 69]))[6:, 36:],
    )
    assert ((chord >= 0) & (chord <= 1)).all()
    assert chord[:, 5].min() > hiss[:, 5].max() + 0.1


def test_a_pure_row_sees_nothing_after_its_frame(music: np.ndarray) -> None:
    """Whatever comes after a frame's last sample, its row and those before are the very same."""
    samples = music[:32_000]
    changed = samples.copy()
    changed[16_000:] = np.random.default_rng(0).normal(0, 0.3, 16_000)
    before, after = streamed(made(), samples), streamed(made(), changed)
    np.testing.assert_array_equal(after[:9], before[:9])
    assert np.abs(after[9:] - before[9:]).max() > 0.1


@pytest.mark.parametrize("level", [0.0, 0.01, 0.5])
def test_silence_and_a_constant_have_no_pitch(level: float) -> None:
    """Zeros give rows of zeros, and a constant no infinity: every number is finite."""
    rows = streamed(made(), np.full(16_000, level, np.float32))
    assert np.isfinite(rows).all()
    if not level:
        assert not rows.any()


@given(lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=st.integers(0, 9))
def test_streams_side_by_side_are_each_alone(
    music: np.ndarray, lengths: list[int], seed: int
) -> None:
    """Several streams in a call give each one's rows and states, to the last bit."""
    framing, chroma = made()
    random = np.random.default_rng(seed)
    frames, windows, harmonies, alone = [], [], [], []
    for length in lengths:
        begin = int(random.integers(0, 90_000))
        count = int(random.integers(0, 4))
        cut, _, _ = framing.cut(
            music[begin : begin + 1600 * (count + length + 1)], framing.initial()
        )
        before, window = chroma.windows(cut[:count], chroma.initial_window())
        _, harmony = chroma.rows(chroma.facts(before), chroma.initial())
        frames.append(cut[count:])
        windows.append(window)
        harmonies.append(harmony)
        own, after = chroma.windows(cut[count:], window)
        alone.append((*chroma.rows(chroma.facts(own), harmony), after))
    joined, after_windows = chroma.windows_of_streams(np.concatenate(frames), lengths, windows)
    rows, after = chroma.rows_of_songs(chroma.facts(joined), lengths, harmonies)
    np.testing.assert_array_equal(rows, np.concatenate([own for own, _, _ in alone]))
    assert after == [harmony for _, harmony, _ in alone]
    assert after_windows == [window for _, _, window in alone]


@pytest.mark.parametrize(
    "changes",
    [
        {"decimation": 3},
        {"decimation": 8},
        {"taps": 1024},
        {"window": 64},
        {"low_hz": 1000.0},
        {"memories_s": (0.0,)},
        {"steps": 1},
        {"cutoff_hz": 9000.0},
    ],
    ids=str,
)
def test_numbers_that_give_no_chroma_are_refused(changes: dict[str, float]) -> None:
    """What cannot be computed is one sentence, before anything is heard."""
    with pytest.raises(ValueError, match=r"must|no bins"):
        made(dataclasses.replace(FINE, **changes), frame=2000, hop=1600)  # type: ignore[arg-type]
