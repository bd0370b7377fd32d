"""Figures as text: the tables that commands print and that model cards hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns lined up."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
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
    return markdown(["", "constant", "ridge", "network"], rows)


def quadrant_table(quadrants: Figures) -> str:
    """Clips judged as a whole, held out by artist."""
    rows = [
        ["right quadrant", number(quadrants["quadrant"])],
        *([f"{axis} side", number(quadrants["sides"][axis])] for axis in AXES),
        ["right quadrant, middle of the fold as 0", number(quadrants["centred"]["quadrant"])],
        *(
            [f"{axis} side, middle of the fold as 0", number(quadrants["centred"]["sides"][axis])]
            for axis in AXES
        ),
        *([f"r with the tags' {axis}", number(quadrants["r"][axis])] for axis in AXES),
    ]
    return markdown(["", "network"], rows)


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
    return markdown(["", "network"], rows)


def time_table(over_time: Figures) -> str:
    """CCC as a function of the seconds since the stream began."""
    rows = [
        [f"{second} s", str(entry["labels"]), *(number(entry[axis]) for axis in AXES)]
        for second, entry in over_time.items()
    ]
    return markdown(["after", "labels", *(f"{axis} CCC" for axis in AXES)], rows)


def movement_table(movement: Figures) -> str:
    """Correlation within excerpts of 15 s and more."""
    rows = [
        [axis, str(m["n"]), number(m["r"]), f"{number(m['low'])} to {number(m['high'])}"]
        for axis, m in movement.items()
    ]
    return markdown(["", "excerpts", "r within", "95 % interval"], rows)


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
        parts += [markdown(["", figures["model"]], rows), calibration_table(figures["calibration"])]
    if "quadrants" in figures:
        parts.append(quadrant_table(figures["quadrants"]))
    return "\n\n".join(parts)


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
        ]
    if "quadrants" in five_fold:
        parts += ["Clips judged by quadrant", quadrant_table(five_fold["quadrants"])]
    return "\n\n".join(parts)
