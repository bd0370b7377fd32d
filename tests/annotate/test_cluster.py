"""Annotation on a Dask cluster whose workers die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamer import Model
from streamer.annotate.file import Job, annotate_file
from streamer.annotate.workers import Cluster
from streamer.errors import StreamerError

distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("default")]


def test_a_dying_worker_changes_nothing(
    model_directory: Path, small_model: Model, music: np.ndarray, tmp_path: Path
) -> None:
    """One of two worker processes is killed in the middle; the results are those of one process."""
    job = Job(str(model_directory), small_model.config.weights_sha256, 0.5, timeline=True)
    paths = []
    for number in range(12):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, music[number * 8_000 : number * 8_000 + 60_000], 16_000)
        paths.append(str(path))
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    paths.append(str(tmp_path / "bad.wav"))
    alone = {path: annotate_file(path, job) for path in paths}
    assert sum(len(annotation.rows) for annotation in alone.values()) > 60

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
            before = set(client.run(os.getpid).values())
        assert len(before) == 2
        done = {}
        for path, annotation in Cluster(cluster.scheduler_address, job).run(paths):
            if not done:
                os.kill(min(before), signal.SIGKILL)
            done[path] = annotation
        assert done == alone

        wrong = Job(job.model, "0" * 64, 0.5, timeline=True)
        with pytest.raises(StreamerError, match=r"cannot do the job .* other weights"):
            list(Cluster(cluster.scheduler_address, wrong).run(paths))


def test_no_scheduler_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, model_directory: Path
) -> None:
    """An address where nothing answers says how to start a scheduler."""
    monkeypatch.setattr("streamer.annotate.workers._SCHEDULER_S", 0.5)
    job = Job(str(model_directory), "0" * 64, 0.5, timeline=False)
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        with pytest.raises(StreamerError, match="no Dask scheduler answers") as caught:
            list(Cluster(address, job).run(["song.wav"]))
        assert "\n" not in str(caught.value)
