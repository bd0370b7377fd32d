"""How sessions end: readers that go, streams closed or stalled, programs that are stopped."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from line_schema import emotions, valid_lines

from streamer.cli.main import main
from streamer.cli.session import Signals
from streamer.events import End

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes, signals, terminals")

PROGRAM = [sys.executable, "-m", "streamer"]


@pytest.fixture
def replay(clip: Path, model_directory: Path) -> list[str]:
    """The command that replays the example clip with the small model."""
    return [*PROGRAM, "replay", str(clip), "--model", str(model_directory)]


def test_the_record_of_a_piped_session_has_its_end(replay: list[str], tmp_path: Path) -> None:
    """``--jsonl rec | head -1``: the reader has enough, the record is whole, nobody complains."""
    record = tmp_path / "rec.jsonl"
    command = [*replay, "--speed", "20", "--jsonl", str(record)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        first = run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 0
    lines = valid_lines(record.read_bytes())
    assert json.loads(first) == lines[0]
    assert lines[-1]["estimates"] == len(emotions(lines))


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_costs_nothing(
    replay: list[str], tmp_path: Path, closed: str
) -> None:
    """Without standard input, output or error (as some launchers leave it) all is recorded.

    Nothing else gets into the record: the free descriptor is not the next file's.
    """
    record = tmp_path / "rec.jsonl"
    command = [*replay, "--speed", "max", "--duration", "5", "--jsonl", str(record)]
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {shlex.join(command)} {closed}"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == b""
    lines = valid_lines(record.read_bytes())
    assert len(emotions(lines)) == 10
    assert bool(done.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_raw_sound_from_a_closed_input_is_one_sentence() -> None:
    """There is nothing to read, and that is said."""
    raw = "replay - --rate 8000 --channels 1 --format s16le"
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {shlex.join(PROGRAM)} {raw} <&-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "streamer: standard input is closed: send raw PCM to it\n"
    assert done.stdout == ""


def test_nobody_reads_what_is_said(clip: Path, model_directory: Path, tmp_path: Path) -> None:
    """A broken standard error ends no session: the lines and the record go on to their end."""
    broken, record = tmp_path / "broken.flac", tmp_path / "rec.jsonl"
    broken.write_bytes(clip.read_bytes()[:1_500_000])  # there will be something to say
    reader, writer = os.pipe()
    os.close(reader)
    options = ["--model", str(model_directory), "--speed", "max", "--jsonl", str(record)]
    done = subprocess.run(
        [*PROGRAM, "replay", str(broken), *options],
        stdout=subprocess.PIPE,
        stderr=writer,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1, "the file is not whole"
    assert valid_lines(record.read_bytes()) == valid_lines(done.stdout)


def installed_lamp(folder: Path, port: int) -> None:
    """A package with a sink that sends to a TCP port, as pip would leave it."""
    (folder / "tcp_lamp.py").write_text(
        "import socket\n"
        "class Lamp:\n"
        "    def __init__(self, argument):\n"
        f"        self.line = socket.create_connection(('127.0.0.1', {port}))\n"
        "    def write(self, event): self.line.sendall(b'x' * 100_000)\n"
        "    def close(self): self.line.close()\n"
    )
    metadata = folder / "tcp_lamp-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tcp-lamp\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[streamer.sinks]\nlamp = tcp_lamp:Lamp\n")


def test_a_lamp_that_is_switched_off_is_one_sentence(
    clip: Path,
    model_directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """A sink's own peer goes away (a broken pipe, a reset): one sentence, and all else goes on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)

        def leave() -> None:
            line, _ = server.accept()
            line.recv(10)
            line.close()

        lamp = threading.Thread(target=leave)
        lamp.start()
        installed_lamp(tmp_path, server.getsockname()[1])
        monkeypatch.syspath_prepend(str(tmp_path))
        options = ["--model", str(model_directory), "--speed", "max", "--duration", "20"]
        code = main(["replay", str(clip), *options, "--sink", "lamp"])
        lamp.join()
    said = capfdbinary.readouterr()
    assert code == 1
    assert len(emotions(valid_lines(said.out))) == 40
    (sentence,) = said.err.decode().splitlines()
    assert sentence.startswith("streamer: the sink 'lamp' of the package tcp-lamp failed: ")
    assert sentence.endswith("; tracking goes on without it")


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An annotation whose file never comes, under way."""
    pipe, out = tmp_path / "song.wav", tmp_path / "out.csv"
    os.mkfifo(pipe)
    command = [*PROGRAM, "annotate", str(pipe), "-o", str(out), "--jobs", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 30
        while not (tmp_path / "out.csv.partial.jsonl").exists():
            assert time.monotonic() < deadline
        # Who waits for an end that does not come gets that of a process that was killed.
        too_long = threading.Timer(60, run.kill)
        too_long.start()
        yield run
        too_long.cancel()
        run.kill()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_every_ending_signal_ends_a_command_in_order(
    endless: subprocess.Popen[str], name: str
) -> None:
    """What was begun is tidied up and told, and the exit code names the first signal.

    A second one, as wrapping programs send it, does not come in between.
    """
    number = getattr(signal, name)
    endless.send_signal(number)
    assert endless.stderr is not None
    said = endless.stderr.readline()
    assert said.startswith("streamer: stopped: the same command goes on from here"), said
    endless.send_signal(signal.SIGTERM)
    endless.send_signal(signal.SIGINT)
    assert endless.stderr.read().strip() == ""
    assert endless.wait() == 128 + number


def test_nobody_outlives_a_command_that_is_killed(endless: subprocess.Popen[str]) -> None:
    """Its worker waits for a file that never comes, and ends with it: nobody holds its streams."""
    endless.kill()
    _, said = endless.communicate(timeout=60)
    assert said == ""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_leaves_no_draft_behind(tmp_path: Path, name: str) -> None:
    """A picture that is not finished is gone, not half there under a name of its own."""
    from scripted_session import estimate, start

    from streamer.events import to_json

    events = [start(), *(estimate(t / 2) for t in range(1, 11))]
    session, folder = tmp_path / "session.jsonl", tmp_path / "out"
    session.write_text("".join(to_json(event) + "\n" for event in events))
    folder.mkdir()
    command = [*PROGRAM, "plot", str(session), "-o", str(folder / "picture.png")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run:
        while not list(folder.iterdir()):
            assert run.poll() is None
        run.send_signal(getattr(signal, name))
        _, said = run.communicate()
    finished = run.returncode == 0  # before the signal came, on a busy machine
    assert finished or run.returncode == 128 + getattr(signal, name)
    left = [path.name for path in folder.iterdir()]
    assert (left, said) == (["picture.png"] if finished else [], b"")


def test_ctrl_c_before_anything_is_imported_is_silent(tmp_path: Path) -> None:
    """Somebody is faster than the start: no traceback of imports."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [*PROGRAM, "--version"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.parametrize("name", ["SIGHUP", "SIGQUIT"])
def test_a_session_ends_in_order_by(replay: list[str], tmp_path: Path, name: str) -> None:
    """A closed terminal, or the key that dumps cores: the record has its ``end``."""
    record = tmp_path / "rec.jsonl"
    with subprocess.Popen([*replay, "--jsonl", str(record)], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.send_signal(getattr(signal, name))
        run.communicate()
    assert run.returncode == 128 + getattr(signal, name)
    assert valid_lines(record.read_bytes())[-1]["type"] == "end"


def terminal(command: list[str], **options: Any) -> pexpect.spawn:
    return pexpect.spawn(
        "/bin/sh",
        ["-c", f"exec {shlex.join(command)} {options.pop('redirect', '')}"],
        dimensions=(30, 100),
        env={**os.environ, "TERM": "xterm-256color"},
        timeout=30,
        **options,
    )


def test_q_ends_a_session_whose_input_stalls(
    clip: Path, model_directory: Path, tmp_path: Path
) -> None:
    """The player is paused and sends nothing: the key is obeyed all the same, with an ``end``."""
    pipe, out = tmp_path / "pipe", tmp_path / "out.jsonl"
    os.mkfifo(pipe)
    raw = ["replay", "-", "--rate", "8000", "--channels", "1", "--format", "s16le"]
    command = [*PROGRAM, *raw, "--model", str(model_directory)]
    child = terminal(command, redirect=f"< {shlex.quote(str(pipe))} > {shlex.quote(str(out))}")
    with pipe.open("wb") as player:
        player.write(bytes(2 * 8_000))
        player.flush()
        child.expect_exact(b"come in for")  # it stalls, and that is seen
        child.send("q")
        child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert valid_lines(out.read_bytes())[-1]["t"] == 1.0


def test_q_ends_a_long_wait_of_a_recorded_session(tmp_path: Path) -> None:
    """A recording in which nothing happens for an hour is left at once."""
    from scripted_session import estimate, start

    from streamer.events import to_json

    path, out = tmp_path / "rec.jsonl", tmp_path / "out.jsonl"
    events = [start(), estimate(0.5), estimate(3600.0)]
    path.write_text("".join(to_json(event) + "\n" for event in events))
    command = [*PROGRAM, "replay", "--from", str(path)]
    child = terminal(command, redirect=f"> {shlex.quote(str(out))}")
    child.expect_exact(b"arousal")
    while out.read_bytes().count(b"\n") < 2:
        child.expect_exact(b"\x1b")
    child.send("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert valid_lines(out.read_bytes())[-1]["t"] == 0.5


@pytest.mark.parametrize("redirected", [True, False], ids=["piped", "dashboard"])
def test_a_stopped_replay_goes_on_where_it_was(
    replay: list[str], tmp_path: Path, redirected: bool
) -> None:
    """Ctrl-Z, a pause, and ``fg``: what was missed is not rushed through."""
    out = tmp_path / "out.jsonl"
    command = [*replay, "--no-dashboard"] if redirected else replay
    child = terminal(command, redirect=f"> {shlex.quote(str(out))}")

    def heard() -> float:
        lines = out.read_bytes().splitlines() if out.exists() else []
        return max([json.loads(line).get("t", 0.0) for line in lines[1:]], default=0.0)

    def until(fact: Any) -> None:
        deadline = time.monotonic() + 30
        while not fact():
            assert time.monotonic() < deadline
            try:
                child.read_nonblocking(1 << 16, timeout=0.05)
            except pexpect.TIMEOUT:
                continue

    until(lambda: heard() >= 1.0)
    os.kill(child.pid, 19)  # SIGSTOP, which nobody can handle
    stopped, before = time.monotonic(), heard()
    time.sleep(4)
    paused = time.monotonic() - stopped
    os.kill(child.pid, 18)
    until(lambda: heard() > before)
    seen = heard()
    assert seen < before + paused - 1.0, "it rushed through the pause"
    child.send("\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


class Begun:
    """A session that tells what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self) -> End:
        raise NotImplementedError

    def stop(self, *, interrupt: bool = False) -> None:
        self.asked.append(f"stop, interrupt {interrupt}")

    def request_reset(self) -> None:
        self.asked.append("reset")


def test_q_before_the_session_has_begun() -> None:
    """It ends as soon as it begins; to start afresh what has not begun is nothing."""
    with Signals() as signals:
        signals.request_reset()
        signals.quit()
        session = Begun()
        signals.steer(session)
        assert session.asked == ["stop, interrupt False"]
        signals.request_reset()
        assert session.asked[1:] == ["reset"]
