"""The annotated music beside the checkout, where there is any."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from streamer.training.dataset import Dataset, read_dataset

pytestmark = pytest.mark.shared

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def dataset(name: str) -> Dataset:
    """The dataset, or a reason to skip; no reason counts where it must be there."""
    folder = SHARED / name
    if not folder.is_dir():
        if os.environ.get("STREAMER_REQUIRE_SHARED") == "1":
            pytest.fail(f"{name} is required (STREAMER_REQUIRE_SHARED=1), but it is not there")
        pytest.skip(f"no {name} beside the checkout (shared/data/{name})")
    return read_dataset(folder)


def test_deam() -> None:
    """1,744 excerpts in five folds by song, labels at 2 Hz in [-1, 1] to the excerpt's end."""
    deam = dataset("deam")
    assert len(deam.clips) == 1744
    assert len({clip.song for clip in deam.clips}) == 1744
    assert deam.folds == [0, 1, 2, 3, 4]
    sizes = Counter(clip.fold for clip in deam.clips).values()
    assert max(sizes) - min(sizes) < 0.2 * 1744 / 5
    labels = np.concatenate([clip.labels for clip in deam.clips])
    assert len(labels) > 30_000
    assert np.abs(labels).max() <= 1
    assert (labels.std(axis=0) > 0.1).all()
    for clip in deam.clips:
        assert 10 <= clip.times[-1] <= 30
        assert clip.times[0] > 0
        np.testing.assert_allclose(np.diff(clip.times), 0.5)


def test_4q() -> None:
    """717 clips, about equally many of each quadrant, in folds that part no artist."""
    clips = dataset("4q").clips
    assert len(clips) == 717
    quadrants = Counter(clip.sides for clip in clips)
    assert len(quadrants) == 4
    assert min(quadrants.values()) > 0.8 * 717 / 4
    assert {clip.fold for clip in clips} == {0, 1, 2, 3}
    folds: dict[str, set[int]] = {}
    for clip in clips:
        folds.setdefault(clip.group, set()).add(clip.fold)
        assert clip.tags is not None
        assert max(map(abs, clip.tags)) <= 1
    assert all(len(found) == 1 for found in folds.values())
