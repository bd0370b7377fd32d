"""What a user would otherwise take, on the same sound: each in a process of its own.

A peer that is not installed is left out with the reason; nothing is downloaded. Run as a module it
is that process.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from streamer.bench.processes import peak_mb
from streamer.bench.report import Row, Section
from streamer.processes import ONE_THREAD, environment

OURS, LIBROSA, ESSENTIA = "streamer", "librosa features", "essentia, MusiCNN and its DEAM head"
#: Where the graphs lie that Essentia's authors publish, and their names there.
FOLDER = "STREAMER_ESSENTIA_MODELS"
_GRAPHS = ("msd-musicnn-1.pb", "deam-msd-musicnn-2.pb")
_PATIENCE_S = 600.0


def sections(path: Path, seconds: float, model: str) -> list[Section]:
    """Speed, the first answer and memory of each peer on a file of ``seconds``."""
    speed: list[Row] = []
    first: list[Row] = []
    memory: list[Row] = []
    for peer in _PEERS:
        if (reason := missing(peer)) is not None:
            for rows in (speed, first, memory):
                rows.append(Row(peer, None, note=reason))
            continue
        command = [sys.executable, "-m", __name__, peer, str(path), model]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                check=True,
                text=True,
                timeout=_PATIENCE_S,
                env=environment() | ONE_THREAD,
            )
            figures = json.loads(done.stdout.rpartition("\n")[2] or done.stdout)
            speed.append(Row(peer, seconds / figures["cpu_s"]))
            first.append(Row(peer, figures["first_s"]))
            memory.append(Row(peer, peak_mb(command)))
        except (subprocess.SubprocessError, ValueError) as error:
            for rows in (speed, first, memory):
                rows.append(Row(peer, None, note=f"it failed ({type(error).__name__})"))
    sound = f"a file of {seconds:.3g} s"
    return [
        Section(f"Peers on {sound}, one core", "times real time", tuple(speed), compared=False),
        Section(f"Peers on {sound}, first answer", "s", tuple(first), compared=False),
        Section(f"Peers on {sound}, memory", "MB", tuple(memory), compared=False),
    ]


def missing(peer: str) -> str | None:
    """Why a peer cannot be run here, if so."""
    if peer == LIBROSA and importlib.util.find_spec("librosa") is None:
        return "librosa is not installed"
    if peer == ESSENTIA:
        if importlib.util.find_spec("essentia") is None:
            return "essentia-tensorflow is not installed"
        folder = os.environ.get(FOLDER)
        if folder is None or not all((Path(folder) / name).is_file() for name in _GRAPHS):
            return f"{FOLDER} names no folder with {' and '.join(_GRAPHS)}"
    return None


def _streamer(path: Path, model: str) -> Iterator[object]:
    """An estimate every half second, as they come."""
    from streamer.tracking import track

    yield from track(path, model=model)


def _librosa(path: Path, model: str) -> Iterator[object]:  # noqa: ARG001 - a peer's shape
    """The features that most projects classify moods by; none of them comes before the end."""
    import librosa

    sound, rate = librosa.load(path, sr=22_050, mono=True)
    harmonic = librosa.effects.harmonic(sound)
    found = [
        librosa.feature.mfcc(y=sound, sr=rate, n_mfcc=20),
        librosa.feature.chroma_cqt(y=harmonic, sr=rate),
        librosa.feature.tonnetz(y=harmonic, sr=rate),
        librosa.feature.spectral_contrast(y=sound, sr=rate),
        librosa.feature.spectral_centroid(y=sound, sr=rate),
        librosa.feature.zero_crossing_rate(y=sound),
    ]
    yield [(each.mean(axis=1), each.std(axis=1)) for each in found]


def _essentia(path: Path, model: str) -> Iterator[object]:  # noqa: ARG001 - a peer's shape
    """Valence and arousal of each three seconds, after the whole file has been embedded."""
    standard = importlib.import_module("essentia.standard")  # by name: it is no dependency

    folder = Path(os.environ[FOLDER])
    sound = standard.MonoLoader(filename=str(path), sampleRate=16_000)()
    embed = standard.TensorflowPredictMusiCNN(
        graphFilename=str(folder / _GRAPHS[0]), output="model/dense/BiasAdd"
    )
    judge = standard.TensorflowPredict2D(
        graphFilename=str(folder / _GRAPHS[1]), output="model/Identity"
    )
    yield from np.asarray(judge(embed(sound)))


_PEERS: dict[str, Callable[[Path, str], Iterator[object]]] = {
    OURS: _streamer,
    LIBROSA: _librosa,
    ESSENTIA: _essentia,
}


def main(peer: str, path: str, model: str) -> None:
    """Run one peer over the file; its figures as a JSON line, imports counted in."""
    begin, answers, first_s = time.perf_counter(), 0, 0.0
    for _ in _PEERS[peer](Path(path), model):
        if not answers:
            first_s = time.perf_counter() - begin
        answers += 1
    figures = {"first_s": first_s, "cpu_s": time.process_time(), "answers": answers}
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
