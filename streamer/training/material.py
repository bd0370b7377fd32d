"""Log bands of every clip beside its labels, cached on disk, and the rows that a network is fed."""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.audio.files import FileSource
from streamer.audio.resample import Resampled
from streamer.errors import DatasetError, StreamerError
from streamer.features.framing import Framing
from streamer.features.gain import Volume, VolumeState
from streamer.features.mfcc import FeatureConfig, Mfcc
from streamer.network.config import Normalisation
from streamer.processes import cores
from streamer.training.dataset import Clip
from streamer.training.recipe import Recipe

#: A clip's file, the features wanted, and the file that they go to.
_Task = tuple[Path, FeatureConfig, Path]
#: Told how many of how many are done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Song:
    """A clip and its ``bands`` (frames, filters), half precision natural logs of power.

    ``ends`` (frames,) are the times in seconds at which the frames end.
    """

    clip: Clip
    bands: NDArray[np.float16]
    ends: NDArray[np.float64]


def prepare(
    clips: Sequence[Clip],
    features: FeatureConfig,
    cache: Path,
    progress: Progress | None = None,
    processes: int | None = None,
) -> list[Song]:
    """The songs of ``clips``; bands are taken from ``cache`` where an earlier run left them.

    Raises ``DatasetError`` where a clip cannot be read or is shorter than a frame.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = [(clip.path, features, cache / _name(clip.path, features)) for clip in clips]
    missing = [task for task in tasks if not task[2].is_file()]
    done = len(tasks) - len(missing)
    for failure in _extracted(missing, processes or cores()):
        if failure:
            raise DatasetError(failure)
        done += 1
        if progress is not None:
            progress(done, len(tasks))
    songs = []
    for clip, (_, _, file) in zip(clips, tasks, strict=True):
        bands = np.load(file, allow_pickle=False)
        if not len(bands):
            raise DatasetError(f"{clip.path} is shorter than one frame")
        ends = np.arange(len(bands)) * features.hop + features.frame
        songs.append(Song(clip, bands, ends / features.sample_rate))
    return songs


def samples_of(path: Path, rate: int) -> NDArray[np.float32]:
    """A whole clip at ``rate`` Hz, mono float32. Raises ``AudioError``."""
    source = Resampled(FileSource(path), rate)
    pieces = [piece for piece in source if isinstance(piece, np.ndarray)]
    return np.concatenate([np.empty(0, np.float32), *pieces])


def log_mel_of(path: Path, config: FeatureConfig) -> NDArray[np.float16]:
    """The log band energies (frames, filters) of a clip, by the stages that listen live.

    Half precision keeps .03 of a neper even at the floor: enough to learn from.
    """
    framing, mfcc = Framing(config.frame, config.hop), Mfcc(config)
    frames, _, _ = framing.cut(samples_of(path, config.sample_rate), framing.initial())
    return mfcc.log_mel(frames).astype(np.float16)


def _name(path: Path, features: FeatureConfig) -> str:
    # What becomes of the bands afterwards is no matter of theirs.
    bands = replace(features, coefficients=features.filters, lifter=0, append_energy=False)
    status = path.stat()
    facts = [str(path.resolve()), status.st_size, status.st_mtime_ns, asdict(bands)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24] + ".npy"


def _extracted(tasks: list[_Task], processes: int) -> Iterator[str | None]:
    """Do the tasks, in this process if one is enough, and tell of each failure.

    An interrupted run keeps what it had: each file appears whole or not at all.
    """
    if processes == 1 or len(tasks) < 2:
        yield from map(_extract, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(_extract, tasks, chunksize=8)


def _extract(task: _Task) -> str | None:
    """Write one clip's bands; the sentence of a failure."""
    path, features, file = task
    try:
        bands = log_mel_of(path, features)
    except StreamerError as error:
        return str(error)
    partial = file.with_suffix(f".{os.getpid()}.npy")
    np.save(partial, bands)
    partial.replace(file)
    return None


class Rows:
    """Log bands to what the network is fed, by the very stages that listen live."""

    def __init__(self, recipe: Recipe) -> None:
        features = recipe.features
        self._mfcc = Mfcc(features)
        self._volume = Volume(
            recipe.volume, features.hop / features.sample_rate, 1 / math.sqrt(features.filters)
        )
        self.initial = self._volume.initial()

    def of(
        self, bands: NDArray[np.floating], states: Sequence[VolumeState]
    ) -> tuple[NDArray[np.float32], list[VolumeState]]:
        """Rows (batch, time, coefficients) of ``bands`` (batch, time, filters), a state each."""
        rows = self._mfcc.from_log_mel(bands.astype(np.float64))
        levelled = [self._volume.level(row, at) for row, at in zip(rows, states, strict=True)]
        stacked = np.stack([row for row, _ in levelled]).astype(np.float32)
        return stacked, [state for _, state in levelled]

    def normalisation(self, songs: Sequence[Song]) -> Normalisation:
        """Mean and deviation of each coefficient over every third song."""
        every = [self.of(song.bands[None], [self.initial])[0][0] for song in songs[::3]]
        rows = np.concatenate(every).astype(np.float64)
        return Normalisation(
            tuple(np.round(rows.mean(axis=0), 6).tolist()),
            tuple(np.round(np.maximum(rows.std(axis=0), 1e-3), 6).tolist()),
        )
