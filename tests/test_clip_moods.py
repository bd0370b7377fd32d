"""The example clip through the default model: what a listener would agree with."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from streamer import EmotionTracker, load_model
from streamer.audio.files import FileSource
from streamer.audio.resample import Resampled
from streamer.circumplex import quadrant
from streamer.events import QUADRANTS

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def sections() -> tuple[tuple[str, float, float], ...]:
    """The table of the program that composed the clip."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        spec = importlib.util.spec_from_file_location("four_moods", EXAMPLES / "four_moods.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(EXAMPLES))
    return tuple(module.SECTIONS)


@pytest.fixture(scope="module")
def means(clip: Path) -> dict[str, tuple[float, float]]:
    """Mean valence and arousal of each section from its fourth second on."""
    tracker = EmotionTracker(load_model(), interval=0.5)
    source = Resampled(FileSource(clip), tracker.sample_rate)
    heard = [e for piece in source if isinstance(piece, np.ndarray) for e in tracker.push(piece)]
    found = {}
    for name, begin, end in sections():
        inside = [(e.valence, e.arousal) for e in heard if begin + 3 < e.t <= end]
        assert len(inside) == 14
        valence, arousal = np.mean(np.array(inside, dtype=float), axis=0)
        found[name] = (float(valence), float(arousal))
    return found


@pytest.mark.parametrize("mood", QUADRANTS)
def test_each_mood_is_named(means: dict[str, tuple[float, float]], mood: str) -> None:
    """In the mean each section lies in the quadrant that it was composed for."""
    print({name: (round(v, 3), round(a, 3)) for name, (v, a) in means.items()})
    assert quadrant(*means[mood]) == mood


@pytest.mark.parametrize("loud", ["happy", "tense"])
@pytest.mark.parametrize("soft", ["sad", "calm"])
def test_loud_sections_are_more_aroused(
    means: dict[str, tuple[float, float]], loud: str, soft: str
) -> None:
    """Happy and tense come out at least .1 more aroused than sad and calm."""
    assert means[loud][1] >= means[soft][1] + 0.1
