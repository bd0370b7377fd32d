"""Augmentation: what it changes, what it leaves alone, and what it never makes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.training.augmentation import Augmentation, AugmentationConfig, hertz, mel
from streamer.training.batches import Batches
from streamer.training.material import Song
from streamer.training.recipe import Recipe

NOTHING = AugmentationConfig(
    equaliser=0, loudspeaker=0, noise=0, reverberation=0, pitch=0, clipping=0, mask=0
)
CHANGES = {
    "equaliser": "equalise",
    "loudspeaker": "equalise",
    "noise": "add_noise",
    "reverberation": "reverberate",
    "pitch": "shift_pitch",
    "clipping": "clip",
    "mask": "mask",
}


def bands(seed: int, batch: int = 5, time: int = 40) -> np.ndarray:
    """Log bands that move as music's do, down to the floor."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 0.8, (batch, time, 16)), axis=1)
    return (walk - 6 + random.normal(0, 2, 16)).astype(np.float32)


@given(seed=st.integers(0, 10_000), time=st.integers(1, 60))
def test_shapes_and_finite_numbers(recipe: Recipe, seed: int, time: int) -> None:
    """All changes at once, to sequences of any length, keep shape and type and stay finite."""
    everything = dataclasses.replace(NOTHING, **dict.fromkeys(CHANGES, 1.0))
    before = bands(seed, 3, time)
    kept = before.copy()
    after = Augmentation(everything, recipe.features).apply(before, np.random.default_rng(seed))
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert np.isfinite(after).all()
    assert np.array_equal(before, kept)


def test_nothing_is_changed_when_nothing_is_asked_for(recipe: Recipe) -> None:
    """With every probability 0 the bands come out as they went in (a rounding of 32 bits)."""
    before = bands(1)
    after = Augmentation(NOTHING, recipe.features).apply(before, np.random.default_rng(1))
    np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_changes_what_it_is_asked_for(recipe: Recipe, name: str) -> None:
    """At probability 1 every sequence is changed, by that change alone, each in its own way."""
    config = dataclasses.replace(NOTHING, **{name: 1.0})
    augmentation = Augmentation(config, recipe.features)
    before = bands(2)
    after = getattr(augmentation, CHANGES[name])(before, np.random.default_rng(2))
    moved = np.abs(after - before).max(axis=(1, 2))
    assert (moved > 0.05).all()
    assert len(set(moved.tolist())) == len(moved)
    again = augmentation.apply(before, np.random.default_rng(2))
    assert np.array_equal(again, augmentation.apply(before, np.random.default_rng(2)))
    half = dataclasses.replace(NOTHING, **{name: 0.5})
    many = bands(3, 200, 8)
    out = getattr(Augmentation(half, recipe.features), CHANGES[name])(
        many, np.random.default_rng(3)
    )
    share = (np.abs(out - many).max(axis=(1, 2)) > 1e-3).mean()
    assert 0.35 < share < 0.65


@given(seed=st.integers(0, 10_000))
def test_a_filter_leaves_the_differences_between_frames(recipe: Recipe, seed: int) -> None:
    """An equaliser and a loudspeaker add one curve to every frame: movement stays as it was."""
    config = dataclasses.replace(NOTHING, equaliser=1.0, loudspeaker=1.0)
    before = bands(seed)
    after = Augmentation(config, recipe.features).equalise(before, np.random.default_rng(seed))
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(np.diff(after, axis=1), np.diff(before, axis=1), atol=1e-4)


@given(seed=st.integers(0, 10_000))
def test_noise_and_rooms_only_fill(recipe: Recipe, seed: int) -> None:
    """Noise adds power and takes none; a room's tail never reaches back in time."""
    random = np.random.default_rng
    noisy = Augmentation(dataclasses.replace(NOTHING, noise=1.0), recipe.features)
    before = bands(seed)
    assert (noisy.add_noise(before, random(seed)) >= before - 1e-5).all()
    room = Augmentation(dataclasses.replace(NOTHING, reverberation=1.0), recipe.features)
    changed = before.copy()
    changed[:, 20:] = changed[:, :20]
    whole = room.reverberate(before, random(seed))
    # The loudest moment sets where rounding begins: it is kept in the first half.
    peak = np.float32(30.0)
    before[:, 0, 0] = changed[:, 0, 0] = peak
    whole, other = (room.reverberate(b, random(seed)) for b in (before, changed))
    np.testing.assert_allclose(whole[:, :20], other[:, :20], atol=1e-5)
    assert np.abs(whole[:, 20:] - other[:, 20:]).max() > 0.01


def test_mel_and_back() -> None:
    """The formula of python_speech_features and its inverse."""
    hz = np.array([0.0, 30.0, 700.0, 8000.0])
    np.testing.assert_allclose(hertz(mel(hz)), hz, atol=1e-9)
    assert mel(700.0) == pytest.approx(2595 * np.log10(2))


def test_batches_are_what_they_say(recipe: Recipe, songs: list[Song]) -> None:
    """Labelled songs first, then clips; targets are the labels at the frames' ends."""
    plain = dataclasses.replace(recipe, augmentation=dataclasses.replace(NOTHING, stretch=0.0))
    batches = Batches(songs, plain, None)
    assert batches.per_epoch == 6
    found = list(batches.epoch(np.random.default_rng(0)))
    assert len(found) == 6
    length = round(3.0 / 0.05) - 1
    for batch in found:
        assert batch.bands.shape == (4, length, 16)
        assert (batch.dynamic, batch.targets.shape) == (2, (4, length, 2))
        assert batch.sides.shape == batch.tags.shape == (2, 2)
        assert set(batch.sides.ravel().tolist()) <= {0.0, 1.0}
        assert (batch.weights[:, :10] == 0).all()  # half a second to settle
        assert (batch.weights[:, 20:50] == 1).all()
        assert batch.taught is None
        for sequence, target in zip(batch.bands[:2], batch.targets[:2], strict=True):
            song, first = place_of(sequence, songs)
            ends = song.ends[first : first + length]
            for axis in range(2):
                truth = np.interp(ends, song.clip.times, song.clip.labels[:, axis])
                np.testing.assert_allclose(target[:, axis], truth, atol=1e-5)
    # Each song with labels comes up once in an epoch.
    seen = [place_of(s, songs)[0].clip.song for batch in found for s in batch.bands[:2]]
    assert len(set(seen)) == 12


def place_of(sequence: np.ndarray, songs: list[Song]) -> tuple[Song, int]:
    """The song that a sequence was cut from, and its first frame there."""
    for song in songs:
        for first in range(max(1, len(song.bands) - len(sequence) + 1)):
            stretch = song.bands[first : first + len(sequence)].astype(np.float32)
            if stretch.shape == sequence.shape and np.allclose(stretch, sequence, atol=1e-3):
                return song, first
    raise AssertionError("the sequence is of no song")
