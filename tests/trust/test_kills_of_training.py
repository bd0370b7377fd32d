"""A training that is killed at random moments comes to the same weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.mark.slow
def test_a_training_that_is_killed_again_and_again(tmp_path: Path) -> None:
    """Killed some way into every other epoch and resumed: the weights are the same, bit for bit."""
    pytest.importorskip("torch", reason="training needs the extra `train`")
    from kills_of_training import campaign

    found = campaign([1], tmp_path, epochs=3)
    assert found.faults == []
    assert found.kills >= 1
