"""Annotation on an existing Dask cluster, for collections that outgrow one machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from streamer.analysis.annotate_file import Annotation, Job, annotate_file, model_of
from streamer.errors import MissingExtraError, StreamerError

#: Seconds to wait for the scheduler, and for its first worker.
_SCHEDULER_S, _WORKER_S = 15, 60
#: Files on their way at once, for each thread of the cluster.
_AHEAD = 4


class Cluster:
    """The workers of the Dask scheduler at ``address`` (``tcp://host:8786``).

    They need this package, the model, and the files under the same paths. Workers may come, go and
    die meanwhile: their files are given to others. Raises ``MissingExtraError`` without
    ``distributed``.
    """

    def __init__(self, address: str, job: Job) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingExtraError("--scheduler", "distributed", "cluster") from None
        self._distributed: Any = distributed
        self._address = address
        self._job = job

    def run(self, paths: Iterable[str]) -> Iterator[tuple[str, Annotation]]:
        """Annotate every path; the results come in the order in which they are done.

        A file at which workers died too often (the scheduler's ``allowed-failures``) has that as
        its problem. Raises ``StreamerError`` where nothing answers at the address, no worker comes,
        or the workers lack the package or the model.
        """
        waiting = iter(paths)
        try:
            client = self._distributed.Client(
                self._address, timeout=_SCHEDULER_S, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise StreamerError(
                f"no Dask scheduler answers at {self._address} ({type(error).__name__}): start one "
                "with `dask scheduler`, and give the address that it prints"
            ) from None
        with client:
            self._check(client)
            names: dict[str, str] = {}
            done = self._distributed.as_completed(loop=client.loop)
            ahead = _AHEAD * max(1, sum(client.nthreads().values()))

            def submit(name: str) -> None:
                path = str(Path(name).absolute())
                future = client.submit(annotate_file, path, self._job, pure=False)
                names[future.key] = name
                done.add(future)

            for name in itertools.islice(waiting, ahead):
                submit(name)
            for future in done:
                yield names.pop(future.key), self._annotation(future)
                for following in itertools.islice(waiting, 1):
                    submit(following)

    def _check(self, client: Any) -> None:
        """Wait for a worker, and see that it has what the job needs."""
        try:
            client.wait_for_workers(1, timeout=_WORKER_S)
        except TimeoutError:
            raise StreamerError(
                f"the scheduler at {self._address} has no workers: start some with `dask worker`"
            ) from None
        future = client.submit(_has_model, self._job, pure=False)
        if (error := future.exception()) is not None:
            raise StreamerError(
                f"the workers of {self._address} cannot do the job ({error}): "
                "they need the same emotion-streamer and model as this machine"
            )

    def _annotation(self, future: Any) -> Annotation:
        error = future.exception()
        if error is None:
            annotation: Annotation = future.result()
            return annotation
        if isinstance(error, self._distributed.scheduler.KilledWorker):
            return Annotation(problem=f"{error.task}: the workers that read it died")
        if isinstance(error, StreamerError):
            raise error
        return Annotation(problem=f"unexpected {type(error).__name__}: {error}")


def _has_model(job: Job) -> bool:
    model_of(job)
    return True
