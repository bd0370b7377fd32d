"""A model's card and the README's accuracy table, written from ``metrics.json``.

``python -m streamer.training.card MODEL_DIRECTORY [README.md]`` writes every passage again, and the
reliability plot from ``out_of_fold.csv.gz``. Figures are never typed in by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamer.network.model import load_model
from streamer.passages import markdown_table, names, replaced
from streamer.training import report, trials
from streamer.training.figures import AXES, Figures

TEMPLATE = Path(__file__).with_name("card.md")
_NOT_MEASURED = "Not measured."
_MIXED = """\
The estimate is a mixture of two heads on one LSTM: one learnt from listeners' ratings in time, the
other from clips judged by quadrant (its share is `fit.second_share` of the recipe)."""
_SECOND = """\
The same network with another last layer: the estimate is the word of its second head alone, which
learnt from clips judged by quadrant. It tells the quadrant of well-known songs better, and follows
listeners' ratings of DEAM worse; its deviations are those that hold there."""
#: Where each passage's figures are in metrics.json, and what makes them a table.
_TABLES: dict[str, tuple[tuple[str, ...], Callable[[Figures], str]]] = {
    "agreement": (("five_fold",), report.agreement_table),
    "calibration": (("five_fold", "calibration"), report.calibration_table),
    "over-time": (("five_fold", "over_time"), report.time_table),
    "movement": (("five_fold", "movement"), report.movement_table),
    "confusion": (("five_fold", "confusion"), report.confusion_table),
    "quadrants": (
        ("five_fold", "quadrants"),
        lambda figures: report.quadrant_table({"network": figures}),
    ),
    "robustness": (("robustness",), trials.robustness_table),
    "streams": (("streams",), trials.streams_text),
    "not-music": (("not_music",), trials.not_music_table),
    "cross-corpus": (("cross_corpus",), trials.cross_corpus_table),
    "ablations": (("ablations",), trials.ablation_text),
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
        ("card", f"{'--second-card' if second else '--card'} models/{own}"),
        ("name", own),
        ("recipe", recipe),
    ):
        card = card.replace(f"{{{name}}}", word)
    (directory / "README.md").write_text(replaced(card, passages(directory)), encoding="utf-8")


def accuracy(directory: Path) -> str:
    """The README's tables: the default model beside the baselines, and all models on quadrants."""
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
                report.number(five_fold["baselines"][kind][part][axis][name])
                for kind in ("constant", "ridge")
            )
            rows.append(
                [f"{axis} {title}", constant, ridge, report.number(five_fold[part][axis][name])]
            )
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
        f"\n\n{report.quadrant_table(judges)}"
    )


def _metrics(directory: Path) -> Figures:
    return dict(json.loads((directory / "metrics.json").read_text(encoding="utf-8")))


def draw_reliability(directory: Path) -> None:
    """Draw ``reliability.png`` from the out-of-fold estimates: promised against observed shares."""
    import numpy as np
    from matplotlib.figure import Figure
    from scipy.special import ndtri

    from streamer.training.metrics import SCORED_FROM_S
    from streamer.training.table import read_table

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


def main(arguments: list[str]) -> None:
    """Write the card of a model directory, its plot, and the README's table if one is given."""
    directory = Path(arguments[0])
    card = (directory / "README.md").read_text(encoding="utf-8")
    (directory / "README.md").write_text(replaced(card, passages(directory)), encoding="utf-8")
    draw_reliability(directory)
    for readme in map(Path, arguments[1:]):
        text = readme.read_text(encoding="utf-8")
        assert "accuracy" in names(text), f"{readme} has no passage 'accuracy'"
        readme.write_text(replaced(text, {"accuracy": accuracy(directory)}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
