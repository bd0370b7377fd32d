"""What flows out of a listening session: records, and their form as JSON lines (schema 1).

Every event is an immutable record. Rendering (JSON lines, dashboard, OSC) is the last step and
happens in the sinks. The JSON form is described for machines by ``streamer/schema.json``.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = 1

#: Quadrants of the plane of valence and arousal, in the order (+v +a), (-v +a), (-v -a), (+v -a).
QUADRANTS = ("happy", "tense", "sad", "calm")


@dataclass(frozen=True, slots=True)
class Start:
    """The first event of a session: what is listened to, and by which model.

    ``time`` is UTC in ISO 8601, ``source`` what the source says of itself, ``sample_rate`` the
    model's rate in Hz, ``hop_s`` and ``interval_s`` seconds between frames and between estimates
    (0: every frame), ``resampler_delay_s`` the seconds by which the resampler looks ahead.
    """

    version: str
    time: str
    model: str
    source: Mapping[str, Any]
    sample_rate: int
    hop_s: float
    interval_s: float
    resampler_delay_s: float
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Estimate:
    """How the music feels at stream time ``t``, judged from the samples up to ``t`` alone.

    ``valence`` and ``arousal`` lie in [-1, 1], their deviations above 0; ``quadrant_p`` sums to 1
    in the order of :data:`QUADRANTS`; ``level_db`` is the RMS of the last second in dB relative to
    full scale, never under -120. ``music``, from 0 to 1, is how sure it is that music is heard,
    ``None`` while silent and where the model does not tell. While ``silent``, and while what is
    heard is no music, all that judges the music is ``None``.
    ``captured`` (live only): the UTC time, in ISO 8601, at which the newest sample was captured, by
    the sound card's clock.
    """

    t: float
    valence: float | None
    arousal: float | None
    valence_sd: float | None
    arousal_sd: float | None
    quadrant: str | None
    quadrant_p: Mapping[str, float] | None
    mood: str | None
    level_db: float
    silent: bool
    music: float | None = None
    captured: str | None = None

    @property
    def sound(self) -> str:
        """What is heard: "music", "silence", or "no music" where the judgement is withheld."""
        if self.silent:
            return "silence"
        return "no music" if self.valence is None else "music"


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that never reached the tracker.

    ``t`` is the stream time at which the missing piece begins; it lasts ``seconds``. ``samples``
    are counted at the source's own rate; ``estimated`` says that the length is a guess.
    """

    t: float
    seconds: float
    samples: int
    estimated: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know: a device that went away, zeros on the input.

    Notices are for the screen (dashboard, standard error); they have no JSON form.
    """

    t: float
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """The last event: what was done and what was lost.

    ``lost_samples`` are counted at the source's rate; ``real_time_factor`` is compute time divided
    by audio time; ``latency`` (live only) is the distribution in seconds from the capture of a
    frame's last sample to its line being written, with the clock that it was measured by.
    """

    t: float
    estimates: int
    frames: int
    gaps: int
    lost_samples: int
    real_time_factor: float | None
    latency: Mapping[str, Any] | None = None


Event = Start | Estimate | Gap | Notice | End

_TYPES: dict[str, type] = {
    "start": Start,
    "emotion": Estimate,
    "gap": Gap,
    "end": End,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
#: Digits kept in the JSON form: a microsecond of time, and more than any estimate can mean.
_DIGITS = 6


def _plain(value: Any) -> Any:
    """The JSON form of a field: rounded floats, plain dictionaries, never NaN or infinity."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"an event must not hold {value}")
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def to_dict(event: Event) -> dict[str, Any]:
    """The JSON object of an event (no notice); what only live sessions know where it is known.

    Raises ``ValueError`` if a number is NaN or infinite.
    """
    record: dict[str, Any] = {"type": _NAMES[type(event)]}
    if isinstance(event, Start):
        record["schema"] = event.schema
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if field.default is None and value is None:
            continue
        record.setdefault(field.name, _plain(value))
    return record


def to_json(event: Event) -> str:
    """One JSON line (without its newline) of an event."""
    return json.dumps(to_dict(event), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_json(line: str) -> Event | None:
    """The event of one JSON line; unknown fields are ignored, an unknown type gives ``None``.

    Raises ``ValueError`` where the line is not a JSON object, a field is missing, or the schema is
    another one.
    """
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    kind = _TYPES.get(str(record.get("type")))
    if kind is None:
        return None
    if kind is Start and record.get("schema") != SCHEMA:
        raise ValueError(f"schema {record.get('schema')!r}, while this version reads {SCHEMA}")
    known = {field.name for field in dataclasses.fields(kind)}
    try:
        event: Event = kind(**{key: item for key, item in record.items() if key in known})
    except TypeError:
        raise ValueError(f"a field of the {record['type']!r} line is missing") from None
    return event
