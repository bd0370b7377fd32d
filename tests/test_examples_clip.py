"""The example clip: committed audio and the program that composes it, held to each other."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
CLIP = EXAMPLES / "four_moods.flac"


@pytest.fixture(scope="module")
def four_moods() -> ModuleType:
    """The program, loaded by its path; its instruments lie beside it, as when it is run."""
    spec = importlib.util.spec_from_file_location("four_moods", EXAMPLES / "four_moods.py")
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        spec.loader.exec_module(program)
    return program


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """The committed audio, (time, 2) int16."""
    samples, rate = soundfile.read(CLIP, dtype="int16", always_2d=True)
    assert rate == 44_100
    return samples


def test_the_committed_clip_is_what_the_program_writes(four_moods, clip, tmp_path):
    """Composing the clip again gives the committed samples, to 2 steps of 16 bits."""
    again = tmp_path / "again.flac"
    four_moods.main([str(again)])
    fresh, rate = soundfile.read(again, dtype="int16", always_2d=True)
    assert rate == four_moods.RATE == 44_100
    assert fresh.shape == clip.shape
    assert clip.std() > 1_000
    assert np.max(np.abs(fresh.astype(np.int32) - clip)) <= 2


def test_a_section_is_played_the_same_way_twice(four_moods):
    """Chance is seeded: the same section rendered twice is equal bit for bit."""
    first, second = four_moods.calm(), four_moods.calm()
    assert first.std() > 0
    assert first.tobytes() == second.tobytes()


def test_four_sections_cover_the_clip(four_moods, clip):
    """Happy, tense, sad and calm follow one another without a hole over 38 to 45 seconds."""
    names, starts, ends = zip(*four_moods.SECTIONS, strict=True)
    assert names == ("happy", "tense", "sad", "calm")
    assert starts[0] == 0
    assert starts[1:] == ends[:-1]
    assert 38 <= ends[-1] <= 45
    assert len(clip) == round(ends[-1] * four_moods.RATE)


def test_the_aroused_sections_are_the_loud_ones(four_moods, clip):
    """Happy and tense are each at least 6 dB louder (RMS) than sad and calm, and nothing clips."""
    level = {}
    for name, start, end in four_moods.SECTIONS:
        part = clip[round(start * four_moods.RATE) : round(end * four_moods.RATE)] / 32_768
        level[name] = 10 * np.log10(np.mean(part**2))
    quietest_loud = min(level["happy"], level["tense"])
    assert quietest_loud - max(level["sad"], level["calm"]) >= 6
    assert np.max(np.abs(clip.astype(np.int32))) < 32_000


def test_the_clip_is_small_stereo_flac():
    """The committed file is 16-bit stereo FLAC under 4 MB."""
    info = soundfile.info(CLIP)
    assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_16", 2)
    assert CLIP.stat().st_size < 4_000_000
