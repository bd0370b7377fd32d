"""Chroma rows: what they hear, and the same to the last bit however the samples are cut."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scipy.signal
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from small_network import small_config

from streamer.features.chroma import NO_HARMONY, NO_WINDOW, PITCH_CLASSES, Chroma, ChromaConfig
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


def spelt_out(config: ChromaConfig, samples: np.ndarray, frame: int, hop: int) -> np.ndarray:
    """Rows by their definition, frame by frame in float64, filtered by SciPy."""
    taps = scipy.signal.firwin(
        config.taps, config.cutoff_hz, window=("kaiser", config.beta), fs=RATE, scale=True
    )
    # Sample m that is left is made of the input up to the last that it stands for.
    left = scipy.signal.lfilter(taps, 1.0, samples)[config.decimation - 1 :: config.decimation]
    rate = RATE / config.decimation
    hertz = np.arange(config.window // 2 + 1) * rate / config.window
    used = (hertz >= config.low_hz) & (hertz < config.high_hz)
    pitch = 69 + 12 * np.log2(hertz[used] / 440)
    apart = pitch - pitch[:, None]
    near = (apart >= -config.surround) & (apart < config.surround)
    counts = np.exp(-((pitch - config.centre) ** 2) / (2 * config.spread**2))
    above = scipy.special.expit((pitch - config.bass) / config.slope)
    octave = np.floor(np.log2(hertz[used] / config.low_hz)).astype(int)
    octaves = 1
    while config.low_hz * 2**octaves < config.high_hz:
        octaves += 1
    places = np.arange(12 * config.steps) / config.steps
    apart = np.abs(pitch[:, None] - places) % 12
    bank = np.exp(-(np.minimum(apart, 12 - apart) ** 2) / (2 * config.width**2))
    tuning = 0j
    older: list[np.ndarray] = []
    rows = []
    for end in range(frame, len(samples) + 1, hop):
        window = np.zeros(config.window)
        newest = left[max(0, end // config.decimation - config.window) : end // config.decimation]
        window[config.window - len(newest) :] = newest
        spectrum = np.sqrt(np.abs(np.fft.rfft(window * np.hanning(config.window))))[used]
        peaks = np.maximum(0, spectrum - near @ spectrum / near.sum(axis=1))
        ring = (peaks * counts * above) @ bank
        circle = (peaks**2 * counts * np.exp(2j * np.pi * pitch)).sum()
        tuning = tuning * math.exp(-hop / RATE / config.tuning_s)
        tuning += circle / (peaks**2 * counts).sum()
        # How far out of tune, as a share of a semitone: between two places of the ring.
        shifted = np.arange(12) + np.angle(tuning) / (2 * np.pi)
        chroma = np.interp(shifted, places, ring, period=12)
        chroma /= np.linalg.norm(chroma)
        older.append(chroma)
        row = [chroma]
        for seconds in config.memories_s:
            faded = np.exp(-np.arange(len(older))[::-1] * hop / RATE / seconds)
            row.append(faded @ older / faded.sum())
        if config.tonalness:
            shares = [
                peaks[octave == k].sum() / spectrum[octave == k].sum() for k in range(octaves)
            ]
            row.append(np.array([*shares, peaks.sum() / spectrum.sum()]))
        rows.append(np.concatenate(row))
    return np.array(rows)


@pytest.mark.parametrize(
    ("changes", "frame", "hop"),
    [
        ({}, 3200, 1600),
        # The lowest bin used is one of the spectrum's, and the first left out is another.
        ({"low_hz": 62.5, "high_hz": 1500.0, "steps": 5, "width": 0.7, "tonalness": False},
         3200, 1600),
        ({"window": 1024, "taps": 64, "surround": 1.5, "low_hz": 110.0, "beta": 0.0}, 1600, 400),
        ({"memories_s": (), "tonalness": False, "tuning_s": 0.3, "cutoff_hz": 1200.0}, 2000, 1200),
        ({"memories_s": (2.0,), "decimation": 2, "high_hz": 3520.0, "cutoff_hz": 3000.0,
          "centre": 80.0, "spread": 8.0, "bass": 70.0, "slope": 4.0, "steps": 2}, 3200, 1600),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cents", [0, 43, -38])
def test_rows_are_what_the_definition_gives(
    music: np.ndarray, changes: dict[str, Any], frame: int, hop: int, cents: float
) -> None:
    """Every number counts: filter, window, bins, peaks, weights, tuning, memories, tonalness.

    For music and for a chord out of tune, against the definition spelt out.
    """
    config = dataclasses.replace(FINE, **changes)
    samples = music[40_000:56_000] if not cents else tone([50 + cents / 100, 57, 66.4], 1.0)
    # Some noise, so that no octave is empty but for what float32 rounds.
    samples = samples + np.random.default_rng(0).normal(0, 1e-3, len(samples))
    rows = streamed(made(config, frame, hop), samples)
    expected = spelt_out(config, samples, frame, hop)
    assert rows.shape == expected.shape == (1 + (16_000 - frame) // hop, len(rows[0]))
    assert len(rows[0]) == 12 * config.planes + config.scalars
    assert rows[:, :12].std(axis=0).max() > 0.01
    # Decimated samples are single precision: an octave with little in it feels their last bit.
    np.testing.assert_allclose(rows, expected, atol=1e-4)


@pytest.mark.parametrize("steps", [2, 3, 4, 5])
@pytest.mark.parametrize("angle", [0.0, 0.5, 1.0, -0.75, 0.999, -0.999])
def test_peaks_are_read_at_the_tuning(steps: int, angle: float) -> None:
    """Between the two nearest places of the octave, all around it, at the very end of a circle too.

    ``angle`` in half turns: 1 is half a semitone above.
    """
    config = dataclasses.replace(FINE, steps=steps, memories_s=(), tonalness=False)
    _, chroma = made(config)
    ring = np.random.default_rng(0).uniform(0, 1, (3, 12 * steps))
    corners = {0.0: (1.0, 0.0), 0.5: (0.0, 1.0), 1.0: (-1.0, 0.0)}
    circle = corners.get(angle, (math.cos(math.pi * angle), math.sin(math.pi * angle)))
    rows, state = chroma.rows(np.hstack([ring, np.tile(circle, (3, 1))]), chroma.initial())
    places = np.arange(12) * steps + angle / 2 * steps
    for row, values in zip(rows, ring, strict=True):
        expected = np.interp(places, np.arange(12 * steps), values, period=12 * steps)
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-6)
    left = math.exp(-0.1 / config.tuning_s)
    np.testing.assert_allclose(state.tuning, np.array(circle) * (1 + left + left**2), atol=1e-12)


@pytest.mark.parametrize(
    ("low_hz", "high_hz", "octaves"),
    [(55.0, 110.0, 1), (55.0, 1760.0, 5), (55.0, 1760.1, 6), (55.0, 1759.9, 5), (100.0, 250.0, 2)],
)
def test_an_octave_that_is_begun_counts(low_hz: float, high_hz: float, octaves: int) -> None:
    """Tonalness has a number an octave and one of all; without it there is none."""
    config = dataclasses.replace(FINE, low_hz=low_hz, high_hz=high_hz)
    assert (config.octaves, config.scalars, config.planes) == (octaves, octaves + 1, 3)
    plain = dataclasses.replace(config, tonalness=False, memories_s=())
    assert (plain.octaves, plain.scalars, plain.planes) == (octaves, 0, 1)


def test_without_chroma_there_is_no_state() -> None:
    """The states of a stream whose model hears no harmony are empty."""
    assert (NO_WINDOW.recent.shape, NO_WINDOW.begun) == ((0,), False)
    assert NO_HARMONY.tuning.tolist() == [0, 0]
    assert NO_HARMONY.sums.shape == (0, 13)


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
    ("name", "borders", "beyond", "said"),
    [
        ("decimation", [1, 64], [0, 65], "decimation must"),
        ("taps", [64, 1024], [63, 1025], "taps must"),
        ("cutoff_hz", [0.5], [0.0, -1.0], "cutoff_hz must"),
        ("beta", [0.0, 40.0], [-0.5, 40.5], "beta must"),
        ("window", [64, 16_384], [63, 16_385], "window must"),
        ("low_hz", [10.0, 880.0], [9.5, 880.5], "the bins must"),
        ("high_hz", [110.0], [109.5], "the bins must"),
        ("surround", [0.5, 24.0], [0.0, 24.5], "surround must"),
        ("steps", [2, 16], [1, 17], "steps must"),
        ("width", [0.05, 6.0], [0.04, 6.5], "width must"),
        ("centre", [0.0, 127.0], [-0.5, 127.5], "centre and bass"),
        ("bass", [0.0, 127.0], [-0.5, 127.5], "centre and bass"),
        ("spread", [0.1, 1000.0], [0.05, 1000.5], "spread and slope"),
        ("slope", [0.1, 1000.0], [0.05, 1000.5], "spread and slope"),
        ("tuning_s", [0.5, 3600.0], [0.0, 3600.5], "time constants"),
        ("memories_s", [(0.5, 3600.0), (1.0,) * 15], [(0.5, 0.0), (3600.5,)], "time constants"),
        ("memories_s", [()], [(1.0,) * 16], "at most 15 memories"),
    ],
)
def test_numbers_end_at_their_borders(
    name: str, borders: list[Any], beyond: list[Any], said: str
) -> None:
    """What is at a border is taken, and what is beyond it is refused by name."""
    config = dataclasses.replace(FINE, decimation=64) if name == "taps" else FINE
    config = dataclasses.replace(config, taps=1024) if name == "decimation" else config
    for value in borders:
        assert getattr(dataclasses.replace(config, **{name: value}), name) == value
    for value in beyond:
        with pytest.raises(ValueError, match=said):
            dataclasses.replace(config, **{name: value})


@pytest.mark.parametrize(
    ("rate", "frame", "hop", "changes", "said"),
    [
        (16_000, 3200, 1602, {}, "whole multiples"),
        (16_000, 3202, 1600, {}, "whole multiples"),
        (16_000, 1724, 1600, {}, "a hop and the low pass"),
        (16_000, 8196, 1600, {}, "hold a frame"),
        (14_076, 3200, 1600, {}, "high_hz must"),
        (3_798, 3200, 1600, {"high_hz": 400.0}, "cutoff_hz must"),
    ],
)
def test_a_stream_that_has_no_chroma(
    rate: int, frame: int, hop: int, changes: dict[str, Any], said: str
) -> None:
    """Sizes of a stream that the configuration does not go with; a hair more would do."""
    config = dataclasses.replace(FINE, **changes)
    with pytest.raises(ValueError, match=said):
        config.check(rate, frame, hop)
    nearest = {"a hop and the low pass": (16_000, 1728, 1600), "hold a frame": (16_000, 8192, 1600)}
    config.check(*nearest.get(said, (14_080, 3200, 1600)))
    if said == "cutoff_hz must":
        config.check(3_800, frame, hop)


def test_a_narrow_octave_has_its_bin() -> None:
    """One bin in an octave is enough, and none is refused."""
    config = dataclasses.replace(FINE, window=64, taps=64, low_hz=60.0, high_hz=240.0)
    assert Chroma(config, RATE, 256, 128).columns == 36 + 3
    with pytest.raises(ValueError, match="no bins in one of the octaves"):
        Chroma(dataclasses.replace(config, low_hz=30.0), RATE, 256, 128)
    with pytest.raises(ValueError, match="no bins between"):
        Chroma(dataclasses.replace(config, low_hz=20.0, high_hz=60.0), RATE, 256, 128)


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
