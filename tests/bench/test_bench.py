"""The bench: what it times, how it tells it, and that its competitors compute the same."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from small_network import of_another_shape

from makers.passages import names, replaced
from streamer import Model
from streamer.audio.containers import look_into
from streamer.bench import (
    features,
    library,
    networks,
    peers,
    processes,
    suite,
    timing,
)
from streamer.bench import (
    report as report_module,
)
from streamer.bench.report import Claim, Report, Row, Section, from_json
from streamer.cli.bench import command
from streamer.errors import ModelError

ROOT = Path(__file__).resolve().parent.parent.parent
COMMITTED = ROOT / "tests" / "data" / "bench.json"


def report() -> Report:
    """A report with a row of every kind."""
    sections = (
        Section(
            "MFCC, one frame a call",
            "µs a frame",
            (
                Row("streamer", 20.0, 25.0),
                Row("floor in NumPy", 16.0, 18.0),
                Row("librosa", None, None, "not installed"),
            ),
        ),
        Section("Start", "s", (Row("--help", 0.1234567, 0.2),), compared=False),
    )
    claims = (
        Claim("a", 1.25, "most", 1.3),
        Claim("b", 6.0, "least", 7.0),
        Claim("c", None, "most", 1),
    )
    machine = {
        "processor": "An Abacus",
        "cores": 2,
        "load": 0.1,
        "system": "Linux x86_64",
        "python": "3.11.7",
        "numpy": "2.4.6",
        "blas": "scipy-openblas 0.3.31",
        "threads": 1,
    }
    model = {"name": "m", "weights": 1000, "coefficients": 20, "fft_size": 1024, "hop_s": 0.025}
    return Report("0.1.0", "2026-11-23T00:00:00Z", False, machine, model, sections, claims)


class Ticking:
    """A clock that goes on by a set time at each look."""

    def __init__(self, step: float) -> None:
        self.times = itertools.count(step=step)

    def __call__(self) -> float:
        return next(self.times)


def test_candidates_take_turns() -> None:
    """Calls are timed one by one and in turns, each about as long as the others."""
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    found = timing.side_by_side(calls, seconds=1.0, clock=Ticking(0.001))
    assert found.keys() == {"a", "b"}
    for name in "ab":
        assert found[name].median_s == pytest.approx(0.001)
        assert found[name].calls == order.count(name) - 2  # warming up is not counted
    turns = [name for name, _ in itertools.groupby(order[4:])]
    assert turns[:4] == ["a", "b", "a", "b"]


def test_median_and_percentile_are_of_the_calls() -> None:
    """One slow call in a hundred is the 99th percentile, and not the median."""
    found = timing._timing([0.001] * 99 + [0.5])
    assert found == timing.Timing(0.001, 0.5, 100)


def test_every_runtime_gives_the_same_outputs(small_model: Model) -> None:
    """What is timed side by side computes the same, calibration apart."""
    calls, missing = networks.candidates(small_model, 7)
    assert set(calls) | set(missing) == {
        networks.OURS,
        networks.EAGER,
        networks.SCRIPT,
        networks.ONNX,
    }
    outputs = {name: np.asarray(call()) for name, call in calls.items()}
    assert all(output.shape == (1, 7, 5) for output in outputs.values())
    if networks.ONNX in outputs:
        np.testing.assert_allclose(outputs[networks.ONNX], outputs[networks.OURS], atol=1e-5)
    if networks.EAGER in outputs:
        np.testing.assert_allclose(outputs[networks.SCRIPT], outputs[networks.EAGER], atol=1e-5)
        raw = outputs[networks.EAGER][..., 0] * 1.1 + 0.02
        np.testing.assert_allclose(outputs[networks.OURS][..., 0], np.clip(raw, -1, 1), atol=1e-5)


def test_every_maker_of_features_sees_the_same_frames(
    small_model: Model, music: np.ndarray
) -> None:
    """The floor, and the others where installed, make as many rows of as many coefficients."""
    one, missing = features.one_frame(small_model.mfcc, music)
    many, _ = features.many_frames(small_model.mfcc, music)
    assert {features.OURS, features.FLOOR, features.PSF} <= set(one)
    assert set(one) | set(missing) == set(many) | set(missing)
    count = len(features.frames_of(small_model.config.features, music))
    for name in (features.OURS, features.FLOOR, features.PSF):
        assert np.asarray(one[name]()).shape == (1, 20)
        rows = np.asarray(many[name]())
        assert rows.shape[1] == 20
        assert abs(len(rows) - count) <= 1  # python_speech_features pads a last one
    for name in set(one) - {features.OURS, features.FLOOR, features.PSF}:
        assert np.asarray(one[name]()).size == 20
        assert 20 in np.asarray(many[name]()).shape


def test_chroma_is_timed_beside_librosas(small_model: Model, music: np.ndarray) -> None:
    """One frame a call and many; librosa, where it is installed, makes as many rows."""
    one, many = features.chroma_sections(small_model, music[:16_000], 0.01)
    for section, count in ((one, 1), (many, 39)):
        assert section.title.startswith("Chroma, ")
        assert str(count) in section.title or "one frame" in section.title
        assert section.value(features.OURS) is not None
        assert {row.name for row in section.rows} == {features.OURS, features.LIBROSA}
        theirs = features._librosa_chroma(small_model.config.features, music, count)
        if theirs is not None:
            assert np.asarray(theirs()).shape == (12, count)
    assert features.chroma_sections(of_another_shape(chroma=None, profiles=0), music, 0.01) == []


def test_the_arithmetic_is_counted(small_model: Model) -> None:
    """Multiply-adds of the small network, counted by hand."""
    convolutions = 16 * 6 * 1 * 5 + 7 * 4 * 6 * 3
    dense, lags = 12, 2  # the joined values, and how far each has moved over either lag
    lstm = 4 * 10 * (dense * (1 + lags) + 10) + 4 * 10 * (10 + 10)
    leaky_mean = 10 + 1
    turned, joined = 12 * 12 * 3 * 5, 28 + 2 * 5 + 6
    expected = convolutions + turned + joined * dense + lstm + leaky_mean + 5 * 10
    assert networks.multiply_adds(small_model.config.network) == expected
    assert networks.multiply_adds_per_s(0.01) > 1e6


def test_the_larger_network_is_one(small_model: Model) -> None:
    """The second network of the bench has more weights and the same features."""
    larger = suite.larger(small_model)
    assert larger.config.network.lstm == 256
    assert larger.config.features == small_model.config.features


def test_reports_survive_json() -> None:
    """Written and read again a report is the same, numbers cut to four digits."""
    written = from_json(report().to_json())
    assert written.sections[0] == report().sections[0]
    assert written.sections[1].rows[0].value == 0.1235
    assert written.claims == report().claims
    with pytest.raises(ValueError, match="format 9"):
        from_json(dataclasses.replace(report(), format=9).to_json())


def test_claims_are_held_against_their_bounds() -> None:
    """At most, at least, and not measured."""
    assert [claim.holds for claim in report().claims] == [True, False, None]


def test_the_table_says_what_was_found() -> None:
    """Ratios beside the first row, what is missing, what holds and what does not."""
    text = report_module.text(report())
    assert "An Abacus" in text
    lines = {line.split("  ")[1]: line.split() for line in text.splitlines() if line[:2] == "  "}
    assert lines["floor in NumPy"][-3:] == ["16", "18", "0.8×"]
    assert lines["librosa"][-2:] == ["not", "installed"]
    assert lines["b"][-1] == "MISSED"


def test_the_markdown_names_every_part() -> None:
    """The manual's passage has the machine, the claims and every ratio."""
    passage = report_module.markdown(report())
    assert "| a | at most 1.3 | 1.25 | holds |" in passage
    row = "| MFCC, one frame a call | 20 µs a frame | floor in NumPy 0.8× · librosa not installed |"
    assert row in passage
    assert "| Start | --help 0.123 s |" in passage


@pytest.mark.skipif(not COMMITTED.exists(), reason="no figures are committed yet")
def test_the_manual_shows_the_committed_figures() -> None:
    """The manual's passage is the one that the committed JSON file gives, of a thorough run."""
    committed = from_json(COMMITTED.read_text(encoding="utf-8"))
    assert not committed.quick
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert "bench" in names(page)
    assert page == replaced(page, {"bench": report_module.markdown(committed)})


def of_group(group: int) -> list[int]:
    """The processes of a group that have not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, own = entry.read_text().rpartition(")")[2].split()[:3]
            if int(own) == group and state != "Z":
                found.append(int(entry.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc, which lists processes")
def test_a_bench_that_is_stopped_leaves_nothing_behind(model_directory: Path) -> None:
    """On SIGTERM, while others work for it: nothing of it lives when it has ended."""
    arguments = ["--quick", "--model", str(model_directory)]
    line = [sys.executable, "-m", "streamer", "bench", *arguments]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as bench:
        try:
            assert bench.stderr is not None
            children = Path(f"/proc/{bench.pid}/task/{bench.pid}/children")
            assert bench.stderr.readline().startswith(b"measuring")
            (measuring,) = map(int, children.read_text().split())
            while (said := bench.stderr.readline()) and said != b"measuring a library\n":
                pass
            assert said
            assert measuring in of_group(measuring)
        finally:
            bench.terminate()
        assert bench.wait(120) == 128 + signal.SIGTERM
        assert of_group(measuring) == []


@pytest.mark.slow
def test_the_command_measures_everything(model_directory: Path, tmp_path: Path) -> None:
    """A quick run of the real command: every section and claim, a table and a JSON file."""
    output = tmp_path / "bench.json"
    arguments = ["--quick", "--model", str(model_directory), "--json", str(output)]
    done = CliRunner().invoke(command, arguments, standalone_mode=False)
    assert done.return_value == 0, done.output
    found = from_json(output.read_text(encoding="utf-8"))
    assert found.quick
    assert found.machine["threads"] == 1
    assert len(found.sections) == 24
    assert len(found.claims) == 24
    assert done.stdout == report_module.text(found)
    measured = {row.name: row.value for section in found.sections for row in section.rows}
    for name in (
        "streamer",
        "dashboard",
        "--help",
        "replay: first line",
        "resampling",
        "all at once",
        "of which chroma",
        "FLAC",
        "MP3",
        "journal and table, of a file's CPU time",
        "at most",
    ):
        assert measured[name] is not None
        assert measured[name] > 0


def test_the_slow_part_is_held_against_its_promise() -> None:
    """Many files, and a long one, take no more memory than few: half as much is told."""
    rows = (Row("few", 70.0), Row("many", 77.0), Row("a day", 105.0))
    found = suite._flat(Section(library.MEMORY, "MB", rows, compared=False))
    assert [claim.holds for claim in found] == [True, False]
    unwritten = (*rows[:2], Row("a day", None, note="not written here"))
    found = suite._flat(Section(library.MEMORY, "MB", unwritten, compared=False))
    assert [claim.holds for claim in found] == [True, None]


def test_a_long_mp3_is_one_recording(tmp_path: Path) -> None:
    """The file of the slow part is one recording of that length, not many with an index each."""
    path = tmp_path / "day.mp3"
    library._write_long(path, 180.0)
    contents = look_into(path)
    assert contents.parts == (0,)
    assert contents.length_s == pytest.approx(180, abs=1)


def test_peers_that_are_absent_are_left_out_with_the_reason(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each peer has a row in each table; of one that cannot run here it says why."""
    monkeypatch.setattr(peers, "missing", lambda peer: f"{peer} is not installed")
    found = peers.sections(clip, 40.0, "any")
    assert [len(section.rows) for section in found] == [3, 3, 3]
    for section in found:
        for row in section.rows:
            assert row.value is None
            assert row.note == f"{row.name} is not installed"


def test_the_first_answer_of_a_peer_is_timed(
    clip: Path, model_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A peer's process tells its CPU time, and when its first answer came."""
    peers.main(peers.OURS, str(clip), str(model_directory))
    figures = json.loads(capsys.readouterr().out)
    assert figures["answers"] == 80
    assert figures["first_s"] > 0
    assert figures["cpu_s"] > 0


def test_an_unknown_model_is_one_sentence() -> None:
    """The parent process says what is wrong before anything is measured."""
    done = CliRunner().invoke(command, ["--model", "nowhere"])
    assert isinstance(done.exception, ModelError)


def test_replay_holds_little_and_imports_no_torch(
    model_directory: Path, clip: Path, tmp_path: Path
) -> None:
    """A whole replay stays under 200 MB, never imports PyTorch, and needs no more for longer."""
    import soundfile

    program = (
        "import sys; from streamer.cli.main import main; "
        "code = main(sys.argv[1:]); "
        "heavy = {'torch', 'matplotlib', 'sounddevice', 'scipy.signal'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    arguments = processes.replay(clip, str(model_directory))[3:]
    processes.run_s([processes.sys.executable, "-c", program, *arguments])
    samples, rate = soundfile.read(clip, dtype="float32")
    long = tmp_path / "long.flac"
    with soundfile.SoundFile(long, "w", rate, 2) as file:
        for _ in range(12):
            file.write(samples)
    peaks = [processes.peak_mb(processes.replay(p, str(model_directory))) for p in (clip, long)]
    assert max(peaks) < 200
    assert peaks[1] < peaks[0] + 12
