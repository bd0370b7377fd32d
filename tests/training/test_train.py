"""From songs to a model directory, whatever interrupts it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")


from streamer.errors import DatasetError, StreamerError
from streamer.network.model import load_model
from streamer.training.calibration import judge
from streamer.training.dataset import Clip, read_dataset
from streamer.training.fit import Fitted, Report, fit
from streamer.training.labels import scales_of
from streamer.training.material import Rows, Song, prepare, samples_of
from streamer.training.out_of_fold import listen_to
from streamer.training.recipe import Recipe
from streamer.training.teachers import teach
from streamer.training.train import inner_split, train


class KilledError(Exception):
    pass


def fitted(
    recipe: Recipe, songs: list[Song], seed: int, checkpoint: Path, report: Report | None = None
) -> Fitted:
    """A run with a checkpoint."""
    return fit(
        recipe,
        songs,
        seed=seed,
        scales=scales_of(songs, 0.2, {}),
        teachings=teach(songs, 0.2),
        checkpoint=checkpoint,
        report=report,
    )


@pytest.fixture(scope="module")
def taught(recipe: Recipe) -> Recipe:
    """The recipe, a little shorter."""
    return dataclasses.replace(recipe, fit=dataclasses.replace(recipe.fit, epochs=2))


@pytest.fixture(scope="module")
def trained(taught: Recipe, songs: list[Song], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory."""
    directory = tmp_path_factory.mktemp("trained") / "my-model"
    told: list[tuple[int, int]] = []
    model = train(taught, songs, directory, seed=3, report=lambda *said: told.append(said[:2]))
    assert told == [(1, 2), (2, 2)]
    assert model.name == "my-model"
    return directory


def test_a_trained_directory_loads_and_lists_its_songs(
    trained: Path, songs: list[Song], clips: list[Clip], taught: Recipe
) -> None:
    """Config and weights, nothing unfinished; the songs by dataset, those calibrated on too."""
    assert sorted(path.name for path in trained.iterdir()) == ["config.json", "weights.safetensors"]
    model = load_model(trained)
    for dataset in ("songs", "clips", "felt", "sounds"):
        known = {clip.song for clip in clips if clip.dataset == dataset and clip.learnt}
        assert set(model.config.songs[dataset]) == known
        assert len(known) == len(model.config.songs[dataset])
    assert model.config.features == taught.features
    assert model.config.silence_db == taught.silence_db
    assert model.config.music == taught.music
    assert model.config.calibration.arousal.sd_scale != 1
    heard = listen_to(model, samples_of(songs[0].clip.path, 16_000))
    assert heard.outputs.shape == (len(songs[0].bands), 4)
    assert heard.outputs[:, :2].std() > 0


def test_teachers_are_heard(
    taught: Recipe, trained: Path, songs: list[Song], tmp_path: Path
) -> None:
    """Without their word the same seed comes to other weights."""
    alone = dataclasses.replace(taught, loss=dataclasses.replace(taught.loss, teachers=0.0))
    weights = train(alone, songs, tmp_path / "alone", seed=3).weights
    assert not np.array_equal(weights["head.weight"], load_model(trained).weights["head.weight"])


def test_deviations_are_as_wide_as_the_recipe_says(
    taught: Recipe, trained: Path, songs: list[Song], tmp_path: Path
) -> None:
    """By the same factor on both axes, and nothing else is other: estimates stay as they are."""
    wide = dataclasses.replace(taught, fit=dataclasses.replace(taught.fit, widened=1.25))
    before, after = load_model(trained), train(wide, songs, tmp_path / "wide", seed=3)
    assert np.array_equal(after.weights["head.weight"], before.weights["head.weight"])
    for axis in ("valence", "arousal"):
        narrow, wider = (getattr(m.config.calibration, axis) for m in (before, after))
        assert wider.scale == narrow.scale
        assert wider.sd_scale == pytest.approx(1.25 * narrow.sd_scale, abs=2e-6)


def test_training_and_listening_hear_the_same(
    trained: Path, songs: list[Song], taught: Recipe
) -> None:
    """What training feeds and what a live tracker feeds give the same estimates, to float16."""
    model = load_model(trained)
    for song in songs[:3]:
        live = listen_to(model, samples_of(song.clip.path, 16_000))
        offline = judge(model, Rows(taught), song)
        np.testing.assert_allclose(live.times, song.ends)
        np.testing.assert_allclose(live.music, offline[:, 4], atol=0.02)
        sure = live.judged
        np.testing.assert_allclose(live.outputs[sure], offline[sure, :4], atol=0.02)


def test_a_run_that_was_killed_goes_on(
    trained: Path, taught: Recipe, songs: list[Song], tmp_path: Path
) -> None:
    """Killed after an epoch, then resumed: the same weights and calibration."""

    def report(done: int, total: int, loss: float) -> None:
        raise KilledError

    directory = tmp_path / "my-model"
    with pytest.raises(KilledError):
        train(taught, songs, directory, seed=3, report=report)
    assert (directory / "unfinished").is_dir()
    with pytest.raises(DatasetError, match="holds an unfinished run: give --resume"):
        train(taught, songs, directory, seed=3)
    with pytest.raises(StreamerError):
        load_model(directory)
    train(taught, songs, directory, seed=3, resume=True)
    for name in ("config.json", "weights.safetensors"):
        assert (directory / name).read_bytes() == (trained / name).read_bytes()
    # Asked once more, the finished model is given as it is.
    stamp = (directory / "config.json").stat().st_mtime_ns
    train(taught, songs, directory, seed=3, resume=True)
    assert (directory / "config.json").stat().st_mtime_ns == stamp


def test_a_checkpoint_of_another_run_is_refused(
    recipe: Recipe, songs: list[Song], tmp_path: Path
) -> None:
    """Resuming with another recipe, seed or other songs is told, and not silently mixed."""
    checkpoint = tmp_path / "network.pt"

    def stop(done: int, total: int, loss: float) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        fitted(recipe, songs, 1, checkpoint, stop)
    longer = dataclasses.replace(recipe, fit=dataclasses.replace(recipe.fit, epochs=4))
    for other, some, seed in ((longer, songs, 1), (recipe, songs[1:], 1), (recipe, songs, 2)):
        with pytest.raises(DatasetError, match=r"network\.pt is of another run"):
            fitted(other, some, seed, checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(DatasetError, match=r"network\.pt is damaged"):
        fitted(recipe, songs, 1, checkpoint)


def test_songs_kept_back_are_kept_together(songs: list[Song]) -> None:
    """The inner split goes by group and seed, takes about its share, and no sound without label."""
    learnt, back = inner_split(songs, 0.4, 0)
    assert len(learnt) + len(back) == len(songs)
    assert back
    assert all(song.clip.emotional for song in back)
    again = inner_split(songs[::-1], 0.4, 0)[1]
    assert {song.clip.song for song in again} == {song.clip.song for song in back}
    others = inner_split(songs, 0.4, 1)[1]
    assert {song.clip.song for song in others} != {song.clip.song for song in back}
    assert inner_split(songs, 0.0, 0)[1] == []


def test_nothing_to_learn_from(recipe: Recipe, songs: list[Song], tmp_path: Path) -> None:
    """No songs at all, or none with labels, are a sentence."""
    noises = [song for song in songs if not song.clip.emotional]
    assert noises
    for some in ([], noises):
        with pytest.raises(DatasetError, match="no songs with labels to train on"):
            train(recipe, some, tmp_path / "model", seed=0)


# Features.


def test_features_are_kept_between_runs(
    clips: list[Clip], recipe: Recipe, tmp_path: Path, songs: list[Song]
) -> None:
    """A second run reads what the first left; another hop is another file; the same bands."""
    told: list[tuple[int, int]] = []
    some = clips[:3]
    first = prepare(some, recipe, tmp_path, lambda *t: told.append(t), processes=1)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len(list(tmp_path.iterdir())) == 9  # the clip, a distorted take, and facts
    told.clear()
    second = prepare(some, recipe, tmp_path, lambda *t: told.append(t))
    assert told == []
    for a, b, c in zip(first, second, songs, strict=False):
        assert np.array_equal(a.bands, b.bands)
        assert np.array_equal(a.bands, c.bands)
        np.testing.assert_allclose(np.diff(a.ends), 0.05)
        assert a.ends[0] == 0.1
    finer = dataclasses.replace(recipe, features=dataclasses.replace(recipe.features, hop=400))
    assert len(prepare(some, finer, tmp_path, processes=2)[0].bands) > 1.9 * len(first[0].bands)
    assert len(list(tmp_path.iterdir())) == 18


def test_a_dataset_that_was_moved_is_not_heard_again(
    sounds: Path, recipe: Recipe, tmp_path: Path
) -> None:
    """Features are kept by what a file holds: a copy elsewhere, written later, adds none.

    A file of the same name with another sample in its middle adds its own; one that is gone is
    named.
    """
    cache, moved = tmp_path / "cache", tmp_path / sounds.name
    known = prepare(read_dataset(sounds).clips, recipe, cache, processes=1)
    kept = set(cache.iterdir())
    shutil.copytree(sounds, moved, copy_function=shutil.copyfile)
    again = prepare(read_dataset(moved).clips, recipe, cache, processes=1)
    assert set(cache.iterdir()) == kept
    for before, after in zip(known, again, strict=True):
        np.testing.assert_array_equal(before.bands, after.bands)
    import soundfile

    clips = read_dataset(moved).clips
    samples, rate = soundfile.read(clips[0].path)
    samples[len(samples) // 2] += 0.01
    soundfile.write(clips[0].path, samples, rate)
    prepare(clips, recipe, cache, processes=1)
    assert set(cache.iterdir()) > kept
    clips[0].path.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        prepare(clips, recipe, cache, processes=1)


def test_a_clip_that_cannot_be_heard(clips: list[Clip], recipe: Recipe, tmp_path: Path) -> None:
    """A broken or too short sound file is named."""
    import soundfile

    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(100, np.float32), 16_000)
    with pytest.raises(DatasetError, match="shorter than one frame"):
        prepare(
            [dataclasses.replace(clips[0], path=short)],
            recipe,
            tmp_path / "c",
            processes=1,
        )
    short.write_bytes(b"no sound")
    with pytest.raises(DatasetError, match=r"short\.wav is not sound"):
        prepare(
            [dataclasses.replace(clips[0], path=short)],
            recipe,
            tmp_path / "c",
            processes=1,
        )


def test_a_clip_of_which_a_part_is_missing(
    clips: list[Clip], recipe: Recipe, tmp_path: Path
) -> None:
    """Labels of what cannot be heard are not learnt in silence, and no loss shifts those behind it.

    Of several such clips one is named, the others are counted; the whole ones are kept in the
    cache.
    """
    import soundfile

    cut, worse, holed = tmp_path / "cut.flac", tmp_path / "worse.flac", tmp_path / "holed.wav"
    sound = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    soundfile.write(cut, sound, 16_000)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    shutil.copyfile(cut, worse)
    sound[4_000:8_000] = np.nan
    soundfile.write(holed, sound, 16_000, subtype="FLOAT")
    heard = samples_of(holed, 16_000)
    assert len(heard) == 32_000
    assert not heard[4_000:8_000].any()
    np.testing.assert_array_equal(heard[8_000:], sound[8_000:])

    given = [dataclasses.replace(clips[0], path=path) for path in (cut, holed, worse)]
    with pytest.raises(DatasetError, match=r"cut\.flac breaks off after .* \(and 1 more clip"):
        prepare(given, recipe, tmp_path / "c", processes=1)
    assert len(prepare(given[1:2], recipe, tmp_path / "c", processes=1)) == 1
