"""Whole processes: how soon they answer, and how much memory they hold."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.bench.report import Row, Section

#: A process that takes longer is given up.
_PATIENCE_S = 60.0
_PORTAUDIO = (
    "import time; begin = time.perf_counter(); import sounddevice; "
    "print(time.perf_counter() - begin)"
)
_PEAK = (
    "import resource, subprocess, sys; "
    "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def streamer(*arguments: str) -> list[str]:
    """The command line of ``streamer``, run by this Python."""
    return [sys.executable, "-m", "streamer", *arguments]


def replay(path: Path, model: str) -> list[str]:
    """The command line of a replay as fast as it goes."""
    options = ("--speed", "max", "--no-dashboard", "--quiet", "--model", model)
    return streamer("replay", str(path), *options)


def start(path: Path, model: str, times: int) -> Section:
    """Seconds until ``--help`` has answered, and until ``replay`` has written its first lines."""
    rows = [
        _row("--help", lambda: run_s(streamer("--help")), times),
        _row("--version", lambda: run_s(streamer("--version")), times),
        _row("replay: first line", lambda: first_line_s(replay(path, model), 1), times),
        _row("replay: first estimate", lambda: first_line_s(replay(path, model), 2), times),
        _row("import numpy, for comparison", lambda: run_s(_python("import numpy")), times),
    ]
    portaudio = _row("PortAudio's initialisation", portaudio_s, times)
    rows.append(portaudio)
    if portaudio.value is not None:
        beyond = portaudio.value
        call = lambda: run_s(streamer("devices")) - beyond  # noqa: E731 - a line, not a function
        rows.append(_row("devices, beyond PortAudio's initialisation", call, times))
    return Section("Start", "s", tuple(rows), compared=False)


def memory(short: Path, long: Path, minutes: Sequence[float], model: str) -> Section:
    """Peak resident memory of a whole replay, for a short and a long file."""
    rows = [
        Row(f"replay of {length:.3g} minutes", peak_mb(replay(path, model)))
        for path, length in zip((short, long), minutes, strict=True)
    ]
    return Section("Resident memory", "MB", tuple(rows), compared=False)


def run_s(command: list[str]) -> float:
    """Seconds that a command takes; raises ``OSError`` where it fails or is given up."""
    begin = time.perf_counter()
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=_PATIENCE_S)
    except subprocess.SubprocessError as error:
        raise OSError(str(error)) from None
    return time.perf_counter() - begin


def first_line_s(command: list[str], number: int) -> float:
    """Seconds until a command has written that many lines; it is ended then."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(number)]
        taken = time.perf_counter() - begin
        process.kill()
    if not lines[-1].endswith(b"\n"):
        raise OSError("it wrote nothing")
    return taken


def portaudio_s() -> float:
    """Seconds that importing sounddevice takes, which starts PortAudio; ``OSError`` without it."""
    try:
        done = subprocess.run(
            _python(_PORTAUDIO), capture_output=True, check=True, text=True, timeout=_PATIENCE_S
        )
    except subprocess.SubprocessError:
        raise OSError("PortAudio is not installed, or does not answer") from None
    return float(done.stdout)


def peak_mb(command: list[str]) -> float:
    """Peak resident memory of a command in megabytes of a million bytes."""
    # By a small process in between: a new one's peak begins with that of the one it came from.
    done = subprocess.run(
        [*_python(_PEAK), *command], capture_output=True, check=True, text=True, timeout=600
    )
    # Linux counts kilobytes of 1024, macOS bytes.
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024) / 1e6


def _python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def _row(name: str, call: Callable[[], float], times: int) -> Row:
    try:
        taken = [call() for _ in range(times)]
    except OSError as error:
        return Row(name, None, note=str(error))
    return Row(name, statistics.median(taken), max(taken))
