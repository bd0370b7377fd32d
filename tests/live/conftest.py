"""The sound server that every test here plays into and listens to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import Server, missing


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The running daemon; whatever became of it, it is gone afterwards."""
    if (lack := missing()) is not None:
        if os.environ.get("STREAMER_REQUIRE_LIVE") == "1":
            pytest.fail(f"STREAMER_REQUIRE_LIVE=1, but {lack}")
        pytest.skip(lack)
    home = tmp_path / "home"
    home.mkdir()
    running = Server(home)
    running.start()
    try:
        yield running
    finally:
        running.close()
