"""The tracker: any cuts, causal, silence, gaps, volume, and a state that can be carried away."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_network import random_weights, small_config

from streamer import EmotionTracker, Estimate, Model
from streamer.stages import Attention

NUMBERS = ("valence", "arousal", "valence_sd", "arousal_sd", "level_db")


def track(
    model: Model, samples: np.ndarray, cuts: Sequence[int] = (), interval: float = 0.1
) -> list[Estimate]:
    tracker = EmotionTracker(model, interval=interval)
    estimates = []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(samples)]):
        estimates += tracker.push(samples[begin:end])
    return estimates


def numbers(estimates: list[Estimate]) -> np.ndarray:
    return np.array([[getattr(e, name) for name in NUMBERS] for e in estimates], dtype=float)


def assert_same(left: list[Estimate], right: list[Estimate], tolerance: float = 1e-5) -> None:
    assert [e.t for e in left] == [e.t for e in right]
    assert [e.silent for e in left] == [e.silent for e in right]
    assert [e.quadrant for e in left] == [e.quadrant for e in right]
    np.testing.assert_allclose(numbers(left), numbers(right), atol=tolerance, rtol=0)


def assert_alive(estimates: list[Estimate], least: int) -> None:
    """Not an empty comparison: enough estimates, and they differ among themselves."""
    assert len(estimates) >= least
    assert np.nanstd(numbers(estimates)[:, :2], axis=0).min() > 1e-4


@pytest.fixture(scope="module")
def whole(small_model: Model, music: np.ndarray) -> list[Estimate]:
    """What is told of three seconds in one block."""
    return track(small_model, music[:48_000])


@pytest.fixture(scope="module")
def in_blocks(small_model: Model, music: np.ndarray) -> list[Estimate]:
    """What is told of them in blocks of a sixteenth of a second."""
    return track(small_model, music[:48_000], range(0, 48_000, 1_000))


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 48_000), max_size=30))
def test_estimates_do_not_depend_on_the_cuts(
    small_model: Model, music: np.ndarray, whole: list[Estimate], cuts: list[int]
) -> None:
    """Any partition into blocks, empty ones among them, gives the same estimates within 1e-5."""
    assert_alive(whole, 28)
    assert_same(track(small_model, music[:48_000], cuts), whole)


def test_single_samples_and_one_huge_block_agree(small_model: Model, music: np.ndarray) -> None:
    """Sample by sample, and in one block larger than everything, the estimates are the same."""
    samples = music[:12_000]
    whole = track(small_model, samples)
    assert_alive(whole, 6)
    assert_same(track(small_model, samples, range(12_000)), whole)


@settings(max_examples=25)
@given(t=st.integers(2_000, 46_000), seed=st.integers(0, 99))
def test_causal_bit_for_bit(
    small_model: Model, music: np.ndarray, in_blocks: list[Estimate], t: int, seed: int
) -> None:
    """Changing any sample after t changes no estimate up to t, bit for bit."""
    changed = music[:48_000].copy()
    changed[t:] = np.random.default_rng(seed).normal(0, 0.3, 48_000 - t)
    told = track(small_model, changed, range(0, 48_000, 1_000))
    before = [e for e in in_blocks if e.t * 16_000 <= t]
    assert before == [e for e in told if e.t * 16_000 <= t]
    assert len(before) == sum(end <= t for end in ends_of_due_frames(48_000))
    assert told != in_blocks


def ends_of_due_frames(samples: int) -> list[int]:
    """With an interval of .1 s (1,600 samples): the first frame end at or after each multiple."""
    ends = range(800, samples + 1, 400)
    return [next(e for e in ends if e >= due) for due in range(1_600, ends[-1] + 1, 1_600)]


def test_estimates_come_when_they_are_due(small_model: Model, music: np.ndarray) -> None:
    """A line is written for the first frame whose end reaches each multiple of the interval."""
    times = [e.t for e in track(small_model, music[:48_000])]
    assert times == [end / 16_000 for end in ends_of_due_frames(48_000)]
    every = [e.t for e in track(small_model, music[:48_000], interval=0)]
    assert every == [end / 16_000 for end in range(800, 48_001, 400)]


def test_without_a_reset_the_second_run_differs_and_with_it_not(
    small_model: Model, music: np.ndarray
) -> None:
    """The state is carried: the same samples again are judged anew only after a reset."""
    tracker = EmotionTracker(small_model, interval=0.1)
    first = tracker.push(music[:32_000])
    carried = tracker.push(music[:32_000])
    assert_alive(first, 18)
    # The first frames of the second run see the first run through the state alone.
    assert np.abs(numbers(carried)[1, :2] - numbers(first)[1, :2]).max() > 1e-3
    tracker.reset()
    assert tracker.push(music[:32_000]) == first


@settings(max_examples=20)
@given(cut=st.integers(0, 48_000))
def test_a_saved_state_continues_identically(
    small_model: Model, music: np.ndarray, cut: int
) -> None:
    """State taken out, saved to bytes, and put into a new tracker continues bit for bit."""
    samples = music[:48_000]
    original = EmotionTracker(small_model, interval=0.1)
    original.push(samples[:cut])
    file = io.BytesIO()
    np.savez(file, **original.state.to_arrays())
    file.seek(0)

    heir = EmotionTracker(small_model, interval=0.1)
    with np.load(file) as arrays:
        heir.state = heir.state.with_arrays(arrays)
    assert heir.state == original.state
    rest = original.push(samples[cut:])
    assert heir.push(samples[cut:]) == rest
    assert heir.state == original.state


@settings(max_examples=20)
@given(
    cut=st.integers(0, 48_000),
    before=st.sampled_from([0, 0.1, 0.25, 0.5, 2]),
    after=st.sampled_from([0, 0.1, 0.3, 0.5, 2]),
    start_s=st.sampled_from([0, 0.05, 3.3, 100]),
)
def test_a_state_can_be_continued_on_other_terms(
    small_model: Model, music: np.ndarray, cut: int, before: float, after: float, start_s: float
) -> None:
    """An heir with another interval or clock tells what it would have told from the start."""
    whole = EmotionTracker(small_model, after, start_s)
    whole.push(music[:cut])
    wanted = whole.push(music[cut:64_000])
    first = EmotionTracker(small_model, before)
    first.push(music[:cut])
    heir = EmotionTracker(small_model, after, start_s)
    heir.state = first.state
    assert heir.push(music[cut:64_000]) == wanted


def test_a_state_that_does_not_fit_is_refused(small_model: Model) -> None:
    """A state with a missing, unknown or misshapen part raises ``ValueError``."""
    state = EmotionTracker(small_model).state
    arrays = state.to_arrays()
    with pytest.raises(ValueError, match="lacks"):
        state.with_arrays({k: v for k, v in arrays.items() if k != "ended"})
    with pytest.raises(ValueError, match="unknown"):
        state.with_arrays(arrays | {"more": np.zeros(1)})
    with pytest.raises(ValueError, match=r"lstm|hidden"):
        state.with_arrays(arrays | {"lstm.hidden": np.zeros((1, 1, 3))})
    with pytest.raises(ValueError, match="remainder"):
        state.with_arrays(arrays | {"framing.remainder": np.zeros((2, 2))})
    with pytest.raises(ValueError, match=r"'powers' is \(3,\), not \(39,\)"):
        state.with_arrays(arrays | {"loudness.powers": np.zeros(3)})
    with pytest.raises(ValueError, match="'ended' must be a single number"):
        state.with_arrays(arrays | {"ended": np.zeros(1)})
    with pytest.raises(TypeError):
        EmotionTracker(small_model).state = "no state"  # type: ignore[assignment]


def test_states_are_compared_by_what_they_hold(small_model: Model) -> None:
    """Equal numbers make equal states of one kind; another kind is never equal."""
    state = EmotionTracker(small_model).state
    arrays = state.to_arrays()
    longer = state.with_arrays(arrays | {"framing.remainder": np.ones(7)})
    assert longer.framing.remainder.tolist() == [1.0] * 7
    assert longer != state
    assert state.with_arrays(arrays) == state
    assert state.with_arrays(arrays | {"ended": np.asarray(1)}) != state
    assert state.volume != state.attention
    assert state.volume.__eq__(state.attention) is NotImplemented
    assert state != arrays


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("part", ["lstm.hidden", "volume.power", "harmony.tuning"])
def test_a_state_with_what_is_no_number_is_refused(
    small_model: Model, part: str, bad: float
) -> None:
    """It would spoil every estimate from then on; the tracker keeps the state it had."""
    tracker = EmotionTracker(small_model)
    before = tracker.state
    arrays = before.to_arrays()
    spoilt = before.with_arrays(arrays | {part: np.full_like(arrays[part], bad)})
    with pytest.raises(ValueError, match=f"{part!r} holds a number that is not finite"):
        tracker.state = spoilt
    assert tracker.state is before


def test_a_state_with_a_negative_count_is_refused(small_model: Model, music: np.ndarray) -> None:
    """No stream has heard fewer than no frames; one that was heard is taken as it is."""
    tracker = EmotionTracker(small_model)
    tracker.push(music[:20_000])
    before = tracker.state
    tracker.state = before
    arrays = before.to_arrays()
    counts = [name for name, each in arrays.items() if np.issubdtype(each.dtype, np.integer)]
    assert "volume.heard" in counts or "song.volume.heard" in counts
    for name in counts:
        spoilt = before.with_arrays(arrays | {name: np.full_like(arrays[name], -1)})
        if arrays[name].size:
            with pytest.raises(ValueError, match=f"{name!r} is a count"):
                tracker.state = spoilt


IMPOSSIBLE: dict[str, Any] = {
    "framing.remainder": lambda old: np.full_like(old, 1e30),
    "framing.previous": lambda _: np.asarray(-1e30),
    "framing.position": lambda old: old + 1,
    "framing.start": lambda old: old + 1,
    "loudness.powers": lambda old: old + 1e30,
    "loudness.heard": lambda old: old * 0,
    "window.recent": lambda old: old + np.float32(1e30),
    "volume.power": lambda old: -old,
    "volume.heard": lambda old: old * 0,
    "harmony.tuning": lambda old: old + 1e300,
    "harmony.sums": lambda old: -old,
    "lstm.hidden": lambda old: old + 2,
    "lstm.newest": lambda old: old + np.float32(1e30),
    "lstm.integral": lambda old: -old,
    "attention.quiet": lambda _: np.asarray(10**18),
    "ended": lambda old: old + 16_000,
    "frames": lambda _: np.asarray(10**18),
}


@pytest.mark.parametrize("part", IMPOSSIBLE)
def test_a_state_that_no_stream_can_have_is_refused(
    small_model: Model, music: np.ndarray, part: str
) -> None:
    """Sound beyond all sound, powers under 0, clocks that disagree: named, and nothing is taken."""
    tracker = EmotionTracker(small_model)
    tracker.push(music[:20_100])
    before = tracker.state
    arrays = before.to_arrays()
    spoilt = before.with_arrays(arrays | {part: IMPOSSIBLE[part](arrays[part])})
    with pytest.raises(ValueError, match=r"the state's '[a-z.]+' "):
        tracker.state = spoilt
    assert tracker.state is before
    with pytest.raises(ValueError, match="not "):
        before.with_arrays(arrays | {part: np.asarray(arrays[part]).astype(complex)})


ODD = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -1e-9, 1.0, 8.0, 9.0, -1.0, 1e12, 1e30, 1e300]),
    st.integers(-2, 1 << 62),
)


@settings(max_examples=100)
@given(
    parts=st.dictionaries(st.sampled_from([*IMPOSSIBLE, "lstm.cell", "window.begun"]), ODD),
    everywhere=st.booleans(),
    cut=st.integers(0, 40_000),
)
def test_with_a_state_that_was_taken_nothing_fails(
    small_model: Model,
    music: np.ndarray,
    parts: dict[str, float],
    everywhere: bool,
    cut: int,
) -> None:
    """Any state is either refused in a sentence or gone on with, to numbers on the plane."""
    tracker = EmotionTracker(small_model, interval=0)
    tracker.push(music[:cut])
    arrays = tracker.state.to_arrays()
    for name, value in parts.items():
        changed = np.array(arrays[name])
        try:
            with np.errstate(over="ignore"):
                changed[... if everywhere or not changed.ndim else (..., slice(-1, None))] = value
        except (ValueError, OverflowError):  # it is no number of that kind
            continue
        arrays[name] = changed
    try:
        tracker.state = tracker.state.with_arrays(arrays)
    except ValueError as error:
        assert "the state's" in str(error)  # noqa: PT017 - most states are refused, not all
        return
    for sound in (music[40_000:50_000], np.zeros(30_000, np.float32), music[:10_000] * 30):
        for told in tracker.push(sound.clip(-8, 8)):
            assert -120 <= told.level_db < 40
            values = [v for v in (told.valence, told.arousal, told.music) if v is not None]
            assert all(-1 <= value <= 1 for value in values)
    tracker.skip(1_000)
    tracker.state = tracker.state


def test_forgetting_begins_a_song_while_the_clock_runs_on(
    small_model: Model, music: np.ndarray
) -> None:
    """After ``forget`` level, key and LSTM are a fresh tracker's; time and samples go on."""
    tracker, fresh = EmotionTracker(small_model), EmotionTracker(small_model)
    tracker.push(music[:20_000])
    heard = tracker.state
    assert heard.volume != fresh.state.volume
    assert heard.harmony != fresh.state.harmony
    assert heard.lstm != fresh.state.lstm
    tracker.forget()
    assert tracker.state.song == fresh.state.song
    assert tracker.state.attention == fresh.state.attention
    assert (tracker.state.framing, tracker.state.window) == (heard.framing, heard.window)
    assert (tracker.t, tracker.frames) == (20_000 / 16_000, heard.frames)
    rest = tracker.push(music[20_000:40_000])
    other = EmotionTracker(small_model)
    other.push(music[:20_000])
    assert np.abs(numbers(rest) - numbers(other.push(music[20_000:40_000])))[0, :2].max() > 1e-3


def test_a_new_beginning_forgets_losses_too(small_model: Model) -> None:
    """After ``reset`` time and the count of invalid samples are 0."""
    tracker = EmotionTracker(small_model)
    tracker.push(np.full(1_000, math.nan, np.float32))
    assert tracker.invalid_samples == 1_000
    tracker.reset()
    assert (tracker.invalid_samples, tracker.t) == (0, 0.0)


@pytest.mark.parametrize("samples", [-1, -16_000])
def test_a_gap_is_not_negative(small_model: Model, music: np.ndarray, samples: int) -> None:
    """Time does not run backwards: the tracker refuses, and is where it was."""
    tracker = EmotionTracker(small_model)
    tracker.push(music[:1_000])
    with pytest.raises(ValueError, match="gap"):
        tracker.skip(samples)
    assert tracker.t == 1_000 / 16_000


@pytest.mark.parametrize("energy", [False, True])
def test_the_level_is_counted_in_powers(energy: bool) -> None:
    """Twice the amplitude is 1.39 nepers more, whichever the first coefficient is made of."""
    config = small_config()
    features = dataclasses.replace(config.features, append_energy=energy, lifter=0)
    config = dataclasses.replace(config, features=features)
    model = Model("energetic", config, random_weights(config))
    fed: list[np.ndarray] = []
    forward = model.runtime.forward_streams

    def listening(rows: np.ndarray, *others: Any) -> Any:
        fed.append(rows[:, 0].copy())
        return forward(rows, *others)

    model.runtime.forward_streams = listening  # type: ignore[method-assign]
    noise = np.random.default_rng(0).normal(0, 0.05, 80_000).astype(np.float32)
    noise[60_000:] *= 2
    EmotionTracker(model).push(noise)
    first = np.concatenate(fed) * (1 if energy else 1 / np.sqrt(24))
    step = first[150:155].mean() - first[100:148].mean()
    assert step == pytest.approx(2 * np.log(2), abs=0.15)


@pytest.mark.parametrize("gain_db", [-30, -20, -10, 6, 18])
def test_the_volume_knob_is_not_an_emotion(
    small_model: Model, music: np.ndarray, gain_db: float
) -> None:
    """The same music at another volume is judged the same from the first frame on."""
    plain = track(small_model, music)
    louder = track(small_model, music * np.float32(0.125 * 10 ** (gain_db / 20)))
    assert_alive(plain, 100)
    np.testing.assert_allclose(numbers(louder)[:, :4], numbers(plain)[:, :4], atol=1e-4)


def test_silence_is_not_an_emotion(small_model: Model, music: np.ndarray) -> None:
    """Silent at the start, and from one second after the music stops; numbers are null then."""
    quiet = np.zeros(24_000, np.float32)
    estimates = track(small_model, np.concatenate([quiet, music[:24_000], quiet, music[:8_000]]))
    silent = [e.t for e in estimates if e.silent]
    spoken = [e.t for e in estimates if not e.silent]
    assert silent[0] == pytest.approx(0.1)
    assert min(spoken) == pytest.approx(1.6, abs=0.11)
    assert not any(2.0 < t < 3.9 for t in silent)
    assert any(4.1 < t <= 4.5 for t in silent)
    assert max(spoken) == pytest.approx(5.0)
    for estimate in estimates:
        assert estimate.level_db >= -120
        for name in ("valence", "arousal", "valence_sd", "arousal_sd", "quadrant", "mood"):
            assert (getattr(estimate, name) is None) == estimate.silent


def test_silence_keeps_the_state(small_model: Model, music: np.ndarray) -> None:
    """The LSTM state after a silence is the one before it, however long it lasts."""
    states = []
    for seconds in (2, 60):
        tracker = EmotionTracker(small_model)
        tracker.push(music[:24_000])
        tracker.push(np.zeros(seconds * 16_000, np.float32))
        states.append(tracker.state.lstm)
    assert states[0] == states[1]
    assert np.abs(states[0].hidden).max() > 0.01


def test_a_new_song_needs_the_whole_silence(small_model: Model, music: np.ndarray) -> None:
    """As many silent frames as the limit begin a new song, and one less does not."""
    parts = np.concatenate([music[:16_000], np.zeros(48_000, np.float32), music[:8_000]])
    silent = sum(e.silent for e in EmotionTracker(small_model, interval=0).push(parts))
    plain = EmotionTracker(small_model)
    plain.push(parts)
    for frames, same in ((silent, False), (silent + 1, True)):
        tracker = EmotionTracker(small_model, reset_on_silence=frames * 0.025)
        tracker.push(parts)
        assert (tracker.state.volume == plain.state.volume) == same


@pytest.mark.parametrize("cut", [1, 20_000, 50_000])
def test_reset_on_silence_begins_a_new_song(
    small_model: Model, music: np.ndarray, cut: int
) -> None:
    """After the given silence LSTM and running level are a fresh tracker's; else they go on."""
    fresh = EmotionTracker(small_model)
    fresh.push(np.concatenate([np.zeros(64_000, np.float32), music[:16_000]]))
    pause = np.zeros(64_000, np.float32)
    for limit, same in ((1.5, True), (10.0, False), (math.inf, False)):
        tracker = EmotionTracker(small_model, reset_on_silence=limit)
        tracker.push(music[40_000:80_000])
        tracker.push(pause[:cut])
        tracker.push(np.concatenate([pause[cut:], music[:16_000]]))
        assert (tracker.state.volume == fresh.state.volume) == same
        apart = np.abs(tracker.state.lstm.hidden - fresh.state.lstm.hidden).max()
        assert (apart < 1e-5) == same


@given(lost=st.integers(1, 100_000), before=st.integers(8_000, 24_000))
def test_a_gap_moves_the_clock_and_keeps_the_state(
    small_model: Model, music: np.ndarray, lost: int, before: int
) -> None:
    """``skip`` moves the time on by the lost samples and leaves the LSTM state as it was."""
    tracker = EmotionTracker(small_model, interval=0)
    tracker.push(music[:before])
    lstm = tracker.state.lstm
    tracker.skip(lost)
    assert tracker.t == (before + lost) / 16_000
    assert tracker.state.lstm == lstm
    after = tracker.push(music[before : before + 8_000])
    assert after
    assert all(e.t * 16_000 - 800 >= before + lost for e in after)


@given(
    seed=st.integers(0, 1000),
    bad=st.sampled_from([math.nan, math.inf, -math.inf, 9.0, -1e30, 1e300]),
)
def test_invalid_samples_are_a_gap(small_model: Model, seed: int, bad: float) -> None:
    """NaN, infinities and absurd values are skipped, counted, and never reach an estimate."""
    random = np.random.default_rng(seed)
    samples = random.normal(0, 0.1, 20_000)
    places = random.choice(20_000, 5, replace=False)
    samples[places] = bad
    tracker = EmotionTracker(small_model, interval=0)
    estimates = tracker.push(samples)
    assert tracker.invalid_samples == 5
    assert tracker.t == 20_000 / 16_000
    assert np.isfinite(numbers(estimates)).all()
    tracker.reset()
    assert (tracker.invalid_samples, tracker.t) == (0, 0.0)


def test_a_gap_is_a_whole_number_of_samples(small_model: Model, music: np.ndarray) -> None:
    """NumPy's integers are such numbers and never wrap round; a fraction is refused at once."""
    tracker = EmotionTracker(small_model)
    for lost in (np.int32(2**31 - 1), np.int32(2**31 - 1), np.uint8(255)):
        tracker.skip(lost)  # type: ignore[arg-type]
    assert tracker.state.framing.position == 2 * (2**31 - 1) + 255
    before = tracker.state
    for broken in (1.5, 1600.0, math.nan):
        with pytest.raises(TypeError):
            tracker.skip(broken)  # type: ignore[arg-type]
    assert tracker.state is before
    assert tracker.push(music[:16_000])


@pytest.mark.parametrize("seconds", [-1, -1e-9, math.nan])
def test_a_time_of_silence_is_a_time(small_model: Model, seconds: float) -> None:
    """0 or more seconds, or for ever."""
    with pytest.raises(ValueError, match="reset_on_silence must be 0 or more"):
        EmotionTracker(small_model, reset_on_silence=seconds)


def test_a_gap_of_nothing_is_none(small_model: Model, music: np.ndarray) -> None:
    """No samples lost: nothing begins anew, and the frame under way is heard whole."""
    tracker, plain = EmotionTracker(small_model, 0), EmotionTracker(small_model, 0)
    found = tracker.push(music[:1_000])
    before = tracker.state
    tracker.skip(0)
    assert tracker.state is before
    assert found + tracker.push(music[1_000:4_000]) == plain.push(music[:1_000]) + plain.push(
        music[1_000:4_000]
    )


@pytest.mark.parametrize("silence_db", [-120.0, -0.5, 0.0])
def test_a_level_of_silence_ends_at_its_borders(small_model: Model, silence_db: float) -> None:
    """From the floor of every level to full scale; under it is silent, and not at it."""
    tracker = EmotionTracker(small_model, 0, silence_db=silence_db)
    estimates = tracker.push(np.zeros(2_000, np.float32))
    assert [estimate.silent for estimate in estimates] == [silence_db > -120] * 4


@pytest.mark.parametrize("silence_db", [-120.5, 0.5, math.nan])
def test_a_level_of_silence_beyond_them_is_refused(small_model: Model, silence_db: float) -> None:
    """A level under -120 dB, above 0 or that is no number is refused."""
    with pytest.raises(ValueError, match="silence_db must be between -120 and 0"):
        EmotionTracker(small_model, silence_db=silence_db)


@pytest.mark.parametrize("interval", [-1, -1e-9, math.inf, math.nan])
def test_an_interval_is_a_time(small_model: Model, interval: float) -> None:
    """0 or more seconds, and not for ever."""
    with pytest.raises(ValueError, match="interval must be 0 or more"):
        EmotionTracker(small_model, interval)


def test_a_tracker_says_what_it_goes_by(small_model: Model) -> None:
    """Model, interval, rate and hop; nothing was heard at the start, of music neither."""
    tracker = EmotionTracker(small_model)
    assert tracker.model is small_model
    assert (tracker.interval, tracker.sample_rate, tracker.hop_s) == (0.5, 16_000, 0.025)
    assert (tracker.t, tracker.frames, tracker.invalid_samples) == (0, 0, 0)
    assert tracker.state.attention == Attention(0, 0, False)
    assert EmotionTracker(small_model, start_s=2.5).t == 2.5


def test_what_cannot_be_sound_is_refused(small_model: Model) -> None:
    """Integers (of unknown scale) and arrays of two dimensions raise ``ValueError``."""
    tracker = EmotionTracker(small_model)
    with pytest.raises(ValueError, match="floats"):
        tracker.push(np.zeros(100, np.int16))
    with pytest.raises(ValueError, match="mono"):
        tracker.push(np.zeros((100, 2), np.float32))
    with pytest.raises(ValueError, match="interval"):
        EmotionTracker(small_model, interval=-1)
    assert tracker.push([]) == []


def test_time_begins_where_it_is_told(small_model: Model, music: np.ndarray) -> None:
    """With ``start_s`` the first estimate is the first one due after it."""
    tracker = EmotionTracker(small_model, interval=0.5, start_s=12.25)
    assert [e.t for e in tracker.push(music[:16_000])] == [12.5, 13.0]
