"""Teachers: what they know, and what they are not told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamer.training.facts import facts_of
from streamer.training.labels import LABEL_SD, label_of, scales_of
from streamer.training.material import Song, chroma_of
from streamer.training.recipe import Recipe
from streamer.training.teachers import teach


def test_teachers_know_other_songs(songs: list[Song]) -> None:
    """A word of each corpus on every song with labels, which agrees with labels it never saw."""
    taught = teach(songs, 0.2)
    known = [song for song in songs if song.clip.emotional]
    assert taught.corpora == ("clips", "felt", "songs")
    assert taught.words.keys() == {(song.clip.dataset, song.clip.song) for song in known}
    said = np.array([taught.words[song.clip.dataset, song.clip.song] for song in known])
    assert said.shape == (len(known), 6)
    home = np.array([taught.corpora.index(song.clip.dataset) for song in known])
    of_songs = home == taught.corpora.index("songs")
    truth = np.array([label_of(s.clip)[1] for s in known if s.clip.dataset == "songs"])
    assert np.corrcoef(said[of_songs, 5], truth)[0, 1] > 0.5
    agreed = np.array([taught.consensus[song.clip.dataset, song.clip.song] for song in known])
    assert agreed.shape == (len(known), 2)
    assert agreed.std() > 0.05


def test_a_teacher_is_not_shown_what_it_is_asked(songs: list[Song]) -> None:
    """A song's own labels turn the words on others, and its own only by the corpus's scale."""
    some = [song for song in songs if song.clip.dataset == "songs"]
    lied = dataclasses.replace(some[0].clip, labels=-some[0].clip.labels)
    changed = [dataclasses.replace(some[0], clip=lied), *some[1:]]
    before, after = teach(some, 0.2).words, teach(changed, 0.2).words
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    assert teach(some, 0.2).words.keys() == before.keys()


def test_without_labels_there_is_nothing_to_teach(songs: list[Song]) -> None:
    """Sounds alone have no teachers."""
    noises = [song for song in songs if not song.clip.emotional]
    assert noises
    assert teach(noises, 0.2).words == {}


def test_facts_do_not_hear_the_volume(recipe: Recipe, songs: list[Song]) -> None:
    """The same clip 20 dB softer has the same facts, but for half precision."""
    song, chroma = songs[0], chroma_of(recipe.features)
    assert chroma is not None
    rows, _ = chroma.rows(song.tones.astype(float), chroma.initial())
    softer = (song.bands.astype(float) - 4.6).astype(np.float16)
    loud, soft = (facts_of(bands, rows, recipe.features) for bands in (song.bands, softer))
    assert loud.std() > 0.1
    np.testing.assert_allclose(soft, loud, atol=0.1)


@pytest.mark.parametrize("turn", [1, 5, 11])
def test_facts_do_not_hear_the_key(recipe: Recipe, songs: list[Song], turn: int) -> None:
    """The same chroma some semitones higher has the same facts."""
    song, chroma = songs[0], chroma_of(recipe.features)
    assert chroma is not None
    rows, _ = chroma.rows(song.tones.astype(float), chroma.initial())
    turned = rows.copy()
    turned[:, :12] = np.roll(rows[:, :12], turn, axis=1)
    assert not np.array_equal(turned, rows)
    same = facts_of(song.bands, turned, recipe.features)
    np.testing.assert_allclose(same, facts_of(song.bands, rows, recipe.features), atol=1e-6)


@pytest.mark.parametrize("wanted", [0.0, 0.25])
def test_corpora_come_to_one_plane(songs: list[Song], wanted: float) -> None:
    """As wide, the two correlated alike; ratings keep their zero, the rest is centred."""
    for name, scale in scales_of(songs, wanted).items():
        own = [song for song in songs if song.clip.dataset == name]
        labels = np.concatenate(
            [s.clip.labels if s.clip.dynamic else label_of(s.clip)[None] for s in own]
        )
        on_plane = scale.on_plane(labels)
        np.testing.assert_allclose(on_plane.std(axis=0), LABEL_SD, rtol=0.02)
        assert np.corrcoef(on_plane.T)[0, 1] == pytest.approx(wanted, abs=0.02)
        if not scale.rated:
            np.testing.assert_allclose(on_plane.mean(axis=0), 0, atol=1e-9)
