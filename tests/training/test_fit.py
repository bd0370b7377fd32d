"""Fitting: the same seed, the same weights; interrupted and resumed, the same again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from streamer.errors import DatasetError, StreamerError
from streamer.network.config import NetworkConfig
from streamer.network.model import Model, load_model
from streamer.training.batches import Batches
from streamer.training.calibration import calibrated, judge
from streamer.training.dataset import Clip
from streamer.training.fit import Fitted, Rows, fit
from streamer.training.listening import listen_to, samples_of
from streamer.training.loss import Loss, discordance
from streamer.training.material import Song, prepare
from streamer.training.metrics import ccc
from streamer.training.recipe import LossConfig, Recipe, TeacherConfig
from streamer.training.teachers import statistics, whole_clip_words
from streamer.training.train import inner_split, train


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Sums in another order would be other sums."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def fitted(recipe: Recipe, songs: list[Song]) -> Fitted:
    """A network after three epochs."""
    return fit(recipe, songs, seed=1)


def assert_same(left: Fitted, right: Fitted) -> None:
    assert left.weights.keys() == right.weights.keys()
    for name, array in left.weights.items():
        assert array.tobytes() == right.weights[name].tobytes(), name
    assert left.normalisation == right.normalisation


def test_the_weights_are_those_that_the_configuration_tells_of(
    fitted: Fitted, recipe: Recipe
) -> None:
    """Names and shapes as PyTorch has them, finite float32, and not where they began."""
    assert {name: array.shape for name, array in fitted.weights.items()} == recipe.network.shapes()
    for array in fitted.weights.values():
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert array.std() > 0
    assert len(fitted.normalisation.mean) == recipe.features.coefficients


def test_the_same_seed_gives_the_same_weights(
    fitted: Fitted, recipe: Recipe, songs: list[Song]
) -> None:
    """Bit for bit; another seed gives others."""
    torch.rand(3)  # what chance others have used has no say
    assert_same(fit(recipe, songs, seed=1), fitted)
    other = fit(recipe, songs, seed=2)
    assert not np.array_equal(other.weights["head.weight"], fitted.weights["head.weight"])


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2])
def test_interrupted_and_resumed_is_the_same(
    fitted: Fitted, recipe: Recipe, songs: list[Song], tmp_path: Path, after: int
) -> None:
    """Stopped after an epoch and taken up again, the weights are those of an undisturbed run."""
    checkpoint = tmp_path / "network.pt"

    def stop(done: int, total: int, loss: float) -> None:
        assert total == 3
        assert np.isfinite(loss)
        if done == after:
            raise KilledError

    with pytest.raises(KilledError):
        fit(recipe, songs, seed=1, checkpoint=checkpoint, report=stop)
    torch.rand(5)
    epochs = []
    again = fit(
        recipe, songs, seed=1, checkpoint=checkpoint, report=lambda *told: epochs.append(told[0])
    )
    assert epochs == list(range(after + 1, 4))
    assert_same(again, fitted)
    assert [path.name for path in tmp_path.iterdir()] == ["network.pt"]


def test_the_loss_falls(recipe: Recipe, songs: list[Song]) -> None:
    """In twelve epochs the network learns what the songs were synthesised to say."""
    longer = dataclasses.replace(recipe, fit=dataclasses.replace(recipe.fit, epochs=12))
    losses: list[float] = []
    found = fit(longer, songs, seed=0, report=lambda *told: losses.append(told[2]))
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.3
    model = calibrated(longer, found, [], "learnt")
    rows = Rows(longer)
    dynamic = [song for song in songs if song.clip.sides is None]
    said = np.concatenate([judge(model, rows, song)[40:, 1] for song in dynamic])
    truth = np.concatenate(
        [np.interp(s.ends[40:], s.clip.times, s.clip.labels[:, 1]) for s in dynamic]
    )
    assert ccc(said, truth) > 0.5


def test_songs_of_one_kind_are_enough(recipe: Recipe, songs: list[Song]) -> None:
    """Labels in time alone, or quadrants alone, can be learnt from."""
    for kind in (True, False):
        some = [song for song in songs if (song.clip.sides is None) == kind]
        found = fit(recipe, some, seed=0)
        assert all(np.isfinite(array).all() for array in found.weights.values())


def test_a_batch_without_a_label_teaches_nothing(recipe: Recipe, songs: list[Song]) -> None:
    """Where no frame counts the loss is a number, and its gradient too."""
    loss = Loss(recipe.loss)
    outputs = torch.rand(4, 20, 4, requires_grad=True)
    nothing = torch.zeros(4, 20)
    found = loss(
        outputs + 0.1, torch.zeros(4, 20, 2), nothing, torch.ones(2, 2), torch.rand(2, 2), None
    )
    assert torch.isfinite(found)
    found.backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


def test_crops_lie_where_the_labels_are(recipe: Recipe, songs: list[Song]) -> None:
    """A song whose labels begin late (as DEAM's own files' do) is cut where they are."""
    song = max(songs, key=lambda song: len(song.clip.times))
    late = song.clip.times > 5
    clip = dataclasses.replace(
        song.clip, times=song.clip.times[late], labels=song.clip.labels[late]
    )
    some = [Song(clip, song.bands, song.ends)] * 4
    for batch in Batches(some, recipe, None).epoch(np.random.default_rng(0)):
        assert (batch.weights.sum(axis=1) > 5).all()


def test_a_loss_beyond_all_numbers_is_told(recipe: Recipe, songs: list[Song]) -> None:
    """Labels that are no numbers would give weights that are none: the run stops instead."""
    clip = dataclasses.replace(songs[0].clip, labels=np.full_like(songs[0].clip.labels, np.nan))
    spoilt = [Song(clip, songs[0].bands, songs[0].ends)] * 4
    with pytest.raises(DatasetError, match="loss nan in epoch 1: lower"):
        fit(recipe, spoilt, seed=0)


# Calibration.


def toy(recipe: Recipe, songs: list[Song], scale: float, sd: float) -> Fitted:
    """A network that says ``scale`` times its arousal with deviations of ``sd``."""
    random = np.random.default_rng(0)
    network = recipe.network
    weights: dict[str, Any] = {
        name: random.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in network.shapes().items()
    }
    weights["head.weight"][:2] *= scale
    weights["head.weight"][2:] = 0
    weights["head.bias"] = np.array([0, 0, np.log(sd), np.log(sd)], np.float32)
    return Fitted(network, Rows(recipe).normalisation(songs), weights)


def inside(model: Model, recipe: Recipe, songs: list[Song]) -> np.ndarray:
    """The share of labels inside the 90 % intervals, for each axis."""
    found = []
    for song in songs:
        outputs = judge(model, Rows(recipe), song)
        scored = song.clip.times > 2
        index = np.searchsorted(song.ends, song.clip.times[scored] - 1e-9)
        outputs = outputs[np.minimum(index, len(outputs) - 1)]
        apart = np.abs(outputs[:, :2] - song.clip.labels[scored]) / outputs[:, 2:]
        found.append(apart <= 1.645)
    return np.concatenate(found).mean(axis=0)


@pytest.mark.parametrize("sd", [0.03, 1.2])
def test_deviations_are_made_to_hold(recipe: Recipe, songs: list[Song], sd: float) -> None:
    """A network too sure of itself is widened, one too humble narrowed, to 90 % in 90 %."""
    dynamic = [song for song in songs if song.clip.sides is None]
    made = toy(recipe, songs, 0.3, sd)
    plain = calibrated(recipe, made, [], "plain")
    for axis in (plain.config.calibration.valence, plain.config.calibration.arousal):
        assert (axis.scale, axis.offset, axis.sd_scale) == (1, 0, 1)
    before = inside(plain, recipe, dynamic)
    assert (before < 0.5).all() if sd < 0.1 else (before == 1).all()
    model = calibrated(recipe, made, songs, "calibrated")
    after = inside(model, recipe, dynamic)
    np.testing.assert_allclose(after, 0.9, atol=0.03)
    for axis in (model.config.calibration.valence, model.config.calibration.arousal):
        assert axis.sd_scale > 1.5 if sd < 0.1 else axis.sd_scale < 0.7


def test_estimates_are_brought_to_the_labels(recipe: Recipe, songs: list[Song]) -> None:
    """The mean of the estimates becomes the labels', whatever the network's own scale was."""
    dynamic = [song for song in songs if song.clip.sides is None]
    labels = np.concatenate([s.clip.labels[s.clip.times > 2] for s in dynamic])
    for scale in (0.1, 0.3):
        model = calibrated(recipe, toy(recipe, songs, scale, 0.2), songs, "calibrated")
        said = []
        for song in dynamic:
            times = song.clip.times[song.clip.times > 2]
            index = np.searchsorted(song.ends, times - 1e-9)
            said.append(judge(model, Rows(recipe), song)[np.minimum(index, len(song.ends) - 1), :2])
        np.testing.assert_allclose(
            np.concatenate(said).mean(axis=0), labels.mean(axis=0), atol=0.02
        )


# The loss.


def test_discordance_is_the_metric() -> None:
    """The loss's 1 - CCC is that of the metrics, over the weighted frames alone."""
    random = np.random.default_rng(0)
    x, y = random.normal(0, 0.3, (2, 4, 30, 2)).astype(np.float32)
    weight = (random.random((4, 30, 1)) < 0.6).astype(np.float32).repeat(2, axis=2)
    counted = weight[..., 0] > 0
    expected = sum(1 - ccc(x[..., k][counted], y[..., k][counted]) for k in range(2))
    found = discordance(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(weight))
    assert float(found) == pytest.approx(expected, abs=1e-3)


def test_a_better_answer_costs_less() -> None:
    """Nearer to the labels, surer where right, on the right side: each lowers the loss."""
    loss = Loss(LossConfig())
    random = np.random.default_rng(1)
    truth = torch.from_numpy(random.normal(0, 0.3, (6, 20, 2)).astype(np.float32))
    sides = (truth[4:].mean(1) > 0).float()
    tags = truth[4:].mean(1)
    weights = torch.ones(6, 20)

    def cost(means: torch.Tensor, sd: float) -> float:
        outputs = torch.cat([means, torch.full_like(means, sd)], dim=2)
        return float(loss(outputs, truth, weights, sides, tags, truth).detach())

    noise = torch.from_numpy(random.normal(0, 0.3, (6, 20, 2)).astype(np.float32))
    right, near, far = cost(truth, 0.1), cost(truth + 0.3 * noise, 0.1), cost(-truth, 0.1)
    assert right < near < far
    assert cost(truth, 0.05) < cost(truth, 0.5)
    assert cost(-truth, 0.5) < cost(-truth, 0.05)


# Teachers.


def test_whole_clip_teachers_know_other_songs(recipe: Recipe, songs: list[Song]) -> None:
    """One word a clip, repeated for each frame, that agrees with labels never shown for it."""
    pytest.importorskip("sklearn", reason="teachers need scikit-learn")
    words = whole_clip_words(recipe, songs)
    assert words.keys() == {(song.clip.dataset, song.clip.song) for song in songs}
    said, truth = [], []
    for song in songs:
        word = words[song.clip.dataset, song.clip.song]
        assert word.shape == (len(song.bands), 2)
        assert word.dtype == np.float32
        assert (word == word[0]).all()
        if song.clip.sides is None:
            said.append(word[0])
            truth.append(song.clip.labels.mean(axis=0))
    assert np.corrcoef(np.array(said)[:, 1], np.array(truth)[:, 1])[0, 1] > 0.5


def test_a_teacher_is_not_shown_what_it_is_asked(recipe: Recipe, songs: list[Song]) -> None:
    """A song's own labels change nothing of what is said of it, and something of others."""
    pytest.importorskip("sklearn", reason="teachers need scikit-learn")
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


# From songs to a model directory.


@pytest.fixture(scope="module")
def taught(recipe: Recipe) -> Recipe:
    """The recipe with both kinds of teachers."""
    network: NetworkConfig = dataclasses.replace(recipe.network, lstm=4)
    return dataclasses.replace(
        recipe,
        fit=dataclasses.replace(recipe.fit, epochs=2),
        teachers=TeacherConfig(whole_clip=True, networks=2, network=network),
    )


@pytest.fixture(scope="module")
def trained(taught: Recipe, songs: list[Song], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory."""
    directory = tmp_path_factory.mktemp("trained") / "my-model"
    stages: list[str] = []

    def stage(name: str) -> None:
        stages.append(name)

    model = train(taught, songs, directory, seed=3, stage=stage)
    assert stages == ["teacher 1 of 2", "teacher 2 of 2", "network"]
    assert model.name == "my-model"
    return directory


def test_a_trained_directory_loads_and_lists_its_songs(
    trained: Path, songs: list[Song], clips: list[Clip], taught: Recipe
) -> None:
    """Config and weights, nothing unfinished; the songs by dataset, those calibrated on too."""
    assert sorted(path.name for path in trained.iterdir()) == ["config.json", "weights.safetensors"]
    model = load_model(trained)
    for dataset in ("songs", "clips"):
        known = {clip.song for clip in clips if clip.dataset == dataset}
        assert set(model.config.songs[dataset]) == known
        assert len(known) == len(model.config.songs[dataset])
    assert model.config.features == taught.features
    assert model.config.silence_db == taught.silence_db
    assert model.config.calibration.arousal.sd_scale != 1
    heard = listen_to(model, samples_of(songs[0].clip.path, 16_000))
    assert heard.outputs.shape == (len(songs[0].bands), 4)
    assert heard.outputs[:, :2].std() > 0


def test_training_and_listening_hear_the_same(
    trained: Path, songs: list[Song], taught: Recipe
) -> None:
    """What training feeds and what a live tracker feeds give the same estimates, to float16."""
    model = load_model(trained)
    for song in songs[:3]:
        live = listen_to(model, samples_of(song.clip.path, 16_000))
        offline = judge(model, Rows(taught), song)
        np.testing.assert_allclose(live.times, song.ends)
        np.testing.assert_allclose(live.outputs, offline, atol=0.02)


def test_a_run_that_was_killed_goes_on(
    trained: Path, taught: Recipe, songs: list[Song], tmp_path: Path
) -> None:
    """Killed while the second teacher learns, then resumed: the same weights and calibration."""

    def stage(name: str) -> Any:
        def report(done: int, total: int, loss: float) -> None:
            if name == "teacher 2 of 2" and done == 1:
                raise KilledError

        return report

    directory = tmp_path / "my-model"
    with pytest.raises(KilledError):
        train(taught, songs, directory, seed=3, stage=stage)
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
        fit(recipe, songs, seed=1, checkpoint=checkpoint, report=stop)
    longer = dataclasses.replace(recipe, fit=dataclasses.replace(recipe.fit, epochs=4))
    for other, some, seed in ((longer, songs, 1), (recipe, songs[1:], 1), (recipe, songs, 2)):
        with pytest.raises(DatasetError, match=r"network\.pt is of another run"):
            fit(other, some, seed=seed, checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(DatasetError, match=r"network\.pt is damaged"):
        fit(recipe, songs, seed=1, checkpoint=checkpoint)


def test_songs_kept_back_are_kept_together(songs: list[Song]) -> None:
    """The inner split goes by group and seed, takes about its share, and no quadrant clip."""
    learnt, back = inner_split(songs, 0.4, 0)
    assert len(learnt) + len(back) == len(songs)
    assert back
    assert all(song.clip.sides is None for song in back)
    again = inner_split(songs[::-1], 0.4, 0)[1]
    assert {song.clip.song for song in again} == {song.clip.song for song in back}
    others = inner_split(songs, 0.4, 1)[1]
    assert {song.clip.song for song in others} != {song.clip.song for song in back}
    assert inner_split(songs, 0.0, 0)[1] == []


def test_nothing_to_learn_from(recipe: Recipe, tmp_path: Path) -> None:
    """No songs at all are a sentence."""
    with pytest.raises(DatasetError, match="no songs to train on"):
        train(recipe, [], tmp_path / "model", seed=0)


# Features.


def test_features_are_kept_between_runs(
    clips: list[Clip], recipe: Recipe, tmp_path: Path, songs: list[Song]
) -> None:
    """A second run reads what the first left; another hop is another file; the same bands."""
    told: list[tuple[int, int]] = []
    some = clips[:3]
    first = prepare(some, recipe.features, tmp_path, lambda *t: told.append(t), processes=1)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len(list(tmp_path.iterdir())) == 3
    told.clear()
    second = prepare(some, recipe.features, tmp_path, lambda *t: told.append(t))
    assert told == []
    for a, b, c in zip(first, second, songs, strict=False):
        assert np.array_equal(a.bands, b.bands)
        assert np.array_equal(a.bands, c.bands)
        np.testing.assert_allclose(np.diff(a.ends), 0.05)
        assert a.ends[0] == 0.05
    finer = dataclasses.replace(recipe.features, hop=400)
    assert len(prepare(some, finer, tmp_path, processes=2)[0].bands) > 1.9 * len(first[0].bands)
    assert len(list(tmp_path.iterdir())) == 6


def test_a_clip_that_cannot_be_heard(clips: list[Clip], recipe: Recipe, tmp_path: Path) -> None:
    """A broken or too short sound file is named."""
    import soundfile

    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(100, np.float32), 16_000)
    with pytest.raises(DatasetError, match="shorter than one frame"):
        prepare(
            [dataclasses.replace(clips[0], path=short)],
            recipe.features,
            tmp_path / "c",
            processes=1,
        )
    short.write_bytes(b"no sound")
    with pytest.raises(DatasetError, match=r"short\.wav is not sound"):
        prepare(
            [dataclasses.replace(clips[0], path=short)],
            recipe.features,
            tmp_path / "c",
            processes=1,
        )
