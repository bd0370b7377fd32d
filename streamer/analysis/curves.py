"""A recorded session as curves over time, broken where nothing was judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.session_file import Recording

#: More points than this are thinned out: no picture shows more.
_POINTS = 6000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A session as arrays of equal length n.

    t: seconds; mean, sd: (n, 2) valence and arousal, NaN where silent or lost, so that lines break.
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


def silences(session: Recording) -> list[tuple[float, float]]:
    """Stretches of silence, from the estimate before the first silent one to the last silent."""
    spans: list[tuple[float, float]] = []
    before: float | None = None
    open_since: float | None = None
    for estimate in session.estimates:
        if estimate.silent and open_since is None:
            open_since = max(0.0, estimate.t - session.hop_s) if before is None else before
        elif not estimate.silent and open_since is not None and before is not None:
            spans.append((open_since, before))
            open_since = None
        before = estimate.t
    if open_since is not None and before is not None:
        spans.append((open_since, before))
    return spans
