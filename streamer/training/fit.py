"""Fitting a network to songs: one loop, which can be interrupted and resumed bit for bit."""

from __future__ import annotations

import copy
import hashlib
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.errors import DatasetError
from streamer.features.chroma import HarmonyState
from streamer.features.gain import VolumeState
from streamer.network.config import NetworkConfig, Normalisation
from streamer.network.hybrid import TorchState
from streamer.network.model import Model
from streamer.training.batches import Batch, Batches
from streamer.training.labels import Scale
from streamer.training.learner import Learner, loss
from streamer.training.material import Rows, RowsState, Song
from streamer.training.recipe import FitConfig, Recipe, StartConfig
from streamer.training.teachers import Teachings


def run_name(recipe: Recipe, songs: Sequence[Song], seed: int, start: Model | None = None) -> str:
    """What tells a run from every other: a digest of all that goes into it."""
    begun = None if start is None else start.config.weights_sha256
    digest = hashlib.sha256(repr((recipe, seed, begun)).encode())
    for song in songs:
        clip = song.clip
        whole = (clip.sides, clip.tags, clip.felt, clip.kind, clip.pair, clip.brighter)
        digest.update(repr((clip.dataset, clip.song, *whole)).encode())
        arrays = [clip.times, clip.labels, *(part for take in song.takes for part in take.parts)]
        for array in arrays if clip.hints is None else [*arrays, clip.hints]:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the state; ``path`` appears whole, or stays what it was."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def read_checkpoint(path: Path, name: str) -> dict[str, Any]:
    """The state of the run ``name``, which stands in it.

    Raises ``DatasetError`` where the file is damaged or of another run.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise DatasetError(f"{path} is damaged: delete it to begin anew") from error
    if state.get("name") != name:
        raise DatasetError(
            f"{path} is of another run (recipe, seed or songs): delete it, or give another --out"
        )
    return state


#: Told the epochs done, those in all, and the mean loss of the last.
Report = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Averaged weights as ``weights.safetensors`` holds them, and what they expect as input."""

    network: NetworkConfig
    normalisation: Normalisation
    weights: dict[str, NDArray[np.float32]]


#: Told, after each epoch, what training would give if it ended there.
Watch = Callable[[Fitted], None]


def fit(
    recipe: Recipe,
    songs: Sequence[Song],
    *,
    seed: int,
    scales: Mapping[str, Scale],
    teachings: Teachings,
    start: Model | None = None,
    epochs: int | None = None,
    checkpoint: Path | None = None,
    report: Report | None = None,
    watch: Watch | None = None,
) -> Fitted:
    """Train on ``songs`` and return the averaged weights.

    ``scales`` bring each corpus's labels to the common plane; ``teachings`` is what there is to
    learn beside them. With a model to ``start`` from, of the recipe's shapes, its weights and its
    normalisation are gone on with as ``recipe.start`` says. ``epochs``: stop after so many of the
    recipe's.
    With a ``checkpoint`` file the state is kept after each epoch, and a run that finds one goes on
    from there to the same weights as without the interruption. Raises ``DatasetError`` where the
    checkpoint is damaged or of a run with another recipe, seed or other songs, and where the loss
    grows beyond all numbers.
    """
    run = _Run(recipe, songs, seed, scales, teachings, start)
    if checkpoint is not None and checkpoint.is_file():
        run.restore(read_checkpoint(checkpoint, run.name))
    last = run.epochs if epochs is None else min(epochs, run.epochs)
    while run.done < last:
        mean_loss = run.epoch()
        if not math.isfinite(mean_loss):
            raise DatasetError(f"loss {mean_loss} in epoch {run.done}: lower fit.learning_rate")
        if checkpoint is not None:
            write_checkpoint(checkpoint, run.keep())
        if report is not None:
            report(run.done, last, mean_loss)
        if watch is not None:
            watch(run.fitted())
    return run.fitted()


class _Run:
    """Everything that changes while a network is trained."""

    def __init__(
        self,
        recipe: Recipe,
        songs: Sequence[Song],
        seed: int,
        scales: Mapping[str, Scale],
        teachings: Teachings,
        start: Model | None,
    ) -> None:
        config = recipe.fit
        torch.manual_seed(seed)
        self.name = run_name(recipe, songs, seed, start)
        self.config = config
        self.epochs = config.epochs
        self.done = 0
        self._random = np.random.default_rng(seed)
        self._rows = Rows(recipe)
        self._batches = Batches(songs, recipe, scales, teachings)
        if start is None:
            self.normalisation = self._rows.normalisation(songs)
        else:
            self.normalisation = start.config.normalisation
        hops_a_second = recipe.features.sample_rate / recipe.features.hop
        self.learner = Learner(
            recipe.network,
            self.normalisation,
            config.dropout,
            config.memory_s * hops_a_second,
            self._batches.heads(recipe.loss),
        )
        if start is not None:
            self.learner.begin_from(start)
        pulls = (0.0, 0.0)
        if recipe.start is not None:
            pulls = (recipe.start.heads_pull / len(songs), recipe.start.shared_pull / len(songs))
        self._pulled = [
            (weight, weight.detach().clone(), pull)
            for part, pull in zip(self.learner.parts(), pulls, strict=True)
            for weight in part
            if pull
        ]
        self.average = copy.deepcopy(self.learner)
        self._loss = recipe.loss
        groups = _groups(self.learner, config, None if start is None else recipe.start)
        self._optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            [group["lr"] for group in groups],
            total_steps=self.epochs * config.steps + 1,
            pct_start=0.15,
            div_factor=10,
            final_div_factor=100,
        )
        self._steps = 0
        self._carried: tuple[list[Tensor], list[RowsState]] | None = None

    def epoch(self) -> float:
        """One epoch's batches; the mean loss."""
        self.learner.train()
        losses = [self._step(batch) for batch in self._batches.epoch(self._random)]
        self.done += 1
        return float(np.mean(losses))

    def keep(self) -> dict[str, Any]:
        """The state, for ``restore``."""
        return {
            "name": self.name,
            "done": self.done,
            "steps": self._steps,
            "random": self._random.bit_generator.state,
            "torch_random": torch.get_rng_state(),
            "learner": self.learner.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "carried": self._kept_states(),
        }

    def _kept_states(self) -> tuple[list[Tensor], list[list[dict[str, Tensor]]]] | None:
        if self._carried is None:
            return None
        parts, ended = self._carried
        return parts, [
            [{name: torch.tensor(a) for name, a in part.to_arrays().items()} for part in state]
            for state in ended
        ]

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on from a kept state."""
        self.done, self._steps = kept["done"], kept["steps"]
        self._random.bit_generator.state = kept["random"]
        torch.set_rng_state(kept["torch_random"])
        self.learner.load_state_dict(kept["learner"])
        self.average.load_state_dict(kept["average"])
        self._optimiser.load_state_dict(kept["optimiser"])
        self._schedule.load_state_dict(kept["schedule"])
        if kept["carried"] is not None:
            parts, ended = kept["carried"]
            self._carried = parts, [self._restored(*state) for state in ended]

    def _restored(self, *kept: dict[str, Tensor]) -> RowsState:
        level, harmony = (
            part.with_arrays({name: tensor.numpy() for name, tensor in arrays.items()})
            for part, arrays in zip(self._rows.initial, kept, strict=True)
        )
        assert isinstance(level, VolumeState)
        assert isinstance(harmony, HarmonyState)
        return level, harmony

    def _step(self, batch: Batch) -> float:
        state, begun = self._begin(len(batch.bands), batch.pairs)
        rows, ended = self._rows.of(batch.bands, batch.tones, begun)
        words, after = self.learner(torch.from_numpy(rows), state)
        self._carried = [part.detach() for part in after], ended
        total = loss(self._loss, words, batch)
        for weight, origin, pull in self._pulled:
            total = total + pull * (weight - origin).square().sum()
        self._optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.learner.parameters(), 1.0)
        self._optimiser.step()
        self._schedule.step()
        self._steps += 1
        # At the beginning the average would remember the random start.
        decay = min(self.config.average, self._steps / (self._steps + 20))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.learner.parameters(), strict=True)
            for mean, current in pairs:
                mean.lerp_(current, 1 - decay)
        return float(total.detach())

    def fitted(self) -> Fitted:
        """What training would give if it ended here."""
        learnt = copy.deepcopy(self.average)
        learnt.blend(self.config.ratings_share)
        weights = {name: tensor.numpy() for name, tensor in learnt.network.state_dict().items()}
        return Fitted(learnt.network.config, self.normalisation, weights)

    def _begin(self, size: int, pairs: int) -> tuple[TorchState, list[RowsState]]:
        """The states that a batch begins in: fresh ones, and ends of other songs."""
        state = self.learner.network.initial(size)
        begun = [self._rows.initial] * size
        if self._carried is None:
            return state, begun
        order = self._random.permutation(size)
        goes_on = self._random.random(size) < self.config.carry
        # Pairs begin afresh: what was heard before would differ between their pieces.
        goes_on[size - 4 * pairs :] = False
        mask = torch.from_numpy(goes_on.astype(np.float32))[None, :, None]
        parts, ended = self._carried
        hidden, cell, newest, integral = (part[:, order] * mask for part in parts)
        for index in np.flatnonzero(goes_on):
            begun[index] = ended[order[index]]
        return (hidden, cell, newest, integral), begun


def _groups(learner: Learner, config: FitConfig, start: StartConfig | None) -> list[dict[str, Any]]:
    """The weights with the size of their steps, as the optimiser takes them.

    From a model's weights the heads go ahead and the shared part follows in small steps; instead
    of to zero, all that was there before is drawn to where it began.
    """
    parameters = list(learner.parameters())
    if start is None:
        return [
            # Weight decay is for matrices: biases stay free.
            {
                "params": [p for p in parameters if p.ndim > 1],
                "lr": config.learning_rate,
                "weight_decay": config.weight_decay,
            },
            {
                "params": [p for p in parameters if p.ndim <= 1],
                "lr": config.learning_rate,
                "weight_decay": 0.0,
            },
        ]
    head, shared = learner.parts()
    rate = config.learning_rate
    return [
        {"params": [*learner.heads.parameters(), *head], "lr": rate, "weight_decay": 0.0},
        {"params": shared, "lr": rate * start.shared_share, "weight_decay": 0.0},
    ]
