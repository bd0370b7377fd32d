"""Pictures of recorded sessions: the way across the plane, and both curves over time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.recorded import Recording
from streamer.circumplex import MOODS
from streamer.errors import MissingExtraError, OutputError, StreamerError, writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: More points than this are thinned out: no picture shows more.
_POINTS = 6000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A session as arrays of equal length n.

    t: seconds; mean, sd: (n, 2) valence and arousal, NaN where nothing was judged or heard, so that
    lines break.
    """

    t: Floats
    mean: Floats
    sd: Floats


def curve(session: Recording) -> Curve:
    """The session's estimates as arrays, broken where nothing was judged."""
    rows: list[tuple[float, ...]] = []
    nothing = (np.nan,) * 4
    breaks = iter(sorted(gap.t for gap in session.gaps))
    gap = next(breaks, None)
    for estimate in session.estimates:
        while gap is not None and gap < estimate.t:
            rows.append((gap, *nothing))
            gap = next(breaks, None)
        values = (estimate.valence, estimate.arousal, estimate.valence_sd, estimate.arousal_sd)
        known = tuple(np.nan if value is None else float(value) for value in values)
        rows.append((estimate.t, *known))
    table = np.array(rows, dtype=np.float64)
    step = -(-len(table) // _POINTS)
    # Every row without a value is kept: a break must not be thinned away.
    kept = np.isnan(table[:, 1]) | (np.arange(len(table)) % step == 0)
    table = table[kept]
    return Curve(t=table[:, 0], mean=table[:, 1:3], sd=table[:, 3:5])


def unjudged(session: Recording, sound: str) -> list[tuple[float, float]]:
    """Stretches of "silence" or of "no music", from the estimate before the first to the last."""
    spans: list[tuple[float, float]] = []
    before: float | None = None
    open_since: float | None = None
    for estimate in session.estimates:
        if estimate.sound == sound and open_since is None:
            open_since = max(0.0, estimate.t - session.hop_s) if before is None else before
        elif estimate.sound != sound and open_since is not None and before is not None:
            spans.append((open_since, before))
            open_since = None
        before = estimate.t
    if open_since is not None and before is not None:
        spans.append((open_since, before))
    return spans


#: How dark the stretches are in which nothing was judged.
_UNJUDGED = {"silence": 0.15, "no music": 0.3}
#: What can be written, by the end of the file's name.
FORMATS = (".png", ".svg", ".pdf")
#: The colour (Okabe and Ito 2008) and the kind of line of each session.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINES = ("-", "--", ":", "-.")
_QUADRANTS = {"happy": (1, 1), "tense": (-1, 1), "sad": (-1, -1), "calm": (1, -1)}


def draw(sessions: Sequence[Recording], out: Path) -> None:
    """Draw one session, or several over each other, into a .png, .svg or .pdf file.

    One session's way is coloured by time; several have a colour and a kind of line each. The
    bands are one standard deviation to either side. Raises ``MissingExtraError`` where matplotlib
    is absent, ``OutputError`` where the file cannot be written or its kind is not known, and
    ``StreamerError`` where there is no session.
    """
    if not sessions:
        raise StreamerError("there is no session to draw: name at least one file")
    if out.suffix.lower() not in FORMATS:
        raise OutputError(f"{out} has no known ending: use one of {', '.join(FORMATS)}")
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("streamer plot", "matplotlib", "plot") from None

    # The same session gives the same file: no date in it, and no random names in an SVG.
    settings: dict[Any, Any] = {"svg.hashsalt": "streamer", "font.size": 10}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # A font without the letters of a song's name draws boxes: no reason to complain.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(13, 5.8), layout="constrained")
        FigureCanvasAgg(figure)
        _fill(figure, sessions)
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        with writing(out):
            figure.savefig(out, dpi=160, metadata=metadata.get(out.suffix.lower()))


def _fill(figure: Figure, sessions: Sequence[Recording]) -> None:
    grid = figure.add_gridspec(2, 2, width_ratios=(1.0, 1.45))
    plane = figure.add_subplot(grid[:, 0])
    valence = figure.add_subplot(grid[0, 1])
    arousal = figure.add_subplot(grid[1, 1], sharex=valence)
    _prepare_plane(plane)
    times = (valence, arousal)
    alone = len(sessions) == 1
    for number, session in enumerate(sessions):
        points = curve(session)
        colour = _COLOURS[number % len(_COLOURS)]
        line = _LINES[number % len(_LINES)]
        label = _readable(session.name)
        if alone:
            bar = _way_by_time(plane, points)
            ticks = _ticks(float(points.t[0]), float(points.t[-1]))
            figure.colorbar(bar, ax=plane, label="time", shrink=0.7, format=_clock, ticks=ticks)
            figure.suptitle(label, fontweight="bold")
        else:
            plane.plot(*points.mean.T, line, color=colour, linewidth=1.2, alpha=0.85)
        _ends(plane, points, "black" if alone else colour)
        for axis, axes in enumerate(times):
            # Alone, the axes have a colour each; among others, the sessions have.
            own = _COLOURS[(0, 3)[axis]] if alone else colour
            mean, sd = points.mean[:, axis], points.sd[:, axis]
            axes.fill_between(points.t, mean - sd, mean + sd, color=own, alpha=0.16, linewidth=0)
            axes.plot(points.t, mean, line, color=own, linewidth=1.6, label=label)
            _shade(axes, session, colour=None if alone else colour)
    for axes, name in zip(times, ("valence", "arousal"), strict=True):
        _prepare_time(axes, name)
    valence.tick_params(labelbottom=False)
    arousal.set_xlabel("time (bands: one standard deviation to either side)")
    handles, labels = _legend(valence, sessions)
    if handles:
        valence.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=3,
            frameon=False,
            fontsize="small",
        )


def _prepare_plane(axes: Axes) -> None:
    axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", xlabel="valence", ylabel="arousal")
    axes.axhline(0, color="0.75", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.75", linewidth=0.8, zorder=0)
    for name, (right, up) in _QUADRANTS.items():
        axes.text(
            0.96 * right,
            0.93 * up,
            name.upper(),
            color="0.45",
            fontweight="bold",
            ha="right" if right > 0 else "left",
            va="center",
        )
    for degrees, word in MOODS.items():
        angle = np.radians(degrees)
        axes.text(
            0.82 * np.cos(angle),
            0.82 * np.sin(angle),
            word,
            color="0.62",
            fontsize="small",
            ha="center",
            va="center",
            zorder=0,
        )


def _ticks(begin: float, end: float) -> list[float]:
    """About eight instants that a clock would name."""
    steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200)
    step = next((step for step in steps if (end - begin) / step <= 9), 86400)
    first = int(np.ceil(begin / step))
    return [float(tick * step) for tick in range(first, int(end // step) + 1)][:400]


def _prepare_time(axes: Axes, name: str) -> None:
    axes.set(ylim=(-1, 1), ylabel=name)
    axes.axhline(0, color="0.75", linewidth=0.8, zorder=0)
    axes.xaxis.set_major_formatter(_clock)
    axes.margins(x=0)
    begin, end = axes.get_xlim()
    axes.set_xticks(_ticks(begin, end))
    axes.set_xlim(begin, end)
    axes.spines[["top", "right"]].set_visible(False)


def _way_by_time(axes: Axes, points: Curve) -> Any:
    """The way as short pieces, each in the colour of its time; returns what a colour bar needs."""
    from matplotlib.collections import LineCollection

    steps = np.stack([points.mean[:-1], points.mean[1:]], axis=1)
    whole = ~np.isnan(steps).any(axis=(1, 2))
    pieces = LineCollection(list(steps[whole]), cmap="viridis", linewidths=1.8, capstyle="round")
    pieces.set_array(points.t[1:][whole])
    pieces.set_clim(float(points.t[0]), float(points.t[-1]))
    axes.add_collection(pieces)
    return pieces


def _ends(axes: Axes, points: Curve, colour: str) -> None:
    """An open circle where the way begins, a full square where it ends."""
    known = points.mean[~np.isnan(points.mean[:, 0])]
    if known.size:
        axes.plot(*known[0], "o", color=colour, markerfacecolor="white", markersize=8, zorder=4)
        axes.plot(*known[-1], "s", color=colour, markersize=7, zorder=4)
        if colour == "black":
            for point, word in ((known[0], "begin"), (known[-1], "end")):
                axes.annotate(word, point, (6, 6), textcoords="offset points", fontsize="small")


def _shade(axes: Axes, session: Recording, colour: str | None) -> None:
    """What was not judged grey, gaps hatched; of several sessions, each in its own colour."""
    for sound, alpha in _UNJUDGED.items():
        for begin, end in unjudged(session, sound):
            axes.axvspan(begin, end, color=colour or "0.5", alpha=alpha, linewidth=0, zorder=0)
    for gap in session.gaps:
        # A short gap still has a line's width.
        axes.axvspan(
            gap.t,
            gap.t + gap.seconds,
            facecolor="none",
            edgecolor=colour or "#D55E00",
            hatch="////",
            linewidth=0.8,
            zorder=1,
        )


def _legend(axes: Axes, sessions: Sequence[Recording]) -> tuple[list[Any], list[str]]:
    """One entry a session where there are several, then what there is that was not judged."""
    from matplotlib.patches import Patch

    handles: list[Any] = []
    labels: list[str] = []
    if len(sessions) > 1:
        handles, labels = axes.get_legend_handles_labels()
    for sound, alpha in _UNJUDGED.items():
        if any(unjudged(session, sound) for session in sessions):
            handles.append(Patch(facecolor="0.5", alpha=2 * alpha))
            labels.append(sound)
    if any(session.gaps for session in sessions):
        handles.append(Patch(facecolor="none", edgecolor="#D55E00", hatch="////"))
        labels.append("gap")
    return handles, labels


def _readable(name: str) -> str:
    """A name as a label: no mathematics by accident, never hidden, not too long."""
    shown = name if len(name) <= 60 else f"{name[:40]}…{name[-19:]}"
    printable = "".join(_printable(shown))
    return printable.replace("$", r"\$") if not printable.startswith("_") else f" {printable}"


def _printable(text: str) -> Iterator[str]:
    for character in text:
        yield character if character.isprintable() else " "


def _clock(seconds: float, _: object = None) -> str:
    whole = round(seconds)
    hours, minutes = divmod(abs(whole) // 60, 60)
    tail = f"{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
    return f"{hours}:{tail}" if hours else tail
