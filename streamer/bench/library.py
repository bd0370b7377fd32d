"""A library of files: what annotating costs beside the decoder alone, and how it grows."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from streamer.annotate.file import Annotation, Job, annotate_file, model_of
from streamer.annotate.library import annotate
from streamer.bench.processes import streamer as command_line
from streamer.bench.report import Row, Section
from streamer.bench.timing import FILE_RATE, music
from streamer.network.model import Model
from streamer.processes import cores

#: The section with the cost of each kind of file, and that of the shares of a whole run.
COST, SHARES = "Annotate, CPU time beside the decoder alone", "Annotate, shares of a run"
BUSY, BOOKS = "all cores busy", "journal and table, of a file's CPU time"
#: Of the slow part: the memory of a tenth of very many files, of them all, and of a day.
MEMORY = "Annotate, memory of its largest process"
_KINDS = {"FLAC": "flac", "MP3": "mp3", "M4A": "m4a"}
#: Seconds of each of very many files.
_SHORT_S = 3.0
#: Samples of one call of the decoder alone.
_CHUNK = 1 << 14


def sections(model: Model, name: str, seconds: float, files: int) -> list[Section]:
    """Files of ``seconds`` of each kind in one process, then ``files`` of them in a whole run."""
    job = Job(name, model.config.weights_sha256, 0.5, timeline=False)
    model_of(job)
    with tempfile.TemporaryDirectory() as folder:
        made = {kind: Path(folder) / f"song.{end}" for kind, end in _KINDS.items()}
        rows, taken = [], 0.0
        for kind, path in made.items():
            try:
                _write(path, seconds)
                alone = _least(lambda path=path: _decode(path))  # type: ignore[misc]
            except (OSError, soundfile.SoundFileError, subprocess.SubprocessError) as error:
                rows.append(Row(kind, None, note=f"not written or decoded here ({error})"))
                continue
            whole = _least(lambda path=path: annotate_file(str(path), job))  # type: ignore[misc]
            taken = max(taken, whole)
            rows.append(Row(kind, whole / alone, note=f"{seconds / whole:.0f} times real time"))
        flac = made["FLAC"]
        shares = (_busy(flac, files, name), _books(flac, files, job, taken))
    title = f"{COST}, {seconds / 60:.3g} minutes of stereo"
    return [
        Section(title, "times the decoder", tuple(rows), compared=False),
        Section(f"{SHARES} of {files} such files", "%", shares, compared=False),
    ]


def slow_sections(name: str, files: int, day_s: float) -> list[Section]:
    """Runs of many short files, and of one of ``day_s`` seconds: how fast, and in what memory."""
    speed, memory = [], []
    with tempfile.TemporaryDirectory() as folder:
        for count in (files // 10, files):
            many = Path(folder) / str(count)
            many.mkdir()
            first = many / "0.flac"
            _write(first, _SHORT_S)
            for number in range(1, count):
                shutil.copy(first, many / f"{number}.flac")
            figures = _run(many, Path(folder) / f"{count}.csv", name)
            label = f"{count:,} files of {_SHORT_S:g} s"
            speed.append(Row(label, count * _SHORT_S / figures["cpu_s"]))
            memory.append(Row(label, figures["peak_mb"]))
        day = Path(folder) / "day.mp3"
        try:
            _write_long(day, day_s)
        except (OSError, soundfile.SoundFileError) as error:
            row = Row("a file of a day", None, note=f"not written here ({error})")
            speed.append(row)
            memory.append(row)
        else:
            figures = _run(day, Path(folder) / "day.csv", name)
            label = f"an MP3 file of {day_s / 3600:.3g} hours"
            speed.append(Row(label, day_s / figures["cpu_s"]))
            memory.append(Row(label, figures["peak_mb"]))
    return [
        Section("Annotate, long runs", "times real time a core", tuple(speed), compared=False),
        Section(MEMORY, "MB", tuple(memory), compared=False),
    ]


def _write(path: Path, seconds: float) -> None:
    """A stereo file of the kind that its ending says. Raises what the encoder raises."""
    if path.suffix == ".m4a":
        _write_m4a(path, seconds)
        return
    with soundfile.SoundFile(path, "w", FILE_RATE, 2, format=path.suffix[1:].upper()) as file:
        for block in _blocks(seconds):
            file.write(block)


def _blocks(seconds: float) -> Iterator[Any]:
    left, seed = round(seconds * FILE_RATE), 0
    while left > 0:
        left_ear, right_ear = (music(10.0, FILE_RATE, 2 * seed + ear) for ear in (0, 1))
        yield np.stack([left_ear, 0.5 * (left_ear + right_ear)], axis=1)[:left]
        left, seed = left - len(left_ear), seed + 1


def _write_m4a(path: Path, seconds: float) -> None:
    if importlib.util.find_spec("av") is None:
        raise OSError("PyAV, which writes it, is not installed")
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=FILE_RATE, layout="stereo")
        stream.bit_rate = 192_000
        for block in _blocks(seconds):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block.reshape(1, -1)), format="flt", layout="stereo"
            )
            frame.sample_rate = FILE_RATE
            frame.pts = None
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _write_long(path: Path, seconds: float) -> None:
    """An MP3 file of the same minute again and again, as one recording without an index."""
    minute = path.with_name("minute.mp3")
    _write(minute, 60.0)
    data = minute.read_bytes()
    # Its first frame is the index of a minute.
    begin = data.find(b"\xff\xfb", data.find(b"\xff\xfb") + 4)
    with path.open("wb") as file:
        for _ in range(round(seconds / 60)):
            file.write(data[begin:])


def _decode(path: Path) -> None:
    """The decoder alone: libsndfile, or for what it does not read FFmpeg, to nothing."""
    if path.suffix == ".m4a":
        if (program := shutil.which("ffmpeg")) is None:
            raise OSError("the program ffmpeg, which is measured beside it, is not installed")
        quiet = (program, "-nostdin", "-loglevel", "error", "-threads", "1")
        subprocess.run([*quiet, "-i", str(path), "-f", "null", "-"], check=True)
        return
    with soundfile.SoundFile(path) as file:
        out = np.empty((_CHUNK, file.channels), np.float32)
        while len(file.read(out=out)) == _CHUNK:
            pass


def _cpu_s() -> float:
    """CPU time of this process and of those that it has waited for."""
    used = os.times()
    return time.process_time() + used.children_user + used.children_system


def _least(call: Callable[[], object], times: int = 3) -> float:
    """CPU seconds of the cheapest of a few runs."""
    taken = []
    for _ in range(times):
        begin = _cpu_s()
        call()
        taken.append(_cpu_s() - begin)
    return max(min(taken), 1e-3)  # what is shorter than a tick of the clock


def _busy(path: Path, files: int, name: str) -> Row:
    """How busy a run keeps all cores, its beginning left out: what more files add to a few."""
    found = []
    for count in (cores(), cores() + files):
        many = path.with_name(f"busy{count}")
        many.mkdir()
        for number in range(count):
            shutil.copy(path, many / f"{number}.flac")
        found.append(_run(many, many / "busy.csv", name))
    few, all_of_them = found
    wall_s = all_of_them["wall_s"] - few["wall_s"]
    if wall_s <= 0:
        return Row(BUSY, None, note="too short to be measured")
    return Row(BUSY, 100 * (all_of_them["cpu_s"] - few["cpu_s"]) / (wall_s * cores()))


class _Done:
    """Workers whose work is done: what remains is the books."""

    def __init__(self, annotation: Annotation) -> None:
        self._annotation = annotation

    def run(self, paths: Iterable[str]) -> Iterator[tuple[str, Annotation]]:
        """Every path, with the same annotation."""
        return ((path, self._annotation) for path in paths)


class _Silent:
    """Progress that nobody watches."""

    def begin(self, files: int, size: int) -> None:
        """Nothing to show."""

    def finished(self, name: str, size: int, annotation: Annotation | None) -> None:
        """Nothing to show."""


def _books(path: Path, files: int, job: Job, taken: float) -> Row:
    """The share of journal and table in the CPU time of a file, of which ``taken`` is the rest."""
    done = _Done(annotate_file(str(path), job))
    names = [path.with_name(f"{number}.flac") for number in range(max(200, files))]
    begin = time.process_time()
    annotate(names, path.with_name("books.csv"), job, done, _Silent())
    each = (time.process_time() - begin) / len(names)
    return Row(BOOKS, 100 * each / max(taken, 1e-3))


#: Runs a command; prints its CPU seconds, those of its workers in them, and the largest's memory.
_MEASURED = (
    "import json, resource, subprocess, sys; "
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
    "print(json.dumps([done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss]))"
)


def _run(path: Path, out: Path, model: str) -> dict[str, float]:
    """What a whole run of the command takes. Raises ``OSError`` where it fails."""
    words = command_line("annotate", str(path), "-o", str(out), "--quiet", "--model", model)
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *words], capture_output=True, text=True, check=False
    )
    wall_s = time.perf_counter() - begin
    if done.returncode:
        raise OSError(done.stderr.strip().rpartition("\n")[2])
    code, cpu_s, peak = json.loads(done.stdout)
    if code:
        raise OSError(f"annotate ended with exit code {code}")
    # Linux counts kilobytes of 1024, macOS bytes.
    peak_mb = peak * (1 if sys.platform == "darwin" else 1024) / 1e6
    return {"cpu_s": cpu_s, "wall_s": wall_s, "peak_mb": peak_mb}
