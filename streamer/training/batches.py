"""Random crops of songs as batches: features for the network, targets and weights for the loss."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.training.dataset import HINT_HOP_S, HINT_WINDOW_S, MUSIC
from streamer.training.labels import Scale, label_of
from streamer.training.material import Song
from streamer.training.recipe import LossConfig, Recipe
from streamer.training.teachers import Teachings

Floats = NDArray[np.float32]
#: So many hints of a window are learnt: the largest components of the embedding, and all tags.
_COMPONENTS, _EMBEDDING = 48, 64
#: A window counts for the frames that end no longer than this before it does.
_EARLY_S = 0.8
#: Music under noise as loud as this, in dB, may be either.
_DOUBTFUL_SNR_DB = 3.0
#: Nothing is said of music before this, in seconds.
_MUSIC_FROM_S = 0.5
#: Terms of the random curves of the equaliser.
_CURVES = 6
_SMALLEST = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """``bands`` and ``tones`` (batch, time, ...); the first ``emotional`` sequences have labels.

    ``targets`` (emotional, time, 2) on the common plane and ``weights`` (emotional, time), whether
    they count; ``kinds`` are the stretches with labels of one kind. ``ratings`` (rated, time, 2):
    the labels in time of the first sequences, off their zero. ``words`` (emotional, 2 * corpora)
    and ``consensus`` (emotional, 2) of the teachers. ``hints`` (emotional, time, hints) and
    ``hint_weights``. ``judged`` are the places of the sequences judged by quadrant, with ``sides``
    and ``tags`` (judged, 2); ``felt_at`` those with shares ``felt`` (n, 9) of listeners. The last
    ``4 * pairs`` sequences are pieces of pairs, each in two keys: the brighter ones, the same in
    another key (or again, if there is one key), then the darker ones likewise. ``music``
    (batch,) is 1 for music, ``music_weights`` (batch, time) whether that is sure.
    """

    bands: Floats
    tones: Floats
    emotional: int
    targets: Floats
    weights: Floats
    kinds: tuple[slice, ...]
    ratings: Floats
    words: Floats
    consensus: Floats
    hints: Floats
    hint_weights: Floats
    judged: NDArray[np.int64]
    sides: Floats
    tags: Floats
    felt_at: NDArray[np.int64]
    felt: Floats
    pairs: int
    music: Floats
    music_weights: Floats


class Batches:
    """Makes the batches of an epoch; all chance comes from the generator that it is given."""

    def __init__(
        self,
        songs: Sequence[Song],
        recipe: Recipe,
        scales: Mapping[str, Scale],
        teachings: Teachings,
    ) -> None:
        fit = recipe.fit
        hop_s = recipe.features.hop / recipe.features.sample_rate
        pools = {
            "dynamic": [song for song in songs if song.clip.dynamic],
            "judged": [song for song in songs if song.clip.sides is not None],
            "felt": [
                s for s in songs if s.clip.emotional and not s.clip.dynamic and not s.clip.sides
            ],
            "sounds": [s for s in songs if not s.clip.emotional and not s.clip.pair],
            "pairs": [song for song in songs if song.clip.pair] if fit.pairs_share else [],
        }
        shares = dict(
            zip(
                pools,
                (
                    fit.dynamic_share,
                    fit.quadrant_share,
                    fit.felt_share,
                    fit.sounds_share,
                    fit.pairs_share,
                ),
                strict=True,
            )
        )
        whole = sum(shares[name] for name, pool in pools.items() if pool)
        self._pools = pools
        self._sizes = {
            name: max(1, round(fit.batch * shares[name] / whole)) if pool else 0
            for name, pool in pools.items()
        }
        ends = np.cumsum([self._sizes[name] for name in ("dynamic", "judged", "felt")]).tolist()
        self._kinds = tuple(
            slice(begin, end) for begin, end in itertools.pairwise([0, *ends]) if end > begin
        )
        self._queues: dict[str, list[int]] = {}
        self._chances = _by_kind(pools["sounds"])
        self._pieces = _by_pair(pools["pairs"])
        self._length = round(fit.crop_s / hop_s) - 1
        self._settle = round(fit.settle_s / hop_s)
        self._hop_s = hop_s
        self._fit = fit
        self._scales = scales
        self._teachings = teachings
        self._hints = _Hints(songs)

    def heads(self, config: LossConfig) -> dict[str, int]:
        """The heads that can be learnt beside the estimate, and how many numbers each says."""
        felt = [song.clip.felt for song in self._pools["felt"] if song.clip.felt is not None]
        return {
            "ratings": 2 if self._pools["dynamic"] and config.ratings else 0,
            "sides": 2 if self._pools["judged"] and (config.sides or config.tags) else 0,
            "felt": len(felt[0]) if felt and config.felt else 0,
            "teachers": 2 * len(self._teachings.corpora) if config.teachers else 0,
            "hints": self._hints.count if config.hints else 0,
        }

    def epoch(self, random: np.random.Generator) -> Iterator[Batch]:
        """The recipe's number of batches; no song comes again before all of its pool came.

        (Sounds and pairs are drawn by chance.)
        """
        self._queues = {name: [] for name in self._pools}
        for _ in range(self._fit.steps):
            songs = [song for name in self._pools for song in self._drawn(name, random)]
            yield self._batch(songs, random)

    def _drawn(self, name: str, random: np.random.Generator) -> list[Song]:
        """The next songs of a pool: each as often as the others, or, of sounds, by their kind."""
        pool, size = self._pools[name], self._sizes[name]
        if not size:
            return []
        if name == "sounds":
            return [pool[index] for index in random.choice(len(pool), size, p=self._chances)]
        if name == "pairs":
            return self._drawn_pairs(max(1, size // 4), random)
        queue = self._queues[name]
        while len(queue) < size:
            queue += random.permutation(len(pool)).tolist()
        self._queues[name] = queue[size:]
        return [pool[index] for index in queue[:size]]

    def _drawn_pairs(self, count: int, random: np.random.Generator) -> list[Song]:
        """Pieces of so many pairs, each in two keys, in the order of ``Batch``."""
        chosen = random.choice(len(self._pieces), min(len(self._pieces), count), replace=False)
        found: list[list[Song]] = []
        for place in chosen:
            four: list[Song] = []
            for keys in self._pieces[place]:
                two = random.choice(len(keys), 2, replace=len(keys) < 2)
                four += [keys[key] for key in two]
            found.append(four)
        return [song for same in zip(*found, strict=True) for song in same]

    def _batch(self, songs: list[Song], random: np.random.Generator) -> Batch:
        crops = [self._crop(song, random) for song in songs]
        bands = np.stack([crop.bands for crop in crops])
        emotional = sum(song.clip.emotional for song in songs)
        known, of_them = songs[:emotional], crops[:emotional]
        names = [(song.clip.dataset, song.clip.song) for song in known]
        told, agreed = self._teachings.words, self._teachings.consensus
        hinted = [
            self._hints.at(song, crop.ends) for song, crop in zip(known, of_them, strict=True)
        ]
        judged = [k for k, song in enumerate(known) if song.clip.sides is not None]
        felt = [k for k, song in enumerate(known) if song.clip.felt is not None]
        weights = _stacked([crop.weights for crop in of_them], (0, self._length))
        hint_weights = _stacked([weight for _, weight in hinted], (0, self._length))
        pairs = sum(song.clip.pair != "" for song in songs) // 4
        return Batch(
            bands=bands + self._curves(bands, pairs, random),
            tones=np.stack([crop.tones for crop in crops]),
            emotional=emotional,
            targets=_stacked([crop.targets for crop in of_them], (0, self._length, 2)),
            weights=weights,
            kinds=self._kinds,
            ratings=_stacked(
                [c.ratings for s, c in zip(known, of_them, strict=True) if s.clip.dynamic],
                (0, self._length, 2),
            ),
            words=_stacked([told[name] for name in names], (0, 0)),
            consensus=_stacked([agreed[name] for name in names], (0, 2)),
            hints=_stacked([target for target, _ in hinted], (0, self._length, 0)),
            hint_weights=hint_weights * weights,
            judged=np.array(judged, np.int64),
            sides=np.array([known[k].clip.sides for k in judged], np.float32).reshape(-1, 2),
            tags=np.array([known[k].clip.tags for k in judged], np.float32).reshape(-1, 2),
            felt_at=np.array(felt, np.int64),
            felt=_stacked([np.array(known[k].clip.felt, np.float32) for k in felt], (0, 0)),
            pairs=pairs,
            music=np.array([song.clip.kind == MUSIC for song in songs], np.float32),
            music_weights=np.stack([crop.music_weights for crop in crops]),
        )

    def _curves(self, bands: Floats, pairs: int, random: np.random.Generator) -> Floats:
        """A smooth random curve over the bands of some sequences: another equaliser.

        All pieces of a pair get the same.
        """
        batch, _, filters = bands.shape
        k = np.arange(1, _CURVES + 1)
        place = (np.arange(filters) + 0.5) / filters
        size = random.standard_normal((batch, _CURVES)) / np.sqrt(k) * self._fit.equaliser_nepers
        size *= random.random((batch, 1)) < self._fit.equaliser
        if pairs:
            size[-4 * pairs :] = np.tile(size[-pairs:], (4, 1))
        curves = size @ np.cos(np.pi * k[:, None] * place)
        return np.asarray(curves[:, None], dtype=np.float32)

    def _crop(self, song: Song, random: np.random.Generator) -> _Crop:
        """A random stretch of a random take of a song."""
        takes, clip = song.takes, song.clip
        # Of sounds without labels there are few: all of their takes count alike.
        clean = self._fit.clean_share if clip.emotional else 1 / len(takes)
        number = 0 if random.random() < clean else 1 + int(random.integers(max(1, len(takes) - 1)))
        take = takes[min(number, len(takes) - 1)]
        frames = len(take.bands)
        first = int(random.integers(0, max(1, frames - self._length + 1)))
        if clip.dynamic:
            first = max(first, self._first_useful(song))
        places = first + np.arange(self._length)
        inside = places < frames
        if clip.emotional:
            places = np.minimum(places, frames - 1)
        else:
            places = first + np.arange(self._length) % max(1, frames - first)  # again and again
            inside[:] = True
        ends = song.ends[0] + places * self._hop_s
        weights = inside.astype(np.float32)
        weights[: self._settle] = 0
        music_weights = inside.astype(np.float32)
        music_weights[: round(_MUSIC_FROM_S / self._hop_s)] = 0
        if take.snr_db < _DOUBTFUL_SNR_DB and clip.kind == MUSIC:
            music_weights[:] = 0
        targets, ratings = np.zeros((2, self._length, 2), np.float32)
        if clip.dynamic:
            labels = self._scales[clip.dataset].on_plane(clip.labels)
            own = clip.labels - np.array(self._scales[clip.dataset].zero)
            for axis in range(2):
                targets[:, axis] = np.interp(ends, clip.times, labels[:, axis])
                ratings[:, axis] = np.interp(ends, clip.times, own[:, axis])
            # Before the first label nothing is known.
            weights[ends < clip.times[0] - 0.25] = 0
        elif clip.emotional:
            targets[:] = self._scales[clip.dataset].on_plane(label_of(clip)[None])
        bands, tones = (each[places].astype(np.float32) for each in (take.bands, take.tones))
        return _Crop(bands, tones, targets, ratings, weights, music_weights, ends)

    def _first_useful(self, song: Song) -> int:
        """The first frame that a crop may begin with: long before the labels nothing is learnt.

        (DEAM's own files begin 15 s before their labels.)
        """
        labelled = int(np.searchsorted(song.ends, song.clip.times[0] - 0.25))
        return max(0, min(labelled - self._settle, len(song.bands) - self._length))


@dataclass(frozen=True, slots=True, eq=False)
class _Crop:
    """A stretch of one take, each field over its time."""

    bands: Floats
    tones: Floats
    targets: Floats
    ratings: Floats
    weights: Floats
    music_weights: Floats
    ends: NDArray[np.float64]


class _Hints:
    """Standardised hints of the songs that have them, frame by frame."""

    def __init__(self, songs: Sequence[Song]) -> None:
        rows = [_learnt(s.clip.hints) for s in songs if s.clip.hints is not None]
        self.count = rows[0].shape[1] if rows else 0
        every = np.concatenate(rows) if rows else np.empty((0, 0), np.float32)
        self._mean = every.mean(axis=0) if rows else every.reshape(-1)
        self._sd = every.std(axis=0) + _SMALLEST if rows else every.reshape(-1)

    def at(self, song: Song, ends: NDArray[np.float64]) -> tuple[Floats, Floats]:
        """Targets (time, hints) of frames that end at ``ends``, and whether they count (time,).

        A frame answers for the newest window that ends with it or before.
        """
        hints = song.clip.hints
        if hints is None:
            return np.zeros((len(ends), self.count), np.float32), np.zeros(len(ends), np.float32)
        window = np.floor((ends - HINT_WINDOW_S) / HINT_HOP_S).astype(int)
        rows = (_learnt(hints) - self._mean) / self._sd
        counts = (ends > HINT_WINDOW_S - _EARLY_S).astype(np.float32)
        return rows[np.clip(window, 0, len(rows) - 1)].astype(np.float32), counts


def _learnt(hints: NDArray[np.float16]) -> Floats:
    """The part of the hints that is learnt, tags as log odds."""
    tags = hints[:, _EMBEDDING:].astype(np.float32)
    odds = np.log((tags + _SMALLEST) / (1 + _SMALLEST - tags))
    return np.concatenate([hints[:, :_COMPONENTS].astype(np.float32), odds], axis=1)


def _by_kind(songs: Sequence[Song]) -> NDArray[np.float64]:
    """How often each sound is heard: a kind as often as the root of its number says."""
    kinds = [song.clip.kind for song in songs]
    chances = np.array([kinds.count(kind) ** -0.5 for kind in kinds])
    return np.asarray(chances / chances.sum() if len(chances) else chances)


def _by_pair(songs: Sequence[Song]) -> list[tuple[list[Song], list[Song]]]:
    """The pieces of each pair: the brighter one in all of its keys, and the darker one."""
    found: dict[tuple[str, str], tuple[list[Song], list[Song]]] = {}
    for song in songs:
        pieces = found.setdefault((song.clip.dataset, song.clip.pair), ([], []))
        pieces[not song.clip.brighter].append(song)
    return list(found.values())


def _stacked(rows: Sequence[Floats], empty: tuple[int, ...]) -> Floats:
    """The rows as one array, or none of them in the given shape."""
    return np.stack(rows).astype(np.float32) if rows else np.zeros(empty, np.float32)
