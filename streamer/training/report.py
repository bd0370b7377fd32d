"""Figures as text: the tables that commands print and that model cards hold."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from streamer.events import QUADRANTS
from streamer.passages import markdown_table
from streamer.training.figures import AXES, Figures

#: Row title, and where its number is found under five_fold (axis inserted).
_AGREEMENT = (
    ("CCC, pooled", "pooled", "ccc"),
    ("r², pooled", "pooled", "r_squared"),
    ("1 - SSE/SST, pooled", "pooled", "determination"),
    ("RMSE, pooled", "pooled", "rmse"),
    ("RMSE per song", "per_song", "rmse"),
    ("r per song", "per_song", "r"),
    ("r of excerpt means", "song_means", "r"),
)


def number(value: Any, places: int = 3) -> str:
    """A figure, or mean ± deviation; a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, dict):
        mean = f"{value['mean']:.{places}f}"
        return f"{mean} ± {value['sd']:.{places}f}" if value.get("sd") else mean
    return f"{value:.{places}f}"


def agreement_table(five_fold: Figures) -> str:
    """The network beside a constant and a ridge regression."""
    baselines = five_fold["baselines"]
    rows = [
        [
            f"{axis} {title}",
            number(baselines["constant"][part][axis][name]),
            number(baselines["ridge"][part][axis][name]),
            number(five_fold[part][axis][name]),
        ]
        for title, part, name in _AGREEMENT
        for axis in AXES
    ]
    return markdown_table(["", "constant", "ridge", "network"], rows)


def quadrant_table(judges: Mapping[str, Figures]) -> str:
    """Clips judged as a whole, held out by artist: a column a judge."""
    middle = "middle of the other folds as 0"
    rows: list[tuple[str, tuple[str, ...]]] = [
        ("right quadrant", ("quadrant",)),
        *((f"{axis} side", ("sides", axis)) for axis in AXES),
        (f"right quadrant, {middle}", ("centred", "quadrant")),
        *((f"{axis} side, {middle}", ("centred", "sides", axis)) for axis in AXES),
        *((f"r with the tags' {axis}", ("r", axis)) for axis in AXES),
    ]
    cells = []
    for title, path in rows:
        figures = [
            functools.reduce(lambda part, key: part[key], path, one) for one in judges.values()
        ]
        cells.append([title, *map(number, figures)])
    return markdown_table(["", *judges], cells)


def calibration_table(calibration: Figures) -> str:
    """Coverage of the intervals and the Brier score."""
    rows = [
        *(
            [f"{axis} labels inside the {share} % interval", number(calibration[axis][key])]
            for share, key in (("50", "inside_50"), ("90", "inside_90"))
            for axis in AXES
        ),
        ["Brier score of the quadrants", number(calibration["brier"])],
        ["Brier score of the base rates", number(calibration["brier_base"])],
    ]
    return markdown_table(["", "network"], rows)


def time_table(over_time: Figures) -> str:
    """CCC as a function of the seconds since the stream began."""
    rows = [
        [f"{second} s", str(entry["labels"]), *(number(entry[axis]) for axis in AXES)]
        for second, entry in sorted(over_time.items(), key=lambda item: float(item[0]))
    ]
    return markdown_table(["after", "labels", *(f"{axis} CCC" for axis in AXES)], rows)


def movement_table(movement: Figures) -> str:
    """Correlation within excerpts of 15 s and more."""
    rows = [
        [axis, str(m["n"]), number(m["r"]), f"{number(m['low'])} to {number(m['high'])}"]
        for axis, m in ((axis, movement[axis]) for axis in AXES)
    ]
    return markdown_table(["", "excerpts", "r within", "95 % interval"], rows)


def evaluation_text(figures: Figures) -> str:
    """Everything that ``evaluate`` prints."""
    known, clips = figures["in_sample"], figures["clips"]
    parts = [f"{figures['model']} on {clips} clips"]
    if known:
        parts[0] += f"; in_sample: {known} of them were trained on, so this is no judgement"
    if "pooled" in figures:
        rows = [
            [f"{axis} {title}", number(figures[part][axis][name])]
            for title, part, name in _AGREEMENT
            for axis in AXES
        ]
        parts += [
            markdown_table(["", figures["model"]], rows),
            calibration_table(figures["calibration"]),
        ]
    if "quadrants" in figures:
        parts.append(quadrant_table({figures["model"]: figures["quadrants"]}))
    return "\n\n".join(parts)


def confusion_table(confusion: Figures) -> str:
    """Which quadrant was found (columns) for the labels of each (rows), as shares of all labels."""
    rows = [
        [f"labelled {name}", *(number(confusion[name][found]) for found in QUADRANTS)]
        for name in QUADRANTS
    ]
    return markdown_table(["", *(f"found {name}" for name in QUADRANTS)], rows)


def five_fold_text(five_fold: Figures) -> str:
    """Everything that ``crossval`` prints."""
    parts = []
    if "pooled" in five_fold:
        songs, labels = five_fold["songs"], five_fold["labels"]
        parts += [
            f"Out of fold, {songs} songs, {labels} labels later than 2 s, "
            f"{len(five_fold['seeds'])} seed(s)",
            agreement_table(five_fold),
            "Calibration",
            calibration_table(five_fold["calibration"]),
            "Since the stream began",
            time_table(five_fold["over_time"]),
            "Movement",
            movement_table(five_fold["movement"]),
            "Quadrants",
            confusion_table(five_fold["confusion"]),
        ]
    if "quadrants" in five_fold:
        parts += ["Clips judged by quadrant", quadrant_table({"network": five_fold["quadrants"]})]
    return "\n\n".join(parts)
