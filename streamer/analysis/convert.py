"""Recorded sessions in the forms of other programs: a table, Audacity's labels, JAMS.

- ``csv``: a row an estimate, with the columns of :data:`streamer.events.COLUMNS`.
- ``labels``: Audacity's label track (begin, end and text, separated by tabs), a label a stretch of
  one mood word, silence, or loss; xLights and Vixen import it as timing marks.
- ``jams``: JSON Annotated Music Specification 0.3 (Humphrey et al. 2014), valence and arousal in
  its namespace ``mood_thayer``, the mood words in ``tag_open``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from streamer.analysis.recorded import Recording
from streamer.events import COLUMNS, Estimate

_JAMS_VERSION = "0.3.4"


def to_csv(recording: Recording) -> str:
    """The estimates as comma-separated values; a cell without a value is empty."""
    rows = [estimate.to_row() for estimate in recording.estimates]
    # A file is captured at no time: that would be a column of nothing.
    captured = any(row["captured"] is not None for row in rows)
    names = [name for name in COLUMNS if captured or name != "captured"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return text.getvalue()


def to_labels(recording: Recording) -> str:
    """The stretches as labels; texts hold neither tabs nor line breaks."""
    stretches = [*_stretches(recording), *_losses(recording)]
    return "".join(
        f"{begin:.6f}\t{end:.6f}\t{' '.join(text.split())}\n"
        for begin, end, text in sorted(stretches)
    )


def to_jams(recording: Recording) -> str:
    """The session as a JAMS file; times are seconds of stream time."""
    about = recording.start.to_dict() if recording.start is not None else {}
    tool = {
        "annotation_tools": f"streamer {about.get('version', '')}".strip(),
        "annotator": {"model": about.get("model", "")},
        "data_source": "program",
    }
    begin, end = recording.span

    def annotation(namespace: str, data: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "namespace": namespace,
            "annotation_metadata": tool,
            "data": data,
            "sandbox": {},
            "time": begin,
            "duration": end - begin,
        }

    plane = [
        _observation(first, last, [estimate.valence, estimate.arousal])
        for first, last, estimate in _intervals(recording)
        if estimate.valence is not None
    ]
    words = [_observation(first, last, word) for first, last, word in _stretches(recording)]
    record = {
        "annotations": [annotation("mood_thayer", plane), annotation("tag_open", words)],
        "file_metadata": {
            "title": recording.name,
            "artist": "",
            "release": "",
            "duration": end,
            "identifiers": {},
            "jams_version": _JAMS_VERSION,
        },
        "sandbox": {
            "streamer": {"start": about, "gaps": [gap.to_dict() for gap in recording.gaps]}
        },
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


#: What a session can be converted to, by name.
FORMS: dict[str, Callable[[Recording], str]] = {
    "csv": to_csv,
    "labels": to_labels,
    "jams": to_jams,
}


def _cell(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


def _observation(begin: float, end: float, value: object) -> dict[str, Any]:
    return {"time": begin, "duration": end - begin, "value": value, "confidence": None}


def _intervals(recording: Recording) -> Iterator[tuple[float, float, Estimate]]:
    """Each estimate with the time that it stands for: since the one before, or since a loss."""
    before, _ = recording.span
    losses = sorted((gap.t, gap.t + gap.seconds) for gap in recording.gaps)
    for estimate in recording.estimates:
        while losses and losses[0][0] < estimate.t:
            before = max(before, losses.pop(0)[1])
        if estimate.t > before:
            yield before, estimate.t, estimate
            before = estimate.t


def _stretches(recording: Recording) -> Iterator[tuple[float, float, str]]:
    """Neighbouring intervals of one word, or of silence, as one: begin, end and word."""
    begin = end = 0.0
    word: str | None = None
    for first, last, estimate in _intervals(recording):
        own = estimate.mood or estimate.sound
        if own != word or first > end:
            if word is not None:
                yield begin, end, word
            begin, word = first, own
        end = last
    if word is not None:
        yield begin, end, word


def _losses(recording: Recording) -> Iterator[tuple[float, float, str]]:
    for gap in recording.gaps:
        yield gap.t, gap.t + gap.seconds, f"lost: {gap.cause}"
