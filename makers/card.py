"""A model's card and the accuracy passages of README and manual, written from ``metrics.json``.

``python -m makers card MODEL_DIRECTORY`` writes every passage again, and the reliability plot from
``out_of_fold.csv.gz``. Figures are never typed in by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from makers.passages import names, replaced
from streamer.network.model import load_model
from streamer.training.figures import (
    AXES,
    Figures,
    agreement_table,
    calibration_table,
    confusion_table,
    felt_table,
    left_out_table,
    markdown_table,
    movement_table,
    music_table,
    number,
    quadrant_table,
    time_table,
)

TEMPLATE = Path(__file__).with_name("card.md")
_NOT_MEASURED = "Not measured."
#: Datasets as papers call them, by the folders' names.
_TITLES = {"4q": "4Q", "deam": "DEAM", "emotify": "Emotify"}


def robustness_table(robustness: Figures) -> str:
    """CCC under each condition, and how far the estimates shift."""
    rows = []
    conditions = sorted(robustness["conditions"].items(), key=lambda item: item[0] != "clean")
    for name, axes in conditions:
        cells = [name]
        for axis in AXES:
            figures = axes[axis]
            change = "" if name == "clean" else f" ({figures['ccc_change']:+.3f})"
            cells += [number(figures["ccc"]) + change, f"{figures['shift']:+.3f}"]
        rows.append(cells)
    header = [""]
    for axis in AXES:
        header += [f"{axis} CCC", f"{axis} shift"]
    return markdown_table(header, rows)


def streams_table(streams: Figures) -> str:
    """Excerpts one after the other with the state carried on, against fresh starts."""
    rows = [
        [
            axis,
            number(streams[axis]["ccc"]),
            number(streams[axis]["fresh_ccc"]),
            number(streams[axis]["jitter"]),
        ]
        for axis in AXES
    ]
    header = ["", "CCC, state carried on", "CCC, fresh starts", "step in half a second (RMS)"]
    return markdown_table(header, rows)


def streams_text(streams: Figures) -> str:
    """The table of streams, and how long a change takes."""
    return (
        f"{streams['changes']:,} excerpts one after the other, the longest stream "
        f"{streams['stream_s'] / 60:.0f} minutes; labels later than 5 s after each change. After a "
        f"change the estimate is within .1 of a fresh start's on both axes after "
        f"{streams['settled_s']:.2g} s at the median, {streams['settled_s_90']:.2g} s at the 90th "
        f"percentile.\n\n{streams_table(streams)}"
    )


def harmony_text(harmony: Figures) -> str:
    """How far modes are apart, and the table of how far keys and tunings are."""
    rows = [
        [name, f"{piece['keys']:.3f}", f"{piece['tuning']:.3f}"]
        for name, piece in harmony["pieces"].items()
    ]
    header = ["", "deviation over twelve keys", f"largest move by {harmony['cents']} cents"]
    return (
        f"The piece in major has the higher valence in {harmony['brighter']:.0%} of "
        f"{harmony['pairs']} pairs; over all of them it is {harmony['apart']:+.3f} from that in "
        f"minor in the mean.\n\n"
        f"{markdown_table(header, rows)}"
    )


def ablation_table(ablations: Figures) -> str:
    """Variants of the recipe: r on one fold of DEAM, and of the corpora left out."""
    rows = []
    for name, entry in ablations["variants"].items():
        apart = entry["left_out"]
        rows.append(
            [
                name,
                f"{entry['weights']:,}",
                *(number(entry["fold"][axis]["r"]) for axis in AXES),
                *(number(apart[c][axis]["r"]["mean"]) for c in apart for axis in AXES),
                *(
                    number(apart[c]["quadrant"]["right"]["mean"])
                    for c in apart
                    if "quadrant" in apart[c]
                ),
            ]
        )
    corpora = {
        corpus: entry for entry in ablations["variants"].values() for corpus in entry["left_out"]
    }
    header = [
        "",
        "weights",
        *(f"DEAM's fold, {axis} r" for axis in AXES),
        *(f"{corpus} left out, {axis} r" for corpus in corpora for axis in AXES),
        "its quadrants",
    ]
    return markdown_table(header, rows)


def ablation_text(ablations: Figures) -> str:
    """The table of variants, and what it was taken on."""
    return (
        f"Fold {ablations['fold']} of DEAM, and corpora left out, seed {ablations['seed']} alone: "
        f"differences under about .02 are chance.\n\n"
        f"{ablation_table(ablations)}"
    )


#: Where each passage's figures are in metrics.json, and what makes them a table.
_TABLES: dict[str, tuple[tuple[str, ...], Callable[[Figures], str]]] = {
    "agreement": (("five_fold",), agreement_table),
    "calibration": (("five_fold", "calibration"), calibration_table),
    "over-time": (("five_fold", "over_time"), time_table),
    "movement": (("five_fold", "movement"), movement_table),
    "confusion": (("five_fold", "confusion"), confusion_table),
    "quadrants": (
        ("five_fold", "quadrants"),
        lambda figures: quadrant_table({"network": figures}),
    ),
    "robustness": (("robustness",), robustness_table),
    "streams": (("streams",), streams_text),
    "harmony": (("harmony",), harmony_text),
    "felt": (("five_fold", "felt"), felt_table),
    "music": (("music",), music_table),
    "left-out": (("left_out",), left_out_table),
    "ablations": (("ablations",), ablation_text),
}


def passages(directory: Path) -> dict[str, str]:
    """Every passage of the card of a model directory, from its config and metrics."""
    metrics = _metrics(directory)
    written = {"facts": _facts(directory)}
    for name, (path, table) in _TABLES.items():
        part: Any = metrics
        for key in path:
            part = part.get(key) if isinstance(part, dict) else None
        written[name] = table(part) if part else _NOT_MEASURED
    return written


def write_card(directory: Path, recipe: str) -> None:
    """Write ``README.md`` of a model directory anew from the template."""
    card = TEMPLATE.read_text(encoding="utf-8")
    for name, word in (("name", directory.resolve().name), ("recipe", recipe)):
        card = card.replace(f"{{{name}}}", word)
    text = front_matter(directory) + replaced(card, passages(directory))
    (directory / "README.md").write_text(text, encoding="utf-8")


def front_matter(directory: Path) -> str:
    """The head that the Hugging Face hub reads of a card: terms, task, and the main figures.

    YAML between two lines of dashes; strings and numbers are written as JSON, which YAML includes.
    """
    name = directory.resolve().name
    metrics = _metrics(directory)
    results = [
        (corpus, f"{_TITLES.get(corpus, corpus)}, left out", f"{axis} r", "pearson", path)
        for corpus in metrics["left_out"]
        for axis in AXES
        for path in (("left_out", corpus, axis, "r"),)
    ]
    folds = "DEAM, five folds by song"
    results += [
        ("deam", folds, f"{axis} CCC, pooled", "ccc", ("five_fold", "pooled", axis, "ccc"))
        for axis in AXES
    ]
    quadrant = ("five_fold", "quadrants", "quadrant")
    results.append(("4q", "4Q, folds by artist", "right quadrant", "accuracy", quadrant))
    lines = [
        "---",
        "license: cc-by-nc-4.0",
        "library_name: streamer",
        "pipeline_tag: audio-classification",
        "tags: [music, emotion, valence, arousal, causal, real-time]",
        "model-index:",
        f"- name: {json.dumps(name)}",
        "  results:",
    ]
    for kind, dataset, title, metric, path in results:
        value: Any = metrics
        for key in path:
            value = value[key]
        lines += [
            "  - task: {type: audio-classification, name: Music emotion}",
            f"    dataset: {{type: {json.dumps(kind)}, name: {json.dumps(dataset)}}}",
            f"    metrics: [{{type: {metric}, name: {json.dumps(title)}, value: {value['mean']}}}]",
        ]
    return "\n".join([*lines, "---", "", ""])


def headline(directory: Path) -> str:
    """What the README says of the default model: songs of corpora never heard, then five folds."""
    metrics = _metrics(directory)
    five_fold, left_out = metrics["five_fold"], metrics["left_out"]
    told = [
        f"- trained without {_TITLES.get(name, name)}, on its {entry['songs']:,} songs: r "
        f"**{entry['valence']['r']['mean']:.2f}** for valence, "
        f"**{entry['arousal']['r']['mean']:.2f}** for arousal"
        for name, entry in left_out.items()
    ]
    for axis in AXES:
        ccc = five_fold["own_zero"][axis]["ccc"]["mean"]
        plain = five_fold["pooled"][axis]["ccc"]["mean"]
        ridge = five_fold["baselines"]["ridge"]["pooled"][axis]["ccc"]
        told.append(
            f"- five-fold on DEAM, {axis}: CCC **{ccc:.2f}** on its raters' zero, {plain:.2f} as "
            f"the estimate answers ({ridge:.2f} by a ridge regression on mean MFCCs)"
        )
    quadrants = five_fold["quadrants"]
    told.append(
        f"- the quadrant of {quadrants['clips']} clips of 4Q, by artist: "
        f"{quadrants['quadrant']['mean']:.0%} right (a quarter by chance)"
    )
    return f"`{directory.resolve().name}` on songs that it never heard:\n\n" + "\n".join(told)


def accuracy(directory: Path) -> str:
    """The manual's tables: corpora left out, and the five folds beside the baselines."""
    metrics = _metrics(directory)
    five_fold = metrics["five_fold"]
    rows = []
    for axis in AXES:
        for title, part, name in (
            ("CCC, pooled", "pooled", "ccc"),
            ("RMSE per song", "per_song", "rmse"),
            ("r of excerpt means", "song_means", "r"),
        ):
            constant, ridge = (
                number(five_fold["baselines"][kind][part][axis][name])
                for kind in ("constant", "ridge")
            )
            rows.append([f"{axis} {title}", constant, ridge, number(five_fold[part][axis][name])])
            if name in five_fold["own_zero"][axis]:
                own = number(five_fold["own_zero"][axis][name])
                rows.append([f"{axis} {title}, raters' zero", "-", "-", own])
    count = len(five_fold["seeds"])
    over = f"mean ± standard deviation over {count} seeds" if count > 1 else "one seed"
    table = markdown_table(["", "constant", "ridge", f"**{directory.resolve().name}**"], rows)
    songs, labels = five_fold["songs"], five_fold["labels"]
    quadrants = five_fold["quadrants"]
    return "\n\n".join(
        [
            "Songs of a corpus that no part of the network has heard, judged by networks trained "
            "on the others:",
            left_out_table(metrics["left_out"]),
            f"Five-fold on {songs:,} excerpts of DEAM ({labels:,} labels), {over}:",
            table,
            f"Held out by artist, {quadrants['clips']} clips of 4Q, the quadrant of the mean "
            "estimate:",
            quadrant_table({directory.resolve().name: quadrants}),
            "What is withheld as no music, from second 2 on, of sounds held out by group:",
            music_table(metrics["music"]),
        ]
    )


def own(directory: Path) -> str:
    """The manual's table of what a listener's own songs buy."""
    measured = _metrics(directory).get("own")
    if not measured:
        return _NOT_MEASURED
    rows = []
    for corpus, sizes in measured.items():
        for size, judges in sizes.items():
            for name, entry in judges.items():
                cells = [number(entry[axis]["r"]) for axis in AXES]
                cells.append(number(entry.get("quadrant", {}).get("right")))
                title = f"{_TITLES.get(corpus, corpus)}, {size} clips"
                rows.append([title, str(len(entry["seeds"])), name, *cells])
    header = ["", "draws", "judge", *(f"{axis} r" for axis in AXES), "right quadrant"]
    return markdown_table(header, rows)


def _metrics(directory: Path) -> Figures:
    return dict(json.loads((directory / "metrics.json").read_text(encoding="utf-8")))


def draw_reliability(directory: Path) -> None:
    """Draw ``reliability.png`` from the out-of-fold estimates: promised against observed shares."""
    import numpy as np
    from matplotlib.figure import Figure
    from scipy.special import ndtri

    from streamer.training.metrics import SCORED_FROM_S
    from streamer.training.out_of_fold import read_table

    rows = [r for r in read_table(directory / "out_of_fold.csv.gz") if r.t > SCORED_FROM_S]
    rows = [row for row in rows if row.predictor == "network"]
    promised = np.linspace(0.05, 0.95, 19)
    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":")
    for axis, colour, mark in zip(AXES, ("#0072B2", "#D55E00"), "os", strict=True):
        apart = np.array(
            [
                abs(getattr(r, axis) - getattr(r, f"label_{axis}")) / getattr(r, f"{axis}_sd")
                for r in rows
            ]
        )
        found = [(apart <= ndtri((1 + share) / 2)).mean() for share in promised]
        axes.plot(promised, found, color=colour, marker=mark, markersize=4, label=axis)
    axes.set(xlabel="share that the interval promises", ylabel="share of labels inside", aspect=1)
    axes.legend(frameon=False)
    figure.savefig(directory / "reliability.png", dpi=110, metadata={"Software": None})


def _facts(directory: Path) -> str:
    model = load_model(directory)
    config = model.config
    features, network = config.features, config.network
    weights = sum(array.size for array in model.weights.values())
    layers = ", ".join(
        f"{layer.filters} filters of width {layer.width} (stride {layer.stride})"
        for layer in network.convolutions
    )
    milliseconds = 1000 / features.sample_rate
    integrated_s = network.integrate * features.hop / features.sample_rate
    harmony = features.chroma
    chroma = "none"
    if harmony is not None:
        window_s = harmony.window * harmony.decimation / features.sample_rate
        memories = " and ".join(f"{seconds:g} s" for seconds in harmony.memories_s)
        chroma = (
            f"of {1000 * window_s:.0f} ms, and its leaky means over {memories}: "
            f"{network.profiles} circular filters"
        )
    lags_s = [lag * features.hop / features.sample_rate for lag in network.lags]
    moved = f"over {', '.join(f'{lag:g}' for lag in lags_s)} s" if network.movement else "none"
    music = config.music
    heard = f"from {music.on:g} up, until under {music.off:g}" if music else "not asked"
    songs = ", ".join(f"{len(songs):,} of {name}" for name, songs in config.songs.items())
    rows = [
        ["weights", f"{weights:,}"],
        ["sample rate", f"{features.sample_rate:,} Hz"],
        ["frame, hop", f"{features.frame * milliseconds:g} ms, {features.hop * milliseconds:g} ms"],
        ["MFCC", f"{features.coefficients} of {features.filters} mel bands"],
        ["first coefficient", f"{config.volume.first}, over {config.volume.seconds:g} s"],
        ["convolution", layers or "none"],
        ["chroma", chroma],
        ["dense, a frame", str(network.dense or "none")],
        ["movement", moved],
        ["LSTM", f"{network.layers} x {network.lstm} units"],
        ["leaky mean", f"over {integrated_s:g} s" if integrated_s else "none"],
        ["music", heard],
        ["trained on", f"{songs} (one in twelve of the labelled ones kept to calibrate on)"],
    ]
    return markdown_table(["", ""], rows)


def write_accuracy(document: Path, directory: Path) -> None:
    """Write what ``document`` holds of the accuracy passages anew, from a model's metrics."""
    text = document.read_text(encoding="utf-8")
    told = {"accuracy": accuracy, "headline": headline, "own": own}
    passages = {name: told[name](directory) for name in names(text) if name in told}
    document.write_text(replaced(text, passages), encoding="utf-8")
