"""Worker processes of an annotation: one a core, or those of an existing Dask cluster."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

from streamer.annotate.file import Annotation, Job, annotate_file, model_of
from streamer.errors import MissingExtraError, StreamerError
from streamer.processes import ONE_THREAD

#: A file whose worker died is tried once more: another program may have taken its memory.
_TRIES = 2
_ENDINGS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    if hasattr(signal, name)
)


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    path: str = ""


class Processes:
    """``number`` processes that annotate files; each loads the model once.

    They are started afresh, not forked, and end with this process, however it ends.
    """

    def __init__(self, number: int, job: Job) -> None:
        self._number = number
        self._job = job

    def run(self, paths: Iterable[str]) -> Iterator[tuple[str, Annotation]]:
        """Annotate every path; the results come in the order in which they are done.

        A file at which a process dies twice has that as its problem; the others are not affected.
        """
        waiting = deque(paths)
        deaths: Counter[str] = Counter()
        idle: list[_Worker] = []
        busy: dict[Connection, _Worker] = {}
        try:
            while waiting or busy:
                while waiting and len(busy) < self._number:
                    worker = idle.pop() if idle else self._start()
                    worker.path = waiting.popleft()
                    busy[worker.connection] = worker
                    with contextlib.suppress(OSError):  # dead already: `wait` finds it out
                        worker.connection.send(worker.path)
                for ready in wait(list(busy)):
                    # Of the system's own kind: Windows has another one than `Connection`.
                    worker = busy.pop(cast("Connection", ready))
                    try:
                        done: Annotation | Exception = worker.connection.recv()
                    except (EOFError, OSError):
                        deaths[worker.path] += 1
                        if deaths[worker.path] < _TRIES:
                            waiting.appendleft(worker.path)
                        else:
                            yield worker.path, _death(worker)
                        _end(worker)
                        continue
                    if isinstance(done, Exception):
                        raise done
                    idle.append(worker)
                    yield worker.path, done
        finally:
            for worker in [*idle, *busy.values()]:
                _end(worker)

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._job), daemon=True)
        # A library reads these when it is imported: they must be there before the worker starts.
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)
        try:
            with signals_held():
                process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        theirs.close()
        return _Worker(process, ours)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Ctrl-C and its like wait: a worker that is cut off while it starts ends with a traceback.

    The mask is for the worker, which inherits it and lets them come when it is ready for them. Here
    it is not enough: where another thread gets the signal, Python still runs the handler in this
    one. So the handlers note what came, and it comes again afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread alone
        return
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda heard, _: came.append(heard)) for number in _ENDINGS
    }
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS) if masks else set()
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for caught in came:
            signal.raise_signal(caught)


def _serve(connection: Connection, job: Job) -> None:
    """A worker's life: a path in, an annotation out, until the other end is closed."""
    # Ctrl-C reaches the whole group; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    # libmpg123 talks to standard error while it looks for its header; what matters is sent.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with contextlib.suppress(EOFError, OSError):
        while True:
            path = connection.recv()
            try:
                done: Annotation | Exception = annotate_file(path, job)
            except Exception as error:
                done = error
            connection.send(done)


def _end_with_the_parent() -> None:
    """End this process when its parent has: the file may be a pipe to which nobody writes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _death(worker: _Worker) -> Annotation:
    worker.process.join()
    return Annotation(
        problem=f"{worker.path}: the process that read it died {_TRIES} times "
        f"(exit code {worker.process.exitcode})"
    )


def _end(worker: _Worker) -> None:
    worker.connection.close()
    worker.process.kill()
    worker.process.join()
    worker.process.close()


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
