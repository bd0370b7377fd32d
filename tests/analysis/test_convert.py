"""Recorded sessions in the forms of other programs, each read by such a program's own reader."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import math
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_session import estimate, silence, start

from streamer.analysis.convert import FORMS, to_csv, to_jams, to_labels
from streamer.analysis.recorded import Recording, read_session
from streamer.cli.main import main
from streamer.events import COLUMNS, End, Event, Gap, to_json

EVENTS: list[Event] = [
    start("songs/Für Elise.flac"),
    estimate(0.5, 0.3, 0.3),
    estimate(1.0, 0.3, 0.3),
    estimate(1.5, -0.4, -0.4),
    Gap(1.5, 1.0, 44_100, False, "ring\toverrun\nagain"),
    estimate(3.0, -0.4, -0.4),
    silence(3.5),
    silence(4.0),
    End(4.2, 6, 90, 1, 44_100, 0.02),
]


def session(path: Path, events: list[Event]) -> Path:
    path.write_text("".join(to_json(event) + "\n" for event in events), encoding="utf-8")
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Two moods, a loss and a silence."""
    return read_session(session(tmp_path / "song.jsonl", EVENTS))


def test_a_table(recording: Recording) -> None:
    """A row an estimate, what the line had in each cell, nothing where nothing was judged."""
    rows = list(csv.DictReader(to_csv(recording).splitlines()))
    assert [float(row["t"]) for row in rows] == [0.5, 1.0, 1.5, 3.0, 3.5, 4.0]
    assert set(rows[0]) <= set(COLUMNS)
    assert {"valence", "arousal_sd", "p_happy", "mood", "silent"} <= set(rows[0])
    assert "captured" not in rows[0]
    assert float(rows[0]["valence"]) == recording.estimates[0].valence
    assert math.fsum(float(rows[0][f"p_{name}"]) for name in ("happy", "tense", "sad", "calm")) == (
        pytest.approx(1, abs=1e-5)
    )
    assert [row["silent"] for row in rows] == ["0", "0", "0", "0", "1", "1"]
    assert rows[-1]["valence"] == rows[-1]["mood"] == rows[-1]["p_sad"] == ""


def test_a_table_of_silence_has_all_columns(recording: Recording) -> None:
    """Who joins tables finds the same columns in each, whatever was heard."""
    quiet = dataclasses.replace(recording, estimates=recording.estimates[-1:])
    assert to_csv(quiet).splitlines()[0] == to_csv(recording).splitlines()[0]


def test_labels(recording: Recording) -> None:
    """One label a stretch of one word; a loss and a silence have theirs; three columns, always."""
    labels = [line.split("\t") for line in to_labels(recording).splitlines()]
    first, last = recording.estimates[0].mood, recording.estimates[2].mood
    assert [(float(begin), float(end), text) for begin, end, text in labels] == [
        (0.0, 1.0, first),
        (1.0, 1.5, last),
        (1.5, 2.5, "lost: ring overrun again"),
        (2.5, 3.0, last),
        (3.0, 4.0, "silence"),
    ]


def test_jams_by_its_own_validator(recording: Recording, tmp_path: Path) -> None:
    """The JAMS package reads it, finds it valid, and finds the same values at the same times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own age
        jams = pytest.importorskip("jams", reason="the JAMS validator")
        path = tmp_path / "song.jams"
        path.write_text(to_jams(recording), encoding="utf-8")
        read = jams.load(str(path), validate=True, strict=True)
        assert read.validate(strict=True)
        (plane,) = read.search(namespace="mood_thayer")
        (words,) = read.search(namespace="tag_open")
        assert read.file_metadata.title == "Für Elise.flac"
        assert read.file_metadata.duration == 4.2
        intervals, values = plane.to_interval_values()
    assert intervals.tolist() == [[0.0, 0.5], [0.5, 1.0], [1.0, 1.5], [2.5, 3.0]]
    assert values == [[0.3, 0.3]] * 2 + [[-0.4, -0.4]] * 2
    assert [word.value for word in words.data][-1] == "silence"


@given(data=st.data())
def test_every_form_takes_every_session(data: st.DataObject) -> None:
    """Losses anywhere, estimates at any distance, no start line: labels in order, time once."""
    times = sorted(data.draw(st.sets(st.integers(1, 100), min_size=1, max_size=12)))
    gaps = [
        Gap(t / 10, data.draw(st.integers(0, 30)) / 10, 100, False, "x")
        for t in sorted(data.draw(st.sets(st.integers(0, 100), max_size=3)))
    ]
    kinds = [data.draw(st.booleans()) for _ in times]
    estimates = tuple(
        silence(t / 10) if quiet else estimate(t / 10, 0.3, -0.3)
        for t, quiet in zip(times, kinds, strict=True)
    )
    head = data.draw(st.sampled_from([None, start()]))
    found = Recording(Path("x.jsonl"), head, estimates, tuple(gaps), None)
    assert to_csv(found).count("\n") == 1 + len(times)
    labels = [line.split("\t") for line in to_labels(found).splitlines()]
    judged = [(float(a), float(b)) for a, b, text in labels if not text.startswith("lost")]
    assert all(begin < end for begin, end in judged)
    assert judged == sorted(judged)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(judged))
    json.loads(to_jams(found))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_the_command(form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """To standard output, or to a file: the same; of several sessions it says that it took one."""
    path = session(tmp_path / "song.jsonl", EVENTS)
    assert main(["convert", str(path), "--to", form]) == 0
    said = capfd.readouterr()
    assert said.out == FORMS[form](read_session(path))
    assert said.err == ""
    session(path, EVENTS * 2)
    assert main(["convert", str(path), "--to", form, "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").read_text("utf-8") == said.out
    assert "holds 2 sessions: only the first is converted" in capfd.readouterr().err


def test_what_cannot_be_converted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No session and an unknown form are one sentence each."""
    assert main(["convert", str(tmp_path / "none.jsonl"), "--to", "csv"]) == 1
    assert "No such file" in capfd.readouterr().err
    assert main(["convert", str(tmp_path / "none.jsonl"), "--to", "midi"]) == 2
    assert "'midi' is not one of" in capfd.readouterr().err
