"""Two recorded sessions compared: agreement, and the lag between them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from streamer.analysis.compare import compare
from streamer.analysis.recorded import read_session
from streamer.cli.main import main
from streamer.errors import SessionFileError
from streamer.events import Estimate, Start, to_json


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
    start = Start("0", "2026-01-01T00:00:00Z", "m", {"name": "x"}, 16000, 0.02, step, 0.0)
    lines = [to_json(start)]
    arousal = -valence if arousal is None else arousal
    for when, v, a in zip(t.tolist(), valence.tolist(), arousal.tolist(), strict=True):
        quiet = silent[0] <= when <= silent[1]
        judged = (None,) * 7 if quiet else (v, a, 0.2, 0.2, "happy", {"happy": 1.0}, "joyful")
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
