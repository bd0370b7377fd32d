"""Whether it is music: hysteresis, what is withheld, and where a song is judged afresh.

The network's word is played: a tone's pitch class, C to B, is how sure it says that it is, 0 to 1;
where the long window holds nothing it says .45.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_network import random_weights, small_config

from streamer import EmotionTracker, Estimate, Model, TrackerPool, load_model
from streamer.network.config import MusicConfig
from streamer.network.runtime import MUSIC, Floats, LstmState

RATE = 16_000
JUDGEMENT = ("valence", "arousal", "valence_sd", "arousal_sd", "quadrant", "quadrant_p", "mood")
NO, MAYBE, YES = 0, 5, 11  # pitch classes: 0, .45 and 1
SILENCE = None


class Played:
    """The model's runtime, but for the gate's word: the pitch class of the newest chroma row."""

    def __init__(self, model: Model) -> None:
        self._runtime, self._chroma = model.runtime, model.config.network.coefficients

    def initial(self, batch: int = 1) -> LstmState:
        return self._runtime.initial(batch)

    def forward_streams(
        self, rows: Floats, lengths: Sequence[int], state: LstmState
    ) -> tuple[Floats, LstmState]:
        outputs, after = self._runtime.forward_streams(rows, lengths, state)
        chroma = rows[:, self._chroma : self._chroma + 12]
        outputs[:, MUSIC] = np.where(chroma.any(axis=1), chroma.argmax(axis=1), MAYBE) / 11
        return outputs, after


@pytest.fixture(scope="module")
def model() -> Model:
    """A model whose gate opens at .7 and shuts under .3."""
    config = dataclasses.replace(small_config(), music=MusicConfig(on=0.7, off=0.3))
    made = Model("gated", config, random_weights(config))
    made.runtime = Played(made)  # type: ignore[assignment]
    return made


def sound(*parts: tuple[int | None, float]) -> np.ndarray:
    """Tones of these pitch classes and seconds, one after the other; None is silence."""
    found = []
    for pitch, seconds in parts:
        t = np.arange(round(seconds * RATE)) / RATE
        hertz = 440 * 2 ** ((72 + (pitch or 0) - 69) / 12)
        tone = 0.1 * np.sin(2 * np.pi * hertz * t) + 0.05 * np.sin(4 * np.pi * hertz * t)
        found.append(np.zeros_like(t) if pitch is None else tone)
    return np.concatenate(found).astype(np.float32)


def heard(estimates: Sequence[Estimate]) -> list[str]:
    """What was heard, each stretch once."""
    return [sound for sound, _ in itertools.groupby(estimate.sound for estimate in estimates)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([YES], ["music"]),
        ([NO], ["no music"]),
        ([MAYBE], ["no music"]),
        ([NO, MAYBE, YES, MAYBE], ["no music", "music"]),
        ([YES, MAYBE, NO, MAYBE, YES], ["music", "no music", "music"]),
        ([YES, SILENCE, MAYBE], ["music", "silence", "music"]),
        ([NO, SILENCE, MAYBE], ["no music", "silence", "no music"]),
    ],
    ids=str,
)
def test_two_borders(model: Model, parts: list[int | None], expected: list[str]) -> None:
    """It takes .7 to begin, and less than .3 to end; between them, and in silence, all stays."""
    tracker = EmotionTracker(model, interval=0)
    assert heard(tracker.push(sound(*((part, 2.0) for part in parts)))) == expected


def test_a_border_belongs_to_music() -> None:
    """Exactly ``on`` opens, exactly ``off`` does not shut, and a hair under it does."""
    config = dataclasses.replace(
        small_config(), music=MusicConfig(*map(float, np.float32([7 / 11, 4 / 11])))
    )
    made = Model("gated", config, random_weights(config))
    made.runtime = Played(made)  # type: ignore[assignment]
    for pitches, expected in (
        ([6], ["no music"]),
        ([7], ["music"]),
        ([7, 4], ["music"]),
        ([7, 3], ["music", "no music"]),
    ):
        tracker = EmotionTracker(made, interval=0)
        assert heard(tracker.push(sound(*((pitch, 1.0) for pitch in pitches)))) == expected


def test_what_is_no_music_is_not_judged(model: Model) -> None:
    """Its estimates hold the level and how sure the network is, and nothing else; silence neither.

    The sound is not called silent, and what is heard afterwards is judged at once.
    """
    estimates = EmotionTracker(model, interval=0).push(sound((NO, 2.0), (YES, 2.0), (SILENCE, 3.0)))
    assert len(estimates) > 250
    kinds: set[str] = set()
    for estimate in estimates:
        kinds.add(estimate.sound)
        judged = estimate.sound == "music"
        assert all((getattr(estimate, name) is None) == (not judged) for name in JUDGEMENT)
        assert estimate.silent == (estimate.sound == "silence")
        if estimate.silent:
            assert estimate.music is None
        else:
            assert estimate.music is not None
            assert estimate.level_db > -75
    assert kinds == {"music", "no music", "silence"}
    first = next(estimate.t for estimate in estimates if estimate.sound == "music")
    # The long window of a quarter of a second is half full of the new sound by then.
    assert 2.0 < first < 2.25


def test_music_is_judged_from_its_first_frame(model: Model) -> None:
    """A stream that begins with music is judged as early as it would be without a gate."""
    gated = EmotionTracker(model, interval=0).push(sound((YES, 1.0)))
    everything = EmotionTracker(model, interval=0, judge_everything=True).push(sound((YES, 1.0)))
    assert gated == everything
    assert gated[0].valence is not None


def test_everything_can_be_judged(model: Model) -> None:
    """With ``judge_everything`` noise gets its numbers, and is still told from music."""
    tracker = EmotionTracker(model, interval=0, judge_everything=True)
    estimates = tracker.push(sound((NO, 1.0), (YES, 1.0), (SILENCE, 2.0)))
    assert heard(estimates) == ["music", "silence"]
    assert {0.0, 1.0, None} <= {estimate.music for estimate in estimates}


def test_the_network_goes_on_hearing_what_is_not_judged(model: Model) -> None:
    """The gate withholds words; level, key and LSTM go on as they would without it."""
    parts = sound((YES, 1.0), (NO, 2.0), (YES, 1.0))
    gated = EmotionTracker(model)
    everything = EmotionTracker(model, judge_everything=True)
    gated.push(parts)
    everything.push(parts)
    assert gated.state.song == everything.state.song


@pytest.mark.parametrize("limit", [0.5, 1.5])
@pytest.mark.parametrize("between", [((NO, 3.0),), ((SILENCE, 2.0), (NO, 2.0))], ids=str)
@settings(max_examples=5)
@given(cuts=st.lists(st.integers(0, 96_000), max_size=6))
def test_a_song_after_no_music_is_judged_afresh(
    model: Model, limit: float, between: tuple[tuple[int | None, float], ...], cuts: list[int]
) -> None:
    """Where the user asked for that on silence: from the first frame of music on.

    As if ``forget`` had been called just before it, wherever the samples were cut.
    """
    before, after = sound((YES, 1.0), *between), sound((YES, 1.5))
    whole = np.concatenate([before, after])
    tracker = EmotionTracker(model, interval=0, reset_on_silence=limit)
    found: list[Estimate] = []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(whole)]):
        found += tracker.push(whole[begin:end])
    first = next(e.t for e in found if e.t * RATE > len(before) and e.sound == "music")

    reference = EmotionTracker(model, interval=0)
    reference.push(whole[: round(first * RATE) - 1])
    reference.forget()
    expected = reference.push(whole[round(first * RATE) - 1 :])
    judged = [e for e in found if e.t >= first]
    assert len(judged) == len(expected) > 40
    assert heard(judged) == ["music"]
    np.testing.assert_allclose(
        [(e.valence, e.arousal) for e in judged],
        [(e.valence, e.arousal) for e in expected],
        atol=1e-5,
    )
    assert tracker.state.harmony == reference.state.harmony


class Doubtful(Played):
    """Says .45 of every frame of a call that begins a song, whatever is heard."""

    def forward_streams(
        self, rows: Floats, lengths: Sequence[int], state: LstmState
    ) -> tuple[Floats, LstmState]:
        outputs, after = super().forward_streams(rows, lengths, state)
        begun = state.hidden.any(axis=(0, 2))
        outputs[~np.repeat(begun, lengths), MUSIC] = MAYBE / 11
        return outputs, after


def test_a_song_that_was_found_is_music_from_its_first_frame(model: Model) -> None:
    """What found it had heard what came before: afresh, it need only not be under the border."""
    made = Model("gated", model.config, model.weights)
    made.runtime = Doubtful(made)  # type: ignore[assignment]
    tracker = EmotionTracker(made, interval=0, reset_on_silence=1.0)
    assert heard(tracker.push(sound((NO, 2.0)))) == ["no music"]
    assert heard(tracker.push(sound((YES, 2.0)))) == ["no music", "music"]


def test_a_pause_that_is_too_short_is_no_new_song(model: Model) -> None:
    """One frame less of no music than the limit: the song goes on; as long: it is a new one."""
    hop = 400 / RATE
    parts = sound((YES, 1.0), (NO, 2.0), (YES, 1.0))
    known = [e.sound == "music" for e in EmotionTracker(model, interval=0).push(parts)]
    unjudged = known.count(False)
    plain = EmotionTracker(model)
    plain.push(parts)
    for frames, same in ((unjudged, False), (unjudged + 1, True)):
        tracker = EmotionTracker(model, reset_on_silence=frames * hop)
        tracker.push(parts)
        assert (tracker.state.volume == plain.state.volume) == same


def test_a_pool_gates_each_stream_on_its_own_terms(model: Model) -> None:
    """Side by side: streams with and without a gate, with a reset, and with other floors."""
    terms = [
        {},
        {"judge_everything": True},
        {"reset_on_silence": 1.0},
        {"silence_db": -10.0},
        {"silence_db": -120.0, "reset_on_silence": 0.5},
    ]
    parts = sound((YES, 1.0), (NO, 1.5), (SILENCE, 1.6), (YES, 1.0))
    pool = TrackerPool(model)
    streams = [pool.add(interval=0, **term) for term in terms]  # type: ignore[arg-type]
    found: dict[int, list[Estimate]] = {stream: [] for stream in streams}
    for begin in range(0, len(parts), 5_000):
        block = parts[begin : begin + 5_000]
        for stream, estimates in pool.push(dict.fromkeys(streams, block)).items():
            found[stream] += estimates
    for stream, term in zip(streams, terms, strict=True):
        lone = EmotionTracker(model, interval=0, **term)  # type: ignore[arg-type]
        expected = lone.push(parts)
        assert [e.sound for e in found[stream]] == [e.sound for e in expected]
        assert [e.music for e in found[stream]] == [e.music for e in expected]
        np.testing.assert_allclose(
            [e.arousal or 0 for e in found[stream]], [e.arousal or 0 for e in expected], atol=1e-5
        )
        assert pool[stream].state.attention == lone.state.attention
    assert heard(found[streams[3]]) == ["silence"]
    assert "silence" not in heard(found[streams[4]])


def test_whether_it_was_music_is_carried(model: Model) -> None:
    """A saved state goes on where it was, between the borders as well."""
    for first, expected in ((YES, ["music"]), (NO, ["no music"])):
        tracker = EmotionTracker(model, interval=0)
        tracker.push(sound((first, 1.0), (MAYBE, 1.0)))
        heir = EmotionTracker(model, interval=0)
        heir.state = heir.state.with_arrays(tracker.state.to_arrays())
        assert heard(heir.push(sound((MAYBE, 1.0)))) == expected


def test_forgetting_shuts_the_gate(model: Model) -> None:
    """After ``forget`` nothing is known: what lies between the borders is not judged."""
    tracker = EmotionTracker(model, interval=0)
    tracker.push(sound((YES, 1.0), (MAYBE, 1.0)))
    tracker.forget()
    assert heard(tracker.push(sound((MAYBE, 1.0)))) == ["no music"]


def floors() -> Iterator[tuple[float, bool]]:
    """A square wave's level as the floor, and the next number above it; whether it is heard."""
    level = float(10 * np.log10(2.0**-20))
    yield level, True
    yield math.nextafter(level, 0), False


@pytest.mark.parametrize(("floor", "judged"), list(floors()))
def test_the_floor_of_silence_is_the_users(model: Model, floor: float, judged: bool) -> None:
    """A level of exactly the floor is heard, and a hair less is silence."""
    square = np.tile(np.repeat(np.float32([2.0**-10, -(2.0**-10)]), 8), 500)
    estimates = EmotionTracker(model, interval=0, silence_db=floor).push(square)
    assert len(estimates) == 19
    assert {estimate.silent for estimate in estimates} == {not judged}


@pytest.mark.parametrize("floor", [1.0, -120.5, math.nan])
def test_a_floor_that_is_none_is_refused(model: Model, floor: float) -> None:
    """Levels lie between -120 and 0 dB."""
    with pytest.raises(ValueError, match="silence_db"):
        EmotionTracker(model, silence_db=floor)


#: What is no music: the deviation of white noise, a constant, and the peak of 50 Hz.
LEADS = {
    "silence": (0.0, 0.0, 0.0),
    "a room at -50 dBFS": (10**-2.5, 0.0, 0.0),
    "a fan at -25 dBFS": (10**-1.25, 0.0, 0.0),
    "an offset": (0.0, 0.01, 0.0),
    "hum": (1e-4, 0.0, 0.01),
}


@pytest.mark.parametrize("lead", LEADS)
def test_the_default_model_waits_for_music_and_no_longer(lead: str, music: np.ndarray) -> None:
    """Ten seconds of what is none are never judged from the second second on.

    The music after them is, within a second of its beginning, and stays judged.
    """
    model = load_model()
    if model.config.music is None:
        pytest.skip(f"the default model, {model.name}, has no gate")
    noise, offset, hum = LEADS[lead]
    before = noise * np.random.default_rng(0).normal(size=10 * RATE) + offset
    before += hum * np.sin(2 * np.pi * 50 * np.arange(10 * RATE) / RATE)
    sound = np.concatenate([before, music[: 8 * RATE]]).astype(np.float32)
    estimates = EmotionTracker(model, interval=0).push(sound)
    assert not any(e.sound == "music" for e in estimates if 2 < e.t <= 10)
    assert 10 < next(e.t for e in estimates if e.t > 10 and e.sound == "music") < 11
    assert all(e.sound == "music" for e in estimates if e.t > 12)
