"""Processes that this package starts: how many at once, one thread each, and its own copy in them.

All of them find the package where this process found it, whatever else is installed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

#: Each worker is one thread: more would fight over the cores.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)


def cores() -> int:
    """How many cores this process may use: those of its CPU affinity, where there is such."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def workers(
    count: int, begin: Callable[..., object] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """A pool of ``count`` processes, each of which calls ``begin`` with ``arguments`` first.

    What ends the block ends them: an executor by itself would wait for the work under way, hours
    of training, whatever signal or failure called for the end.
    """
    # Imported here: those who want an environment alone start in a fraction of the time.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, begin, arguments) as pool:
        before = set(multiprocessing.active_children())
        try:
            yield pool
        except BaseException:
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise


def environment() -> dict[str, str]:
    """The environment of a Python process that is to import this very package, and our imports.

    An empty entry of ``sys.path`` means the working directory, and an empty one of ``PYTHONPATH``
    means nothing: there the new process would import whatever copy is installed.
    """
    entries = [entry or str(Path.cwd()) for entry in sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entries)}


#: Bytes that a pipe takes and that are read at once: half a second at most rates.
_AT_ONCE = 1 << 17


def start_capture() -> subprocess.Popen[bytes]:
    """A process of ``streamer.audio.capture``, which starts PortAudio and waits for its request.

    It has a process group to itself, so that suspending the listening process (Ctrl-Z) leaves the
    capture running: what is heard meanwhile waits in the ring, and what does not fit is counted.
    Raises ``OSError`` where the system cannot start one.
    """
    new_group = (
        {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        if sys.platform == "win32"
        else {"process_group": 0}
    )
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "streamer.audio.capture"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # ALSA talks there about every device it cannot find
        bufsize=_AT_ONCE,
        pipesize=_AT_ONCE,
        env=environment(),
        **new_group,
    )
