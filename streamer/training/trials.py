"""Tables of trials beside the folds: rooms and noise, streams, other corpora, ablations."""

from __future__ import annotations

from streamer.passages import markdown_table
from streamer.training.figures import AXES, Figures
from streamer.training.report import number


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
