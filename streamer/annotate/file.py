"""One sound file to the rows of a table, by the same session loop as live listening."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    heard = _Heard()
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
    if job.timeline:
        rows = tuple(_moment(estimate) for estimate in heard.estimates)
    else:
        rows = (_whole(heard, end, "; ".join(remarks) or None),)
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
    """A sink that keeps the estimates, losses and remarks of a session."""

    def __init__(self) -> None:
        self.estimates: list[Estimate] = []
        self.remarks: list[str] = []
        self.lost_s = 0.0

    def write(self, event: Event) -> None:
        if isinstance(event, Estimate):
            self.estimates.append(event)
        elif isinstance(event, Gap):
            self.lost_s += event.seconds
        elif isinstance(event, Notice):
            self.remarks.append(event.message)

    def close(self) -> None:
        """Nothing to release."""


def _moment(estimate: Estimate) -> Row:
    """A row of the timeline."""
    probabilities = estimate.quadrant_p or {}
    row = {name: getattr(estimate, name, None) for name in TIMELINE_COLUMNS}
    row |= {f"p_{name}": probabilities.get(name) for name in QUADRANTS}
    return {name: _rounded(value) for name, value in row.items()}


def _whole(heard: _Heard, end: End, remark: str | None) -> Row:
    """The row of a file."""
    estimates = heard.estimates
    judged = [estimate for estimate in estimates if estimate.sound == "music"]
    times = [estimate.t for estimate in judged]
    row: Row = {"length_s": end.t, "estimates": len(estimates)}
    for axis in ("valence", "arousal"):
        figures = _figures(times, [getattr(estimate, axis) for estimate in judged])
        row |= {f"{axis}_{name}": value for name, value in figures.items()}
    for name in QUADRANTS:
        row[name] = _share(sum(estimate.quadrant == name for estimate in judged), len(estimates))
    for name, sound in (("silent", "silence"), ("no_music", "no music")):
        row[name] = _share(sum(estimate.sound == sound for estimate in estimates), len(estimates))
    for place, index in (("first", 0), ("last", -1)):
        label = judged[index] if judged else None
        row[f"{place}_quadrant"] = label.quadrant if label else None
        row[f"{place}_mood"] = label.mood if label else None
    row["level_db"] = _mean_level([estimate.level_db for estimate in estimates])
    row |= {"lost_s": heard.lost_s, "remark": remark}
    return {name: _rounded(value) for name, value in row.items()}


def _figures(times: Sequence[float], values: Sequence[float]) -> dict[str, float | None]:
    """Mean, standard deviation, range, and least-squares slope a minute, of values in time."""
    if not values:
        return dict.fromkeys(_AXIS)
    y = np.asarray(values)
    t = np.asarray(times) / 60
    t = t - t.mean()
    spread = float(t @ t)
    trend = float(t @ y) / spread if spread else None
    return {
        "mean": float(y.mean()),
        "spread": float(y.std()),
        "min": float(y.min()),
        "max": float(y.max()),
        "trend": trend,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean_level(levels: Sequence[float]) -> float | None:
    """The level of the mean power, in dB."""
    if not levels:
        return None
    return 10 * math.log10(sum(10 ** (level / 10) for level in levels) / len(levels))


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
