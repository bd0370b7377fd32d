"""The leaky mean: its definition, and that neither pieces nor neighbours change it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.network.layers import Integrator, fading


def with_a_one(rows: np.ndarray) -> np.ndarray:
    """Rows as the layer takes them."""
    return np.append(rows, np.ones((len(rows), 1), np.float32), axis=1)


@given(
    frames=st.integers(1, 400),
    pieces=st.lists(st.integers(1, 150), min_size=1, max_size=4),
    count=st.integers(1, 3),
)
def test_it_is_the_faded_mean_however_it_is_cut(frames: int, pieces: list[int], count: int) -> None:
    """Each mean is the sum over the past of ``exp(-age / frames)`` times a row, over the weights'.

    In pieces of any length and with any number of sequences side by side; to the last bit the same
    as in one piece.
    """
    total = sum(pieces)
    rows = np.random.default_rng(total).normal(2, 1, (total, count, 3)).astype(np.float32)
    ages = np.subtract.outer(np.arange(total), np.arange(total))
    weights = np.where(ages >= 0, np.exp(-np.maximum(ages, 0) / frames), 0)
    expected = np.einsum("ts,scu->tcu", weights, rows) / weights.sum(axis=1)[:, None, None]

    integrator, integral, found, begin = Integrator(frames), np.zeros((count, 4), np.float32), [], 0
    for piece in pieces:
        fed = with_a_one(rows[begin : begin + piece].reshape(piece * count, 3))
        found.append(integrator(fed, [(count, piece)], integral).reshape(piece, count, 3))
        begin += piece
    np.testing.assert_allclose(np.concatenate(found), expected, atol=2e-5)
    whole = integrator(
        with_a_one(rows.reshape(total * count, 3)), [(count, total)], np.zeros_like(integral)
    )
    np.testing.assert_array_equal(np.concatenate(found).reshape(whole.shape), whole)
    np.testing.assert_allclose(integral[:, -1], weights[-1].sum(), rtol=1e-5)


def test_the_first_frame_counts_whole() -> None:
    """A stream does not begin at 0 and creep to its value: its first mean is its first row."""
    row = np.array([[3.0, -2.0]], np.float32)
    np.testing.assert_array_equal(
        Integrator(50)(with_a_one(row), [(1, 1)], np.zeros((1, 3), np.float32)), row
    )


def test_the_past_fades_with_its_time_constant() -> None:
    """After as many frames as the time constant an old value has 1/e of its share."""
    integrator, integral = Integrator(20), np.zeros((1, 2), np.float32)
    integrator(np.ones((400, 2), np.float32), [(1, 400)], integral)
    after = integrator(with_a_one(np.zeros((20, 1), np.float32)), [(1, 20)], integral)
    np.testing.assert_allclose(after[-1, 0], np.exp(-1), atol=1e-4)
    assert abs(fading(20) ** 20 - np.exp(-1)) < 1e-12
