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
    markdown_table,
    movement_table,
    number,
    quadrant_table,
    time_table,
)

TEMPLATE = Path(__file__).with_name("card.md")
_NOT_MEASURED = "Not measured."
_MIXED = """\
The estimate is a mixture of two heads on one LSTM: one learnt from listeners' ratings in time, the
other from clips judged by quadrant (its share is `fit.second_share` of the recipe)."""
_SECOND = """\
The same network with another last layer: the estimate is the word of its second head alone, which
learnt from clips judged by quadrant. It tells the quadrant of well-known songs better, and follows
listeners' ratings of DEAM worse; its deviations are those that hold there."""


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


def not_music_table(not_music: Figures) -> str:
    """What is said of sound that is no music."""
    rows = [
        [
            name,
            f"{100 * entry['answered']:.0f} %",
            entry["quadrant"],
            number(entry["confidence"], 2),
            number(entry["valence"], 2),
            number(entry["arousal"], 2),
        ]
        for name, entry in not_music.items()
    ]
    header = ["", "answered", "most often", "its probability", "valence", "arousal"]
    return markdown_table(header, rows)


def cross_corpus_table(cross: Figures) -> str:
    """Each corpus judged by a network that was trained on the other alone."""
    rows = []
    for name, entry in cross.items():
        if "quadrants" in entry:
            judged = entry["quadrants"]
            right = number(judged["centred"]["quadrant"])
            sides = [number(judged["centred"]["sides"][axis]) for axis in AXES]
            rows.append([name, right, *sides, *(number(judged["r"][axis]) for axis in AXES)])
        else:
            means = [number(entry["song_means"][axis]["r"]) for axis in AXES]
            rows.append([name, "-", "-", "-", *means])
    header = [
        "",
        "right quadrant",
        *(f"{axis} side" for axis in AXES),
        *(f"{axis} r" for axis in AXES),
    ]
    return markdown_table(header, rows)


def ablation_table(ablations: Figures) -> str:
    """Variants of the recipe on one fold."""
    rows = [
        [
            name,
            f"{entry['weights']:,}",
            *(number(entry["pooled"][axis]["ccc"]) for axis in AXES),
            *(number(entry["per_song"][axis]["rmse"]) for axis in AXES),
        ]
        for name, entry in ablations["variants"].items()
    ]
    header = ["", "weights", *(f"{a} CCC" for a in AXES), *(f"{a} RMSE per song" for a in AXES)]
    return markdown_table(header, rows)


def ablation_text(ablations: Figures) -> str:
    """The table of variants, and what it was taken on."""
    seeds = len(ablations["seeds"])
    return f"Fold {ablations['fold']} alone, {seeds} seeds.\n\n{ablation_table(ablations)}"


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
    "not-music": (("not_music",), not_music_table),
    "cross-corpus": (("cross_corpus",), cross_corpus_table),
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


def write_card(directory: Path, recipe: str, *, second: bool = False) -> None:
    """Write ``README.md`` of a model directory anew from the template.

    ``second``: of the model whose word is the second head's alone.
    """
    card = TEMPLATE.read_text(encoding="utf-8")
    own = directory.resolve().name
    for name, word in (
        ("judge", _SECOND if second else _MIXED),
        ("made", f"{'--out DIR --second' if second else '--out'} models/{own}"),
        ("second", " --second" if second else ""),
        ("name", own),
        ("recipe", recipe),
    ):
        card = card.replace(f"{{{name}}}", word)
    card = front_matter(directory) + replaced(card, passages(directory))
    (directory / "README.md").write_text(card, encoding="utf-8")


def front_matter(directory: Path) -> str:
    """The head that the Hugging Face hub reads of a card: terms, task, and the main figures.

    YAML between two lines of dashes; strings and numbers are written as JSON, which YAML includes.
    """
    name = directory.resolve().name
    five_fold = _metrics(directory)["five_fold"]
    results = [
        ("deam", "DEAM, five folds by song", f"{axis} CCC, pooled", "ccc", ("pooled", axis, "ccc"))
        for axis in AXES
    ]
    quadrant = ("quadrants", "quadrant")
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
        value: Any = five_fold
        for key in path:
            value = value[key]
        lines += [
            "  - task: {type: audio-classification, name: Music emotion}",
            f"    dataset: {{type: {json.dumps(kind)}, name: {json.dumps(dataset)}}}",
            f"    metrics: [{{type: {metric}, name: {json.dumps(title)}, value: {value['mean']}}}]",
        ]
    return "\n".join([*lines, "---", "", ""])


def headline(directory: Path) -> str:
    """What the README says of the default model: three lines, beside the ridge regression."""
    metrics = _metrics(directory)
    five_fold = metrics["five_fold"]
    told = []
    for axis in ("arousal", "valence"):
        ccc = five_fold["pooled"][axis]["ccc"]["mean"]
        ridge = five_fold["baselines"]["ridge"]["pooled"][axis]["ccc"]
        told.append(
            f"- {axis}: CCC **{ccc:.2f}** ({ridge:.2f} by a ridge regression on mean MFCCs)"
        )
    songs = five_fold["songs"]
    right = {
        path.parent.name: _metrics(path.parent)["five_fold"]["quadrants"]["quadrant"]["mean"]
        for path in sorted(directory.resolve().parent.glob("*/metrics.json"))
    }
    best = max(right, key=lambda name: right[name])
    clips = five_fold["quadrants"]["clips"]
    return (
        f"On {songs:,} excerpts of DEAM, `{directory.resolve().name}`:\n\n"
        + "\n".join(told)
        + f"\n- the quadrant of {clips} clips of 4Q: {right[best]:.0%} right by `{best}` "
        "(a quarter by chance)"
    )


def accuracy(directory: Path) -> str:
    """The manual's tables: the default model beside the baselines, and all models on quadrants."""
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
    count = len(five_fold["seeds"])
    over = f"mean ± standard deviation over {count} seeds" if count > 1 else "one seed"
    table = markdown_table(["", "constant", "ridge", f"**{directory.resolve().name}**"], rows)
    songs, labels = five_fold["songs"], five_fold["labels"]
    told = f"Five-fold on {songs:,} excerpts of DEAM ({labels:,} labels), {over}:\n\n{table}"
    judges = {
        path.parent.name: _metrics(path.parent)["five_fold"]["quadrants"]
        for path in sorted(directory.resolve().parent.glob("*/metrics.json"))
    }
    clips = five_fold["quadrants"]["clips"]
    return (
        f"{told}\n\nFour-fold by artist on {clips} clips of 4Q, the quadrant of the mean estimate:"
        f"\n\n{quadrant_table(judges)}"
    )


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
    songs = ", ".join(f"{len(songs):,} of {name}" for name, songs in config.songs.items())
    rows = [
        ["weights", f"{weights:,}"],
        ["sample rate", f"{features.sample_rate:,} Hz"],
        ["frame, hop", f"{features.frame * milliseconds:g} ms, {features.hop * milliseconds:g} ms"],
        ["MFCC", f"{features.coefficients} of {features.filters} mel bands"],
        ["first coefficient", f"{config.volume.first}, over {config.volume.seconds:g} s"],
        ["convolution", layers or "none"],
        ["dense, a frame", str(network.dense or "none")],
        ["LSTM", f"{network.layers} x {network.lstm} units"],
        ["leaky mean", f"over {integrated_s:g} s" if integrated_s else "none"],
        ["trained on", f"{songs} (a tenth of the labelled ones kept to calibrate on)"],
    ]
    return markdown_table(["", ""], rows)


def write_accuracy(document: Path, directory: Path) -> None:
    """Write what ``document`` holds of the accuracy passages anew, from a model's metrics."""
    text = document.read_text(encoding="utf-8")
    told = {"accuracy": accuracy, "headline": headline}
    passages = {name: told[name](directory) for name in names(text) if name in told}
    document.write_text(replaced(text, passages), encoding="utf-8")
