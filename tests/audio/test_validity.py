"""Invalid samples become losses, and nothing else does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.audio.source import CAUSE, Lost, split_valid

VALUES = st.sampled_from([0.0, -1.0, 0.5, 8.0, -8.0, 8.01, -9.0, np.nan, np.inf, -np.inf, 1e30])


@given(st.lists(VALUES, max_size=60))
def test_split_reassembles_exactly(values: list[float]) -> None:
    """Pieces in order give the block back: valid samples bit for bit, losses where they were."""
    block = np.array(values, np.float32)
    position = 0
    kinds = []
    for piece in split_valid(block):
        if isinstance(piece, Lost):
            assert piece.cause == CAUSE
            assert not piece.estimated
            lost = block[position : position + piece.samples]
            assert not np.any(np.abs(lost) <= 8)
            position += piece.samples
        else:
            assert np.all(np.abs(piece) <= 8)
            np.testing.assert_array_equal(piece, block[position : position + len(piece)])
            position += len(piece)
        kinds.append(type(piece))
    assert position == len(block)
    assert all(one != two for one, two in pairwise(kinds))


def test_a_valid_block_is_yielded_itself() -> None:
    """Nothing is copied where nothing is wrong."""
    block = np.array([0.0, 8.0, -8.0], np.float32)
    (piece,) = split_valid(block)
    assert piece is block


def test_an_empty_block_yields_nothing() -> None:
    """No samples, no pieces."""
    assert list(split_valid(np.zeros(0, np.float32))) == []


@pytest.mark.parametrize(("least", "kinds"), [(3, "slsls"), (4, "slsls"), (5, "sls")])
def test_slivers_are_lost_with_what_is_around_them(least: int, kinds: str) -> None:
    """Four good samples between two bad ones are sound, or too few of it; the edges stay."""
    block = np.array([0.1, np.nan, 0.1, 0.1, 0.1, 0.1, np.inf, 0.1], np.float32)
    pieces = list(split_valid(block, least))
    assert "".join("l" if isinstance(piece, Lost) else "s" for piece in pieces) == kinds
    assert len(block) == sum(
        piece.samples if isinstance(piece, Lost) else len(piece) for piece in pieces
    )
