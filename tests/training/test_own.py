"""A listener's own labels: how far a model goes for them, and that it stays what it was."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from annotated_music import FEW_SONGS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jsonschema import Draft202012Validator

pytest.importorskip("torch", reason="training needs the extra `train`")

from streamer.cli.main import main
from streamer.errors import DatasetError
from streamer.network.config import AxisCalibration, Calibration
from streamer.network.model import Model, load_model
from streamer.training import figures
from streamer.training.calibration import Told, own_calibration
from streamer.training.crossval import rounded, write_metrics
from streamer.training.fit import fit
from streamer.training.labels import Scale
from streamer.training.material import Song
from streamer.training.out_of_fold import read_table
from streamer.training.own import JUDGES, SURE, choice_of, own_recipe, own_scales, train_from
from streamer.training.recipe import Recipe
from streamer.training.teachers import teach
from streamer.training.train import train

#: A schedule for a network that learns in a moment.
SHORT = {
    "fit.epochs": 2,
    "fit.steps": 3,
    "fit.batch": 4,
    "fit.crop_s": 3.0,
    "acoustics.takes": 1,
}
OPTIONS = [word for name, value in SHORT.items() for word in ("--set", f"{name}={value}")]


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def start(recipe: Recipe, songs: list[Song], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that never heard the songs with labels in time."""
    others = [song for song in songs if song.clip.dataset != "songs"]
    directory = tmp_path_factory.mktemp("start") / "base"
    brief = dataclasses.replace(recipe, fit=dataclasses.replace(recipe.fit, epochs=1))
    train(brief, others, directory, seed=2)
    return directory


@pytest.fixture(scope="module")
def rated(songs: list[Song]) -> list[Song]:
    """The songs with labels in time: somebody's own."""
    return [song for song in songs if song.clip.dynamic]


@pytest.fixture(scope="module")
def own(excerpts: Path, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command makes of them."""
    out = Path(tmp_path_factory.mktemp("own")) / "mine"
    command = ["train", str(excerpts), "--from", str(start), "--out", str(out), "--seed", "1"]
    assert main([*command, *OPTIONS]) == 0
    return out


def test_the_model_stays_what_it_was(own: Path, start: Path) -> None:
    """Features, sizes, normalisation and gate are the model's; its songs and the own are named."""
    made, begun = load_model(own).config, load_model(start).config
    for name in ("features", "volume", "network", "normalisation", "music", "silence_db"):
        assert getattr(made, name) == getattr(begun, name), name
    assert set(made.songs) == {*begun.songs, "songs"}
    assert made.songs["clips"] == begun.songs["clips"]
    assert len(made.songs["songs"]) == FEW_SONGS
    assert not (own / "unfinished").exists()


def test_every_judge_answers_for_every_label(own: Path) -> None:
    """The figures follow from the table, where all three judge the same labels once."""
    rows = read_table(own / "own.csv.gz")
    asked = {
        name: sorted((row.song, row.t) for row in rows if row.predictor == name) for name in JUDGES
    }
    assert len(asked[JUDGES[0]]) == FEW_SONGS * 14
    assert asked[JUDGES[0]] == asked[JUDGES[1]] == asked[JUDGES[2]]
    record = json.loads((own / "metrics.json").read_text())
    schema = json.loads(
        resources.files("streamer.training").joinpath("metrics.schema.json").read_text("utf-8")
    )
    Draft202012Validator(schema).validate(record)
    judged = record["own"]["songs"][str(FEW_SONGS)]
    assert list(judged) == list(JUDGES)
    assert judged == json.loads(json.dumps(rounded(figures.own(rows))))
    assert all("ccc" in entry["valence"] for entry in judged.values())


def test_the_table_is_printed(
    excerpts: Path, start: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A line for each judge on standard output; what was done on standard error."""
    out = tmp_path / "mine"
    command = ["train", str(excerpts), "--from", str(start), "--out", str(out), *OPTIONS]
    assert main(command) == 0
    said = capfd.readouterr()
    lines = said.out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == list(JUDGES)
    assert "valence CCC" in lines[0]
    assert f"{out}: " in said.err
    assert "base" in said.err
    stamp = (out / "config.json").stat().st_mtime_ns
    assert main([*command, "--resume"]) == 0
    assert "finished before" in capfd.readouterr().err
    assert (out / "config.json").stat().st_mtime_ns == stamp
    # What it knows by now is told before it is judged by it.
    assert main(["train", str(excerpts), "--from", str(out), "--out", f"{out}2", *OPTIONS]) == 0
    assert f"mine was trained on {FEW_SONGS} of these songs" in capfd.readouterr().err


@pytest.mark.parametrize("after", [3, 9])
def test_a_run_that_was_killed_goes_on(
    own: Path, start: Path, rated: list[Song], tmp_path: Path, after: int
) -> None:
    """Killed in a fold and resumed: the same model and table; unasked, it is not written over."""
    model = load_model(start)
    recipe = own_recipe(model, SHORT)

    def stop(done: int, total: int, loss: float) -> None:
        assert 0 < done <= total
        assert np.isfinite(loss)
        if done == after:
            raise KilledError

    directory = tmp_path / "mine"
    with pytest.raises(KilledError):
        train_from(recipe, model, rated, directory, seed=1, report=stop)
    with pytest.raises(DatasetError, match="holds an unfinished run: give --resume"):
        train_from(recipe, model, rated, directory, seed=1)
    told: list[int] = []
    made = train_from(
        recipe,
        model,
        rated,
        directory,
        seed=1,
        resume=True,
        report=lambda *now: told.append(now[0]),
    )
    assert min(told) > (after - 1) // 2 * 2
    for name in ("config.json", "weights.safetensors"):
        assert (directory / name).read_bytes() == (own / name).read_bytes()
    assert len(made.rows) == len(read_table(own / "own.csv.gz"))


def moved(start: Model, songs: list[Song], **changes: float) -> dict[str, float]:
    """How far each tensor goes from the model's in the root mean square."""
    recipe = own_recipe(start, SHORT | changes)
    said = fit(
        recipe, songs, seed=0, scales=own_scales(songs), teachings=teach(songs, 0.2), start=start
    )
    assert said.normalisation == start.config.normalisation
    return {
        name: float(np.sqrt(np.square(said.weights[name] - array).mean()))
        for name, array in start.weights.items()
    }


def test_the_heads_go_ahead_and_the_gate_stays(start: Path, rated: list[Song]) -> None:
    """The shared part follows in small steps; a strong pull holds all of it back."""
    model = load_model(start)
    free = moved(model, rated)
    assert free["music.weight"] == free["music.bias"] == 0
    assert 0 < free["lstm.weight_hh_l0"] < 0.3 * free["head.weight"]
    assert 0 < free["convolutions.0.weight"] < 0.3 * free["head.weight"]
    held = moved(model, rated, **{"start.heads_pull": 1e6})
    assert held["head.weight"] < 0.5 * free["head.weight"]
    stopped = moved(model, rated, **{"start.shared_share": 0.0})
    assert stopped["lstm.weight_hh_l0"] == 0 < stopped["head.weight"]


def test_clips_of_every_kind_are_somebodys_own(start: Path, songs: list[Song]) -> None:
    """Quadrants and felt emotions can be learnt from a model, too."""
    for kind in ("clips", "felt"):
        some = [song for song in songs if song.clip.dataset == kind]
        assert moved(load_model(start), some)["head.weight"] > 0


@given(
    errors=arrays.arrays(float, (9, 4), elements=st.floats(0, 4, width=32)),
    gain=st.floats(0.1, 2),
)
def test_nothing_is_left_for_what_is_not_surely_better(errors: np.ndarray, gain: float) -> None:
    """The way chosen is the best, or one of the simple ones that the best is not surely under."""
    way = choice_of(errors, 2)
    best = errors.mean(axis=0).min()
    if way > 1:
        assert errors[:, way].mean() == best
        assert errors[:, :2].mean(axis=0).min() > best
    else:
        gained = errors[:, way] - errors[:, errors.mean(axis=0).argmin()]
        assert gained.mean() <= SURE * gained.std(ddof=1) / 3 + 1e-12
    # What is better in every song by as much is always taken; with no way that is simple, the best.
    sure = np.stack([errors[:, 0] + gain, errors[:, 0] + gain, errors[:, 0]], axis=1)
    assert choice_of(sure, 2) == 2
    assert errors[:, choice_of(errors, 0)].mean() == best


def told(count: int, scale: float, offset: float) -> list[Told]:
    """Songs of which a model says something; labels are it on another scale."""
    random = np.random.default_rng(4)
    means = random.normal(0, 0.2, (count, 2))
    said = np.concatenate([means, np.full((count, 2), 0.1)], axis=1)
    return [Told(one[None], scale * one[None, :2] + offset) for one in said]


def test_a_calibration_is_left_the_less_the_fewer_songs_there_are() -> None:
    """Few songs move scale and middle a little, many all the way; from nothing there is no way."""
    begun = Calibration(AxisCalibration(1.5, 0.0, 1.0), AxisCalibration(1.5, 0.0, 1.0))
    few, more, many = (
        own_calibration(told(count, 0.5, 0.1), begun).valence for count in (5, 50, 5000)
    )
    assert 1.5 > few.scale > more.scale > many.scale == pytest.approx(0.5, abs=0.02)
    assert 0 < few.offset < more.offset < many.offset == pytest.approx(0.1, abs=0.01)
    alone = own_calibration(told(50, 0.5, 0.1), None).arousal
    assert (alone.scale, alone.offset) == pytest.approx((0.5, 0.1), abs=0.02)


def test_own_labels_keep_their_meaning(songs: list[Song]) -> None:
    """Ratings are learnt as they are, quadrants keep their border, felt emotions are centred."""
    scales = own_scales([song for song in songs if song.clip.emotional])
    labels = np.array([[0.4, -0.2], [-1.0, 0.9]])
    np.testing.assert_allclose(scales["songs"].on_plane(labels), labels, atol=1e-9)
    np.testing.assert_allclose(scales["clips"].on_plane(np.zeros((1, 2))), 0, atol=1e-9)
    assert (np.sign(scales["clips"].on_plane(labels)) == np.sign(labels)).all()
    felt = [song for song in songs if song.clip.felt is not None]
    scale = Scale.own(felt)
    said = np.concatenate([scale.on_plane(np.array([song.clip.tags])) for song in felt])
    np.testing.assert_allclose(said.mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--recipe", "hybrid-4"], 2, "--from goes on with its model's recipe: leave out --recipe"),
        (["--set", "features.hop=800"], 1, "features.hop is the model's"),
        (["--set", "start.push=1"], 1, "unknown field 'push'"),
        (["--from", "mozart"], 1, "there is no model 'mozart'"),
    ],
)
def test_mistakes_are_one_sentence(
    excerpts: Path,
    start: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    """What contradicts the model is told, and nothing is written."""
    out = tmp_path / "m"
    command = ["train", str(excerpts), "--from", str(start), "--out", str(out), *arguments]
    assert main(command) == code
    error = capfd.readouterr().err
    assert said in " ".join(error.split())
    assert "Traceback" not in error
    assert not out.exists()


def test_too_few_songs_or_folds(start: Path, rated: list[Song], tmp_path: Path) -> None:
    """Eleven songs are too few, and so are songs that are all in two folds: one sentence each."""
    model = load_model(start)
    recipe = own_recipe(model, SHORT)
    with pytest.raises(DatasetError, match="11 songs with labels are too few to learn from: 12"):
        train_from(recipe, model, rated[1:], tmp_path / "m", seed=0)
    two = [
        dataclasses.replace(song, clip=dataclasses.replace(song.clip, fold=song.clip.fold % 2))
        for song in rated
    ]
    with pytest.raises(DatasetError, match=r"the songs are in 2 fold\(s\), and three are"):
        train_from(recipe, model, two, tmp_path / "m", seed=0)
    assert not (tmp_path / "m").exists()


def test_a_corpus_is_drawn_from_as_a_listeners_own(
    start: Path, rated: list[Song], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each draw is judged on the songs not drawn, kept, and not trained again; the manual tells."""
    from makers import card
    from makers import own as makers_own

    monkeypatch.setattr("streamer.training.own.FEWEST_SONGS", 8)
    monkeypatch.setattr(makers_own, "SIZES", (8,))
    monkeypatch.setattr(makers_own, "DRAWS", 2)
    monkeypatch.setattr(makers_own, "own_recipe", lambda model, _: own_recipe(model, SHORT))
    (tmp_path / "seed-7").mkdir()
    (tmp_path / "seed-7" / "without-songs").symlink_to(start)
    found = list(makers_own.own_clips(rated, tmp_path, 7))
    assert [size for size, _ in found] == [8, 8]
    judged = found[-1][1]
    assert list(judged) == list(JUDGES)
    assert {entry["songs"] for entry in judged.values()} == {FEW_SONGS - 8}
    tables = sorted((tmp_path / "own").iterdir())
    assert len(tables) == 2
    stamps = [table.stat().st_mtime_ns for table in tables]
    assert list(makers_own.own_clips(rated, tmp_path, 7)) == found
    assert [table.stat().st_mtime_ns for table in tables] == stamps
    write_metrics(tmp_path / "metrics.json", "own", {"songs": {"8": judged}})
    told = card.own(tmp_path)
    assert told.count("songs, 8 clips") == len(JUDGES)
    with pytest.raises(DatasetError, match="too few songs with labels to draw"):
        next(makers_own.own_clips(rated[:8], tmp_path, 7))
