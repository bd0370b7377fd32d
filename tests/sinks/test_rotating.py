"""``--rotate``: a session in files that are each complete in themselves."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from line_schema import emotions, valid_lines

from streamer.analysis.recorded import read_session
from streamer.cli.main import main
from streamer.errors import OutputError
from streamer.events import End, Estimate, Event, Gap, Notice, Start
from streamer.sinks.jsonl import RotatingJsonLines, Rotation
from streamer.stages import estimate

START = Start(
    version="1.2",
    time="2026-11-23T20:15:03.120Z",
    model="m",
    source={"kind": "device", "name": "y", "rate": 8_000, "channels": 1},
    sample_rate=16_000,
    hop_s=0.05,
    interval_s=0.5,
    resampler_delay_s=0.0,
)


class Clock:
    """A calendar that is turned by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 20, 15, 3, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def week(seconds: float = 20.0) -> list[Event]:
    """A session: two estimates a second, a gap of four seconds in the middle, a notice."""
    events: list[Event] = [START, Notice(0.0, "nobody reads this")]
    for half in range(1, int(2 * seconds) + 1):
        t = half / 2
        if t == seconds / 2:
            events.append(Gap(t, 4.0, 32_000, True, "device lost"))
        if not seconds / 2 <= t < seconds / 2 + 4:
            judged: Estimate = estimate(t, [0.1, -0.2, 0.2, 0.2], -18.0, known=True)
            events.append(judged)
    events.append(End(seconds, int(2 * seconds) - 8, 20 * int(seconds) - 80, 1, 32_000, 0.01))
    return events


def files(folder: Path) -> list[Path]:
    """The files of a session, oldest first."""
    return sorted(folder.glob("moods.*.jsonl"))


def written(
    folder: Path, rotation: Rotation, events: list[Event], clock: Clock | None = None
) -> list[list[dict[str, Any]]]:
    """The lines of every file, each file valid in itself."""
    clock = clock or Clock()
    sink = RotatingJsonLines(folder / "moods.jsonl", rotation, clock)
    for event in events:
        if isinstance(event, Estimate):
            clock.time += timedelta(seconds=0.5)
        sink.write(event)
    sink.close()
    sink.close()
    return [valid_lines(file.read_bytes()) for file in files(folder)]


@pytest.mark.parametrize(
    ("rotation", "count"), [(Rotation(seconds=5), 4), (Rotation(size=3_000), 4), (Rotation(), 1)]
)
def test_each_file_is_complete_and_together_they_are_the_session(
    tmp_path: Path, rotation: Rotation, count: int
) -> None:
    """A start line and an end line each; no line is lost or doubled; the counts add up."""
    events = week()
    parts = written(tmp_path, rotation, events)
    assert len(parts) == count
    (tmp_path / "whole").mkdir()
    (whole,) = written(tmp_path / "whole", Rotation(), events)
    assert [line for part in parts for line in part[1:-1]] == whole[1:-1]
    assert len(emotions(whole)) == 32
    assert all(part[0] == whole[0] for part in parts)
    for field in ("estimates", "gaps", "lost_samples", "frames"):
        assert sum(part[-1][field] for part in parts) == whole[-1][field], field
    for part in parts:
        assert part[-1]["estimates"] == len(emotions(part)) > 0
        assert part[-1]["t"] >= part[-2]["t"]


def test_an_hour_is_an_hour_of_the_stream(tmp_path: Path) -> None:
    """A file has the estimates of its time, whatever the calendar says; names are in UTC."""
    parts = written(tmp_path, Rotation(seconds=5), week())
    assert [line["t"] for line in emotions(parts[0])] == [n / 2 for n in range(1, 11)]
    assert [file.name for file in files(tmp_path)][:2] == [
        "moods.20261123T201503Z.jsonl",
        "moods.20261123T201508Z.jsonl",
    ]


def test_no_file_outgrows_its_size(tmp_path: Path) -> None:
    """With a bound of 3,000 bytes no file is longer, and none is nearly empty but the last."""
    written(tmp_path, Rotation(size=3_000), week(200))
    sizes = [file.stat().st_size for file in files(tmp_path)]
    assert len(sizes) > 20
    assert max(sizes) <= 3_000
    assert min(sizes[:-1]) > 2_000


def test_a_bound_that_is_too_small_still_holds_one_line(tmp_path: Path) -> None:
    """Each file gets at least an estimate: no endless row of empty files."""
    parts = written(tmp_path, Rotation(size=10), week(2))
    assert len(parts) == 2
    assert all(len(part) == 3 for part in parts)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Two sessions begun in the same second, and files begun in it, all have their own names."""
    clock = Clock()
    other = tmp_path / "moods.20261123T201503Z.jsonl"
    other.write_text("mine")
    sinks = [RotatingJsonLines(tmp_path / "moods.jsonl", Rotation(seconds=1), clock)]
    sinks.append(RotatingJsonLines(str(tmp_path / "moods.jsonl"), Rotation(seconds=1), clock))
    for event in week():
        for sink in sinks:
            sink.write(event)
    for sink in sinks:
        sink.close()
    assert other.read_text() == "mine"
    made = [file for file in files(tmp_path) if file != other]
    assert len(made) == 34
    assert sum(len(emotions(valid_lines(file.read_bytes()))) for file in made) == 64


def test_a_session_that_begins_late(tmp_path: Path) -> None:
    """``--start-at``: what was never heard is not counted among the frames of the first file."""
    events = [
        dataclasses.replace(event, t=event.t + 100)
        if isinstance(event, Estimate | Gap | End)
        else event
        for event in week()
    ]
    parts = written(tmp_path, Rotation(seconds=5), events)
    assert parts[0][-1]["frames"] < 110
    assert sum(part[-1]["frames"] for part in parts) == 320


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    """A folder that is not there is one sentence; so is one that goes away, and the rest stays."""
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        RotatingJsonLines(tmp_path / "nowhere" / "moods.jsonl", Rotation())
    folder = tmp_path / "here"
    folder.mkdir()
    sink = RotatingJsonLines(folder / "moods.jsonl", Rotation(seconds=5), Clock())
    events = week()
    for event in events[:12]:
        sink.write(event)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        sink.write(events[12])
    sink.close()
    (kept,) = files(tmp_path / "elsewhere")
    assert len(emotions(valid_lines(kept.read_bytes()))) == 10


@pytest.fixture
def evening(
    tmp_path: Path,
    music: np.ndarray,
    model_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> tuple[list[str], bytes]:
    """A replay of twelve seconds into files of five, and what standard output got."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", music, 16_000)
    options = ["--model", str(model_directory), "--speed", "max"]
    code = main(["replay", "song.wav", *options, "--jsonl", "moods.jsonl", "--rotate", "5s"])
    said = capfdbinary.readouterr()
    assert (code, said.err) == (0, b"")
    assert not Path("moods.jsonl").exists()
    return [str(file.relative_to(tmp_path)) for file in files(tmp_path)], said.out


def test_every_reader_takes_each_file(
    evening: tuple[list[str], bytes], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """``replay --from``, ``compare`` and the reader behind ``plot`` read every file alone."""
    names, out = evening
    assert len(names) == 3
    whole = valid_lines(out)
    shown: list[dict[str, Any]] = []
    for name in names:
        session = read_session(Path(name))
        assert session.start is not None
        assert session.end is not None
        assert session.end.estimates == len(session.estimates)
        assert main(["replay", "--from", name, "--speed", "max"]) == 0
        played = capfdbinary.readouterr()
        assert played.out == Path(name).read_bytes()
        shown += emotions(valid_lines(played.out))
        assert main(["compare", name, name, "--json"]) == 0
        agreement = json.loads(capfdbinary.readouterr().out)
        assert agreement["arousal"]["rmse"] == 0
    assert shown == emotions(whole)


def test_each_file_can_be_drawn(evening: tuple[list[str], bytes]) -> None:
    """``plot`` draws the second file, whose time begins at five seconds."""
    pytest.importorskip("matplotlib")
    names, _ = evening
    assert main(["plot", names[1], "-o", "moods.svg"]) == 0
    assert Path("moods.svg").stat().st_size > 1_000


@pytest.mark.parametrize(
    "wrong", ["1", "h", "0h", "1kB", "0.5s", "-1h", "1w", "nan h", "infs", "1e400MB", "١h"]
)
def test_what_is_no_time_and_no_size(wrong: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and what could be given."""
    assert main(["live", "--jsonl", "x.jsonl", "--rotate", wrong]) == 2
    assert "a time such as 1h" in capfd.readouterr().err.replace("\n", " ")


def test_there_must_be_a_file_to_rotate(capfd: pytest.CaptureFixture[str]) -> None:
    """``--rotate`` without ``--jsonl`` is a wrong command line."""
    assert main(["live", "--rotate", "1h"]) == 2
    assert "--rotate is for the file that --jsonl names" in capfd.readouterr().err
