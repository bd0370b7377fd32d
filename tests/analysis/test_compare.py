"""Two recorded sessions compared: agreement, and the lag between them."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from scripted_session import estimate, silence

from streamer.analysis.compare import Agreement, compare
from streamer.analysis.recorded import Recording, read_session
from streamer.cli.main import main
from streamer.errors import SessionFileError
from streamer.events import Estimate, Start, to_json

SOURCE = {"kind": "file", "name": "x", "rate": 16_000, "channels": 1}
CHANCES = {"happy": 1.0, "tense": 0.0, "sad": 0.0, "calm": 0.0}


def curve(t: np.ndarray) -> np.ndarray:
    """A valence that never repeats itself within a minute."""
    return 0.3 * np.sin(t * 0.7) + 0.2 * np.sin(t * 0.31 + 1)


def record(
    path: Path,
    t: np.ndarray,
    valence: np.ndarray,
    arousal: np.ndarray | None = None,
    silent: tuple[float, float] = (math.inf, math.inf),
) -> Path:
    """A recorded session with these curves."""
    step = float(t[1] - t[0])
    start = Start("0", "2026-01-01T00:00:00Z", "m", SOURCE, 16000, 0.02, step, 0.0)
    lines = [to_json(start)]
    arousal = -valence if arousal is None else arousal
    for when, v, a in zip(t.tolist(), valence.tolist(), arousal.tolist(), strict=True):
        quiet = silent[0] <= when <= silent[1]
        judged = (None,) * 7 if quiet else (v, a, 0.2, 0.2, "happy", CHANCES, "joyful")
        lines.append(to_json(Estimate(when, *judged, level_db=-20.0, silent=quiet)))
    path.write_text("\n".join(lines) + "\n")
    return path


T = np.arange(1, 121) * 0.5


def test_a_session_agrees_with_itself(tmp_path: Path) -> None:
    """Correlation and concordance 1, no difference, no lag."""
    session = read_session(record(tmp_path / "a.jsonl", T, curve(T)))
    for agreement in compare(session, session).values():
        assert agreement.n == 120
        assert agreement.r == pytest.approx(1)
        assert agreement.ccc == pytest.approx(1)
        assert (agreement.rmse, agreement.difference, agreement.lag_s) == (0, 0, 0)


def test_a_shift_of_the_scale_is_a_difference(tmp_path: Path) -> None:
    """The second .2 higher: the correlation stays, concordance falls, the difference is .2."""
    a = read_session(record(tmp_path / "a.jsonl", T, curve(T)))
    b = read_session(record(tmp_path / "b.jsonl", T, curve(T) + 0.2, -curve(T)))
    found = compare(a, b)
    assert found["valence"].r == pytest.approx(1)
    assert found["valence"].difference == pytest.approx(0.2)
    variance = curve(T).var()
    assert found["valence"].ccc == pytest.approx(2 * variance / (2 * variance + 0.04), abs=1e-5)
    assert found["arousal"].ccc == pytest.approx(1)
    assert compare(b, a)["valence"].difference == pytest.approx(-0.2)


@pytest.mark.parametrize("lag", [-7.5, -0.5, 0.0, 2.0, 9.5])
def test_the_lag_is_found(tmp_path: Path, lag: float) -> None:
    """The second session shows everything ``lag`` seconds later; told with its sign."""
    a = read_session(record(tmp_path / "a.jsonl", T, curve(T)))
    b = read_session(record(tmp_path / "b.jsonl", T, curve(T - lag)))
    for agreement in compare(a, b).values():
        assert agreement.lag_s == pytest.approx(lag)
        assert agreement.lag_r == pytest.approx(1, abs=1e-6)
    assert compare(b, a)["valence"].lag_s == pytest.approx(-lag)
    narrow = compare(a, b, most_lag_s=1.0)["valence"]
    assert narrow.lag_s is not None
    assert abs(narrow.lag_s) <= 1.0
    # As long as both sessions is as far as there is anything to compare.
    assert compare(a, b, most_lag_s=1e9)["valence"].lag_s == pytest.approx(lag)


def test_other_intervals_are_compared_between_estimates(tmp_path: Path) -> None:
    """Ten estimates a second against two, at other moments: nearly perfect agreement."""
    dense = np.arange(1, 600) * 0.1 + 0.037
    a = read_session(record(tmp_path / "a.jsonl", T, curve(T)))
    b = read_session(record(tmp_path / "b.jsonl", dense, curve(dense)))
    for left, right in ((a, b), (b, a)):
        agreement = compare(left, right)["valence"]
        assert 110 < agreement.n < 120
        assert agreement.ccc == pytest.approx(1, abs=1e-3)


def test_silence_is_left_out(tmp_path: Path) -> None:
    """Only moments that both judged are compared; nothing is interpolated across silence."""
    a = read_session(record(tmp_path / "a.jsonl", T, curve(T)))
    wild = np.where((T > 20) & (T < 30), 1.0, curve(T))
    b = read_session(record(tmp_path / "b.jsonl", T, wild, silent=(20.0, 30.0)))
    agreement = compare(a, b)["valence"]
    assert agreement.n == 120 - 21
    assert agreement.ccc == pytest.approx(1)


def test_what_does_not_vary_has_no_correlation(tmp_path: Path) -> None:
    """A constant session: r and lag are unknown, never NaN."""
    a = read_session(record(tmp_path / "a.jsonl", T, curve(T)))
    b = read_session(record(tmp_path / "b.jsonl", T, np.full(120, 0.1)))
    agreement = compare(a, b)["valence"]
    assert (agreement.r, agreement.lag_s, agreement.lag_r) == (None, None, None)
    assert agreement.ccc == pytest.approx(0)


def test_sessions_without_a_common_moment_are_refused(tmp_path: Path) -> None:
    """Different stretches of time cannot agree or disagree."""
    a = read_session(record(tmp_path / "a.jsonl", T, curve(T)))
    b = read_session(record(tmp_path / "b.jsonl", T + 1000, curve(T)))
    with pytest.raises(SessionFileError, match="0 moments in common"):
        compare(a, b)


def test_the_command_prints_a_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A heading and a line an axis, aligned; ``--json`` gives the numbers themselves."""
    a = str(record(tmp_path / "a.jsonl", T, curve(T)))
    b = str(record(tmp_path / "b.jsonl", T, curve(T - 1.5) - 0.1))
    assert main(["compare", a, b]) == 0
    heading, valence, arousal = capfd.readouterr().out.splitlines()
    assert heading.split()[:4] == ["axis", "moments", "r", "CCC"]
    assert len(heading) == len(valence) == len(arousal)
    assert "+1.50 s" in valence
    assert "-0.096" in valence
    assert main(["compare", a, b, "--json", "--lag", "2"]) == 0
    record_ = json.loads(capfd.readouterr().out)
    assert record_["arousal"]["lag_s"] == 1.5
    assert record_["valence"]["n"] == 120
    assert main(["compare", a, str(tmp_path / "none.jsonl")]) == 1
    assert "none.jsonl" in capfd.readouterr().err


def plain(a: Recording, b: Recording, axis: str, most_lag_s: float) -> dict[str, float | None]:
    """What ``compare`` must find, moment by moment in plain loops, without its arrays."""

    def points(session: Recording) -> dict[float, float]:
        judged = {}
        for each in session.estimates:
            value = getattr(each, axis)
            judged.setdefault(each.t, math.nan if value is None else value)
        return judged

    first, second = points(a), points(b)

    def step(judged: dict[float, float]) -> float:
        return statistics.median(after - before for before, after in itertools.pairwise(judged))

    def at(judged: dict[float, float], t: float) -> float:
        for when, value in judged.items():
            if abs(when - t) < 1e-6:
                return value
        for (before, left), (after, right) in itertools.pairwise(judged.items()):
            if before < t < after and after - before <= 1.5 * step(judged):
                return left + (right - left) * (t - before) / (after - before)
        return math.nan

    def pairs(lag: float) -> list[tuple[float, float]]:
        if len(first) <= len(second):
            found = [(value, at(second, t + lag)) for t, value in first.items()]
        else:
            found = [(at(first, t - lag), value) for t, value in second.items()]
        return [(x, y) for x, y in found if math.isfinite(x) and math.isfinite(y)]

    def r(found: list[tuple[float, float]]) -> float | None:
        x, y = zip(*found, strict=True)
        if max(x) - min(x) < 1e-9 or max(y) - min(y) < 1e-9:
            return None
        return statistics.correlation(x, y)

    here = pairs(0.0)
    x, y = zip(*here, strict=True)
    lag_step = max(0.05, min(step(first), step(second)))
    best: tuple[float, float] | None = None
    for number in range(int(most_lag_s / lag_step + 1e-9) + 1):
        for lag in sorted({-number * lag_step, number * lag_step}):
            moved = pairs(lag)
            found = r(moved) if len(moved) >= max(3, len(here) / 2) else None
            if found is not None and (best is None or found > best[1] + 1e-9):
                best = lag, found
    covariance = math.fsum(
        (p - statistics.fmean(x)) * (q - statistics.fmean(y)) for p, q in here
    ) / len(here)
    spread = statistics.pvariance(x) + statistics.pvariance(y)
    spread += (statistics.fmean(x) - statistics.fmean(y)) ** 2
    return {
        "n": len(here),
        "r": r(here),
        "ccc": 2 * covariance / spread,
        "rmse": math.sqrt(statistics.fmean((p - q) ** 2 for p, q in here)),
        "difference": statistics.fmean(q - p for p, q in here),
        "lag_s": best[0] if best else None,
        "lag_r": best[1] if best else None,
    }


@pytest.mark.parametrize("seed", range(12))
def test_it_is_what_plain_loops_find(seed: int) -> None:
    """Every figure, for sessions with holes, silences, repeated times and other intervals."""
    random = np.random.default_rng(seed)

    def session(interval: float, seconds: float, delay: float) -> Recording:
        times = np.arange(1, int(seconds / interval) + 1) * interval
        kept = random.random(len(times)) > 0.15  # holes of all widths
        kept[:4] = True
        times = times[kept]
        # Some estimates are a little late, as those of frames are: gaps of 1.2 steps are no holes.
        times = np.round(times + interval * random.choice([0.0, 0.2], len(times)), 6)
        values = curve(times - delay) + random.normal(0, 0.03, len(times))
        events = [
            silence(float(t)) if random.random() < 0.1 else estimate(float(t), float(v), float(-v))
            for t, v in zip(times, values.clip(-1, 1), strict=True)
        ]
        events.insert(3, events[2])
        return Recording(Path(f"{delay}.jsonl"), None, tuple(events), (), None)

    a = session(float(random.choice([0.5, 0.4, 0.25])), 40.0, 0.0)
    b = session(float(random.choice([0.5, 0.3])), 30.0, float(random.choice([0.0, 1.5, -2.0])))
    for one, other in ((a, b), (b, a)):
        for axis, found in compare(one, other, 3.0).items():
            wanted = plain(one, other, axis, 3.0)
            assert {name: getattr(found, name) for name in wanted} == pytest.approx(
                wanted, abs=1e-6
            )


def test_the_longest_lag_is_tried_and_no_longer_one(tmp_path: Path) -> None:
    """The bound belongs to what is tried."""
    a = read_session(record(tmp_path / "a.jsonl", T, curve(T)))
    b = read_session(record(tmp_path / "b.jsonl", T, curve(T - 2.0)))
    assert compare(a, b, 2.0)["valence"].lag_s == pytest.approx(2.0)
    assert compare(a, b, 1.9)["valence"].lag_s == pytest.approx(1.5)


def test_of_equally_good_lags_the_smallest_is_told(tmp_path: Path) -> None:
    """A curve of a period of four seconds, a second late: not three seconds early, or five late."""
    wave = 0.5 * np.sin(T * np.pi / 2)
    a = read_session(record(tmp_path / "a.jsonl", T, wave))
    b = read_session(record(tmp_path / "b.jsonl", T, 0.5 * np.sin((T - 1.0) * np.pi / 2)))
    for first, second, lag in ((a, b, 1.0), (b, a, -1.0), (a, a, 0.0)):
        assert compare(first, second)["valence"].lag_s == pytest.approx(lag)


def test_three_moments_are_enough_and_two_are_not(tmp_path: Path) -> None:
    """Below three there is no correlation to speak of; three are compared like any number."""
    three = read_session(record(tmp_path / "a.jsonl", T[:3], np.array([0.1, 0.4, -0.2])))
    agreement = compare(three, three)["arousal"]
    assert (agreement.n, agreement.rmse, agreement.lag_s) == (3, 0, 0)
    assert (agreement.r, agreement.lag_r) == (pytest.approx(1), pytest.approx(1))
    two = read_session(record(tmp_path / "b.jsonl", T[:2], curve(T[:2])))
    with pytest.raises(SessionFileError, match="2 moments in common"):
        compare(three, two)


def test_one_estimate_alone_is_refused(tmp_path: Path) -> None:
    """A session of one line has no steps between lines to speak of: a sentence, no warning."""
    event = estimate(1.0)
    one = Recording(Path("one.jsonl"), None, (event,), (), None)
    with pytest.raises(SessionFileError, match="1 moments in common"):
        compare(one, read_session(record(tmp_path / "a.jsonl", T, curve(T))))


def told(times: list[float], values: list[float]) -> Recording:
    """A session of these valences."""
    events = tuple(estimate(t, value, -value) for t, value in zip(times, values, strict=True))
    return Recording(Path("x.jsonl"), None, events, (), None)


def test_of_equally_many_the_firsts_moments_are_compared() -> None:
    """By hand: at 3, 4 and 5 s, and with the two exchanged at 2.5 s as well."""
    first = told([1, 2, 3, 4, 5], [0.0, 0.2, 0.1, 0.5, 0.3])
    second = told([2.5, 3, 4, 5, 6], [0.25, 0.2, 0.4, 0.0, 0.1])
    agreement = compare(first, second)["valence"]
    assert agreement.n == 3
    assert agreement.difference == pytest.approx((0.1 - 0.1 - 0.3) / 3)
    assert agreement.rmse == pytest.approx(math.sqrt((0.01 + 0.01 + 0.09) / 3))
    exchanged = compare(second, first)["valence"]
    assert exchanged.n == 4
    assert exchanged.difference == pytest.approx((-0.1 - 0.1 + 0.1 + 0.3) / 4)


@pytest.mark.parametrize(
    ("times", "known", "unknown"),
    [
        # Steps of a second: between neighbours 1.5 steps apart it is told ...
        ([1, 2, 3, 4.5, 5.5, 6.5, 7.5], [1.5, 2.5, 3.5, 5, 6, 7], []),
        # ... and further apart not: at the beginning, in the middle, at the end.
        ([1, 2.75, 3.75, 4.75, 5.75, 6.75, 7.75], [3, 4, 5, 6], [2]),
        ([1, 2, 3, 4.75, 5.75, 6.75, 7.75], [1.5, 2.5, 5, 6], [4]),
        ([1, 2, 3, 4, 5, 6, 7.75], [1.5, 2.5, 3.5], [7]),
        # A short step before a long one, or after it, is told.
        ([1, 1.5, 3.25, 4.25, 5.25, 6.25, 7.25], [1.25, 3.5, 4.5, 5.5], [2]),
        ([1, 2, 3, 4, 5, 6.75, 7.25], [1.5, 2.5, 3.5, 7], [6]),
    ],
)
def test_nothing_is_told_in_a_hole(
    times: list[float], known: list[float], unknown: list[float]
) -> None:
    """By hand: a straight line with a hole, asked at these moments."""
    line = told(times, [t / 10 for t in times])
    asked = sorted(known + unknown)
    agreement = compare(told(asked, [0.2] * len(asked)), line)["valence"]
    assert agreement.n == len(known)
    assert agreement.difference == pytest.approx(statistics.fmean(known) / 10 - 0.2)


@pytest.mark.parametrize(("apart", "n"), [(4e-7, 6), (-4e-7, 6), (1.5e-6, 4), (-1.5e-6, 4)])
def test_moments_a_hair_apart_are_the_same(apart: float, n: int) -> None:
    """Within a microsecond: at either end, and beside a hole, where nothing is told between."""
    times = np.array([1, 2, 3, 6, 7, 8])
    found = compare(
        told(times.tolist(), [0.2] * 6), told((times + apart).tolist(), [0.2, 0.3] * 3)
    )["valence"]
    assert found.n == n


def test_a_lag_is_found_to_a_twentieth_of_a_second() -> None:
    """Fifty estimates a second, .15 s late: lags are tried in steps of .05 s."""
    times = np.arange(1, 200) * 0.02
    wave = 0.4 * np.sin(3 * times)
    late = 0.4 * np.sin(3 * (times - 0.15))
    agreement = compare(told(times.tolist(), wave.tolist()), told(times.tolist(), late.tolist()))
    assert agreement["valence"].lag_s == pytest.approx(0.15)
    assert agreement["valence"].lag_r == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("late", "found"), [(10.0, True), (-10.0, True), (10.5, False)])
def test_ten_seconds_are_looked_for_where_nothing_is_said(late: float, found: bool) -> None:
    """The default reaches ten seconds either way, and no further."""
    first = told(T.tolist(), curve(T).tolist())
    lag_s = compare(first, told(T.tolist(), curve(T - late).tolist()))["valence"].lag_s
    assert (lag_s == pytest.approx(late)) == found


@pytest.mark.parametrize(("common", "believed"), [(10, True), (9, False)])
def test_half_of_the_moments_must_agree(common: int, believed: bool) -> None:
    """Of twenty estimates the last ten are the second's first ten: a lag. Nine are chance."""
    random = np.random.default_rng(5)
    first, second = random.uniform(-0.9, 0.9, (2, 20))
    second[:common] = first[20 - common :]
    times = [float(t) for t in range(1, 21)]
    agreement = compare(told(times, first.tolist()), told(times, second.tolist()), 15.0)["valence"]
    assert (agreement.lag_s == common - 20) == believed
    assert (agreement.lag_r == pytest.approx(1)) == believed


def test_figures_are_told_to_six_digits() -> None:
    """A record for programs: floats rounded, counts and what is unknown as they are."""
    agreement = Agreement(12, None, 1 / 3, 2e-7, -0.12345678, 0.5, None)
    assert agreement.to_dict() == {
        "n": 12,
        "r": None,
        "ccc": 0.333333,
        "rmse": 0.0,
        "difference": -0.123457,
        "lag_s": 0.5,
        "lag_r": None,
    }
