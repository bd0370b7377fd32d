"""Events and their JSON form, held against the schema that ships with the package."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from line_schema import SCHEMA, VALIDATOR, emotions, valid_lines
from scripted_session import start

from streamer.circumplex import MOODS, mood, quadrant, quadrant_probabilities
from streamer.cli.main import main
from streamer.events import QUADRANTS, End, Estimate, Event, Gap, Notice, Start, from_json, to_json

RATE = 16_000

counts = st.integers(0, 2**53)
words = st.text(min_size=1, max_size=20)


def floats(least: float, most: float) -> st.SearchStrategy[float]:
    """Numbers as a line keeps them: to six places."""
    return st.floats(least, most).map(lambda value: round(value, 6) + 0.0)


times = floats(0, 1e7)
starts = st.builds(
    Start,
    version=words,
    time=st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.000Z".rjust(24, "0")),
    model=words,
    source=st.fixed_dictionaries(
        {
            "kind": words,
            "name": st.text(max_size=20),
            "rate": st.integers(1, 192_000),
            "channels": st.integers(1, 64),
        },
        optional={"duration_s": times},
    ),
    sample_rate=st.integers(1, 192_000),
    hop_s=floats(0.001, 1),
    interval_s=times,
    resampler_delay_s=floats(0, 1),
)
moments = st.none() | st.datetimes().map(
    lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.123456Z".rjust(27, "0")
)
silences = st.builds(
    lambda t, level, captured: Estimate(
        t, None, None, None, None, None, None, None, level, True, None, captured
    ),
    times,
    floats(-120, 30),
    moments,
)
withheld = st.builds(
    lambda t, level, music: Estimate(t, *(None,) * 7, level, False, music),
    times,
    floats(-120, 30),
    floats(0, 1),
)


@st.composite
def judgements(draw: st.DrawFn) -> Estimate:
    """Estimates whose parts belong together, as the tracker makes them."""
    valence, arousal = draw(floats(-1, 1)), draw(floats(-1, 1))
    deviations = draw(floats(0.001, 5)), draw(floats(0.001, 5))
    chances = quadrant_probabilities(valence, arousal, *deviations)
    return Estimate(
        draw(times),
        valence,
        arousal,
        *deviations,
        quadrant(valence, arousal),
        {name: round(chance, 6) for name, chance in chances.items()},
        mood(valence, arousal),
        draw(floats(-120, 30)),
        False,
        draw(st.none() | floats(0, 1)),
        draw(moments),
    )


gaps = st.builds(Gap, times, times, counts, st.booleans(), words)
latencies = st.fixed_dictionaries(
    {
        "count": counts,
        "median_s": st.none() | floats(0, 10),
        "p99_s": st.none() | floats(0, 10),
        "max_s": floats(0, 10),
        "clock": words,
    }
)
ends = st.builds(
    End, times, counts, counts, counts, counts, st.none() | times, st.none() | latencies
)
events = st.one_of(starts, silences, withheld, judgements(), gaps, ends)


@given(event=events)
def test_an_event_survives_its_line(event: Event) -> None:
    """To JSON and back gives the event again, and every line is valid, one line, and short."""
    line = to_json(event)
    assert "\n" not in line
    assert from_json(line) == event
    VALIDATOR.validate(json.loads(line))


@given(event=events, more=st.dictionaries(words.map("x_{}".format), st.integers(), min_size=1))
def test_unknown_fields_are_passed_over(event: Event, more: dict[str, int]) -> None:
    """A line with fields of a later version is valid, and is read as if they were not there."""
    line = json.loads(to_json(event)) | more
    VALIDATOR.validate(line)
    assert from_json(json.dumps(line)) == event


def test_unknown_types_are_passed_over_and_other_schemas_refused() -> None:
    """A line of an unknown type gives None; no object, a missing field, another schema raise."""
    assert from_json('{"type":"weather","t":1}') is None
    assert from_json("{}") is None
    for line, said in {
        "[1]": "not a JSON object",
        '{"type":"gap","t":1}': "the 'gap' line lacks the field 'seconds'",
        '{"type":"start","schema":2}': "schema 2",
        to_json(start()).replace(
            '"schema":1', '"schema":true'
        ): "must be of type integer, not true",
        "nonsense": "Expecting value",
        "[" * 200_000: "nested too deeply",
        '{"type":"gap","t":1,"t":1}': "a field stands there twice",
        '{"type":"gap","t":NaN}': "NaN stands where a number should",
        '{"type":"gap","t":' + "9" * 5000 + "}": "Exceeds the limit",
    }.items():
        with pytest.raises(ValueError, match=said):
            from_json(line)


def keywords(schema: Any) -> set[str]:
    """Every keyword of a schema, at any depth."""
    found = set(schema)
    parts = [schema[name] for name in ("if", "then", "else") if name in schema]
    parts += [*schema.get("allOf", ()), *schema.get("properties", {}).values()]
    return found.union(*(keywords(part) for part in [*parts, *schema.get("$defs", {}).values()]))


def test_the_reader_knows_every_keyword_of_the_schema() -> None:
    """What ``schema.json`` demands is demanded of lines: it uses no word that the reader skips."""
    notes = {"description", "$schema", "$id", "title", "$defs"}
    assert keywords(SCHEMA) - notes == {
        *("$ref", "type", "const", "enum", "minLength", "pattern", "minimum", "maximum"),
        *("exclusiveMinimum", "required", "properties", "allOf", "if", "then", "else"),
    }


strange = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([10**400, 1e300, -1e300, -0.0, 0.5, "", "x", "happy", "\x1b]0;x\x07", [], {}]),
    st.dictionaries(st.sampled_from(["kind", "name", "rate", "happy"]), st.integers(), max_size=2),
)


@given(event=events, data=st.data())
def test_a_changed_line_is_read_only_where_it_is_valid(event: Event, data: st.DataObject) -> None:
    """One field of another type or value, or gone: an event that is valid again, or ``ValueError``.

    So no reader of sessions ever sees a text where a number should be.
    """
    line = json.loads(to_json(event))
    part = line
    name = data.draw(st.sampled_from(sorted(set(line) - {"type"})))
    if isinstance(line[name], dict) and data.draw(st.booleans()):
        part, name = line[name], data.draw(st.sampled_from(sorted(line[name])))
    if data.draw(st.booleans()):
        part[name] = data.draw(strange)
    else:
        del part[name]
    text = json.dumps(line)
    if VALIDATOR.is_valid(line):
        found = from_json(text)
        assert found is not None
        VALIDATOR.validate(json.loads(to_json(found)))
    else:
        with pytest.raises(ValueError, match=r"\A[^\n]{1,300}\Z"):
            from_json(text)


@given(text=st.text(min_size=1))
def test_no_character_of_a_line_steers_a_terminal(text: str) -> None:
    """Names of others may stand in a line that is printed: controls are escaped, and read back."""
    line = to_json(Gap(1.0, 0.1, 100, False, text))
    assert not [each for each in line if "\x7f" <= each <= "\x9f" or each < " "]
    assert not {"\u2028", "\u202e", "\u2066"} & set(line)
    assert json.loads(line)["cause"] == text


@given(event=events, bad=st.sampled_from([math.nan, math.inf, -math.inf]), data=st.data())
def test_no_line_holds_nan(event: Event, bad: float, data: st.DataObject) -> None:
    """NaN and infinity are refused in whichever field they stand."""
    fields = [
        field.name
        for field in dataclasses.fields(event)
        if isinstance(getattr(event, field.name), float)
    ]
    changed = dataclasses.replace(event, **{data.draw(st.sampled_from(fields)): bad})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must not hold"):
        to_json(changed)


def test_nan_deep_inside_is_refused_too() -> None:
    """A NaN among the probabilities or the figures of the latency never becomes a line."""
    chances = dict.fromkeys(QUADRANTS, 0.25)
    with pytest.raises(ValueError, match="nan"):
        to_json(
            Estimate(
                1.0, 0.1, 0.1, 0.2, 0.2, "happy", chances | {"sad": math.nan}, "glad", -9.0, False
            )
        )
    with pytest.raises(ValueError, match="inf"):
        to_json(End(1.0, 1, 1, 0, 0, 0.1, {"max_s": math.inf}))


def test_notices_have_no_line() -> None:
    """A notice is for the screen: it has no JSON form."""
    with pytest.raises(KeyError):
        to_json(Notice(1.0, "the device went away"))


def test_the_schema_is_a_schema() -> None:
    """The shipped file is valid JSON Schema 2020-12, and has the code's own words."""
    Draft202012Validator.check_schema(SCHEMA)
    assert tuple(SCHEMA["$defs"]["quadrant"]["enum"]) == QUADRANTS
    emotion = SCHEMA["$defs"]["emotion"]["else"]["properties"]
    assert set(emotion["mood"]["enum"]) == {*MOODS.values(), "neutral"}


EMOTION = {
    "type": "emotion",
    "t": 1.504,
    "valence": 0.12,
    "arousal": -0.31,
    "valence_sd": 0.2,
    "arousal_sd": 0.17,
    "quadrant": "calm",
    "quadrant_p": {"happy": 0.1, "tense": 0.1, "sad": 0.2, "calm": 0.6},
    "mood": "serene",
    "level_db": -18.2,
    "silent": False,
}


#: What a line says while what is heard is no music.
WITHHELD: dict[str, Any] = {
    **dict.fromkeys(("valence", "arousal", "valence_sd", "arousal_sd")),
    **dict.fromkeys(("quadrant", "quadrant_p", "mood")),
    "music": 0.1,
}


@pytest.mark.parametrize(
    "change",
    [
        {"type": "feeling"},
        {"t": -0.1},
        {"t": "1.5"},
        {"valence": 1.01},
        {"arousal": -1.01},
        {"valence": None},
        {"valence_sd": 0},
        {"quadrant": "glum"},
        {"quadrant_p": {"happy": 1.0}},
        {"quadrant_p": {"happy": 0.1, "tense": 0.1, "sad": 0.2, "calm": 1.6}},
        {"mood": "hungry"},
        {"level_db": -120.5},
        {"level_db": None},
        {"silent": True},
        {"silent": "no"},
        {"music": 1.01},
        {"music": "yes"},
        WITHHELD | {"mood": "serene"},
        WITHHELD | {"music": None},
        WITHHELD | {"silent": True},
    ],
)
def test_the_schema_refuses_what_no_line_may_say(change: dict[str, Any]) -> None:
    """Numbers out of range, unknown words, nulls without silence or lack of music: not valid."""
    VALIDATOR.validate(EMOTION)
    VALIDATOR.validate(EMOTION | {"music": 0.9})
    VALIDATOR.validate(EMOTION | WITHHELD)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(EMOTION | change)
    for name in EMOTION:
        with pytest.raises(ValidationError):
            VALIDATOR.validate({key: value for key, value in EMOTION.items() if key != name})


def test_every_line_of_a_real_replay_is_valid(
    music: np.ndarray,
    tmp_path: Path,
    model_directory: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Music, silence and broken samples in a file: start, emotions, gaps, end, all valid."""
    broken = music[:8_000].copy()
    broken[4_000:4_100] = np.nan
    pause = np.zeros(3 * RATE, np.float32)
    song = np.concatenate([music[: 4 * RATE], broken, pause, music[: 2 * RATE]])
    soundfile.write(tmp_path / "song.wav", song, RATE, subtype="FLOAT")
    options = ["--speed", "max", "--interval", "0", "--model", str(model_directory)]
    assert main(["replay", str(tmp_path / "song.wav"), *options]) == 0
    lines = valid_lines(capfdbinary.readouterr().out)
    found = emotions(lines)
    assert len(found) == lines[-1]["estimates"] > 300
    assert {line["silent"] for line in found} == {True, False}
    assert [line["samples"] for line in lines if line["type"] == "gap"] == [100]
    assert lines[-1]["t"] == len(song) / RATE
    for line in found:
        if not line["silent"]:
            assert sum(line["quadrant_p"].values()) == pytest.approx(1, abs=1e-5)
            assert line["quadrant"] == quadrant(line["valence"], line["arousal"])
