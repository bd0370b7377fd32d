"""The long run in real time, in its short form."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pexpect", reason="a terminal for the dashboard")

from live_server import demand
from watched import watched


@pytest.mark.live
def test_a_watched_session_is_measured(tmp_path: Path) -> None:
    """Eighteen seconds on a real server: every frame, no gap, both processes measured, exit 0."""
    demand()
    figures = watched(0.3, tmp_path, step_s=3.0)
    assert figures.well
    assert figures.end["frames"] > 120
    assert len(figures.resident) >= 3
    assert all(20e6 < each < 400e6 for point in figures.resident for each in point[1:])
    assert "0 gaps, exit 0" in figures.text()
