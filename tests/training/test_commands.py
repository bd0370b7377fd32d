"""``train``, ``crossval`` and ``evaluate`` from the command line, on a small world."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated_music import FEW_CLIPS, FEW_SONGS
from jsonschema import Draft202012Validator

from streamer.cli.main import main
from streamer.network.model import load_model
from streamer.training.dataset import read_dataset
from streamer.training.figures import five_fold, music
from streamer.training.out_of_fold import Row, read_table

pytest.importorskip("torch", reason="training needs the extra `train`")


@pytest.fixture(scope="module", autouse=True)
def one_thread_each() -> Any:
    """Worker processes are many: none may take the whole machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def data(excerpts: Path, quadrant_clips: Path, felt_clips: Path, sounds: Path) -> list[Path]:
    """Datasets of every kind."""
    return [excerpts, quadrant_clips, felt_clips, sounds]


@pytest.fixture(scope="module")
def crossval_out(
    data: list[Path], recipe_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A cross-validation of datasets of every kind: first one fold alone, then all of them."""
    out = Path(tmp_path_factory.mktemp("crossval")) / "out"
    folders = list(map(str, data))
    options = ["--recipe", str(recipe_file), "--set", "fit.epochs=2", "--out", str(out)]
    assert main(["crossval", *folders, *options, "--jobs", "1", "--fold", "1"]) == 0
    first = (out / "seed-7" / "fold-1" / "estimates.csv.gz").stat().st_mtime_ns
    assert main(["crossval", *folders, *options, "--jobs", "1"]) == 0
    assert (out / "seed-7" / "fold-1" / "estimates.csv.gz").stat().st_mtime_ns == first
    assert main(["crossval", *folders, *options, "--jobs", "1", "--left-out"]) == 0
    return out


@pytest.fixture(scope="module")
def rows(crossval_out: Path) -> list[Row]:
    return read_table(crossval_out / "out_of_fold.csv.gz")


def test_every_song_is_judged_by_a_network_that_never_heard_it(
    crossval_out: Path, rows: list[Row], data: list[Path]
) -> None:
    """Each fold's model lists no song of its fold, and those are the ones that it judged.

    Nor does it list what may not be learnt from, or judge what is never held out.
    """
    clips = [clip for folder in data for clip in read_dataset(folder).clips]
    fold_of = {(clip.dataset, clip.song): clip.fold for clip in clips}
    network = [row for row in rows if row.predictor == "network"]
    held_out = {key for key, fold in fold_of.items() if fold >= 0}
    assert {(row.dataset, row.song) for row in network} == held_out
    assert all(row.fold == fold_of[row.dataset, row.song] for row in rows)
    learnt = {(clip.dataset, clip.song) for clip in clips if clip.learnt}
    assert len(learnt) < len(clips)
    for fold in sorted({fold_of[key] for key in held_out}):
        model = load_model(crossval_out / "seed-7" / f"fold-{fold}")
        known = {(name, song) for name, songs in model.config.songs.items() for song in songs}
        assert known == {key for key in learnt if fold_of[key] != fold}


def test_a_corpus_left_out_is_heard_by_nobody(crossval_out: Path, data: list[Path]) -> None:
    """Each dataset with labels is judged, all of it, by a model that lists none of its songs."""
    rows = read_table(crossval_out / "left_out.csv.gz")
    assert {row.dataset for row in rows} == {"songs", "clips", "felt"}
    for name, folder in zip(("songs", "clips", "felt"), data, strict=False):
        model = load_model(crossval_out / "seed-7" / f"without-{name}")
        assert name not in model.config.songs
        assert len(model.config.songs) == 3
        clips = {clip.song for clip in read_dataset(folder).clips}
        assert {row.song for row in rows if row.dataset == name} == clips
    figures = json.loads((crossval_out / "metrics.json").read_text())["left_out"]
    assert set(figures) == {"songs", "clips", "felt"}
    for name, entry in figures.items():
        assert -1 < entry["valence"]["r"]["mean"] < 1
        assert ("quadrant" in entry) == (name == "clips")


def test_the_table_has_a_row_a_label(rows: list[Row], excerpts: Path) -> None:
    """The network and both baselines answer for the same labels; clips once each."""
    labels = sum(len(clip.times) for clip in read_dataset(excerpts).clips)
    for predictor in ("network", "constant", "ridge"):
        own = [row for row in rows if row.predictor == predictor and row.t >= 0]
        assert len(own) == labels == 12 * 14
    clips = [row for row in rows if row.dataset == "clips"]
    assert len(clips) == FEW_CLIPS
    assert {row.side_valence for row in clips} == {0, 1}
    # The constant is the mean of the other folds' songs: one value a fold.
    constant = {(row.fold, row.valence) for row in rows if row.predictor == "constant"}
    assert len(constant) == 3


def test_figures_come_from_the_table_alone(crossval_out: Path, rows: list[Row]) -> None:
    """metrics.json is valid, and what the kept estimates give, computed anew."""
    from streamer.training.crossval import rounded

    record = json.loads((crossval_out / "metrics.json").read_text())
    package = Path(sys.modules["streamer"].__file__ or "").parent
    schema = json.loads((package / "training" / "metrics.schema.json").read_text())
    Draft202012Validator(schema).validate(record)
    assert record["five_fold"] == json.loads(json.dumps(rounded(five_fold(rows))))
    assert record["music"] == json.loads(json.dumps(rounded(music(rows))))
    assert record["music"]["sounds"]["speech"]["clips"] > 0
    assert record["five_fold"]["songs"] == FEW_SONGS
    assert record["five_fold"]["seeds"] == [7]
    for axis in ("valence", "arousal"):
        assert -1 < record["five_fold"]["pooled"][axis]["ccc"]["mean"] < 1
        assert record["five_fold"]["baselines"]["constant"]["pooled"][axis]["rmse"] > 0


@pytest.fixture(scope="module")
def model(excerpts: Path, recipe_file: Path, tmp_path_factory: Any) -> Path:
    """A model trained on the excerpts by the command."""
    out = Path(tmp_path_factory.mktemp("model")) / "mine"
    options = ["--recipe", str(recipe_file), "--set", "fit.epochs=1", "--out", str(out)]
    assert main(["train", str(excerpts), *options]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "cache",
        "config.json",
        "weights.safetensors",
    ]
    return out


def test_figures_on_known_songs_are_marked(
    model: Path, excerpts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """``evaluate`` on what the model was trained on says ``in_sample``, in text and JSON."""
    file = tmp_path / "figures.json"
    assert main(["evaluate", str(model), str(excerpts), "--json", str(file)]) == 0
    said = capfd.readouterr().out
    assert f"mine on {FEW_SONGS} clips; in_sample: {FEW_SONGS} of them were trained on" in said
    assert "CCC, pooled" in said
    figures = json.loads(file.read_text())
    assert (figures["in_sample"], figures["clips"]) == (FEW_SONGS, FEW_SONGS)
    assert figures["songs"] == FEW_SONGS


def test_figures_on_other_songs_are_not(
    model: Path, crossval_out: Path, excerpts: Path, quadrant_clips: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str], rows: list[Row],
) -> None:  # fmt: skip
    """A dataset never seen, or the fold held out, is judged without the mark, as crossval did."""
    assert main(["evaluate", str(model), str(quadrant_clips)]) == 0
    said = capfd.readouterr().out
    assert f"mine on {FEW_CLIPS} clips\n" in said
    assert "right quadrant" in said
    file = tmp_path / "figures.json"
    held_out = [str(crossval_out / "seed-7" / "fold-2"), str(excerpts), "--fold", "2"]
    assert main(["evaluate", *held_out, "--json", str(file)]) == 0
    assert "in_sample" not in capfd.readouterr().out
    figures = json.loads(file.read_text())
    assert figures["in_sample"] == 0
    own = [r for r in rows if r.predictor == "network" and r.fold == 2 and r.t > 2]
    errors = [r.arousal - r.label_arousal for r in own]
    assert figures["pooled"]["arousal"]["rmse"] == pytest.approx(
        float(np.sqrt(np.mean(np.square(errors)))), abs=1e-3
    )


def test_judging_needs_no_torch(model: Path, excerpts: Path) -> None:
    """``evaluate`` and the model's card work where PyTorch is not installed."""
    program = (
        "import sys, streamer.cli.evaluate, streamer.training.evaluate, makers.card\n"
        "assert not {'torch', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train", "nowhere", "--out", "m"], 1, "there is no dataset folder nowhere"),
        (["train", "empty", "--out", "m"], 1, "empty holds no dataset"),
        (["train", "--out", "m"], 2, "Missing argument"),
        (["train", "songs"], 2, "Missing option '--out'"),
        (["train", "songs", "songs", "--out", "m"], 1, "two datasets have the name songs"),
        (["crossval", "songs", "--out", "m", "--left-out"], 2, "--left-out needs two or more"),
        (["crossval", "songs", "--out", "m", "--left-out", "--fold", "1"], 2, "has no folds"),
        (["train", "songs", "--out", "m", "--recipe", "mozart"], 1, "there is no recipe mozart"),
        (["train", "songs", "--out", "m", "--set", "fit.epochs"], 2, "give NAME=VALUE"),
        (["train", "songs", "--out", "m", "--set", "fit.epochs=few"], 2, "give NAME=VALUE"),
        (["train", "songs", "--out", "m", "--set", "fit.epoch=3"], 1, "unknown field 'epoch'"),
        (["train", "songs", "--out", "file"], 1, "file cannot be made"),
        (["crossval", "songs", "--out", "m", "--fold", "9"], 2, "there is no fold 9"),
        (["evaluate", "nothing", "songs"], 1, "there is no model 'nothing'"),
        (["evaluate", "small", "songs", "--fold", "9"], 2, "has no fold 9"),
        (["evaluate", "small", "nowhere"], 1, "there is no dataset folder nowhere"),
    ],
)
def test_mistakes_are_one_sentence(
    excerpts: Path,
    model_directory: Path,
    recipe_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    """The right exit code, one sentence, no traceback, and no model."""
    monkeypatch.chdir(tmp_path)
    Path("songs").symlink_to(excerpts)
    Path("small").symlink_to(model_directory)
    Path("empty").mkdir()
    Path("file").write_text("here already")
    if arguments[0] in {"train", "crossval"} and "--recipe" not in arguments:
        arguments = [*arguments, "--recipe", str(recipe_file)]
    assert main(arguments) == code
    error = capfd.readouterr().err
    assert said in " ".join(error.split())
    assert "Traceback" not in error
    assert "unexpected" not in error
    if code == 1:
        assert error.startswith("streamer: ")
        assert error.count("\n") == 1
    assert not (tmp_path / "m" / "config.json").exists()
    if "dataset" in said:
        assert not (tmp_path / "m").exists()


def test_a_missing_extra_is_named(
    excerpts: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Without PyTorch, ``train`` and ``crossval`` say which extra brings it."""
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", {}.get)
    for command in ("train", "crossval"):
        assert main([command, str(excerpts), "--out", str(tmp_path / "m")]) == 1
        assert capfd.readouterr().err == (
            f"streamer: streamer {command} needs PyTorch, which is not installed: "
            "pip install 'emotion-streamer[train]'\n"
        )


def test_an_interrupted_training_says_how_to_go_on(
    excerpts: Path, recipe_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a killed run left is not overwritten unasked; ``--resume`` goes on with it."""
    out = tmp_path / "model"
    (out / "unfinished").mkdir(parents=True)
    command = ["train", str(excerpts), "--recipe", str(recipe_file), "--out", str(out)]
    command += ["--set", "fit.epochs=1", "--cache", str(tmp_path / "cache")]
    assert main(command) == 1
    assert "holds an unfinished run: give --resume, or another --out" in capfd.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert "trained on 12 clips" in capfd.readouterr().err
    assert load_model(out).config.songs["songs"]
    # A finished model is not trained again, and not written over, without a word.
    stamp = (out / "weights.safetensors").stat().st_mtime_ns
    assert main([*command, "--resume"]) == 0
    assert (out / "weights.safetensors").stat().st_mtime_ns == stamp


def test_the_original_release_can_be_trained_on(
    deam: Path, recipe_file: Path, tmp_path: Path
) -> None:
    """The folder as it is downloaded, MP3 and all, gives a model."""
    out = tmp_path / "model"
    options = ["--set", "fit.epochs=1", "--set", "fit.batch=2", "--set", "fit.crop_s=2.0"]
    assert (
        main(["train", str(deam), "--recipe", str(recipe_file), *options, "--out", str(out)]) == 0
    )
    assert load_model(out).config.songs == {"DEAM": ("2", "3", "10")}
    shutil.rmtree(out / "cache")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
def test_progress_is_on_standard_error_alone(
    excerpts: Path, recipe_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of a training's progress reaches standard output."""
    out = tmp_path / "model"
    command = ["train", str(excerpts), "--recipe", str(recipe_file), "--out", str(out)]
    assert main([*command, "--set", "fit.epochs=1"]) == 0
    said = capfd.readouterr()
    assert said.out == ""
    assert "network, loss" in said.err
