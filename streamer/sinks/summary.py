"""Closing summary of a session: its figures, gathered as it goes, in memory that does not grow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamer.circumplex import mood
from streamer.events import QUADRANTS, End, Estimate, Event, Gap, Start, beginning

#: A moment is judged by the mean of one second, and lies this many seconds from the others.
MOMENT_S = 1.0
APART_S = 5.0
#: How many candidates are kept for each kind of moment, and how many points of the outline.
_CANDIDATES = 8
OUTLINE_POINTS = 240
#: The kinds of moments: name, axis (0 valence, 1 arousal) and sign of what stands out.
_KINDS = (
    ("highest arousal", 1, 1.0),
    ("highest valence", 0, 1.0),
    ("lowest valence", 0, -1.0),
    ("lowest arousal", 1, -1.0),
)


@dataclass(slots=True)
class _Running:
    """Weighted mean, deviation and range, one number at a time (West 1979)."""

    weight: float = 0.0
    mean: float = 0.0
    spread: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf

    def add(self, value: float, weight: float) -> None:
        self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)
        if weight <= 0:
            return
        self.weight += weight
        step = value - self.mean
        self.mean += step * weight / self.weight
        self.spread += weight * step * (value - self.mean)

    def axis(self) -> Axis | None:
        if not self.weight:
            return None
        sd = math.sqrt(max(0.0, self.spread / self.weight))
        return Axis(self.mean, sd, self.lowest, self.highest)


@dataclass(slots=True)
class _Mean:
    """Weighted sums of valence and arousal."""

    weight: float = 0.0
    valence: float = 0.0
    arousal: float = 0.0

    def add(self, valence: float, arousal: float, weight: float) -> None:
        self.weight += weight
        self.valence += valence * weight
        self.arousal += arousal * weight

    def merge(self, other: _Mean) -> None:
        self.weight += other.weight
        self.valence += other.valence
        self.arousal += other.arousal

    def mean(self) -> tuple[float, float] | None:
        if not self.weight:
            return None
        return self.valence / self.weight, self.arousal / self.weight


class Journey:
    """Gathers the figures of a session from its events, in order of time."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._end: End | None = None
        self._first: float | None = None
        self._covered = self._last = 0.0
        self._shares = dict.fromkeys((*QUADRANTS, "silent", "no music"), 0.0)
        self._moods: dict[str, float] = {}
        self._valence, self._arousal = _Running(), _Running()
        self._second = -1
        self._in_second = _Mean()
        self._candidates: dict[str, list[tuple[float, Moment]]] = {
            kind: [] for kind, _, _ in _KINDS
        }
        self._gaps = self._lost_samples = 0
        self._lost_s = 0.0
        self._step = 0.5
        self._outline: list[_Mean] = []

    def write(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, Estimate):
            self._estimate(event)
        elif isinstance(event, Gap):
            self._begin(event.t)
            self._gaps += 1
            self._lost_samples += event.samples
            self._lost_s += event.seconds
            self._covered = max(self._covered, event.t + event.seconds)
            self._last = max(self._last, self._covered)
        elif isinstance(event, Start):
            self._start = event
        elif isinstance(event, End):
            self._end = event
            self._last = max(self._last, event.t)

    def summary(self) -> Summary:
        """The figures so far."""
        judged = sum(self._shares.values())
        by_length = sorted(self._moods.items(), key=lambda item: -item[1])
        begin = self._first or 0.0
        return Summary(
            source=self._start.source if self._start else {},
            model=self._start.model if self._start else "",
            begin_s=begin,
            end_s=max(begin, self._last),
            quadrants={name: self._shares[name] / judged if judged else 0.0 for name in QUADRANTS},
            silent=self._shares["silent"] / judged if judged else 0.0,
            no_music=self._shares["no music"] / judged if judged else 0.0,
            moods={word: seconds / judged for word, seconds in by_length if judged},
            valence=self._valence.axis(),
            arousal=self._arousal.axis(),
            moments=self._moments(),
            gaps=self._gaps,
            lost_samples=self._lost_samples,
            lost_s=self._lost_s,
            real_time_factor=self._end.real_time_factor if self._end else None,
            outline_step_s=self._step,
            outline=tuple(point.mean() for point in self._outline),
        )

    def _begin(self, t: float) -> None:
        if self._first is None:
            self._first = self._covered = beginning(self._start, t)

    def _estimate(self, event: Estimate) -> None:
        self._begin(event.t)
        weight = max(0.0, event.t - self._covered)
        self._covered = self._last = max(self._covered, event.t)
        if event.valence is None or event.arousal is None:
            self._shares["silent" if event.silent else "no music"] += weight
            return
        if event.quadrant in self._shares:
            self._shares[event.quadrant] += weight
        word = event.mood or mood(event.valence, event.arousal)
        self._moods[word] = self._moods.get(word, 0.0) + weight
        self._valence.add(event.valence, weight)
        self._arousal.add(event.arousal, weight)
        self._draw(event.t, event.valence, event.arousal, weight)
        second = math.ceil(event.t / MOMENT_S - 1e-6)
        if second != self._second:
            self._consider(self._candidates)
            self._second, self._in_second = second, _Mean()
        self._in_second.add(event.valence, event.arousal, weight)

    def _draw(self, t: float, valence: float, arousal: float, weight: float) -> None:
        """Add to the outline; when it is full, two points become one."""
        index = int(max(0.0, t - (self._first or 0.0) - 1e-6) / self._step)
        while index >= OUTLINE_POINTS:
            pairs = self._outline
            for left, right in zip(pairs[::2], pairs[1::2], strict=False):
                left.merge(right)
            self._outline = pairs[::2]
            self._step *= 2
            index //= 2
        while len(self._outline) <= index:
            self._outline.append(_Mean())
        self._outline[index].add(valence, arousal, weight)

    def _consider(self, candidates: dict[str, list[tuple[float, Moment]]]) -> None:
        """Let the finished second stand for each kind of moment."""
        mean = self._in_second.mean()
        if mean is None:
            return
        for kind, axis, sign in _KINDS:
            moment = Moment(self._second * MOMENT_S, kind, *mean, mood(*mean))
            value, best = sign * mean[axis], candidates[kind]
            near = [entry for entry in best if abs(entry[1].t - moment.t) < APART_S]
            if any(entry[0] >= value for entry in near):
                continue
            kept = [entry for entry in best if entry not in near]
            kept.append((value, moment))
            kept.sort(key=lambda entry: -entry[0])
            candidates[kind] = kept[:_CANDIDATES]

    def _moments(self) -> tuple[Moment, ...]:
        """One moment of each kind, none of them close to another, in order of time."""
        candidates = {kind: list(best) for kind, best in self._candidates.items()}
        self._consider(candidates)
        chosen: list[Moment] = []
        for kind, _, _ in _KINDS:
            for _, moment in candidates[kind]:
                if all(abs(moment.t - other.t) >= APART_S for other in chosen):
                    chosen.append(moment)
                    break
        return tuple(sorted(chosen, key=lambda moment: moment.t))


@dataclass(frozen=True, slots=True)
class Axis:
    """Mean, deviation and range of valence or arousal over the time that was judged."""

    mean: float
    sd: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Moment:
    """A second that stands out: where it ends in stream time, why, and how it felt (mean)."""

    t: float
    what: str
    valence: float
    arousal: float
    mood: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A session in a few figures.

    Times are seconds of stream time; ``quadrants``, ``silent``, ``no_music`` (sound that is none)
    and ``moods`` are shares of the time heard in [0, 1]; ``moments`` are in order of time;
    ``outline`` holds means of ``(valence, arousal)`` over steps of ``outline_step_s`` from
    ``begin_s`` on, ``None`` where nothing was judged.
    """

    source: Mapping[str, Any]
    model: str
    begin_s: float
    end_s: float
    quadrants: Mapping[str, float]
    silent: float
    no_music: float
    moods: Mapping[str, float]
    valence: Axis | None
    arousal: Axis | None
    moments: tuple[Moment, ...]
    gaps: int
    lost_samples: int
    lost_s: float
    real_time_factor: float | None
    outline_step_s: float
    outline: tuple[tuple[float, float] | None, ...]

    @property
    def length_s(self) -> float:
        """Seconds of stream time from the first to the last sample."""
        return self.end_s - self.begin_s

    def to_dict(self) -> dict[str, Any]:
        """A plain object for ``--summary``: rounded numbers, the outline left out."""

        def axis(of: Axis | None) -> dict[str, float] | None:
            if of is None:
                return None
            return {
                "mean": round(of.mean, 4),
                "sd": round(of.sd, 4),
                "min": round(of.lowest, 4),
                "max": round(of.highest, 4),
            }

        return {
            "type": "summary",
            "source": dict(self.source),
            "model": self.model,
            "begin_s": round(self.begin_s, 3),
            "end_s": round(self.end_s, 3),
            "length_s": round(self.length_s, 3),
            "share": {
                **{name: round(self.quadrants.get(name, 0.0), 4) for name in QUADRANTS},
                "silent": round(self.silent, 4),
                "no_music": round(self.no_music, 4),
            },
            "moods": {word: round(share, 4) for word, share in self.moods.items()},
            "valence": axis(self.valence),
            "arousal": axis(self.arousal),
            "moments": [
                {
                    "t": round(moment.t, 3),
                    "what": moment.what,
                    "valence": round(moment.valence, 4),
                    "arousal": round(moment.arousal, 4),
                    "mood": moment.mood,
                }
                for moment in self.moments
            ],
            "gaps": self.gaps,
            "lost_samples": self.lost_samples,
            "lost_s": round(self.lost_s, 3),
            "real_time_factor": self.real_time_factor,
        }
