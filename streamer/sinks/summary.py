"""The figures that remain of a session when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamer.events import QUADRANTS


@dataclass(frozen=True, slots=True)
class Axis:
    """Mean, deviation and range of valence or arousal over the time that was not silent."""

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

    Times are seconds of stream time; ``quadrants``, ``silent`` and ``moods`` are shares of the
    judged time in [0, 1]; ``moments`` are in order of time; ``outline`` holds means of
    ``(valence, arousal)`` over steps of ``outline_step_s`` from ``begin_s`` on, ``None`` where
    nothing was judged.
    """

    source: Mapping[str, Any]
    model: str
    begin_s: float
    end_s: float
    quadrants: Mapping[str, float]
    silent: float
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
