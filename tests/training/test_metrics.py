"""CCC, r and RMSE: worked by hand, and true of any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamer.training.metrics import axis_metrics, bootstrap, ccc, determination, pearson, rmse

hundredths = st.integers(-100, 100).map(lambda value: value / 100)
pairs = st.lists(st.tuples(hundredths, hundredths), min_size=2, max_size=40)


def split(pairs_of_numbers: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(pairs_of_numbers).T
    return x, y


def test_worked_by_hand() -> None:
    """A shift by 1 of (1, 2, 3): r is 1, RMSE 1, CCC 2 (2/3) / (2/3 + 2/3 + 1), R² 1 - 3/2."""
    x, y = [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]
    assert pearson(x, y) == pytest.approx(1)
    assert rmse(x, y) == pytest.approx(1)
    assert ccc(x, y) == pytest.approx(4 / 7)
    assert determination(x, y) == pytest.approx(-0.5)


def test_anscombe() -> None:
    """Anscombe 1973: four sets with the same r of .816 and the same line, y = 3 + x / 2."""
    x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    y1 = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    y2 = [9.14, 8.14, 8.74, 8.77, 9.26, 8.10, 6.13, 3.10, 9.13, 7.26, 4.74]
    for y in (y1, y2):
        assert pearson(x, y) == pytest.approx(0.816, abs=1e-3)
        assert determination([3 + 0.5 * value for value in x], y) == pytest.approx(0.666, abs=1e-3)
        assert ccc(x, y) == pytest.approx(
            2 * 0.816 * np.std(x) * np.std(y) / (np.var(x) + np.var(y) + (9 - 7.5) ** 2), abs=1e-2
        )


def test_perfect_opposite_and_unrelated() -> None:
    """CCC is 1 for itself, -1 for its mirror, 0 beside a constant."""
    x = np.array([-0.5, 0.1, 0.4])
    x = x - x.mean()
    assert ccc(x, x) == pytest.approx(1)
    assert ccc(x, -x) == pytest.approx(-1)
    assert ccc(x, np.zeros(3)) == 0
    assert ccc(np.ones(3), np.ones(3)) == 0
    assert pearson(x, np.zeros(3)) is None
    assert determination(x, x) == 1
    assert determination(x, np.full(3, 0.2)) == 0


@given(both=pairs)
def test_bounds_and_symmetry(both: list[tuple[float, float]]) -> None:
    """CCC and r lie in [-1, 1] and are symmetric; CCC never exceeds r; RMSE is a distance."""
    x, y = split(both)
    concordance, r = ccc(x, y), pearson(x, y)
    assert -1 - 1e-9 <= concordance <= 1 + 1e-9
    assert ccc(y, x) == pytest.approx(concordance, abs=1e-9)
    assert rmse(x, y) == rmse(y, x) >= 0
    assert rmse(x, x) == 0
    if r is not None:
        assert -1 - 1e-9 <= r <= 1 + 1e-9
        assert pearson(y, x) == pytest.approx(r, abs=1e-9)
        assert abs(concordance) <= abs(r) + 1e-9
        assert concordance * r >= -1e-9


@given(
    both=pairs,
    scale=st.sampled_from([-3.0, -0.5, 0.5, 2.0]),
    offset=hundredths,
    order=st.randoms(use_true_random=False),
)
def test_invariances(
    both: list[tuple[float, float]], scale: float, offset: float, order: object
) -> None:
    """Pearson's r ignores any scale and offset, CCC one that both share, and neither the order."""
    x, y = split(both)
    r = pearson(x, y)
    assume(r is not None)
    assert r is not None
    assert pearson(scale * x + offset, y) == pytest.approx(np.sign(scale) * r, abs=1e-6)
    assert ccc(scale * x + offset, scale * y + offset) == pytest.approx(ccc(x, y), abs=1e-6)
    assert rmse(scale * x + offset, scale * y + offset) == pytest.approx(abs(scale) * rmse(x, y))
    order.shuffle(both)  # type: ignore[attr-defined]
    assert ccc(*split(both)) == pytest.approx(ccc(x, y), abs=1e-9)


@given(both=pairs, shift=st.sampled_from([-0.7, 0.3]))
def test_a_shift_costs_concordance_and_not_correlation(
    both: list[tuple[float, float]], shift: float
) -> None:
    """Estimates that are off by a constant lose CCC against themselves unshifted."""
    x, _ = split(both)
    assume(x.std() > 0.05)
    assert ccc(x + shift, x) < ccc(x, x) - 1e-3
    assert pearson(x + shift, x) == pytest.approx(1)


def test_pooled_and_per_song_are_different_things() -> None:
    """Two songs, told apart rightly and each followed backwards: pooled high, per song -1."""
    estimates = [np.array([0.5, 0.6, 0.7]), np.array([-0.5, -0.6, -0.7])]
    labels = [np.array([0.7, 0.6, 0.5]), np.array([-0.7, -0.6, -0.5])]
    figures = axis_metrics(estimates, labels)
    pooled, per_song = figures["pooled"], figures["per_song"]
    assert isinstance(pooled, dict)
    assert isinstance(per_song, dict)
    assert pooled["r"] == pytest.approx(0.9640, abs=1e-3)
    assert pooled["r_squared"] == pytest.approx(pooled["r"] ** 2)
    assert per_song["r"] == pytest.approx(-1)
    assert per_song["ccc"] == pytest.approx(-1)
    assert per_song["rmse"] == pooled["rmse"] == pytest.approx(np.sqrt(0.08 / 3))
    assert per_song["rmse_sd"] == pytest.approx(0)
    assert figures["song_means"] == {"r": pytest.approx(1)}
    assert (figures["labels"], figures["songs"]) == (6, 2)


def test_songs_whose_labels_stand_still_have_no_correlation() -> None:
    """A song without movement is left out of r per song, and counts in its RMSE."""
    still, moving = np.full(3, 0.2), np.array([0.1, 0.2, 0.3])
    figures = axis_metrics([moving, moving], [still, moving])
    per_song = figures["per_song"]
    assert isinstance(per_song, dict)
    assert per_song["r"] == pytest.approx(1)
    assert per_song["rmse"] == pytest.approx(np.sqrt(0.02 / 3) / 2)
    alone = axis_metrics([moving], [still])["per_song"]
    assert isinstance(alone, dict)
    assert alone["r"] is None


def test_a_song_of_two_labels_has_no_correlation() -> None:
    """Two numbers always lie on a line: r and CCC per song are of those with three or more."""
    two, three = np.array([0.1, 0.2]), np.array([0.1, 0.2, 0.3])
    per_song = axis_metrics([three, two[::-1]], [three, two])["per_song"]
    assert isinstance(per_song, dict)
    assert per_song["r"] == pytest.approx(1)
    assert per_song["ccc"] == pytest.approx(1)


def test_the_interval_of_a_mean() -> None:
    """The bootstrap's 95 % interval of a mean is about ± 1.96 s / √n, and the same every time."""
    values = np.random.default_rng(0).normal(0.3, 0.2, 400)
    low, high = bootstrap(lambda index: float(values[index].mean()), 400)
    width = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - width, abs=0.2 * width)
    assert high == pytest.approx(values.mean() + width, abs=0.2 * width)
    assert bootstrap(lambda index: float(values[index].mean()), 400) == (low, high)


def test_the_interval_leaves_a_fortieth_on_either_side() -> None:
    """Of the draws' own values, 2.5 % lie below it and 2.5 % above, whatever their distribution."""
    drawn: list[float] = []

    def skewed(index: np.ndarray) -> float:
        drawn.append(float(np.exp(np.mean(index) / 10)))
        return drawn[-1]

    low, high = bootstrap(skewed, 50, draws=4000)
    assert len(drawn) == 4000
    assert np.mean(np.array(drawn) < low) == pytest.approx(0.025, abs=0.002)
    assert np.mean(np.array(drawn) > high) == pytest.approx(0.025, abs=0.002)


@pytest.mark.parametrize("wrong", [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])])
def test_what_cannot_be_compared(wrong: tuple[list[float], list[float]]) -> None:
    """Empty, unequal and two-dimensional arrays are refused: no figure comes of nothing."""
    for figure in (ccc, pearson, rmse, determination):
        with pytest.raises(ValueError, match="two arrays of one length"):
            figure(*wrong)
