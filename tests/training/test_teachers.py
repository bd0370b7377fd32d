"""Teachers: what they know, and what they are not told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamer.training.material import Song
from streamer.training.recipe import Recipe
from streamer.training.teachers import statistics, whole_clip_words

pytest.importorskip("sklearn", reason="teachers need scikit-learn")


def labelled(songs: list[Song]) -> list[Song]:
    """The songs with labels in time: those that teachers speak of."""
    return [song for song in songs if song.clip.sides is None]


def test_whole_clip_teachers_know_other_songs(recipe: Recipe, songs: list[Song]) -> None:
    """One word a clip, repeated for each frame, that agrees with labels never shown for it."""
    songs = labelled(songs)
    words = whole_clip_words(recipe, songs)
    assert words.keys() == {(song.clip.dataset, song.clip.song) for song in songs}
    said, truth = [], []
    for song in songs:
        word = words[song.clip.dataset, song.clip.song]
        assert word.shape == (len(song.bands), 2)
        assert word.dtype == np.float32
        assert (word == word[0]).all()
        said.append(word[0])
        truth.append(song.clip.labels.mean(axis=0))
    assert np.corrcoef(np.array(said)[:, 1], np.array(truth)[:, 1])[0, 1] > 0.5


def test_a_teacher_is_not_shown_what_it_is_asked(recipe: Recipe, songs: list[Song]) -> None:
    """A song's own labels change nothing of what is said of it, and something of others."""
    songs = labelled(songs)
    first = songs[0]
    lied = dataclasses.replace(first.clip, labels=-first.clip.labels)
    changed = [Song(lied, first.bands, first.ends), *songs[1:]]
    before, after = whole_clip_words(recipe, songs), whole_clip_words(recipe, changed)
    key = (first.clip.dataset, first.clip.song)
    assert np.array_equal(before[key], after[key])
    assert any(not np.array_equal(before[other], after[other]) for other in before)


def test_statistics_do_not_hear_the_volume(recipe: Recipe, songs: list[Song]) -> None:
    """The same clip 20 dB softer has the same statistics, but for half precision."""
    song = songs[0]
    softer = Song(song.clip, (song.bands.astype(float) - 4.6).astype(np.float16), song.ends)
    loud, soft = statistics(recipe, song), statistics(recipe, softer)
    assert loud.std() > 0.1
    np.testing.assert_allclose(soft, loud, atol=0.1)
