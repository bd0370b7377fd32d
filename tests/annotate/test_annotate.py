"""A library to one table: what the rows say, and what survives interruptions."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gc
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
from numpy.typing import ArrayLike
from small_network import random_weights, small_config

from streamer import EmotionTracker, Estimate, Model
from streamer.annotate.file import (
    FILE_COLUMNS,
    TIMELINE_COLUMNS,
    Annotation,
    Job,
    annotate_file,
)
from streamer.annotate.library import Outcome, annotate, sound_files
from streamer.annotate.table import Journal, write_table
from streamer.annotate.workers import Processes, signals_held
from streamer.errors import ModelError, OutputError
from streamer.network.config import MusicConfig
from streamer.network.model import load_model, save_model


@pytest.fixture(scope="module")
def library(music: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four songs of different lengths in a folder and a folder in it."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "b side").mkdir()
    for number, name in enumerate(["one.wav", "two.flac", "b side/three.ogg", "b side/four.WAV"]):
        samples = music[number * 16_000 : number * 16_000 + 40_000 + 8_000 * number]
        soundfile.write(folder / name, samples, 16_000)
    return folder


@pytest.fixture
def job(model_directory: Path, small_model: Model) -> Job:
    """A row a file with the small model."""
    return Job(str(model_directory), small_model.config.weights_sha256, 0.5, timeline=False)


class Here:
    """Workers without processes; ``KeyboardInterrupt`` after ``until`` files."""

    def __init__(self, job: Job, until: int = 1_000) -> None:
        self.job, self.until = job, until
        self.asked: list[str] = []

    def run(self, paths: Iterable[str]) -> Iterator[tuple[str, Annotation]]:
        # In another order than asked, as real workers would.
        for path in reversed(list(paths)):
            if len(self.asked) == self.until:
                raise KeyboardInterrupt
            self.asked.append(path)
            yield path, annotate_file(path, self.job)


class Quiet:
    """Progress that is only noted."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.problems: list[str] = []
        self.total = (0, 0)

    def begin(self, files: int, size: int) -> None:
        self.total = (files, size)

    def finished(self, name: str, size: int, annotation: Annotation | None) -> None:
        if annotation is None:
            self.known.append(name)
        elif annotation.problem:
            self.problems.append(annotation.problem)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_folders_are_searched_in_order(library: Path, tmp_path: Path) -> None:
    """Audio endings of any case at any depth, sorted, hidden files left out, each file once."""
    for name in (".hidden.wav", "notes.txt", ".git/inside.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    named = tmp_path / "notes.txt"
    detours = [tmp_path / "x" / ".." / "notes.txt", library / ".." / library.name / "one.wav"]
    found = sound_files([named, library, tmp_path, library / "one.wav", *detours])
    names = ["one.wav", "two.flac", "b side/four.WAV", "b side/three.ogg"]
    assert found.files == [named, *(library / name for name in names)]


def test_a_row_a_file_says_what_its_timeline_says(
    library: Path, small_model: Model, job: Job
) -> None:
    """Each figure of the row is that of the tracker's own estimates of the file."""
    path = library / "two.flac"
    samples, _ = soundfile.read(path, dtype="float32")
    estimates = EmotionTracker(small_model, interval=0.5).push(samples)
    assert len(estimates) == 6
    valence = np.array([estimate.valence for estimate in estimates], dtype=float)
    assert valence.std() > 1e-3

    (row,) = annotate_file(str(path), job).rows
    assert tuple(row) == tuple(FILE_COLUMNS)
    assert row["length_s"] == 3.0
    assert row["estimates"] == 6
    slope = np.polyfit([estimate.t / 60 for estimate in estimates], valence, 1)[0]
    figures = {
        "mean": valence.mean(),
        "spread": valence.std(),
        "min": valence.min(),
        "max": valence.max(),
        "trend": slope,
    }
    for name, value in figures.items():
        assert row[f"valence_{name}"] == pytest.approx(value, abs=1e-5), name
    for name in ("happy", "tense", "sad", "calm"):
        share = sum(estimate.quadrant == name for estimate in estimates) / 6
        assert row[name] == pytest.approx(share, abs=1e-6)
    assert row["silent"] == 0
    assert (row["first_mood"], row["last_mood"]) == (estimates[0].mood, estimates[-1].mood)
    power = np.mean([10 ** (estimate.level_db / 10) for estimate in estimates])
    assert row["level_db"] == pytest.approx(10 * np.log10(power), abs=1e-5)
    assert (row["lost_s"], row["remark"]) == (0, None)


def test_a_timeline_has_the_estimates(library: Path, small_model: Model, job: Job) -> None:
    """``timeline`` gives a row an estimate, with the probabilities in columns of their own."""
    path = library / "one.wav"
    samples, _ = soundfile.read(path, dtype="float32")
    estimates = EmotionTracker(small_model, interval=0.25).push(samples)
    timeline = Job(job.model, job.weights_sha256, 0.25, timeline=True)
    rows = annotate_file(str(path), timeline).rows
    assert len(rows) == len(estimates) == 10
    for row, estimate in zip(rows, estimates, strict=True):
        assert tuple(row) == tuple(TIMELINE_COLUMNS)
        assert row["t"] == estimate.t
        assert row["arousal"] == pytest.approx(estimate.arousal, abs=2e-5)
        assert estimate.quadrant_p is not None
        assert row["p_sad"] == pytest.approx(estimate.quadrant_p["sad"], abs=2e-5)
        assert row["silent"] is False


def test_what_is_no_music_is_a_share_and_a_column(tmp_path: Path) -> None:
    """A gate that never opens: a share of 1 and no label; the timeline tells how sure it is."""
    config = small_config()
    directory = tmp_path / "shut"
    shut = dataclasses.replace(config, music=MusicConfig(on=1.0, off=1.0))
    save_model(directory, shut, random_weights(config))
    sha256 = load_model(directory).config.weights_sha256
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000)
    soundfile.write(tmp_path / "noise.wav", noise, 16_000)
    whole, timeline = (Job(str(directory), sha256, 0.5, many) for many in (False, True))
    (row,) = annotate_file(str(tmp_path / "noise.wav"), whole).rows
    assert (row["no_music"], row["silent"], row["happy"]) == (1.0, 0.0, 0.0)
    assert row["first_mood"] is row["valence_mean"] is None
    moments = annotate_file(str(tmp_path / "noise.wav"), timeline).rows
    assert len(moments) == 4
    for moment in moments:
        assert moment["valence"] is None
        assert 0 < moment["music"] < 1


def test_silence_and_shortness_give_rows_without_judgement(tmp_path: Path, job: Job) -> None:
    """A silent file has a silent share of 1 and no label; one shorter than a frame no shares."""
    soundfile.write(tmp_path / "silent.wav", np.zeros(32_000), 16_000)
    soundfile.write(tmp_path / "short.wav", np.zeros(10), 16_000)
    (silent,) = annotate_file(str(tmp_path / "silent.wav"), job).rows
    assert (silent["silent"], silent["happy"], silent["level_db"]) == (1.0, 0.0, -120.0)
    assert silent["valence_mean"] is None
    assert silent["first_mood"] is None
    (short,) = annotate_file(str(tmp_path / "short.wav"), job).rows
    assert (short["estimates"], short["silent"], short["level_db"]) == (0, None, None)


def test_rows_stand_in_the_order_of_the_files(library: Path, tmp_path: Path, job: Job) -> None:
    """However the workers finish them; the journal is gone when the table is there."""
    files = sound_files([library]).files
    out = tmp_path / "moods.csv"
    progress = Quiet()
    assert annotate(files, out, job, Here(job), progress) == Outcome(4, 0, 0)
    assert [row["path"] for row in read_csv(out)] == [str(file) for file in files]
    assert list(tmp_path.iterdir()) == [out]
    assert progress.total == (4, sum(file.stat().st_size for file in files))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_an_interrupted_run_goes_on_where_it_was(
    library: Path, tmp_path: Path, job: Job, ending: str
) -> None:
    """The rest is done and nothing twice; the table's bytes are those of an undisturbed run."""
    files = sound_files([library]).files
    whole = tmp_path / f"whole.{ending}"
    annotate(files, whole, job, Here(job), Quiet())
    out = tmp_path / f"moods.{ending}"
    first = Here(job, until=2)
    with pytest.raises(KeyboardInterrupt):
        annotate(files, out, job, first, Quiet())
    assert not out.exists()
    assert len(first.asked) == 2

    second, progress = Here(job), Quiet()
    annotate(files, out, job, second, progress)
    assert set(second.asked) == {str(file) for file in files} - set(first.asked)
    assert set(progress.known) == set(first.asked)
    assert out.read_bytes() == whole.read_bytes()
    assert len(out.read_bytes()) > 500


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_torn_journal_loses_its_last_line_alone(
    library: Path, tmp_path: Path, job: Job, cut: int
) -> None:
    """Bytes missing at the journal's end, as a crash leaves it, cost one file."""
    files = sound_files([library]).files
    out = tmp_path / "moods.jsonl"
    with pytest.raises(KeyboardInterrupt):
        annotate(files, out, job, Here(job, until=3), Quiet())
    journal = tmp_path / "moods.jsonl.partial.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])
    again = Here(job)
    annotate(files, out, job, again, Quiet())
    assert len(again.asked) == 2
    assert len(out.read_text().splitlines()) == 4


def test_a_changed_file_is_done_again(
    library: Path, tmp_path: Path, job: Job, music: np.ndarray
) -> None:
    """A file that changed since the journal noted it is annotated as it is now."""
    songs = tmp_path / "songs"
    shutil.copytree(library, songs)
    files = sound_files([songs]).files
    out = tmp_path / "moods.jsonl"
    with pytest.raises(KeyboardInterrupt):
        annotate(files, out, job, Here(job, until=3), Quiet())
    changed = files[-1]
    soundfile.write(changed, music[:100_000], 16_000, format="WAV")
    again = Here(job)
    annotate(files, out, job, again, Quiet())
    assert str(changed) in again.asked
    assert len(again.asked) == 2
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[-1]["length_s"] == 6.25


def test_a_journal_of_other_options_is_refused(library: Path, tmp_path: Path, job: Job) -> None:
    """Its rows would not fit; ``restart`` throws it away."""
    files = sound_files([library]).files
    out = tmp_path / "moods.csv"
    with pytest.raises(KeyboardInterrupt):
        annotate(files, out, job, Here(job, until=2), Quiet())
    other = Job(job.model, job.weights_sha256, 1.0, timeline=False)
    with pytest.raises(OutputError, match=r"another interval \(0\.5, not 1\.0\).*--restart"):
        annotate(files, out, other, Here(other), Quiet())
    again = Here(other)
    annotate(files, out, other, again, Quiet(), restart=True)
    assert len(again.asked) == 4
    assert out.exists()


def test_two_runs_do_not_write_one_journal(tmp_path: Path) -> None:
    """The second is refused while the first is at work."""
    path = tmp_path / "moods.csv.partial.jsonl"
    first = Journal(path, {"journal": 1})
    with pytest.raises(OutputError, match="another run"):
        Journal(path, {"journal": 1})
    first.close()
    Journal(path, {"journal": 1}).close(remove=True)
    assert not path.exists()


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    """A file that merely has the journal's name is neither used nor destroyed."""
    path = tmp_path / "moods.csv.partial.jsonl"
    path.write_text("my notes\n")
    with pytest.raises(OutputError, match="no journal"):
        Journal(path, {"journal": 1})
    assert path.read_text() == "my notes\n"


def test_broken_files_are_reported_and_skipped(library: Path, tmp_path: Path, job: Job) -> None:
    """No row, a problem in one sentence; a file that breaks off has a row with a remark."""
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFFnothing")
    cut = tmp_path / "cut.wav"
    cut.write_bytes((library / "one.wav").read_bytes()[:-30_000])
    out = tmp_path / "moods.jsonl"
    progress = Quiet()
    files = [library / "one.wav", bad, tmp_path / "gone.wav", cut]
    assert annotate(files, out, job, Here(job), progress) == Outcome(4, 2, 1)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["path"] for row in rows] == [str(files[0]), str(cut)]
    assert rows[0]["remark"] is None
    assert rows[1]["remark"].startswith("breaks off after 1.6 s of the 2.5 s")
    assert len(progress.problems) == 2
    assert all("\n" not in problem for problem in progress.problems)


def test_a_table_is_complete_or_absent(tmp_path: Path) -> None:
    """A failure while writing leaves the old table as it was, and nothing beside it."""
    out = tmp_path / "moods.csv"
    out.write_text("old\n")

    def rows() -> Iterator[dict[str, object]]:
        yield {"path": "a"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(out, {"path": str}, rows())
    assert out.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(OutputError, match="No such file"):
        write_table(tmp_path / "nowhere" / "moods.csv", {"path": str}, [])


def test_a_linked_table_stays_a_link(tmp_path: Path) -> None:
    """The file that a link leads to is replaced, on whatever disk it lies, and not the link."""
    (tmp_path / "disk").mkdir()
    link, table = tmp_path / "moods.csv", tmp_path / "disk" / "table.csv"
    link.symlink_to(table)
    write_table(link, {"path": str}, [{"path": "a.wav"}])
    assert link.is_symlink()
    assert table.read_text() == "path\na.wav\n"
    assert list(table.parent.iterdir()) == [table]


def test_the_kinds_of_table_hold_the_same(tmp_path: Path) -> None:
    """Numbers, text, truth and absence come back alike from all three."""
    import pyarrow.parquet

    columns = {"path": str, "n": int, "x": float, "silent": bool}
    rows = [
        {"path": 'a, "b"\nc é.wav', "n": 3, "x": 0.1, "silent": False},
        {"path": "d.wav", "n": 0, "x": None, "silent": True},
    ]
    for ending in ("csv", "jsonl", "parquet"):
        write_table(tmp_path / f"t.{ending}", columns, rows)
        write_table(tmp_path / f"empty.{ending}", columns, [])
    assert (tmp_path / "t.csv").read_text() == (
        'path,n,x,silent\n"a, ""b""\nc é.wav",3,0.1,false\nd.wav,0,,true\n'
    )
    assert [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()] == rows
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist() == rows
    assert (tmp_path / "empty.csv").read_text() == "path,n,x,silent\n"
    assert (tmp_path / "empty.jsonl").read_text() == ""
    assert pyarrow.parquet.read_table(tmp_path / "empty.parquet").column_names == list(columns)


class Counted(dict[str, object]):
    """A row that counts itself while it lives."""

    alive = most = 0

    def __init__(self) -> None:
        super().__init__(path="x", n=1.5)
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)

    def __del__(self) -> None:
        Counted.alive -= 1


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_table_of_many_rows_holds_few_of_them(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20,000 rows at most a thousand are in memory at once, whatever the kind of table."""
    monkeypatch.setattr(Counted, "most", 0)
    path = tmp_path / f"table{ending}"
    write_table(path, {"path": str, "n": float}, (Counted() for _ in range(20_000)))
    assert 0 < Counted.most <= 1000
    if ending == ".parquet":
        table = pyarrow.parquet.ParquetFile(path)
        assert table.metadata.num_rows == 20_000
        assert table.metadata.num_row_groups == 1
    else:
        assert len(path.read_text().splitlines()) == 20_000 + (ending == ".csv")


def test_a_long_file_is_held_as_numbers(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the estimates before the newest samples a row a file keeps the first and the last."""
    path = tmp_path / "long.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, 8_000 * 120)
    soundfile.write(path, noise, 8_000)
    kept: list[int] = []

    class Watched(EmotionTracker):
        def push(self, samples: ArrayLike) -> list[Estimate]:
            kept.append(sum(type(each) is Estimate for each in gc.get_objects()))
            return super().push(samples)

    before = sum(type(each) is Estimate for each in gc.get_objects())
    monkeypatch.setattr("streamer.annotate.file.EmotionTracker", Watched)
    (row,) = annotate_file(str(path), dataclasses.replace(job, interval=0.1)).rows
    assert row["estimates"] == 1200
    # And those of the last call, which the session is not yet done with.
    assert max(kept) - before <= 2 + 60


def test_any_number_of_processes_gives_the_same(library: Path, job: Job) -> None:
    """One process, three, and none at all: the same annotations."""
    paths = [str(path) for path in sound_files([library]).files]
    here = dict(Here(job).run(paths))
    assert len(here) == 4
    assert all(annotation.rows for annotation in here.values())
    assert dict(Processes(1, job).run(paths)) == here
    assert dict(Processes(3, job).run(paths)) == here
    assert not multiprocessing.active_children()


def test_a_process_that_dies_costs_one_file(library: Path, tmp_path: Path, job: Job) -> None:
    """The file is tried again, then named as the problem; the others get their rows."""
    pipe = tmp_path / "deadly.wav"
    os.mkfifo(pipe)

    def kill_twice() -> None:
        for _ in range(2):
            with pipe.open("wb"):  # waits until a worker opens it to read
                (worker,) = multiprocessing.active_children()
                worker.kill()
                # Its end is waited for, and left for the run to collect.
                with contextlib.suppress(ChildProcessError):
                    os.waitid(os.P_PID, worker.pid or 0, os.WEXITED | os.WNOWAIT)

    killer = threading.Thread(target=kill_twice)
    killer.start()
    paths = [str(library / "one.wav"), str(pipe), str(library / "two.flac")]
    done = dict(Processes(1, job).run(paths))
    killer.join()
    problem = done[str(pipe)].problem
    assert problem is not None
    assert "died 2 times (exit code -9)" in problem
    assert all(done[path].rows for path in (paths[0], paths[2]))


def test_another_model_on_a_worker_is_refused(library: Path, job: Job) -> None:
    """A worker whose model has other weights ends the run: its rows would be another model's."""
    other = Job(job.model, "0" * 64, job.interval, job.timeline)
    with pytest.raises(ModelError, match="other weights here"):
        list(Processes(1, other).run([str(library / "one.wav")]))


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal for one thread alone")
@pytest.mark.parametrize("where", ["this thread", "another thread"])
def test_a_signal_waits_until_a_worker_has_started(where: str) -> None:
    """Ctrl-C, whichever thread gets it, interrupts after the start, and only once."""
    begun = threading.Event()

    def interrupt() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    def wait_and_interrupt() -> None:
        begun.wait()
        if where == "another thread":
            interrupt()

    # It runs before the signals are held: a thread inherits the mask of the one that starts it.
    other = threading.Thread(target=wait_and_interrupt)
    other.start()
    reached = []

    def start() -> None:
        with signals_held():
            if where == "this thread":
                interrupt()
            begun.set()
            other.join()
            reached.append(sum(range(100_000)))  # where a handler would run

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        start()
    assert reached
    assert signal.getsignal(signal.SIGINT) is before


def test_what_looks_like_sound_is_never_passed_over_in_silence(tmp_path: Path) -> None:
    """Every ending that is read, links entered once, the rest counted and named."""
    music, elsewhere = tmp_path / "music", tmp_path / "elsewhere"
    (music / "sub").mkdir(parents=True)
    elsewhere.mkdir()
    read = [*["m4a", "aac", "wma", "mp2", "wave", "bwf", "spx", "ape"], "M4B"]
    for ending in (*read, "m4p", "shn", "aax", "aax", "m3u", "mid", "jpg", "txt"):
        for folder in (music, music / "sub"):
            (folder / f"a.{ending}").touch()
    (elsewhere / "linked.flac").touch()
    (music / "other_disk").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(music)
    (music / "gone.flac").symlink_to(tmp_path / "nowhere.flac")
    found = sound_files([music])
    names = sorted(file.relative_to(music).as_posix() for file in found.files)
    wanted = {f"{folder}a.{ending}" for ending in read for folder in ("", "sub/")}
    assert set(names) == wanted | {"other_disk/linked.flac", "gone.flac"}
    assert len(names) == len(set(names))
    assert found.left_out == {".m4p": 2, ".shn": 2, ".aax": 2}
    assert found.passed_over() == "left out 2 .aax, 2 .m4p, 2 .shn: nothing here reads these"
    assert not found.complete
    assert sound_files([elsewhere / "linked.flac"]).complete


def test_pipes_in_a_folder_are_counted(tmp_path: Path) -> None:
    """One would be waited for: it is left out and told of, unless it is named by itself."""
    (tmp_path / "a.flac").touch()
    for name in ("b.wav", "c.mp3", "d.txt"):
        os.mkfifo(tmp_path / name)
    found = sound_files([tmp_path])
    assert found.files == [tmp_path / "a.flac"]
    assert not found.complete
    assert found.passed_over().startswith("left out 2 pipes or devices: ")
    assert sound_files([tmp_path / "b.wav"]).complete


def test_a_folder_that_cannot_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with the reason; the others are searched."""
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.flac").touch()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    # (Not by the folder's mode: root enters any.)
    monkeypatch.setattr(os, "scandir", refuse)
    found = sound_files([tmp_path])
    assert found.files == [tmp_path / "open" / "a.flac"]
    assert found.passed_over() == f"cannot enter {tmp_path / 'closed'}: Permission denied"


def test_a_remark_on_a_file_that_was_heard_whole(
    tmp_path: Path, job: Job, music: np.ndarray
) -> None:
    """Opposed channels are remarked on, and the file counts as done."""
    path = tmp_path / "balanced.wav"
    soundfile.write(path, np.stack([music, -music], axis=1)[:48_000], 16_000)
    out = tmp_path / "moods.jsonl"
    assert annotate([path], out, job, Here(job), Quiet()) == Outcome(1, 0, 0)
    (row,) = map(json.loads, out.read_text().splitlines())
    assert "channel 1 is heard alone" in row["remark"]
    assert row["silent"] < 0.5


def test_a_journal_on_a_system_that_removes_no_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: the journal is closed first, and is gone all the same."""
    journal = Journal(tmp_path / "moods.csv.partial.jsonl", {"journal": 1})
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if not journal._file.closed:
            raise PermissionError(13, "used by another process")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    journal.close(remove=True)
    assert not journal.path.exists()


def test_connections_of_another_kind(
    library: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows hands out ``PipeConnection`` objects: what the workers do does not depend on it."""

    class Other:
        def __init__(self, connection: Connection) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

    context = multiprocessing.get_context("spawn")
    pipe = context.Pipe

    def other() -> tuple[Other, Connection]:
        ours, theirs = pipe()
        return Other(ours), theirs

    monkeypatch.setattr(context, "Pipe", other)
    path = str(library / "one.wav")
    assert dict(Processes(1, job).run([path])) == dict(Here(job).run([path]))
