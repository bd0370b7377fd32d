"""What flows out of a listening session: records, and their form as JSON lines (schema 1).

Every event is an immutable record. Rendering (JSON lines, dashboard, OSC) is the last step and
happens in the sinks. The JSON form is described for machines by ``streamer/schema.json``, and lines
of others are held against it when they are read.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1

#: Quadrants of the plane of valence and arousal, in the order (+v +a), (-v +a), (-v -a), (+v -a).
QUADRANTS = ("happy", "tense", "sad", "calm")


class _Line:
    """An event that has a JSON form."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The plain object of the event's JSON line; raises ``ValueError`` for NaN."""
        return to_dict(self)  # type: ignore[arg-type]  # the events below are all there are


@dataclass(frozen=True, slots=True)
class Start(_Line):
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
class Estimate(_Line):
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

    def to_row(self) -> dict[str, Any]:
        """The estimate as a row of a table: a value for every one of :data:`COLUMNS`."""
        chances = self.quadrant_p or {}
        return {
            name: chances.get(name[2:]) if name.startswith("p_") else getattr(self, name)
            for name in COLUMNS
        }


def _columns() -> dict[str, type]:
    columns: dict[str, type] = {}
    for field in dataclasses.fields(Estimate):
        if field.name == "quadrant_p":
            columns |= {f"p_{name}": float for name in QUADRANTS}
        else:
            kind = str(field.type).removesuffix(" | None")
            columns[field.name] = {"float": float, "str": str, "bool": bool}[kind]
    return columns


#: The columns of estimates as a table, and their types; ``p_happy`` and so on are ``quadrant_p``.
COLUMNS = _columns()


@dataclass(frozen=True, slots=True)
class Gap(_Line):
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
class End(_Line):
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


#: What a terminal might obey or be confused by; JSON itself escapes what is below a blank.
_UNSHOWN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def to_json(event: Event) -> str:
    """One JSON line (without its newline) of an event; no character in it steers a terminal."""
    line = json.dumps(to_dict(event), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if line.isprintable():
        return line
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def from_json(line: str) -> Event | None:
    """The event of one JSON line; unknown fields are ignored, an unknown type gives ``None``.

    Raises ``ValueError`` where the line is not a JSON object or not what ``schema.json`` says of
    its type: a field that is missing, of another type, or out of its range.
    """
    try:
        record = json.loads(line, parse_constant=_refuse, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    name = record.get("type")
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        return None
    if kind is Start and record.get("schema") != SCHEMA:
        raise ValueError(f"schema {record.get('schema')!r:.40}, while this version reads {SCHEMA}")
    known = _known(_schema()["$defs"][name], record, f"the {name!r} line")
    event: Event = kind(**{key: item for key, item in known.items() if key != "type"})
    return event


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} stands where a number should")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a field stands there twice")
    return record


@functools.cache
def _schema() -> dict[str, Any]:
    text = Path(__file__).with_name("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


_PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def _known(schema: Mapping[str, Any], value: Any, where: str) -> Any:
    """``value`` without the fields that the schema does not know.

    Raises ``ValueError`` where it is not what the schema allows. Of JSON Schema this knows what
    ``schema.json`` uses; a test holds both to that.
    """
    if "$ref" in schema:
        return _known(_schema()["$defs"][schema["$ref"].rpartition("/")[2]], value, where)
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if "integer" in names and isinstance(value, float) and value.is_integer():
            value = int(value)  # some programs write 16000.0
        kinds = tuple(kind for name in names for kind in _PLAIN_TYPES[name])
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"{where} must be of type {' or '.join(names)}, not {_cited(value)}")
    if "const" in schema and value != schema["const"]:
        raise ValueError(f"{where} must be {schema['const']!r}, not {_cited(value)}")
    if "enum" in schema and not (isinstance(value, str) and value in schema["enum"]):
        raise ValueError(f"{where} must be one of {', '.join(schema['enum'])}: {_cited(value)}")
    if isinstance(value, str):
        _check_text(schema, value, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_range(schema, value, where)
    if isinstance(value, dict):
        return _known_fields(schema, value, where)
    return value


def _known_fields(schema: Mapping[str, Any], record: dict[str, Any], where: str) -> dict[str, Any]:
    for name in schema.get("required", ()):
        if name not in record:
            raise ValueError(f"{where} lacks the field {name!r}")
    known = {
        name: _known(part, record[name], f"{where}: {name}")
        for name, part in schema.get("properties", {}).items()
        if name in record
    }
    parts = list(schema.get("allOf", ()))
    if "if" in schema:
        parts.append(schema.get("then" if _fits(schema["if"], record) else "else", {}))
    for part in parts:
        known |= _known_fields(part, record, where)
    return known


def _fits(schema: Mapping[str, Any], record: dict[str, Any]) -> bool:
    try:
        _known_fields(schema, record, "")
    except ValueError:
        return False
    return True


def _check_text(schema: Mapping[str, Any], value: str, where: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{where} is no text")  # half a character, which JSON can tell of
    if len(value) < schema.get("minLength", 0):
        raise ValueError(f"{where} must not be empty")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise ValueError(f"{where} has another form: {_cited(value)}")


def _check_range(schema: Mapping[str, Any], value: float, where: str) -> None:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if not low <= value <= high:
        raise ValueError(f"{where} must be from {low:g} to {high:g}, not {_cited(value)}")
    if value <= schema.get("exclusiveMinimum", -math.inf):
        raise ValueError(f"{where} must be above {schema['exclusiveMinimum']:g}")


def _cited(value: Any) -> str:
    """A value of others in a message: short, whatever it is."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) > 1 << 64:
        return "a number beyond belief"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:36]} ..."


class Cadence:
    """Which frames are due: the first whose end reaches each multiple of the interval.

    ``interval`` in seconds, 0 for every frame; ``rate`` of the positions in Hz (1 where those are
    seconds).
    """

    def __init__(self, interval: float, rate: int) -> None:
        if not (math.isfinite(interval) and interval >= 0):
            raise ValueError(f"the interval must be 0 or more seconds, not {interval}")
        self._step = interval * rate

    def index(self, position: float) -> int:
        """How many multiples of the interval (zero apart) lie at or before a stream position."""
        # A hair is added so that 0.1 s at 16 kHz is due at sample 1,600 and not one frame later.
        return int(position) if not self._step else math.floor(position / self._step + 1e-9)


class Tally:
    """Counts what the ``end`` event tells of the events before it.

    ``t``: stream time at which it begins. Frames are not told one by one: they are reckoned from
    the hop and the time between the estimates, lost time left out.
    """

    def __init__(self, t: float | None = None, start: Start | None = None) -> None:
        self._start = start
        self._begun = t is not None
        self._end = End(t or 0.0, 0, 0, 0, 0, None)

    def write(self, event: Event) -> None:
        """Count an event, in order of time."""
        if isinstance(event, Start):
            self._start = event
        elif isinstance(event, Estimate):
            end = self._up_to(event.t)
            self._end = dataclasses.replace(end, estimates=end.estimates + 1)
        elif isinstance(event, Gap):
            end = self._up_to(event.t)
            self._end = dataclasses.replace(
                end,
                t=max(end.t, event.t + event.seconds),
                gaps=end.gaps + 1,
                lost_samples=end.lost_samples + event.samples,
            )

    def end(self) -> End:
        """The ``end`` of what was counted so far."""
        return self._end

    def _up_to(self, t: float) -> End:
        """The counts with the frames up to ``t``, from where the stream began."""
        end = self._end
        if not self._begun:
            # The first event tells where a stream began that did not at 0.
            self._begun = True
            end = dataclasses.replace(end, t=beginning(self._start, t))
        hop_s = self._start.hop_s if self._start is not None else 0.0
        frames = max(0, round((t - end.t) / hop_s)) if hop_s else 0
        return dataclasses.replace(end, t=max(end.t, t), frames=end.frames + frames)


def beginning(start: Start | None, t: float) -> float:
    """Stream time at which a session began whose first estimate or gap is at ``t``, in seconds.

    It is where the ``start`` line says, 0 if it does not, unless ``t`` is later than the first
    estimate of such a session would be, as in a later file of a rotation.
    """
    interval, told = 0.5, 0.0
    if start is not None:
        interval = max(start.interval_s, start.hop_s)
        said = float(start.source.get("start_s", 0.0))
        told = said if said <= t else 0.0
    late = t - interval
    return late if late > told + interval else told
