"""Every clip's features beside its labels, cached on disk, and the rows that a network is fed.

Each clip is kept as it is and, unless it is a piece of a pair, in a few distorted takes
(``streamer.training.acoustics``): what a room does to the chroma cannot be had from the chroma.
"""

from __future__ import annotations

import functools
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
from streamer.audio.resample import Resampled, Skipped
from streamer.errors import AudioError, DatasetError, StreamerError
from streamer.features.chroma import NO_HARMONY, PITCH_CLASSES, Chroma, HarmonyState
from streamer.features.framing import Framing
from streamer.features.gain import Volume, VolumeState
from streamer.features.mfcc import FeatureConfig, Mfcc
from streamer.network.config import Normalisation
from streamer.processes import cores
from streamer.training.acoustics import RATE, Acoustics, Surroundings
from streamer.training.dataset import MUSIC, Clip
from streamer.training.facts import facts_of
from streamer.training.recipe import Recipe

#: Told how many of how many are done.
Progress = Callable[[int, int], None]
#: What may be heard behind a clip: a file, and whether people talk in it.
_Recording = tuple[Path, bool]
#: A column of the cache says how far a take's noise is under its sound; more dB than this is none.
_NO_NOISE_DB = 99.0


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One clip as it arrived once, half precision.

    ``bands`` (frames, filters) are natural logs of power, ``tones`` (frames, tones) what
    ``Chroma.facts`` says of the long window; ``snr_db`` how far added noise lies under the sound.
    """

    bands: NDArray[np.float16]
    tones: NDArray[np.float16]
    snr_db: float

    @property
    def parts(self) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """All that was heard."""
        return self.bands, self.tones


@dataclass(frozen=True, slots=True, eq=False)
class Song:
    """A clip and its ``takes``, the first as it is.

    ``ends`` (frames,) are the times in seconds at which the frames of that one end; ``facts`` what
    it is like as a whole (``streamer.training.facts``).
    """

    clip: Clip
    takes: tuple[Take, ...]
    ends: NDArray[np.float64]
    facts: NDArray[np.float32]

    @property
    def bands(self) -> NDArray[np.float16]:
        """Those of the clip as it is."""
        return self.takes[0].bands

    @property
    def tones(self) -> NDArray[np.float16]:
        """Those of the clip as it is."""
        return self.takes[0].tones


@dataclass(frozen=True, slots=True)
class _Task:
    """A clip's takes to be made, each with the file that it goes to: 0 is the clip as it is."""

    clip: Clip
    recipe: Recipe
    around: tuple[_Recording, ...]
    takes: tuple[tuple[int, Path], ...]


def prepare(
    clips: Sequence[Clip],
    recipe: Recipe,
    cache: Path,
    progress: Progress | None = None,
    processes: int | None = None,
) -> list[Song]:
    """The songs of ``clips``; features are taken from ``cache`` where an earlier run left them.

    Clips that are no music and never held out are heard behind others in their distorted takes.
    Pieces of pairs have none. Raises ``DatasetError`` where a clip cannot be heard to its end
    or is shorter than a frame; what was extracted of the others is kept.
    """
    cache.mkdir(parents=True, exist_ok=True)
    prints = [_fingerprint(clip.path) for clip in clips]
    heard_behind = [
        (clip, own)
        for clip, own in zip(clips, prints, strict=True)
        if clip.kind != MUSIC and clip.fold < 0 and clip.learnt
    ]
    around = tuple((clip.path, clip.kind == "speech") for clip, _ in heard_behind)
    behind = [(own, clip.kind == "speech") for clip, own in heard_behind]
    # The pieces of a pair differ in their notes alone: no room is to come between them.
    numbers = [range(1 if clip.pair else 1 + recipe.acoustics.takes) for clip in clips]
    files = [
        [cache / _name(clip, own, recipe, take, behind) for take in takes]
        for clip, own, takes in zip(clips, prints, numbers, strict=True)
    ]
    missing = []
    for clip, own in zip(clips, files, strict=True):
        takes = tuple((take, file) for take, file in enumerate(own) if not file.is_file())
        if takes:
            missing.append(_Task(replace(clip, hints=None), recipe, around, takes))
    done = len(clips) - len(missing)
    failures = []
    for failure in _extracted(missing, processes or cores()):
        if failure:
            failures.append(failure)
        done += 1
        if progress is not None:
            progress(done, len(clips))
    if failures:
        others = len(failures) - 1
        more = f" (and {others} more {'clip' if others == 1 else 'clips'})" if others else ""
        raise DatasetError(min(failures) + more)
    songs = []
    for clip, own in zip(clips, files, strict=True):
        heard = tuple(_read(file, recipe) for file in own)
        facts = np.load(_facts_file(own[0]), allow_pickle=False)
        count = len(heard[0].bands)
        if not count:
            raise DatasetError(f"{clip.path} is shorter than one frame")
        features = recipe.features
        ends = (np.arange(count) * features.hop + features.frame) / features.sample_rate
        songs.append(Song(clip, heard, ends, facts))
    return songs


def _read(file: Path, recipe: Recipe) -> Take:
    table = np.load(file, allow_pickle=False)
    filters = recipe.features.filters
    snr = float(table[0, -1]) if len(table) else _NO_NOISE_DB
    return Take(table[:, :filters], table[:, filters:-1], snr)


def _name(
    clip: Clip,
    own: str,
    recipe: Recipe,
    take: int,
    behind: Sequence[object],
) -> str:
    # What becomes of the bands afterwards is no matter of theirs.
    features = recipe.features
    bands = replace(features, coefficients=features.filters, lifter=0, append_energy=False)
    facts: list[object] = [own, asdict(bands)]
    if take:
        changes = asdict(recipe.acoustics) | {"takes": take}
        facts += [changes, clip.dataset, clip.song, clip.dynamic, clip.kind, behind]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24] + ".npy"


def _fingerprint(path: Path) -> str:
    """The digest of all that a file holds.

    Where it lies and when it was written do not matter: a dataset that was moved or copied is not
    extracted again. Raises ``DatasetError``.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from None


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
    """Write a clip's takes; the sentence of a failure."""
    features = task.recipe.features
    try:
        samples = samples_of(task.clip.path, features.sample_rate)
        for take, file in task.takes:
            if take:
                sound, snr = _distorted(samples, take, task)
                table = features_of(sound, features)
            else:
                table, snr = features_of(samples, features), math.inf
                _write(_facts_file(file), _facts(table, features))
            column = np.full((len(table), 1), min(snr, _NO_NOISE_DB), np.float16)
            _write(file, np.concatenate([table, column], axis=1))
    except StreamerError as error:
        return str(error)
    return None


def _write(file: Path, table: NDArray[np.floating]) -> None:
    partial = file.with_suffix(f".{os.getpid()}.npy")
    np.save(partial, table)
    partial.replace(file)


def _facts_file(file: Path) -> Path:
    return file.with_name(f"{file.stem}-facts.npy")


def _facts(table: NDArray[np.float16], features: FeatureConfig) -> NDArray[np.float32]:
    """What the clip is like as a whole; nothing of a clip shorter than a frame."""
    if not len(table):
        return np.empty(0, np.float32)
    bands, tones = table[:, : features.filters], table[:, features.filters :].astype(np.float64)
    chroma = chroma_of(features)
    rows = tones if chroma is None else chroma.rows(tones, chroma.initial())[0]
    return facts_of(bands, rows, features).astype(np.float32)


def _distorted(
    samples: NDArray[np.float32], take: int, task: _Task
) -> tuple[NDArray[np.float32], float]:
    """A distorted take, which depends on the clip's name and the take's number alone."""
    clip = task.clip
    if task.recipe.features.sample_rate != RATE:
        raise DatasetError(f"distorted takes are made at {RATE} Hz alone: set acoustics.takes to 0")
    if not len(samples):
        return samples, math.inf
    acoustics = Acoustics(task.recipe.acoustics, _surroundings(task.around))
    random = np.random.default_rng([take, *f"{clip.dataset}/{clip.song}".encode()])
    sound, snr = acoustics.take(
        samples.astype(np.float64), random, music=clip.kind == MUSIC, bound=clip.dynamic
    )
    return sound.astype(np.float32), snr


@functools.lru_cache(maxsize=1)
def _surroundings(around: tuple[_Recording, ...]) -> Surroundings:
    """The recordings that are heard behind others; a worker process keeps them."""
    voices, places = (
        [samples_of(path, RATE).astype(np.float64) for path, talks in around if talks is wanted]
        for wanted in (True, False)
    )
    return Surroundings(voices, places)


def samples_of(path: Path, rate: int) -> NDArray[np.float32]:
    """A whole clip at ``rate`` Hz, mono float32; samples that are no sound are zeros.

    Raises ``AudioError``, also where not all of it can be heard: what was said of the clip may be
    about the rest.
    """
    pieces = [np.empty(0, np.float32)]
    for piece in Resampled(FileSource(path), rate):
        if isinstance(piece, np.ndarray):
            pieces.append(piece)
        elif isinstance(piece, Skipped):
            pieces.append(np.zeros(piece.samples, np.float32))
        elif piece.missing:
            raise AudioError(f"{piece.message}: get a whole copy, or take it out of the dataset")
    return np.concatenate(pieces)


def chroma_of(features: FeatureConfig) -> Chroma | None:
    """The chroma stage of a configuration, if it has one."""
    if features.chroma is None:
        return None
    return Chroma(features.chroma, features.sample_rate, features.frame, features.hop)


def features_of(samples: NDArray[np.float32], features: FeatureConfig) -> NDArray[np.float16]:
    """Log bands and tones (frames, filters + tones) of a clip, by the stages that listen live.

    Half precision keeps .03 of a neper even at the floor: enough to learn from.
    """
    framing, mfcc, chroma = (
        Framing(features.frame, features.hop),
        Mfcc(features),
        chroma_of(features),
    )
    frames, _, _ = framing.cut(samples, framing.initial())
    parts = [mfcc.log_mel(frames)]
    if chroma is not None:
        windows, _ = chroma.windows(frames, chroma.initial_window())
        parts.append(chroma.facts(windows))
    return np.concatenate(parts, axis=1).astype(np.float16)


#: Where a stream stands before its rows are made: its level, and what was heard of its harmony.
RowsState = tuple[VolumeState, HarmonyState]


class Rows:
    """Log bands and tones to what the network is fed, by the very stages that listen live."""

    def __init__(self, recipe: Recipe) -> None:
        features = recipe.features
        hop_s = features.hop / features.sample_rate
        self._features = features
        self._mfcc = Mfcc(features)
        self._volume = Volume(recipe.volume, hop_s, 1 / math.sqrt(features.filters))
        self._chroma = chroma_of(features)
        harmony = NO_HARMONY if self._chroma is None else self._chroma.initial()
        self.initial: RowsState = (self._volume.initial(), harmony)

    def of(
        self,
        bands: NDArray[np.floating],
        tones: NDArray[np.floating],
        states: Sequence[RowsState],
    ) -> tuple[NDArray[np.float32], list[RowsState]]:
        """Rows (batch, time, inputs) of ``bands``, ``tones`` (batch, time, ...), a state each."""
        batch, time, _ = bands.shape
        rows = self._mfcc.from_log_mel(bands.astype(np.float64)).reshape(batch * time, -1)
        lengths, harmonies = [time] * batch, [harmony for _, harmony in states]
        levelled, volumes = self._volume.level_streams(
            rows, lengths, [level for level, _ in states]
        )
        if self._chroma is not None:
            flat = tones.astype(np.float64).reshape(batch * time, -1)
            harmony, harmonies = self._chroma.rows_of_songs(flat, lengths, harmonies)
            levelled = np.concatenate([levelled, harmony], axis=1)
        joined = levelled.astype(np.float32).reshape(batch, time, -1)
        return joined, list(zip(volumes, harmonies, strict=True))

    def of_song(self, song: Song) -> NDArray[np.float32]:
        """Rows (1, frames, inputs) of a song as it is, from its beginning."""
        return self.of(song.bands[None], song.tones[None], [self.initial])[0]

    def normalisation(self, songs: Sequence[Song]) -> Normalisation:
        """Mean and deviation of each number over every third song, alike for all pitch classes."""
        rows = np.concatenate([self.of_song(song)[0] for song in songs[::3]]).astype(np.float64)
        mean, sd = rows.mean(axis=0), rows.std(axis=0)
        chroma = self._features.chroma
        for plane in range(chroma.planes if chroma is not None else 0):
            first = self._features.coefficients + PITCH_CLASSES * plane
            place = slice(first, first + PITCH_CLASSES)
            mean[place], sd[place] = rows[:, place].mean(), rows[:, place].std()
        return Normalisation(
            tuple(np.round(mean, 6).tolist()), tuple(np.round(np.maximum(sd, 1e-3), 6).tolist())
        )
