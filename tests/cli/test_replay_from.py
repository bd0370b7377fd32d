"""``streamer replay --from``: the recorded lines come out again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from streamer.cli.main import main
from streamer.network import model as models


@pytest.fixture(scope="module")
def recording(model_directory: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of the example clip, recorded with the small model."""
    path = tmp_path_factory.mktemp("recorded") / "session.jsonl"
    model = ["--model", str(model_directory), "--jsonl", str(path)]
    quiet = ["--speed", "max", "--duration", "6", "--quiet", "--no-dashboard"]
    code = main(["replay", str(clip), *quiet, *model])
    assert code == 0
    assert len(path.read_text().splitlines()) == 14
    return path


def test_the_recorded_lines_come_out_again(
    recording: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Standard output and ``--jsonl`` of ``--from`` are the recording, byte for byte."""
    copy = tmp_path / "copy.jsonl"
    arguments = ["replay", "--from", str(recording), "--speed", "max", "--jsonl", str(copy)]
    assert main(arguments) == 0
    said = capfdbinary.readouterr()
    assert said.out == recording.read_bytes() == copy.read_bytes()
    assert said.err == b""


def test_no_model_and_no_audio_are_needed(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither a model is loaded nor a sound file opened."""
    monkeypatch.setattr(models, "load_model", None)
    monkeypatch.setattr(soundfile, "SoundFile", None)
    assert main(["replay", "--from", str(recording), "--speed", "max"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 14


def test_a_stretch_of_a_recording(recording: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """``--start-at`` and ``--duration`` choose the lines between; the end says so."""
    arguments = ["--start-at", "2.1", "--duration", "2", "--speed", "max"]
    assert main(["replay", "--from", str(recording), *arguments]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["t"] for line in lines[1:-1]] == [2.5, 3.0, 3.5, 4.0]
    assert lines[-1] | {"frames": 0} == {
        "type": "end",
        "t": 4.0,
        "estimates": 4,
        "frames": 0,
        "gaps": 0,
        "lost_samples": 0,
        "real_time_factor": None,
    }


def test_a_start_behind_its_end_is_said(recording: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is shown, and that is told: exit code 1, and an end that counts nothing."""
    assert main(["replay", "--from", str(recording), "--start-at", "99", "--speed", "max"]) == 1
    said = capfd.readouterr()
    end = json.loads(said.out.splitlines()[-1])
    assert (end["estimates"], end["frames"]) == (0, 0)
    assert f"{recording.name} holds nothing later than 99 s" in said.err


def test_osc_and_prefix_on_the_command_line(recording: Path) -> None:
    """``--osc`` and ``--osc-prefix`` send the estimates of a recording to a lamp."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lamp:
        lamp.bind(("127.0.0.1", 0))
        lamp.settimeout(10)
        osc = ["--osc", f"127.0.0.1:{lamp.getsockname()[1]}", "--osc-prefix", "/left/"]
        assert main(["replay", "--from", str(recording), "--speed", "max", *osc]) == 0
        assert lamp.recv(4096).startswith((b"/left/valence\0", b"/left/level_db\0"))


def test_a_sink_of_another_package(
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A package's sink is named in ``--help``, gets the events, and may break without harm.

    What it prints does not come between the lines.
    """
    (tmp_path / "counting_for_tests.py").write_text(
        "import pathlib\n"
        "class Counting:\n"
        "    def __init__(self, argument): self.path, self.kinds = argument, []\n"
        "    def write(self, event):\n"
        "        self.kinds.append(type(event).__name__)\n"
        "        print('between the lines')\n"
        "        if self.path is None: raise ValueError('no path')\n"
        "    def close(self):\n"
        "        if self.path: pathlib.Path(self.path).write_text(' '.join(self.kinds))\n"
    )
    metadata = tmp_path / "counting-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[streamer.sinks]\ncounting = counting_for_tests:Counting\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    assert main(["replay", "--help"]) == 0
    assert "[installed: counting]" in " ".join(capfd.readouterr().out.split())
    assert "counting_for_tests" not in sys.modules

    counted = tmp_path / "counted"
    play = ["replay", "--from", str(recording), "--speed", "max", "--sink"]
    assert main([*play, f"counting:{counted}"]) == 0
    assert counted.read_text().split() == ["Start", *["Estimate"] * 12, "End"]

    capfd.readouterr()
    assert main([*play, "counting"]) == 1
    said = capfd.readouterr()
    assert [json.loads(line)["type"] for line in said.out.splitlines()] == [
        "start", *["emotion"] * 12, "end",
    ]  # fmt: skip
    assert said.err.splitlines() == [
        "between the lines",
        "streamer: the sink 'counting' of the package counting failed: ValueError: no path; "
        "tracking goes on without it",
    ]

    assert main([*play, "countin"]) == 2
    assert "there is no sink 'countin': choose from counting" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["song.wav"], "either the sound file song.wav or a recorded session, not both"),
        (["--model", "m"], "--model was settled when the session was recorded: leave it out"),
        (["--interval", "1"], "--interval was settled"),
        (["--rate", "8000"], "--rate was settled"),
        (["--osc", "here:there"], "'here:there' is not HOST:PORT"),
        (["--osc-prefix", "emotion"], "'emotion' cannot begin an OSC address"),
        (["--jsonl", "{recording}"], "is the file to be read: name another output"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    recording: Path, arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and a sentence; nothing on standard output, the recording untouched."""
    before = recording.read_bytes()
    filled = [argument.format(recording=recording) for argument in arguments]
    assert main(["replay", "--from", str(recording), *filled]) == 2
    heard = capfd.readouterr()
    assert said in " ".join(heard.err.split())
    assert heard.out == ""
    assert recording.read_bytes() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_can_be_stopped(recording: Path, number: int, code: int) -> None:
    """Ctrl-C and SIGTERM end it in the middle of a wait: an ``end`` line, the usual exit code."""
    command = [sys.executable, "-m", "streamer", "replay", "--from", str(recording)]
    slow = [*command, "--speed", "0.01"]
    with subprocess.Popen(slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith(b'{"type":"start"')
        run.send_signal(number)
        rest, error = run.communicate()
    assert (run.returncode, error) == (code, b"")
    assert json.loads(rest) == {
        "type": "end",
        "t": 0.0,
        "estimates": 0,
        "frames": 0,
        "gaps": 0,
        "lost_samples": 0,
        "real_time_factor": None,
    }


def test_a_reader_that_goes_away_ends_it(recording: Path) -> None:
    """Exit code 0 and silence, as for a session that listens."""
    command = [sys.executable, "-m", "streamer", "replay", "--from", str(recording)]
    with subprocess.Popen(
        [*command, "--speed", "20"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr is not None
        assert run.stderr.read() == b""
    assert run.returncode == 0


def test_replay_of_nothing_says_what_to_name(capfd: pytest.CaptureFixture[str]) -> None:
    """Without FILE and without ``--from`` both are offered."""
    assert main(["replay"]) == 2
    assert "name a sound FILE, `-`, or a recorded session" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("", "is empty"),
        ("no json\n", "line 1"),
        ('{"type":"start","schema":99}\n', "schema 99, while this version reads 1"),
    ],
)
def test_what_is_no_recording_is_one_sentence(
    tmp_path: Path, text: str | None, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A missing file, something else, another schema: exit code 1 and one line."""
    path = tmp_path / "session.jsonl"
    if text is not None:
        path.write_text(text)
    assert main(["replay", "--from", str(path), "--speed", "max"]) == 1
    error = capfd.readouterr().err
    assert error.startswith("streamer: ")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9001", ("127.0.0.1", 9001)),
        ("lamp.local", ("lamp.local", 9000)),
        ("9002", ("127.0.0.1", 9002)),
        (":9002", ("127.0.0.1", 9002)),
        ("[::1]:9003", ("::1", 9003)),
        ("::1", ("::1", 9000)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    """Host and port, a host alone, a port alone, IPv6 with and without brackets."""
    from streamer.cli.options import Address

    assert Address(9000).convert(text, None, None) == address
