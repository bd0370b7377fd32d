"""The sound server that every test here plays into and listens to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import Server, demand


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The running daemon; whatever became of it, it is gone afterwards."""
    demand()
    home = tmp_path / "home"
    home.mkdir()
    running = Server(home)
    running.start()
    try:
        yield running
    finally:
        running.close()
