"""One sound file to the rows of a table, by the same session loop as live listening."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from streamer.audio.files import LONG_BLOCK, FileSource
from streamer.errors import ModelError, StreamerError
from streamer.events import QUADRANTS, End, Estimate, Event, Gap, Notice
from streamer.network.model import Model, load_model
from streamer.session import Session
from streamer.tracker import EmotionTracker

Row = dict[str, Any]

_AXIS = ("mean", "spread", "min", "max", "trend")
#: Columns of a row a file, and their types. ``spread`` is the standard deviation over time,
#: ``trend`` the slope a minute, a quadrant's column its share of the estimates, as are those of
#: silence and of sound that is no music.
FILE_COLUMNS: dict[str, type] = {
    "length_s": float,
    "estimates": int,
    **{f"{axis}_{figure}": float for axis in ("valence", "arousal") for figure in _AXIS},
    **dict.fromkeys(QUADRANTS, float),
    "silent": float,
    "no_music": float,
    "first_quadrant": str,
    "first_mood": str,
    "last_quadrant": str,
    "last_mood": str,
    "level_db": float,
    "lost_s": float,
    "remark": str,
}
#: Columns of a row an interval: those of an ``emotion`` line.
TIMELINE_COLUMNS: dict[str, type] = {
    "t": float,
    "valence": float,
    "arousal": float,
    "valence_sd": float,
    "arousal_sd": float,
    "quadrant": str,
    **{f"p_{name}": float for name in QUADRANTS},
    "mood": str,
    "level_db": float,
    "silent": bool,
    "music": float,
}


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with every file, the same on every worker.

    ``model``: a name or a directory that the worker can load; its weights must have the hash
    ``weights_sha256``. ``interval``: seconds between estimates. ``timeline``: a row an estimate
    instead of a row a file.
    """

    model: str
    weights_sha256: str
    interval: float
    timeline: bool

    @property
    def columns(self) -> dict[str, type]:
        """The columns of a row and their types."""
        return TIMELINE_COLUMNS if self.timeline else FILE_COLUMNS


@dataclass(frozen=True, slots=True)
class Annotation:
    """What came of a file: its rows, or the problem that left it without; and any remarks.

    ``partial``: the rows cover only a part of its sound.
    """

    rows: tuple[Row, ...] = ()
    problem: str | None = None
    remarks: tuple[str, ...] = ()
    partial: bool = False


def annotate_file(path: str, job: Job) -> Annotation:
    """The rows of one file; what is wrong with the file is its ``problem``, never an exception.

    Raises ``ModelError`` where this worker has not the job's model.
    """
    model = model_of(job)
    kept = _Moments() if job.timeline else _Whole()
    heard = _Heard(kept)
    try:
        source = FileSource(path, block=LONG_BLOCK)
        tracker = EmotionTracker(model, job.interval, source.info.start_s)
        end = Session(source, tracker, [heard]).run()
    except StreamerError as error:
        return Annotation(problem=str(error))
    except Exception as error:  # one odd file must not end a night's work
        return Annotation(problem=f"{path}: unexpected {type(error).__name__}: {error}")
    # Without the path, which another machine may know by another name.
    remarks = tuple(remark.removeprefix(path).lstrip(": ") for remark in heard.remarks)
    rows = tuple(kept.rows(end, heard.lost_s, "; ".join(remarks) or None))
    return Annotation(rows, remarks=remarks, partial=source.incomplete)


@lru_cache(maxsize=1)
def model_of(job: Job) -> Model:
    """The job's model, loaded once a worker."""
    model = load_model(job.model)
    if model.config.weights_sha256 != job.weights_sha256:
        raise ModelError(
            f"the model {job.model} has other weights here than where the job began: "
            "use the same files everywhere"
        )
    return model


class _Heard:
    """A sink that keeps the losses and remarks of a session, and hands its estimates on."""

    def __init__(self, kept: _Moments | _Whole) -> None:
        self._kept = kept
        self.remarks: list[str] = []
        self.lost_s = 0.0

    def write(self, event: Event) -> None:
        if isinstance(event, Estimate):
            self._kept.take(event)
        elif isinstance(event, Gap):
            self.lost_s += event.seconds
        elif isinstance(event, Notice):
            self.remarks.append(event.message)

    def close(self) -> None:
        """Nothing to release."""


class _Moments:
    """A row an estimate."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def take(self, estimate: Estimate) -> None:
        """Make the row of an estimate."""
        row = estimate.to_row()
        self._rows.append({name: _rounded(row[name]) for name in TIMELINE_COLUMNS})

    def rows(self, end: End, lost_s: float, remark: str | None) -> Iterable[Row]:
        """The rows, of which none says how the file ended."""
        return self._rows


class _Whole:
    """One row a file. Of each estimate three numbers are kept: a file may last a day."""

    def __init__(self) -> None:
        self._estimates = 0
        self._power = 0.0
        self._sounds: Counter[str] = Counter()
        self._quadrants: Counter[str | None] = Counter()
        self._times, self._valence, self._arousal = (array("d") for _ in range(3))
        self._first: Estimate | None = None
        self._last: Estimate | None = None

    def take(self, estimate: Estimate) -> None:
        """Count an estimate in."""
        self._estimates += 1
        self._power += 10 ** (estimate.level_db / 10)
        self._sounds[estimate.sound] += 1
        if estimate.valence is None or estimate.arousal is None:
            return
        self._quadrants[estimate.quadrant] += 1
        self._times.append(estimate.t)
        self._valence.append(estimate.valence)
        self._arousal.append(estimate.arousal)
        self._first, self._last = self._first or estimate, estimate

    def rows(self, end: End, lost_s: float, remark: str | None) -> Iterable[Row]:
        """The row of a file that came to this ``end``, with what is to be said of it."""
        count = self._estimates
        row: Row = {"length_s": end.t, "estimates": count}
        for axis, values in (("valence", self._valence), ("arousal", self._arousal)):
            row |= {f"{axis}_{name}": value for name, value in _figures(self._times, values)}
        shares = {name: self._quadrants[name] for name in QUADRANTS}
        shares |= {"silent": self._sounds["silence"], "no_music": self._sounds["no music"]}
        row |= {name: part / count if count else None for name, part in shares.items()}
        for place, label in (("first", self._first), ("last", self._last)):
            row[f"{place}_quadrant"] = label.quadrant if label else None
            row[f"{place}_mood"] = label.mood if label else None
        # The level of the mean power.
        row["level_db"] = 10 * math.log10(self._power / count) if count else None
        row |= {"lost_s": lost_s, "remark": remark}
        yield {name: _rounded(value) for name, value in row.items()}


def _figures(times: array[float], values: array[float]) -> Iterator[tuple[str, float | None]]:
    """Mean, standard deviation, range, and least-squares slope a minute, of values in time."""
    if not values:
        yield from dict.fromkeys(_AXIS).items()
        return
    y = np.asarray(values)
    t = np.asarray(times) / 60
    t = t - t.mean()
    spread = float(t @ t)
    trend = float(t @ y) / spread if spread else None
    found = (float(y.mean()), float(y.std()), float(y.min()), float(y.max()), trend)
    yield from zip(_AXIS, found, strict=True)


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
