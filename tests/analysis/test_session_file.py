"""Recorded sessions: what is read back, what is forgiven, what is refused in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripted_session import estimate, silence, start

from streamer.analysis.recorded import read_events, read_session, read_sessions
from streamer.errors import SessionFileError
from streamer.events import End, Gap, Notice, to_json

EVENTS = [
    start("songs/Für Elise.flac"),
    estimate(0.5),
    Gap(0.5, 0.1, 4410, False, "overflow"),
    silence(1.0),
    End(1.0, 2, 31, 1, 4410, 0.02),
]


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8"))
    return path


def lines() -> list[str]:
    return [to_json(event) for event in EVENTS]


def test_a_session_is_read_back_as_it_was(tmp_path: Path) -> None:
    """Every event that a picture needs comes back equal to what was written."""
    path = written(tmp_path / "a.jsonl", "\n".join(lines()) + "\n")
    session = read_session(path)
    assert session.start == EVENTS[0]
    assert [e.t for e in session.estimates] == [0.5, 1.0]
    assert session.estimates[0].valence == 0.3
    assert session.gaps == (EVENTS[2],)
    assert session.end == EVENTS[-1]
    assert session.name == "Für Elise.flac"
    assert session.hop_s == 0.5
    assert read_session(str(path)) == session
    assert read_sessions(str(path)) == [session]


@pytest.mark.parametrize(
    ("source", "first", "begin"),
    [
        ({}, 0.5, 0.0),
        ({"start_s": 3.3}, 3.5, 3.3),
        ({"start_s": 3.3}, 4.0, 3.3),
        ({"start_s": 3.3}, 8.5, 8.0),  # a later file of a rotation
        ({}, 60.5, 60.0),
        ({"start_s": 9.0}, 0.5, 0.0),
    ],
)
def test_a_session_begins_where_its_source_did(
    tmp_path: Path, source: dict[str, object], first: float, begin: float
) -> None:
    """By the start line; where the first estimate comes later than that allows, just before it."""
    events = [start("song.flac", **source), estimate(first), estimate(first + 0.5)]
    path = written(tmp_path / "a.jsonl", "".join(to_json(event) + "\n" for event in events))
    assert read_session(path).span == pytest.approx((begin, first + 0.5))


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_left_out(tmp_path: Path, cut: int) -> None:
    """A session whose writing broke off is read up to the break."""
    whole = "\n".join(lines()[:-1])
    session = read_session(written(tmp_path / "a.jsonl", whole[:-cut]))
    assert session.end is None
    assert len(session.estimates) == 1


def test_a_line_torn_within_a_letter_is_left_out(tmp_path: Path) -> None:
    """Half of a UTF-8 letter at the very end is a torn line, not a broken file."""
    path = tmp_path / "a.jsonl"
    path.write_bytes("\n".join(lines()[:2]).encode() + '\n{"message":"é'.encode()[:-1])
    assert len(read_session(path).estimates) == 1


def test_what_is_not_known_is_passed_over(tmp_path: Path) -> None:
    """Unknown kinds of lines, unknown fields and empty lines are ignored, a BOM too."""
    extra = ['{"type":"beat","t":0.3}', "", lines()[1].replace("{", '{"colour":"blue",', 1)]
    text = "\ufeff" + "\r\n".join([lines()[0], *extra]) + "\r\n"
    assert len(read_session(written(tmp_path / "a.jsonl", text)).estimates) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("\n\n", "holds no estimate"),
        ('{"type":"start"', "line 1, is no line of a session"),
        ("valence,arousal\n0.1,0.2\n", "line 1, is no line of a session"),
        ("[1, 2]\n{}\n", "line 1, is no line of a session: not a JSON object"),
        ('{"type":"emotion","t":1}\n\n', "the 'emotion' line lacks the field 'valence'"),
        ('{"type":"start","schema":7}\n', "schema 7, while this version reads 1"),
        (
            to_json(estimate(1.0)).replace("0.3", '"loud"') + "\n",
            "the 'emotion' line: valence must be of type number, not \"loud\"",
        ),
        (to_json(estimate(1.0)).replace("0.3", "NaN") + "\n", "NaN stands where a number"),
        (to_json(estimate(1.0)).replace("-0.2", "null") + "\n", "must be of type number, not null"),
    ],
)
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """What is no session says where and why, with what to give instead."""
    path = written(tmp_path / "a.jsonl", text)
    with pytest.raises(SessionFileError, match=re.escape(sentence)) as failure:
        read_session(path)
    assert "\n" not in str(failure.value)
    assert str(path) in str(failure.value)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    """The operating system's reason is passed on."""
    with pytest.raises(SessionFileError, match="No such file"):
        read_session(tmp_path / "nothing.jsonl")
    with pytest.raises(SessionFileError, match="Is a directory"):
        read_session(tmp_path)


def test_sessions_joined_in_one_file_are_all_there(tmp_path: Path) -> None:
    """What ``>>`` wrote are several sessions; events of the first alone come with a notice."""
    broken = [to_json(start("b.wav")), to_json(estimate(0.5))]  # without its end
    later = [to_json(start("c.wav")), *lines()[1:]]
    path = written(tmp_path / "a.jsonl", "\n".join(lines() + broken + later) + "\n")
    sessions = read_sessions(path)
    assert [session.name for session in sessions] == ["Für Elise.flac", "b.wav", "c.wav"]
    assert [len(session.estimates) for session in sessions] == [2, 1, 2]
    assert [session.end is None for session in sessions] == [False, True, False]
    assert read_session(path) == sessions[0]
    events = list(read_events(path))
    assert [to_json(event) for event in events[:-2]] == lines()[:-1]
    assert isinstance(events[-2], Notice)
    assert "holds another session after this one: only the first is shown" in events[-2].message
    assert events[-1] == EVENTS[-1]
    # The same session twice is two, although their start lines are one.
    twice = written(tmp_path / "b.jsonl", ("\n".join(lines()) + "\n") * 2)
    assert [len(session.estimates) for session in read_sessions(twice)] == [2, 2]


def test_files_of_one_session_joined_again_are_that_session(tmp_path: Path) -> None:
    """What ``--rotate`` cut and ``cat`` joined is one session, its end that of the whole."""
    parts = [
        [*lines()[:3], to_json(End(0.6, 1, 16, 1, 4410, None))],
        [lines()[0], lines()[3], to_json(End(1.0, 1, 15, 0, 0, 0.02))],
    ]
    path = written(tmp_path / "a.jsonl", "\n".join([*parts[0], *parts[1]]) + "\n")
    (session,) = read_sessions(path)
    assert session.end == EVENTS[-1]
    assert [to_json(event) for event in read_events(path)] == lines()


def test_an_endless_line_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A line of megabytes is no line of a session, and takes no memory of its size."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(lines()[0].encode() + b"\n")
        file.truncate(1 << 30)
    with pytest.raises(SessionFileError, match="line 2, is no line of a session: longer than"):
        read_session(path)


def test_sixteen_bit_text_is_named_as_such(tmp_path: Path) -> None:
    """What some shells write by redirection is refused with the reason."""
    path = tmp_path / "a.jsonl"
    path.write_bytes("\n".join(lines()).encode("utf-16"))
    with pytest.raises(SessionFileError, match="not UTF-8"):
        read_session(path)
