"""How far two recorded sessions agree, axis by axis.

They may come from different microphones, rooms, models or intervals: what they share is the music,
and with it the stream time, up to a lag.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.recorded import Recording
from streamer.errors import SessionFileError
from streamer.training.metrics import ccc, pearson, rmse

Floats = NDArray[np.float64]

#: Fewer common moments than this say nothing about agreement.
_LEAST = 3
#: Lags are tried in steps of this many seconds, or of the denser session's where that is longer.
_FINEST_S = 0.05


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far one axis of two sessions agrees.

    ``n`` common moments; ``r`` is ``None`` where a session does not vary; ``difference`` is the
    mean of the second minus the first. ``lag_s`` is by how many seconds the second runs behind the
    first where they correlate most, with ``lag_r`` there.
    """

    n: int
    r: float | None
    ccc: float
    rmse: float
    difference: float
    lag_s: float | None
    lag_r: float | None

    def to_dict(self) -> dict[str, Any]:
        """A plain object of rounded numbers."""
        record = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in record.items()
        }


def compare(first: Recording, second: Recording, most_lag_s: float = 10.0) -> dict[str, Agreement]:
    """The agreement of valence and of arousal, by axis; lags up to ``most_lag_s`` either way.

    The moments are those of the session with fewer estimates, of the first where they have equally
    many; the other one is taken between its neighbouring estimates, and nowhere that either was
    silent or lost. Raises ``SessionFileError`` where they have hardly a moment in common.
    """
    agreements = {}
    for axis in ("valence", "arousal"):
        a, b = _Curve.of(first, axis), _Curve.of(second, axis)
        common = len(_pairs(a, b, 0.0)[0])
        if common < _LEAST:
            raise SessionFileError(
                f"{first.path} and {second.path} have {common} moments in common that both "
                f"judged, and {_LEAST} are needed: compare sessions of the same music"
            )
        agreements[axis] = _agreement(a, b, most_lag_s)
    return agreements


@dataclass(frozen=True, slots=True)
class _Curve:
    """One axis of a session: ``t`` and ``value`` of every estimate, NaN while silent."""

    t: Floats
    value: Floats
    step_s: float

    @staticmethod
    def of(recording: Recording, axis: str) -> _Curve:
        t = np.array([estimate.t for estimate in recording.estimates])
        value = np.array([getattr(estimate, axis) for estimate in recording.estimates], dtype=float)
        t, kept = np.unique(t, return_index=True)
        step_s = float(np.median(np.diff(t))) if len(t) > 1 else recording.hop_s
        return _Curve(t, value[kept], step_s)

    def at(self, t: Floats) -> Floats:
        """Values at the times ``t``, between neighbours; NaN next to silence and in a gap."""
        value = np.interp(t, self.t, self.value, left=np.nan, right=np.nan)
        after = np.searchsorted(self.t, t).clip(1, len(self.t) - 1)
        wide = self.t[after] - self.t[after - 1] > 1.5 * self.step_s
        exact = np.isin(t, self.t)
        value[wide & ~exact] = np.nan
        return value


def _agreement(a: _Curve, b: _Curve, most_lag_s: float) -> Agreement:
    x, y = _pairs(a, b, 0.0)
    best: tuple[float, float] | None = None
    step = max(_FINEST_S, min(a.step_s, b.step_s))
    # Beyond the length of both there is nothing to compare.
    longest = max(a.t[-1], b.t[-1]) - min(a.t[0], b.t[0])
    most = int(min(most_lag_s, longest) / step + 1e-9)
    # From no lag outwards, so that the smallest of equally good ones is told.
    for index in sorted(range(-most, most + 1), key=abs):
        u, v = _pairs(a, b, index * step)
        # A few moments that happen to rise together are no agreement.
        r = pearson(u, v) if len(u) >= max(_LEAST, len(x) / 2) else None
        if r is not None and (best is None or r > best[1] + 1e-9):
            best = index * step, r
    lag_s, lag_r = best or (None, None)
    return Agreement(
        n=len(x),
        r=pearson(x, y),
        ccc=ccc(x, y),
        rmse=rmse(x, y),
        difference=float(np.mean(y - x)),
        lag_s=lag_s,
        lag_r=lag_r,
    )


def _pairs(a: _Curve, b: _Curve, lag_s: float) -> tuple[Floats, Floats]:
    """Both at the moments of the one with fewer estimates, ``b`` taken ``lag_s`` later."""
    if len(a.t) <= len(b.t):
        x, y = a.value, b.at(_near(a.t + lag_s, b.t))
    else:
        x, y = a.at(_near(b.t - lag_s, a.t)), b.value
    known = np.isfinite(x) & np.isfinite(y)
    return x[known], y[known]


def _near(t: Floats, grid: Floats) -> Floats:
    """``t``, moved onto the grid where it is a microsecond away: lags add up with rounding."""
    after = np.searchsorted(grid, t)
    for neighbour in (after - 1, np.minimum(after, len(grid) - 1)):
        t = np.where(np.abs(grid[neighbour] - t) < 1e-6, grid[neighbour], t)
    return t
