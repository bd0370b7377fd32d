"""A listener's own labels: a model's weights moved a little towards them, and what that buys.

Few songs are too few to learn hearing from, but enough to learn where somebody hears otherwise. The
heads go ahead and the shared part follows in small steps, both drawn back to where they began
(L2-SP: Li, Grandvalet and Davoine 2018). How far is decided on songs held out, fold by fold: not at
all where that is no surer. The same folds say what the model itself reaches on these songs, and
what training from nothing does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from streamer.errors import DatasetError
from streamer.network.config import Calibration, Normalisation
from streamer.network.model import Model, load_model, save_model
from streamer.training.calibration import Told, judge, own_calibration, plain
from streamer.training.dataset import FOLDS
from streamer.training.fit import Fitted, Report, Watch, fit, run_name
from streamer.training.labels import LABEL_SD, Scale
from streamer.training.material import Rows, Song
from streamer.training.out_of_fold import Listened, Row, rows_of
from streamer.training.recipe import Recipe, read_recipe
from streamer.training.teachers import teach

Doubles = NDArray[np.float64]
#: Who judges the held-out songs: the model as it is, a network of these songs alone, and the model
#: moved towards them.
AS_IS, FROM_NOTHING, MOVED = JUDGES = ("as it is", "from nothing", "from the model")
#: Fewer songs than these tell nobody's taste from chance.
FEWEST_SONGS = 12
#: The table of what they say, beside the model.
OWN = "own.csv.gz"
_SCHEDULE = Path(__file__).with_name("own.toml")
#: What is better by so many standard errors over the songs is surely better.
SURE = 0.5
#: What a recipe takes from the model that is gone on with.
_KEPT = ("features", "volume", "network", "music", "silence_db")


def own_recipe(model: Model, changes: Mapping[str, Any]) -> Recipe:
    """How to go on from ``model``: its features and sizes, and the schedule of ``own.toml``.

    ``changes`` by dotted name; raises ``DatasetError`` where they are none of the schedule's.
    """
    for name in changes:
        if name.split(".")[0] in _KEPT:
            raise DatasetError(f"{name} is the model's: what goes on from it keeps it")
    config = json.loads(model.config.to_json())
    kept = {name: config[name] for name in _KEPT}
    layers = kept["network"]["convolutions"]
    kept["network"]["convolutions"] = [list(layer.values()) for layer in layers]
    return read_recipe(_SCHEDULE, dict(changes) | kept)


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What came of a listener's songs.

    ``model`` is the result of ``songs`` of them, ``epochs`` how far it went from the one that it
    began with (0: its weights are as they were), ``recalibrated`` whether its scale is the
    listener's. ``rows``: what each of :data:`JUDGES` says of every song without having learnt from
    it here.
    """

    model: Model
    songs: int
    epochs: int
    recalibrated: bool
    rows: list[Row]


def train_from(
    recipe: Recipe,
    start: Model,
    songs: Sequence[Song],
    directory: Path,
    *,
    seed: int,
    report: Report | None = None,
    resume: bool = False,
) -> Own:
    """Go on from ``start`` on ``songs`` and write a model directory.

    One network a fold is trained from the model, and one from nothing, on the songs of the other
    folds; where in its epochs to stop and how to calibrate it is decided for each fold on the held
    out songs of the others. The result learns from all songs for as long as all folds advise.
    Interrupted, a run that is to ``resume`` trains no fold again. Raises ``DatasetError`` where
    there are too few songs or folds, or ``directory`` holds an unfinished run.
    """
    songs = learnable(songs)
    work = directory / "unfinished"
    if work.is_dir() and not resume:
        raise DatasetError(f"{directory} holds an unfinished run: give --resume, or another --out")
    work.mkdir(parents=True, exist_ok=True)
    trials = Trials(recipe, start, songs, seed, work, report)
    rows = [row for song in songs for row in trials.rows(AS_IS, start, song)]
    for name, begun in ((FROM_NOTHING, None), (MOVED, start)):
        trial = trials.of(begun)
        for fold in trial.folds:
            model = trial.model(fold)
            rows += [row for song in trial.outside(fold) for row in trials.rows(name, model, song)]
    choice = trial.best()
    model = trial.result(choice)
    config = replace(model.config, songs=_known(start.config.songs, songs))
    save_model(directory, config, model.weights)
    for file in work.iterdir():
        file.unlink()
    work.rmdir()
    return Own(load_model(directory), len(songs), trial.epochs(choice), choice > 0, rows)


def _known(
    before: Mapping[str, Sequence[str]], songs: Sequence[Song]
) -> dict[str, tuple[str, ...]]:
    """The songs by dataset that a model has heard after ``songs``, too."""
    known = {name: dict.fromkeys(members) for name, members in before.items()}
    for song in songs:
        known.setdefault(song.clip.dataset, {})[song.clip.song] = None
    return {name: tuple(members) for name, members in known.items()}


def learnable(songs: Sequence[Song]) -> list[Song]:
    """The songs with labels. Raises ``DatasetError`` where they or their folds are too few."""
    own = [song for song in songs if song.clip.emotional and song.clip.learnt]
    if len(own) < FEWEST_SONGS:
        raise DatasetError(
            f"{len(own)} songs with labels are too few to learn from: {FEWEST_SONGS} are the fewest"
        )
    folds = {song.clip.fold for song in own}
    if len(folds) < 3:
        raise DatasetError(
            f"the songs are in {len(folds)} fold(s), and three are the fewest: "
            "give songs that share nothing different numbers in the column fold"
        )
    return own


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """What training without one fold came to, epoch by epoch, the start before them if there is.

    ``told`` (by step, by song): what each says of the ``outside`` songs.
    """

    outside: list[Song]
    steps: list[Fitted]
    told: list[list[Told]]


class Trials:
    """Trains on a listener's songs, and judges others of theirs."""

    def __init__(
        self,
        recipe: Recipe,
        start: Model,
        songs: Sequence[Song],
        seed: int,
        work: Path | None = None,
        report: Report | None = None,
    ) -> None:
        """``work``: a folder where finished folds are kept for a run that is resumed."""
        self.recipe = recipe
        self.start = start
        self.seed = seed
        self._songs = list(songs)
        self._work = work
        self._rows = Rows(recipe)
        self._inputs: dict[tuple[str, str], NDArray[np.float32]] = {}
        numbers = sorted({song.clip.fold for song in songs})
        # Many folds, as of single songs, are joined: each costs a training.
        self._fold = {number: place % FOLDS for place, number in enumerate(numbers)}
        self._report = report
        self._told = 0
        count = len(set(self._fold.values()))
        self._all = (2 * count + 1) * recipe.fit.epochs

    def of(self, start: Model | None) -> Trial:
        """One network a fold, from a model or from nothing."""
        paths = []
        for fold in sorted(set(self._fold.values())):
            inside = [song for song in self._songs if self._fold[song.clip.fold] != fold]
            outside = [song for song in self._songs if self._fold[song.clip.fold] == fold]
            steps = self._steps(inside, start)
            scales = own_scales(inside)
            told = []
            for step in steps:
                model = plain(self.recipe, step, self.start.name)
                told.append(
                    [
                        Told.of(model, self._input(song), song, scales[song.clip.dataset])
                        for song in outside
                    ]
                )
            paths.append(_Path(outside, steps, told))
        return Trial(self, start, paths)

    def fit(
        self,
        start: Model | None,
        songs: Sequence[Song] | None = None,
        *,
        epochs: int | None = None,
        watch: Watch | None = None,
    ) -> Fitted:
        """One training on some of the songs, or on all of them for so many ``epochs``."""

        def report(*told: float) -> None:
            self._told += 1
            if self._report is not None:
                self._report(self._told, self._all, told[-1])

        checkpoint = None
        if songs is None:
            songs = self._songs
            checkpoint = self._work / "network.pt" if self._work else None
        recipe = self.recipe if start is not None else replace(self.recipe, start=None)
        return fit(
            recipe,
            songs,
            seed=self.seed,
            scales=own_scales(songs),
            teachings=teach(songs, recipe.fit.arousal_in_valence),
            start=start,
            epochs=epochs,
            checkpoint=checkpoint,
            report=report,
            watch=watch,
        )

    def rows(self, name: str, model: Model, song: Song) -> list[Row]:
        """What a model says of a song, as a fresh stream."""
        outputs = judge(model, self._rows, song).astype(np.float64)
        certain = np.ones(len(outputs))
        heard = Listened(song.ends, outputs[:, :4], certain.astype(bool), certain)
        return rows_of(name, heard, song.clip, self.seed, song.clip.fold)

    def _input(self, song: Song) -> NDArray[np.float32]:
        name = (song.clip.dataset, song.clip.song)
        if name not in self._inputs:
            self._inputs[name] = self._rows.of_song(song)
        return self._inputs[name]

    def _steps(self, inside: Sequence[Song], start: Model | None) -> list[Fitted]:
        """The weights after each epoch of a training, the model's own before them."""
        file = None
        if self._work is not None:
            name = run_name(self.recipe, inside, self.seed, start)
            file = self._work / f"{name[:24]}.safetensors"
            if file.is_file():
                self._told += self.recipe.fit.epochs
                return _read_steps(file, self.recipe)
        steps: list[Fitted] = []
        if start is not None:
            steps.append(_begun(start))
        self.fit(start, inside, watch=steps.append)
        if file is not None:
            _write_steps(file, steps)
        return steps


class Trial:
    """One way to train, fold by fold: how long to, and the calibrated model for each fold.

    What can be chosen is counted: from a model, first the model as it is and then the model with
    another calibration; then what the weights are after each epoch.
    """

    def __init__(self, trials: Trials, start: Model | None, paths: list[_Path]) -> None:
        self.folds = range(len(paths))
        self._trials = trials
        self._start = start
        self._paths = paths
        self._errors = [self._of_fold(fold) for fold in self.folds]

    def outside(self, fold: int) -> list[Song]:
        """The songs of a fold."""
        return self._paths[fold].outside

    def best(self, without: int | None = None) -> int:
        """What served the held-out songs best, those of the fold ``without`` apart."""
        errors = np.concatenate([e for fold, e in enumerate(self._errors) if fold != without])
        return choice_of(errors, 0 if self._start is None else 2)

    def epochs(self, choice: int) -> int:
        """How many epochs what is chosen was trained for."""
        return choice + 1 if self._start is None else max(choice - 1, 0)

    def result(self, choice: int) -> Model:
        """The model of all songs, trained as chosen."""
        if self._start is not None and choice == 0:
            return self._start
        epochs, begun = self.epochs(choice), self._paths[0].steps[0]
        fitted = self._trials.fit(self._start, epochs=epochs) if epochs else begun
        return self._calibrated(fitted, choice)

    def model(self, fold: int) -> Model:
        """The model for the songs of a fold, of which it and its calibration know nothing."""
        choice = self.best(fold)
        if self._start is not None and choice == 0:
            return self._start
        steps = self._paths[fold].steps
        return self._calibrated(steps[self._place(choice)], choice, fold)

    def _calibrated(self, fitted: Fitted, choice: int, without: int | None = None) -> Model:
        """The model of a network that was trained as chosen, calibrated on the held-out songs."""
        model = plain(self._trials.recipe, fitted, self._trials.start.name)
        calibration = self._calibration(self._place(choice), without)
        return Model(model.name, replace(model.config, calibration=calibration), fitted.weights)

    def _place(self, choice: int) -> int:
        """Where in the paths a choice is."""
        return choice if self._start is None else choice - 1

    def _calibration(self, place: int, without: int | None) -> Calibration:
        told = [
            one
            for fold, path in enumerate(self._paths)
            if fold != without
            for one in path.told[place]
        ]
        return own_calibration(
            told, None if self._start is None else self._start.config.calibration
        )

    def _of_fold(self, fold: int) -> Doubles:
        """Squared errors on the plane (songs, choices), each calibrated on the other folds."""
        path = self._paths[fold]
        columns = [
            _errors(told, self._calibration(place, fold)) for place, told in enumerate(path.told)
        ]
        if self._start is not None:
            columns.insert(0, _errors(path.told[0], self._start.config.calibration))
        return np.stack(columns, axis=1)


def _begun(model: Model) -> Fitted:
    """A model's weights before anything is learnt."""
    return Fitted(model.config.network, model.config.normalisation, model.weights)


def choice_of(errors: Doubles, simple: int) -> int:
    """Which of the ways to judge songs to take, by the errors of each (songs, ways).

    The one with the least; but of the first ``simple`` ways, which learn next to nothing, the first
    that none is surely better than: by more than half a standard error over the songs.
    """
    best = int(errors.mean(axis=0).argmin())
    for way in range(min(simple, best)):
        gained = errors[:, way] - errors[:, best]
        if gained.mean() <= SURE * gained.std(ddof=1) / len(gained) ** 0.5:
            return way
    return best


def own_scales(songs: Sequence[Song]) -> dict[str, Scale]:
    """The scale of each dataset among a listener's songs."""
    names = sorted({song.clip.dataset for song in songs})
    return {name: Scale.own([s for s in songs if s.clip.dataset == name]) for name in names}


def _errors(told: Sequence[Told], calibration: Calibration) -> Doubles:
    """Each song's mean squared error of both axes together, in variances of usual labels."""
    axes = (calibration.valence, calibration.arousal)
    scale, offset = (
        np.array([getattr(axis, name) for axis in axes]) for name in ("scale", "offset")
    )
    apart = [np.clip(one.said[:, :2] * scale + offset, -1, 1) - one.wanted for one in told]
    return np.array([np.square(one / LABEL_SD).sum(axis=1).mean() for one in apart])


def _write_steps(file: Path, steps: Sequence[Fitted]) -> None:
    """Keep the weights after each epoch, and what they expect; the file appears whole."""
    tensors = {
        f"{at}/{name}": array for at, s in enumerate(steps) for name, array in s.weights.items()
    }
    normalisation = steps[0].normalisation
    tensors["mean"], tensors["sd"] = np.array(normalisation.mean), np.array(normalisation.sd)
    partial = file.with_suffix(".partial")
    safetensors.numpy.save_file(tensors, partial)
    partial.replace(file)


def _read_steps(file: Path, recipe: Recipe) -> list[Fitted]:
    tensors = safetensors.numpy.load_file(file)
    normalisation = Normalisation(
        tuple(tensors.pop("mean").tolist()), tuple(tensors.pop("sd").tolist())
    )
    steps: dict[int, dict[str, NDArray[np.float32]]] = {}
    for place, tensor in tensors.items():
        at, name = place.split("/")
        steps.setdefault(int(at), {})[name] = tensor
    return [Fitted(recipe.network, normalisation, steps[at]) for at in sorted(steps)]
