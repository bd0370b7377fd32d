"""Generated sounds: a dataset that training reads, with pieces in pairs and in several keys."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from makers import sounds
from streamer.training.dataset import Clip, read_dataset


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """One pair of pieces that differ in their mode, as they are written and read again."""
    folder = tmp_path_factory.mktemp("sounds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sounds, "_KINDS", ())
        patch.setattr(sounds, "_PAIRS", {"mode": 1})
        assert sounds.write_sounds(folder) == 4
    return list(read_dataset(folder).clips)


def strongest(clip: Clip) -> set[int]:
    """The pitches of its strongest partials, in thirds of a semitone from A4."""
    samples, rate = soundfile.read(clip.path)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    spectrum[hertz < 60] = 0
    peaks = np.argsort(spectrum)[-400:]
    return {round(36 * np.log2(hertz[peak] / 440)) for peak in peaks}


def test_a_pair_is_a_piece_and_the_same_made_darker(pieces: list[Clip]) -> None:
    """Each in two keys, in one group that is never held out, and no two of them sound alike."""
    assert [clip.brighter for clip in pieces] == [True, True, False, False]
    assert {(clip.pair, clip.group, clip.fold) for clip in pieces} == {("mode-0", "mode-0", -1)}
    heard = [soundfile.read(clip.path)[0] for clip in pieces]
    assert len({len(samples) for samples in heard}) == 1
    for number, samples in enumerate(heard):
        others = heard[:number] + heard[number + 1 :]
        assert all(np.abs(samples - other).max() > 0.01 for other in others)


def test_modes_differ_by_their_thirds(pieces: list[Clip]) -> None:
    """In one key, the darker piece of a pair has notes a semitone under those of the other."""
    bright, dark = (strongest(clip) for clip in (pieces[0], pieces[2]))
    lowered = dark - bright
    assert lowered
    assert bright & dark, "the root and the fifth stay"
    assert {pitch + 3 for pitch in lowered} & (bright - dark)
