"""What a live session costs on a real sound server, all its processes together, beside the floor.

A private PulseAudio without hardware plays music into a null sink; the sessions listen to that
sink's monitor as they would to what a computer plays, all in the same minute. The floor is a bare
``sounddevice`` callback that writes the same samples nowhere, in blocks of the same length.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.audio.microphone import Steps
from streamer.bench.processes import streamer
from streamer.bench.report import Row, Section
from streamer.bench.timing import write
from streamer.network.model import Model

COST, WAKES, BUSIEST = (
    "Live session",
    "Wake-ups of a live session",
    "Wake-ups of its busiest thread",
)
PICTURE = "First picture of a live session"
FLOOR, LINES = "bare sounddevice callback", "live --no-dashboard --jsonl"
DASHBOARD, PAGE = "live, dashboard of 100 by 30", "live --no-dashboard --serve, one viewer"
#: The null sink that is played into, and the source that hears it.
SINK = "music"
MONITOR = f"{SINK}.monitor"
#: How long a program may take to start, and how long one that has is left to settle.
_PATIENCE_S, _SETTLE_S = 30.0, 3.0
#: On every picture of the dashboard.
_SEEN = b"valence"
#: A thread's wake-ups are counted where it gave up its core by itself.
_WOKEN = "\nvoluntary_ctxt_switches:"
_BARE = """
import os, sys, time
os.environ["PULSE_SOURCE"] = sys.argv[1]
import sounddevice
nowhere = open(os.devnull, "wb", buffering=0)
names = [each["name"] for each in sounddevice.query_devices()]
stream = sounddevice.InputStream(
    device=names.index("pulse"), samplerate=44100, channels=2, dtype="float32", latency="low",
    blocksize=round(44100 * float(sys.argv[2])), callback=lambda block, *_: nowhere.write(block),
)
stream.start()
time.sleep(1e6)
"""


class SoundServer:
    """A private PulseAudio daemon with a null sink, below ``home``, and the way to reach it.

    ``environment`` is what a program needs to play into the sink and to listen to its monitor.
    """

    def __init__(self, home: Path) -> None:
        self._runtime = home / "runtime"
        self._runtime.mkdir(mode=0o700)
        (home / ".asoundrc").write_text(
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
        )
        hidden = {"PULSE_SERVER", "PULSE_SOURCE", "PULSE_SINK", "DISPLAY"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in hidden},
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(self._runtime),
            "PULSE_SINK": SINK,
            "OMP_NUM_THREADS": "1",
        }
        self.daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon; :meth:`answers` says when it can be used."""
        shutil.rmtree(self._runtime / "pulse", ignore_errors=True)
        self.daemon = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "--daemonize=no",
                "--use-pid-file=no",
                "--exit-idle-time=-1",
                "--disable-shm=yes",
                f"--load=module-null-sink sink_name={SINK}",
                "--load=module-native-protocol-unix",
            ],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def answers(self) -> bool:
        """Whether the daemon serves its sink."""
        done = subprocess.run(
            ["pactl", "list", "short", "sinks"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        return SINK in done.stdout

    def stop(self) -> None:
        """Kill the daemon, as a crash would."""
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None


def missing() -> str | None:
    """What a session on a sound server of our own lacks on this computer, if anything."""
    programs = ("pulseaudio", "paplay", "pactl", "setsid")
    if lacking := [name for name in programs if shutil.which(name) is None]:
        return f"{', '.join(lacking)} not installed"
    if not Path("/proc/self/task").is_dir():
        return "no /proc, where computing and wake-ups are counted"
    return None


@dataclass(frozen=True, slots=True)
class Used:
    """Of a process and all below it: seconds of computing, and each thread's wake-ups so far."""

    cpu_s: float
    wakes: dict[int, int]

    def since(self, before: Used) -> tuple[float, list[int]]:
        """What was used after ``before``: seconds, and wake-ups by thread."""
        woken = [count - before.wakes.get(thread, 0) for thread, count in self.wakes.items()]
        return self.cpu_s - before.cpu_s, woken


def used(pid: int) -> Used:
    """What a process has used, with its children and theirs, those that have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    # utime, stime, and of children that are gone: cutime, cstime.
    cpu_s = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    wakes: dict[int, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread or a child may have ended by now
            status = (task / "status").read_text(encoding="utf-8")
            wakes[int(task.name)] = int(status.partition(_WOKEN)[2].split()[0])
            for child in (task / "children").read_text(encoding="utf-8").split():
                below = used(int(child))
                cpu_s += below.cpu_s
                wakes |= below.wakes
    return Used(cpu_s, wakes)


def sections(model: Model, name: str, seconds: float, starts: int) -> list[Section]:
    """Cost, wake-ups and the first picture of sessions that last ``seconds``, all at once.

    Without ``seconds`` nothing is measured, as where no sound server can be had.
    """
    names: Sequence[str] = (FLOOR, LINES, DASHBOARD, PAGE)
    lack = missing() or ""
    if not seconds:
        lack = "not in a quick run"
    rows: dict[str, list[Row]] = {title: [] for title in (COST, WAKES, BUSIEST)}
    picture = Row("until it is drawn", None, note=lack)
    if not lack:
        try:
            with tempfile.TemporaryDirectory() as home, _playing(Path(home), seconds) as server:
                picture = _first_picture(server, name, starts)
                found = _measured(server, Path(home), model, name, seconds)
        except OSError as error:
            lack = str(error)
        else:
            for each, (share, woken) in found.items():
                rows[COST].append(Row(each, share))
                rows[WAKES].append(Row(each, sum(woken)))
                rows[BUSIEST].append(Row(each, max(woken)))
            names = (PAGE,) if PAGE not in found else ()
            lack = "not installed: websockets"
    for title in rows:
        rows[title] += [Row(each, None, note=lack) for each in names]
    units = {COST: "% of a core", WAKES: "a second", BUSIEST: "a second"}
    return [
        *(
            Section(title, units[title], tuple(each), compared=False)
            for title, each in rows.items()
        ),
        Section(PICTURE, "s", (picture,), compared=False),
    ]


@contextlib.contextmanager
def _playing(home: Path, seconds: float) -> Iterator[SoundServer]:
    """A sound server to which music is played for so long, and for as long as starting takes."""
    song = home / "music.flac"
    write(song, seconds + 2 * _PATIENCE_S)
    server = SoundServer(home)
    server.start()
    try:
        _until(server.answers, "PulseAudio did not start")
        with subprocess.Popen(["paplay", str(song)], env=server.environment) as player:
            try:
                yield server
            finally:
                player.kill()
    finally:
        server.stop()


def _measured(
    server: SoundServer, home: Path, model: Model, name: str, seconds: float
) -> dict[str, tuple[float, list[float]]]:
    """Of each program: the per cent of a core that it takes, each thread's wake-ups a second."""
    cut = model.config.features
    block_s = Steps(cut.sample_rate, cut.frame, cut.hop).block_s
    live = streamer("live", "--device", MONITOR, "--model", name)
    lines = [*live, "--no-dashboard", "--jsonl"]
    commands = {
        FLOOR: [sys.executable, "-c", _BARE, MONITOR, str(block_s)],
        LINES: [*lines, str(home / "lines.jsonl")],
    }
    port = _free_port()
    if importlib.util.find_spec("websockets") is not None:
        commands[PAGE] = [*lines, str(home / "page.jsonl"), "--serve", str(port)]
    with contextlib.ExitStack() as stack:
        running = {
            each: stack.enter_context(_running(command, server))
            for each, command in commands.items()
        }
        running[DASHBOARD], seen = stack.enter_context(_shown(live, server))
        if PAGE in running:
            stack.enter_context(_viewer(port))
        _until(seen.is_set, "the dashboard did not show")
        time.sleep(_SETTLE_S)
        before = {each: used(program.pid) for each, program in running.items()}
        begun = time.monotonic()
        time.sleep(seconds)
        found = {}
        for each, program in running.items():
            if program.poll() is not None:
                raise OSError(f"{each} ended")
            cpu_s, woken = used(program.pid).since(before[each])
            lasted_s = time.monotonic() - begun
            found[each] = (100 * cpu_s / lasted_s, [count / lasted_s for count in woken])
    return {each: found[each] for each in (FLOOR, LINES, DASHBOARD, PAGE) if each in found}


def _first_picture(server: SoundServer, name: str, times: int) -> Row:
    """Seconds from the command to the dashboard on the screen."""
    taken = []
    for _ in range(times):
        begun = time.monotonic()
        command = streamer("live", "--device", MONITOR, "--model", name)
        with _shown(command, server) as (_, seen):
            if not seen.wait(_PATIENCE_S):
                raise OSError("the dashboard did not show")
            taken.append(time.monotonic() - begun)
    return Row("until it is drawn", statistics.median(taken), max(taken))


@contextlib.contextmanager
def _running(
    command: Sequence[str], server: SoundServer, terminal: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that can reach the sound server, ended afterwards."""
    known = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with subprocess.Popen(
        command,
        env=server.environment | known,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as program:
        try:
            yield program
        finally:
            program.terminate()
            try:
                program.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                program.kill()


@contextlib.contextmanager
def _shown(
    command: Sequence[str], server: SoundServer
) -> Iterator[tuple[subprocess.Popen[bytes], threading.Event]]:
    """A program on a terminal of 100 by 30 cells, and whether a picture was seen there."""
    import termios  # with a sound server there is a Unix

    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (30, 100))
    seen = threading.Event()

    def look() -> None:
        shown = b""
        with contextlib.suppress(OSError):  # the program has closed its end
            while more := os.read(ours, 1 << 16):
                if not seen.is_set() and _SEEN in (shown := shown + more):
                    seen.set()
                    shown = b""

    looking = threading.Thread(target=look, daemon=True)
    try:
        with _running(["setsid", "--ctty", *command], server, theirs) as program:
            looking.start()
            yield program, seen
    finally:
        os.close(theirs)
        looking.join(1.0)
        os.close(ours)


@contextlib.contextmanager
def _viewer(port: int) -> Iterator[None]:
    """Somebody who has the page open and takes what comes, once it is there."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    _until(answers, "the page did not answer")
    with connect(f"ws://127.0.0.1:{port}/lines") as line:

        def look() -> None:
            with contextlib.suppress(ConnectionClosed):
                for _ in line:
                    pass

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        yield
    looking.join(1.0)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _until(fact: Callable[[], bool], otherwise: str) -> None:
    """Wait until something has become true; raises ``OSError`` where it does not."""
    deadline = time.monotonic() + _PATIENCE_S
    while not fact():
        if time.monotonic() > deadline:
            raise OSError(otherwise)
        time.sleep(0.05)
