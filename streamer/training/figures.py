"""The figures of a table of out-of-fold estimates, by the field's protocol.

Labels later than two seconds into each excerpt count. Official MediaEval figures are taken within
each song and averaged over songs; pooled ones are over all labels together; both are given.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.events import QUADRANTS
from streamer.training.metrics import SCORED_FROM_S, axis_metrics, bootstrap, ccc, pearson
from streamer.training.out_of_fold import Row, by_song

AXES = ("valence", "arousal")
Figures = dict[str, Any]
#: Half of a normal variable lies within so many deviations, and 90 % of it.
_FIFTY, _NINETY = 0.6744897501960817, 1.6448536269514722
#: Songs at least this long count for the correlation of movement.
_MOVING_S = 15.0


def five_fold(rows: Sequence[Row]) -> Figures:
    """The figures of the network over its seeds, and of the baselines beside it."""
    dynamic = [row for row in rows if row.t >= 0]
    quadrants = [row for row in rows if row.side_valence >= 0]
    felt = [row for row in rows if is_felt(row)]
    seeds = sorted({row.seed for row in rows if row.predictor == "network"})

    def over_seeds(part: Sequence[Row], figures: Callable[[Sequence[Row]], Figures]) -> Figures:
        own = [row for row in part if row.predictor == "network"]
        return summarised([figures([row for row in own if row.seed == seed]) for seed in seeds])

    result: Figures = {"seeds": seeds}
    if dynamic:
        result |= over_seeds(dynamic, agreement)
        result["own_zero"] = over_seeds(dynamic, own_zero)
        result["movement"] = over_seeds(dynamic, movement)
        result["calibration"] = over_seeds(dynamic, calibration)
        result["over_time"] = over_seeds(dynamic, over_time)
        result["confusion"] = over_seeds(dynamic, confusion)
        result["baselines"] = {
            name: agreement([row for row in dynamic if row.predictor == name])
            for name in ("constant", "ridge")
        }
    if quadrants:
        result["quadrants"] = over_seeds(quadrants, quadrant_figures)
    if felt:
        result["felt"] = over_seeds(felt, song_figures)
    return result


def is_felt(row: Row) -> bool:
    """Whether it is of a clip with felt emotions: judged as a whole, and by no quadrant."""
    known = bool(row.label_valence or row.label_arousal)
    return row.t < 0 and row.side_valence < 0 and known


def left_out(rows: Sequence[Row]) -> Figures:
    """Each dataset judged by networks that never heard it nor anything made from it, by its name.

    ``r`` with one label a song: the mean of its labels in time, or the clip's coarse ones. Where
    labels lie on the plane, ``inside_90`` is the share of them in the 90 % interval; of clips
    judged by quadrant, ``quadrant.right`` is the share named rightly, as it answers.
    """
    figures: Figures = {}
    for name in sorted({row.dataset for row in rows}):
        own = [row for row in rows if row.dataset == name]
        seeds = sorted({row.seed for row in own})
        figures[name] = summarised([_left_out([r for r in own if r.seed == s]) for s in seeds])
        figures[name]["seeds"] = seeds
    return figures


def _left_out(rows: Sequence[Row]) -> Figures:
    figures = song_figures(rows)
    if rows[0].side_valence >= 0:
        figures["quadrant"] = {"right": quadrant_figures(rows)["quadrant"]}
    if rows[0].t >= 0 or rows[0].side_valence >= 0:
        scored = _scored(rows) or rows
        for axis in AXES:
            apart = np.abs(_of(scored, axis) - _labels(scored, axis)) / _of(scored, f"{axis}_sd")
            figures[axis]["inside_90"] = float((apart <= _NINETY).mean())
    return figures


def own(rows: Sequence[Row]) -> Figures:
    """What each judge of a listener's songs reaches (``streamer.training.own``), by its name.

    ``r`` with one label a song, as in ``left_out``; ``ccc`` with all labels in time, if these are
    such; of clips judged by quadrant, the share named rightly. ``seeds``: each is another draw of
    songs.
    """
    seeds = sorted({row.seed for row in rows})
    return {
        name: summarised(
            [_own([r for r in rows if (r.predictor, r.seed) == (name, seed)]) for seed in seeds]
        )
        | {"seeds": seeds}
        for name in dict.fromkeys(row.predictor for row in rows)
    }


def _own(rows: Sequence[Row]) -> Figures:
    figures = song_figures(rows)
    if rows[0].t >= 0:
        pooled = agreement(rows)["pooled"]
        for axis in AXES:
            figures[axis]["ccc"] = pooled[axis]["ccc"]
    if rows[0].side_valence >= 0:
        figures["quadrant"] = {"right": quadrant_figures(rows)["quadrant"]}
    return figures


def own_table(figures: Figures) -> str:
    """The judges of a listener's songs, one a line."""
    rows = [
        [
            name,
            *(number(entry[axis]["r"]) for axis in AXES),
            *(number(entry[axis].get("ccc")) for axis in AXES),
            number(entry.get("quadrant", {}).get("right")),
        ]
        for name, entry in figures.items()
    ]
    header = [*(f"{axis} r" for axis in AXES), *(f"{axis} CCC" for axis in AXES)]
    return markdown_table(["", *header, "right quadrant"], rows)


def song_figures(rows: Sequence[Row]) -> Figures:
    """Songs, and by axis r of one estimate a song with one label a song."""
    songs = [_scored(song) or song for song in by_song(rows)]
    figures: Figures = {"songs": len(songs)}
    for axis in AXES:
        said = np.array([_of(song, axis).mean() for song in songs])
        known = np.array([_labels(song, axis).mean() for song in songs])
        figures[axis] = {"r": pearson(said, known)}
    return figures


def music(rows: Sequence[Row]) -> Figures:
    """How much of each kind of sound is withheld from second 2 on, by dataset and kind.

    Every clip counts alike, and was heard by a network that learnt from none of its group.
    """
    figures: Figures = {}
    own = [row for row in rows if row.predictor == "network"]
    seeds = sorted({row.seed for row in own})
    for dataset, kind in sorted({(row.dataset, row.kind) for row in own}):
        part = [row for row in own if (row.dataset, row.kind) == (dataset, kind)]
        clips = by_song([row for row in part if row.seed == seeds[0]])
        records = [
            {"withheld": float(np.mean([song[0].withheld for song in by_song(of_seed)]))}
            for seed in seeds
            if (of_seed := [row for row in part if row.seed == seed])
        ]
        figures.setdefault(dataset, {})[kind] = summarised(records) | {"clips": len(clips)}
    return figures


def agreement(rows: Sequence[Row]) -> Figures:
    """``pooled``, ``per_song`` and ``song_means``, each by axis, of labels later than 2 s."""
    songs = [_scored(song) for song in by_song(rows)]
    songs = [song for song in songs if song]
    by_axis = {
        axis: axis_metrics(
            [_of(song, axis) for song in songs], [_labels(song, axis) for song in songs]
        )
        for axis in AXES
    }
    first = by_axis[AXES[0]]
    return {
        part: {axis: by_axis[axis][part] for axis in AXES}
        for part in ("pooled", "per_song", "song_means")
    } | {"labels": first["labels"], "songs": first["songs"]}


def own_zero(rows: Sequence[Row]) -> Figures:
    """Pooled CCC, and RMSE per song, on the scale of the raters, whose zero is not the plane's.

    How far the two are apart is learnt from the songs of the other folds; where there is one fold
    alone, from that.
    """
    folds = np.array([row.fold for row in rows])
    counted = np.array([row.t > SCORED_FROM_S for row in rows])
    moved: dict[str, NDArray[np.float64]] = {}
    for axis in AXES:
        apart = _labels(rows, axis) - _of(rows, axis)
        shift = np.zeros(len(rows))
        for fold in set(folds.tolist()):
            others = counted & (folds != fold)
            shift[folds == fold] = apart[others if others.any() else counted].mean()
        moved[axis] = _of(rows, axis) + shift
    found = agreement(
        [
            replace(row, valence=float(valence), arousal=float(arousal))
            for row, valence, arousal in zip(rows, *moved.values(), strict=True)
        ]
    )
    return {
        axis: {"ccc": found["pooled"][axis]["ccc"], "rmse": found["per_song"][axis]["rmse"]}
        for axis in AXES
    }


def movement(rows: Sequence[Row]) -> Figures:
    """Pearson's r within excerpts of 15 s and more, with a 95 % interval by song."""
    songs = [_scored(song) for song in by_song(rows)]
    long = [song for song in songs if song and song[-1].t - song[0].t >= _MOVING_S - 3]
    figures: Figures = {}
    for axis in AXES:
        found = [pearson(_of(song, axis), _labels(song, axis)) for song in long]
        values = np.array([value for value in found if value is not None])
        if not len(values):
            figures[axis] = {"n": 0, "r": None, "low": None, "high": None}
            continue

        def mean(index: NDArray[np.int64], values: NDArray[np.float64] = values) -> float:
            return float(values[index].mean())

        low, high = bootstrap(mean, len(values))
        figures[axis] = {"n": len(values), "r": float(values.mean()), "low": low, "high": high}
    return figures


def calibration(rows: Sequence[Row]) -> Figures:
    """Share of labels inside the 50 and 90 % intervals, and the Brier score of the quadrants.

    ``brier_base`` is the score of the base rates (Brier 1950, summed over the four quadrants).
    """
    scored = _scored(rows)
    figures: Figures = {}
    for axis in AXES:
        apart = np.abs(_of(scored, axis) - _labels(scored, axis)) / _of(scored, f"{axis}_sd")
        figures[axis] = {
            "inside_50": float((apart <= _FIFTY).mean()),
            "inside_90": float((apart <= _NINETY).mean()),
        }
    positive = [_normal(_of(scored, axis) / _of(scored, f"{axis}_sd")) for axis in AXES]
    truth = _quadrants(*(_labels(scored, axis) >= 0 for axis in AXES))
    chance = _quadrants(*positive)
    rates = truth.mean(axis=0)
    figures["brier"] = float(((chance - truth) ** 2).sum(axis=1).mean())
    figures["brier_base"] = float(((rates - truth) ** 2).sum(axis=1).mean())
    figures["base_rates"] = {name: float(rate) for name, rate in zip(QUADRANTS, rates, strict=True)}
    return figures


def confusion(rows: Sequence[Row]) -> Figures:
    """Shares of all labels by labelled quadrant (outer) and found quadrant (inner)."""
    scored = _scored(rows)
    truth = _quadrants(*(_labels(scored, axis) >= 0 for axis in AXES))
    found = _quadrants(*(_of(scored, axis) >= 0 for axis in AXES))
    shares = truth.T @ found / len(scored)
    return {
        name: dict(zip(QUADRANTS, row.tolist(), strict=True))
        for name, row in zip(QUADRANTS, shares, strict=True)
    }


def over_time(rows: Sequence[Row]) -> Figures:
    """Pooled CCC of the labels around each of some seconds since the stream began."""
    figures: Figures = {}
    for second in (1.0, 2.0, 5.0, 10.0, 20.0):
        near = [row for row in rows if abs(row.t - second) <= 0.5 + 1e-9]
        figures[f"{second:g}"] = {"labels": len(near)} | {
            axis: ccc(_of(near, axis), _labels(near, axis)) if len(near) > 2 else None
            for axis in AXES
        }
    return figures


def quadrant_figures(rows: Sequence[Row]) -> Figures:
    """Right quadrants and sides of clips judged as a whole, and r with their coarse tags."""
    estimates = np.array([[row.valence, row.arousal] for row in rows])
    sides = np.array([[row.side_valence, row.side_arousal] for row in rows])
    tags = np.array([[row.label_valence, row.label_arousal] for row in rows])
    right = (estimates >= 0) == (sides == 1)
    # Where "happy" begins on the other dataset's scale need not be 0: the middle of the clips of
    # the other folds, judged by other networks, is told apart from the choice of 0.
    folds = np.array([row.fold for row in rows])
    middles = {
        fold: np.median(estimates[folds != fold] if len(set(folds)) > 1 else estimates, axis=0)
        for fold in set(folds.tolist())
    }
    middle = np.array([middles[fold] for fold in folds.tolist()])
    centred = (estimates >= middle) == (sides == 1)
    return {
        "clips": len(rows),
        "quadrant": float(right.all(axis=1).mean()),
        "sides": {axis: float(right[:, k].mean()) for k, axis in enumerate(AXES)},
        "centred": {
            "quadrant": float(centred.all(axis=1).mean()),
            "sides": {axis: float(centred[:, k].mean()) for k, axis in enumerate(AXES)},
        },
        "r": {axis: pearson(estimates[:, k], tags[:, k]) for k, axis in enumerate(AXES)},
    }


def summarised(records: Sequence[Figures]) -> Figures:
    """Records of one shape as one, each number as its mean and deviation over the records."""
    first = records[0]
    result: Figures = {}
    for name, value in first.items():
        parts = [record[name] for record in records]
        if isinstance(value, dict):
            result[name] = summarised(parts)
        elif isinstance(value, int):
            result[name] = value
        else:
            known = [part for part in parts if part is not None]
            result[name] = (
                {
                    "mean": float(np.mean(known)),
                    "sd": float(np.std(known, ddof=min(1, len(known) - 1))),
                }
                if known
                else None
            )
    return result


def _scored(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.t > SCORED_FROM_S]


def _of(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    return np.array([getattr(row, name) for row in rows])


def _labels(rows: Sequence[Row], axis: str) -> NDArray[np.float64]:
    return _of(rows, f"label_{axis}")


def _normal(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal distribution function."""
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z])


def _quadrants(positive: NDArray[Any], high: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities (or truths) of happy, tense, sad, calm, (n, 4)."""
    v, a = positive.astype(float), high.astype(float)
    return np.stack([v * a, (1 - v) * a, (1 - v) * (1 - a), v * (1 - a)], axis=1)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns lined up."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


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
    rows += [
        [f"{axis} {title}, raters' zero", "-", "-", number(five_fold["own_zero"][axis][name])]
        for title, name in (("CCC, pooled", "ccc"), ("RMSE per song", "rmse"))
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
    if "felt" in figures:
        parts += ["Felt emotions", felt_table(figures["felt"])]
    if "music" in figures:
        parts.append(music_table(figures["music"]))
    return "\n\n".join(parts)


def felt_table(felt: Figures) -> str:
    """R with weighted sums of the felt emotions."""
    return markdown_table(["", "r"], [[axis, number(felt[axis]["r"])] for axis in AXES])


def left_out_table(left_out: Figures) -> str:
    """Each corpus judged by networks of the others."""
    rows = []
    for name, entry in left_out.items():
        right = entry.get("quadrant", {}).get("right")
        inside = [number(entry[axis].get("inside_90")) for axis in AXES]
        rows.append([name, *(number(entry[axis]["r"]) for axis in AXES), number(right), *inside])
    inside = [f"{axis} inside 90 %" for axis in AXES]
    return markdown_table(["", *(f"{axis} r" for axis in AXES), "right quadrant", *inside], rows)


def music_table(music: Figures) -> str:
    """Which share of each kind of sound is withheld."""
    rows = [
        [dataset, kind, str(entry["clips"]), number(entry["withheld"])]
        for dataset, kinds in music.items()
        for kind, entry in kinds.items()
    ]
    return markdown_table(["", "kind", "clips", "withheld"], rows)


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
    if "felt" in five_fold:
        parts += ["Felt emotions", felt_table(five_fold["felt"])]
    return "\n\n".join(parts)
