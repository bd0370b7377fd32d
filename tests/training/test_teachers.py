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
    """As wide, the two correlated alike, and each centred on what is its zero."""
    zeros = {"songs": (0.1, -0.2)}
    for name, scale in scales_of(songs, wanted, zeros).items():
        own = [song for song in songs if song.clip.dataset == name]
        labels = np.concatenate(
            [s.clip.labels if s.clip.dynamic else label_of(s.clip)[None] for s in own]
        )
        on_plane = scale.on_plane(labels)
        np.testing.assert_allclose(on_plane.std(axis=0), LABEL_SD, rtol=0.02)
        assert np.corrcoef(on_plane.T)[0, 1] == pytest.approx(wanted, abs=0.02)
        middle = np.array(zeros[name]) if name in zeros else labels.mean(axis=0)
        np.testing.assert_allclose(scale.on_plane(middle[None]), 0, atol=1e-9)


def test_ratings_alone_keep_their_zero(songs: list[Song]) -> None:
    """Somebody's own ratings, learnt without others, mean what they say; tags alone are centred."""
    rated = [song for song in songs if song.clip.dynamic]
    zero = np.zeros((1, 2))
    np.testing.assert_allclose(scales_of(rated, 0.2, {})["songs"].on_plane(zero), 0, atol=1e-12)
    felt = [song for song in songs if song.clip.dataset == "felt"]
    both = scales_of([*rated, *felt], 0.2, {})
    assert abs(both["songs"].on_plane(zero)).max() > 0.01
    mean = np.mean([label_of(song.clip) for song in felt], axis=0)[None]
    np.testing.assert_allclose(scales_of(felt, 0.2, {})["felt"].on_plane(mean), 0, atol=1e-9)


def test_zero_is_between_the_sides(songs: list[Song]) -> None:
    """Every corpus's zero lies where its teacher puts the middle of clips judged by quadrant.

    Without such clips nothing is known of it.
    """
    known = [song for song in songs if song.clip.emotional]
    taught = teach(known, 0.2)
    assert taught.zeros.keys() == set(taught.corpora)
    # The teacher of the clips' own tags puts them where the tags are, in the mean of both sides.
    clips = [song for song in known if song.clip.sides is not None]
    tags, sides = (np.array([getattr(s.clip, kind) for s in clips]) for kind in ("tags", "sides"))
    for axis in range(2):
        by_side = [tags[sides[:, axis] == side, axis].mean() for side in (0, 1)]
        assert by_side[0] < taught.zeros["clips"][axis] < by_side[1]
    without = [song for song in known if song.clip.sides is None]
    assert teach(without, 0.2).zeros == {}


def test_errors_elsewhere_are_larger(songs: list[Song]) -> None:
    """A teacher's errors on other corpora are told as a multiple of those at home: 1 or more."""
    widening = teach(songs, 0.2).widening
    assert all(1 <= factor < 10 for factor in widening)
    alone = [song for song in songs if song.clip.dataset == "songs"]
    assert teach(alone, 0.2).widening == (1.0, 1.0)
    # Where another corpus's labels are turned round, a teacher errs there as much as it can.
    turned = [
        dataclasses.replace(song, clip=dataclasses.replace(song.clip, labels=-song.clip.labels))
        if song.clip.dynamic
        else song
        for song in songs
    ]
    assert all(a > b for a, b in zip(teach(turned, 0.2).widening, widening, strict=True))
