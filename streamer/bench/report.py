"""Report of ``streamer bench``: records, their form as JSON, as text and as Markdown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from streamer.bench.timing import Timing

Cells = tuple[str, ...]


def text(report: Report) -> str:
    """The whole report in columns."""
    lines = [*_facts(report), ""]
    for section in report.sections:
        table = [_head(section), *(_cells(section, row) for row in section.rows)]
        lines += [section.title, *_columns(table), ""]
    lines += ["Claims", *_columns(_claims(report))]
    if report.quick:
        lines += ["", "A quick run: its figures mean nothing."]
    return "\n".join(lines) + "\n"


def markdown(report: Report) -> str:
    """The report as the manual shows it: what is promised, then each part beside others."""
    facts = "  \n".join(_facts(report))
    lines = [facts, "", "| promised | bound | measured | |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(cells)} |" for cells in _claims(report)]
    lines += ["", "| part | median | beside it |", "| --- | --- | --- |"]
    for section in report.sections:
        if section.compared:
            first, *others = section.rows
            ratios = " · ".join(f"{row.name} {_ratio(section, row)}" for row in others)
            lines.append(f"| {section.title} | {_measured(section, first)} | {ratios} |")
    lines += ["", "| part | measured |", "| --- | --- |"]
    for section in report.sections:
        if not section.compared:
            values = " · ".join(f"{row.name} {_measured(section, row)}" for row in section.rows)
            lines.append(f"| {section.title} | {values} |")
    return "\n".join(lines) + "\n"


def _measured(section: Section, row: Row) -> str:
    return row.note if row.value is None else f"{_number(row.value)} {section.unit}"


def _ratio(section: Section, row: Row) -> str:
    first = section.rows[0].value
    if row.value is None or not first:
        return row.note or "not measured"
    return f"{_number(row.value / first)}×"


def _facts(report: Report) -> list[str]:
    machine, model = report.machine, report.model
    return [
        f"{machine['processor']}, {machine['cores']} cores ({machine['threads']} used, load "
        f"{machine['load']}), {machine['system']}; Python {machine['python']}, NumPy "
        f"{machine['numpy']} with {machine['blas']}",
        f"streamer {report.version}, model {model['name']}: {model['weights']:,} weights, "
        f"{model['coefficients']} MFCCs of an FFT of {model['fft_size']}, a frame every "
        f"{1e3 * model['hop_s']:g} ms; {report.time}",
    ]


def _head(section: Section) -> Cells:
    head = ("", f"{section.unit}, median", "99th percentile" if _spread(section) else "")
    return (*head, "ratio") if section.compared else head


def _spread(section: Section) -> bool:
    return any(row.p99 is not None for row in section.rows)


def _cells(section: Section, row: Row) -> Cells:
    if row.value is None:
        return (row.name, row.note or "not measured", *[""] * (1 + section.compared))
    name = f"{row.name} ({row.note})" if row.note else row.name
    cells = (name, _number(row.value), "" if row.p99 is None else _number(row.p99))
    return (*cells, _ratio(section, row)) if section.compared else cells


def _claims(report: Report) -> list[Cells]:
    verdicts = {True: "holds", False: "MISSED", None: "not measured"}
    return [
        (
            claim.text,
            f"at {claim.at} {claim.bound:g}",
            "-" if claim.value is None else _number(claim.value),
            verdicts[claim.holds],
        )
        for claim in report.claims
    ]


def _number(value: float) -> str:
    """Three digits that count, no exponent, thousands apart."""
    return f"{float(f'{value:.3g}'):,.10g}" if abs(value) < 1000 else f"{round(value, -1):,.0f}"


def _columns(table: Sequence[Cells]) -> list[str]:
    widths = [max(len(cells[k]) for cells in table) for k in range(len(table[0]))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in table
    ]


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
