"""The closing summary: shares, means and moments against sessions whose figures are known."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_session import estimate, noise, silence, start

from streamer.circumplex import mood
from streamer.events import QUADRANTS, End, Estimate, Event, Gap
from streamer.sinks.summary import APART_S, OUTLINE_POINTS, Journey, Summary

STEP = 0.5


def judged(events: list[Event]) -> Summary:
    journey = Journey()
    journey.write(start())
    for event in events:
        journey.write(event)
    return journey.summary()


def at(seconds: np.ndarray, valence: float, arousal: float) -> list[Event]:
    return [estimate(float(t), valence, arousal) for t in seconds]


def test_what_is_no_music_has_its_own_share() -> None:
    """Thirty seconds of music, ten of silence, ten of speech: .6, .2, .2."""
    events = at(np.arange(STEP, 30.1, STEP), 0.3, -0.3)
    events += [silence(float(t)) for t in np.arange(30 + STEP, 40.1, STEP)]
    events += [noise(float(t)) for t in np.arange(40 + STEP, 50.1, STEP)]
    summary = judged(events)
    assert summary.silent == pytest.approx(0.2, abs=0.01)
    assert summary.no_music == pytest.approx(0.2, abs=0.01)
    assert summary.to_dict()["share"]["no_music"] == round(summary.no_music, 4)
    assert summary.moods == {"calm": pytest.approx(0.6, abs=0.01)}


def test_shares_are_shares_of_time() -> None:
    """Thirty seconds calm, ten tense, ten silent: .6, .2, .2."""
    events = at(np.arange(STEP, 30.1, STEP), 0.3, -0.3)
    events += at(np.arange(30 + STEP, 40.1, STEP), -0.3, 0.3)
    events += [silence(float(t)) for t in np.arange(40 + STEP, 50.1, STEP)]
    summary = judged(events)
    assert summary.quadrants["calm"] == pytest.approx(0.6, abs=0.01)
    assert summary.quadrants["tense"] == pytest.approx(0.2, abs=0.01)
    assert summary.silent == pytest.approx(0.2, abs=0.01)
    assert sum(summary.quadrants.values()) + summary.silent == pytest.approx(1)
    assert summary.length_s == pytest.approx(50.0)


def test_a_session_that_begins_later_has_no_time_before() -> None:
    """With ``--start-at 100`` the first hundred seconds belong to nobody."""
    journey = Journey()
    for event in [start(start_s=100.05), *at(np.arange(100.5, 110.1, 0.5), 0.3, 0.3)]:
        journey.write(event)
    summary = journey.summary()
    assert summary.begin_s == pytest.approx(100.05)
    assert summary.length_s == pytest.approx(9.95)


def test_shares_do_not_depend_on_how_often_estimates_come() -> None:
    """A stretch told twenty times as densely has no more weight."""
    events = at(np.arange(0.025, 10.01, 0.025), 0.3, 0.3)
    events += at(np.arange(10.5, 20.1, 0.5), -0.3, -0.3)
    summary = judged(events)
    assert summary.quadrants["happy"] == pytest.approx(0.5, abs=0.01)
    assert summary.valence is not None
    assert summary.valence.mean == pytest.approx(0.0, abs=0.01)


def test_a_gap_is_no_time_of_any_quadrant() -> None:
    """What was lost is counted as lost, and belongs to no mood."""
    events = at(np.arange(0.5, 10.1, 0.5), 0.3, 0.3)
    events.append(Gap(10.0, 20.0, 882000, False, "device away"))
    events += at(np.arange(30.5, 40.1, 0.5), -0.3, 0.3)
    summary = judged(events)
    assert summary.quadrants["happy"] == pytest.approx(summary.quadrants["tense"], abs=0.03)
    assert (summary.gaps, summary.lost_samples) == (1, 882000)
    assert summary.lost_s == pytest.approx(20.0)
    assert summary.end_s == pytest.approx(40.0)


def test_mean_deviation_and_range_are_those_of_numpy() -> None:
    """The running figures equal those over the whole list."""
    values = np.random.default_rng(3).uniform(-0.6, 0.6, (400, 2))
    events: list[Event] = [
        estimate(0.032 * (n + 1), float(v), float(a)) for n, (v, a) in enumerate(values)
    ]
    summary = judged(events)
    assert summary.valence is not None
    assert summary.arousal is not None
    for axis, column in ((summary.valence, values[:, 0]), (summary.arousal, values[:, 1])):
        assert axis.mean == pytest.approx(column.mean(), abs=1e-6)
        assert axis.sd == pytest.approx(column.std(), abs=1e-6)
        assert (axis.lowest, axis.highest) == (column.min(), column.max())


def test_moments_are_found_where_they_are() -> None:
    """A second that stands out is named with its time; the moments lie apart."""
    peaks = {12: (0.1, 0.7), 33: (0.8, 0.1), 51: (-0.7, -0.1), 70: (0.0, -0.6)}
    events: list[Event] = []
    for hop in range(1, 80 * 4 + 1):
        t = hop / 4
        events.append(estimate(t, *peaks.get(int(np.ceil(t)), (0.05, 0.05))))
    summary = judged(events)
    assert [(moment.t, moment.what) for moment in summary.moments] == [
        (12.0, "highest arousal"),
        (33.0, "highest valence"),
        (51.0, "lowest valence"),
        (70.0, "lowest arousal"),
    ]
    assert summary.moments[0].arousal == pytest.approx(0.7)
    assert summary.moments[0].mood == mood(0.1, 0.7)


def test_one_frame_makes_no_moment() -> None:
    """A single wild estimate counts as a part of its second only."""
    events: list[Event] = [estimate(0.032 * n, 0.1, 0.2) for n in range(1, 600)]
    events[300] = estimate(0.032 * 301, 0.1, 0.95)
    for n in range(400, 440):
        events[n] = estimate(0.032 * (n + 1), 0.1, 0.5)
    highest = next(m for m in judged(events).moments if m.what == "highest arousal")
    assert 12 < highest.t < 15


def test_nothing_but_silence_has_no_figures() -> None:
    """Silence is not an emotion: no mean, no moment, and it can be written as JSON."""
    summary = judged([silence(t / 2) for t in range(1, 20)])
    assert summary.valence is None
    assert summary.moments == ()
    assert summary.silent == 1.0
    assert json.loads(json.dumps(summary.to_dict()))["valence"] is None


def test_a_session_without_anything_can_be_summed_up() -> None:
    """No event at all gives an empty summary."""
    summary = Journey().summary()
    assert summary.length_s == 0.0
    assert json.dumps(summary.to_dict())


def test_asking_changes_nothing() -> None:
    """A summary asked for in the middle leaves the one at the end as it would have been."""
    journey, undisturbed = Journey(), Journey()
    for n in range(1, 400):
        event = estimate(n * 0.1, float(np.sin(n / 9)) / 2, float(np.cos(n / 7)) / 2)
        journey.write(event)
        undisturbed.write(event)
        journey.summary()
    assert journey.summary() == undisturbed.summary()


def test_the_outline_covers_sessions_of_any_length() -> None:
    """Two points become one when it is full; every stretch keeps its own mean."""
    journey = Journey()
    hours = 30
    for minute in range(1, hours * 60 + 1):
        journey.write(estimate(minute * 60.0, minute / (hours * 60) - 0.5, 0.1))
    summary = journey.summary()
    assert OUTLINE_POINTS / 2 <= len(summary.outline) <= OUTLINE_POINTS
    assert len(summary.outline) * summary.outline_step_s >= hours * 3600 - 60
    known = [point[0] for point in summary.outline if point is not None]
    assert known == sorted(known)
    assert known[0] < -0.49
    assert known[-1] > 0.48


def test_the_end_brings_the_real_time_factor() -> None:
    """What the end event says is in the summary."""
    summary = judged([estimate(0.5), End(0.5, 1, 15, 0, 0, 0.021)])
    assert summary.to_dict()["real_time_factor"] == 0.021


moments = st.lists(
    st.tuples(st.floats(0.01, 3.0), st.floats(-1, 1), st.floats(-1, 1), st.sampled_from("eeeesg")),
    max_size=80,
)


@given(moments)
def test_any_session_gives_figures_within_their_ranges(
    steps: list[tuple[float, float, float, str]],
) -> None:
    """Shares lie in [0, 1] and sum to 1 or 0; moments lie apart; no NaN in the JSON."""
    events: list[Event] = []
    t = 0.0
    for step, valence, arousal, kind in steps:
        if kind == "g":
            events.append(Gap(t, step, round(step * 44100), True, "overflow"))
        t += step
        if kind == "s":
            events.append(silence(t))
        elif kind == "e":
            events.append(estimate(t, valence, arousal))
    summary = judged(events)
    total = sum(summary.quadrants.values()) + summary.silent
    told = any(isinstance(event, Estimate) for event in events)
    assert total == pytest.approx(1 if told else 0)
    assert set(summary.quadrants) == set(QUADRANTS)
    times = [moment.t for moment in summary.moments]
    assert all(later - earlier >= APART_S for earlier, later in itertools.pairwise(times))
    json.dumps(summary.to_dict(), allow_nan=False)
