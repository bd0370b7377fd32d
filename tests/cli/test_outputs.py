"""The ways out on the command line: named, refused in a sentence, and told of at the end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from line_schema import valid_lines
from receivers import Mosquitto, free_port
from scripted_session import estimate, start

from streamer.cli.main import main
from streamer.events import End, to_json


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Four seconds of a recorded session."""
    path = tmp_path / "evening.jsonl"
    events = [start("song.flac"), *(estimate(k / 2) for k in range(1, 9)), End(4, 8, 80, 0, 0, 0.1)]
    path.write_text("".join(f"{to_json(event)}\n" for event in events), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", ["live", "replay"])
def test_the_help_fits_on_one_screen(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a hundred columns: at most sixty lines, the options in four groups."""
    monkeypatch.setenv("COLUMNS", "100")
    assert main([command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Sound:", "Judgement:", "Screen, lines and files:", "Other programs:"]


def test_a_page_gets_the_lines_of_standard_output(recording: Path) -> None:
    """``--serve`` says where the page is; a viewer gets the session to its end."""
    pytest.importorskip("websockets", reason="extra 'web'")
    from websockets.sync.client import connect

    port = free_port()
    program = subprocess.Popen(
        [sys.executable, "-m", "streamer", "replay", "--from", str(recording),
         "--serve", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stderr is not None
    try:
        said = program.stderr.readline()
        assert said == (
            f"streamer: the page is at http://127.0.0.1:{port}/ (add ?overlay for OBS)\n"
        )
        with connect(f"ws://127.0.0.1:{port}/lines") as viewer:
            seen = list(viewer)
        out, error = program.communicate(timeout=30)
    finally:
        program.kill()
        program.communicate()
    assert (program.returncode, error) == (0, "")
    assert [f"{line}\n" for line in seen] == out.splitlines(keepends=True)
    valid_lines(out.encode())


def test_a_broker_out_of_reach_is_one_sentence_and_a_failure(
    recording: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The session goes on to its end; the exit code says that an output was not there."""
    pytest.importorskip("paho.mqtt", reason="extra 'mqtt'")
    port = free_port()
    url = f"mqtt://ada:secret@127.0.0.1:{port}"
    assert main(["replay", "--from", str(recording), "--speed", "4", "--mqtt", url]) == 1
    out, error = capfd.readouterr()
    assert json.loads(out.splitlines()[-1])["estimates"] == 8
    assert error.splitlines() == [
        f"streamer: MQTT to 127.0.0.1:{port} is cut off (Connection refused): "
        "it is tried again until it works"
    ]


def test_a_broker_gets_the_last_values_of_a_session_at_full_speed(
    recording: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Even a session that is over in no time waits for the broker's answer, not long."""
    pytest.importorskip("paho.mqtt", reason="extra 'mqtt'")
    from paho.mqtt.subscribe import simple

    broker = Mosquitto(tmp_path)
    broker.start()
    try:
        url = f"mqtt://127.0.0.1:{broker.port}/hall"
        assert main(["replay", "--from", str(recording), "--speed", "max", "--mqtt", url]) == 0
        mood = simple("hall/mood", hostname="127.0.0.1", port=broker.port)
        status = simple("hall/status", hostname="127.0.0.1", port=broker.port)
    finally:
        broker.stop()
    assert (mood.payload, status.payload) == (b"serene", b"offline")
    assert capfd.readouterr().err == ""


def test_zero_to_one_on_the_command_line(recording: Path) -> None:
    """``--osc-range 0..1`` reaches the wire."""
    osc_message = pytest.importorskip("pythonosc.osc_message", reason="extra 'osc'")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as desk:
        desk.bind(("127.0.0.1", 0))
        desk.settimeout(20)
        osc = ["--osc", f"127.0.0.1:{desk.getsockname()[1]}", "--osc-range", "0..1"]
        assert main(["replay", "--from", str(recording), "--speed", "max", *osc]) == 0
        first = osc_message.OscMessage(desk.recv(4096))
    assert first.address == "/emotion/valence"
    assert first.params == [pytest.approx(0.65)]


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--mqtt", "http://ada:secret@home"], "the URL is not mqtt://HOST"),
        (["--mqtt", "mqtt://ada:secret@home/a/%23"], "topic that cannot be written to"),
        (["--serve", "nowhere:port"], "'nowhere:port' is not HOST:PORT"),
        (["--osc", "9" * 5000], "is not HOST:PORT"),
        (["--osc-range", "0..2"], "'0..2' is not one of"),
    ],
)
def test_wishes_that_cannot_be(
    recording: Path, option: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong address is refused before anything begins, and no password is shown."""
    assert main(["replay", "--from", str(recording), *option]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "secret" not in error


@pytest.mark.parametrize(
    ("option", "package", "extra"),
    [
        (["--serve", "8765"], "websockets", "web"),
        (["--mqtt", "mqtt://127.0.0.1"], "paho", "mqtt"),
        (["--lsl", "moods"], "pylsl", "lsl"),
        (["--osc", "127.0.0.1:9"], "pythonosc", "osc"),
    ],
)
def test_a_missing_extra_is_named(
    recording: Path, tmp_path: Path, option: list[str], package: str, extra: str
) -> None:
    """Without its library, a way out is one sentence that says what to install."""
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / f"{package}.py").write_text("raise ImportError\n")
    path = os.pathsep.join([str(tmp_path / "absent"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "streamer", "replay", "--from", str(recording), *option],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"pip install 'emotion-streamer[{extra}]'" in done.stderr
