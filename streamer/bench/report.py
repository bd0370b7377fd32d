"""What a run of ``streamer bench`` found: records, and their form as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streamer.bench.timing import Timing

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing: median and 99th percentile in its section's unit.

    Without a ``value`` it could not be measured, and ``note`` says why.
    """

    name: str
    value: float | None
    p99: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one ``unit``; where ``compared``, each beside the first as a ratio."""

    title: str
    unit: str
    rows: tuple[Row, ...]
    compared: bool = True

    def value(self, name: str) -> float | None:
        """The median of a row; None where there is none."""
        return next((row.value for row in self.rows if row.name == name), None)


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure that is promised: ``value`` is ``at`` most or at least ``bound``."""

    text: str
    value: float | None
    at: Literal["most", "least"]
    bound: float

    @property
    def holds(self) -> bool | None:
        """Whether it does; None where it was not measured."""
        if self.value is None:
            return None
        return self.value <= self.bound if self.at == "most" else self.value >= self.bound


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run: where, of which model, and what was found."""

    version: str
    time: str
    quick: bool
    machine: Mapping[str, Any]
    model: Mapping[str, Any]
    sections: tuple[Section, ...]
    claims: tuple[Claim, ...]
    format: int = FORMAT

    def to_json(self) -> str:
        """The text of the JSON file, numbers rounded to what they can mean."""
        return json.dumps(_rounded(dataclasses.asdict(self)), indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Report:
    """The inverse of ``to_json``; raises ``ValueError`` for another format."""
    record = json.loads(text)
    if record.get("format") != FORMAT:
        raise ValueError(f"format {record.get('format')!r}, while this version reads {FORMAT}")
    sections = (
        Section(**{**section, "rows": tuple(Row(**row) for row in section["rows"])})
        for section in record["sections"]
    )
    claims = (Claim(**claim) for claim in record["claims"])
    return Report(**{**record, "sections": tuple(sections), "claims": tuple(claims)})


def timed(
    found: Mapping[str, Timing], missing: Mapping[str, str], *, per: Mapping[str, int] | int = 1
) -> tuple[Row, ...]:
    """Rows in microseconds of what was timed, then of what is missing and why.

    ``per``: how many things one call does, the same for all or by name.
    """
    rows = []
    for name, timing in found.items():
        scale = 1e6 / (per if isinstance(per, int) else per[name])
        rows.append(Row(name, timing.median_s * scale, timing.p99_s * scale))
    return (*rows, *(Row(name, None, note=why) for name, why in missing.items()))


def _rounded(value: Any) -> Any:
    """Numbers to four digits that count."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
