"""``streamer live`` on a real sound server: what a listener gets, and what faults do to it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import soundfile
from live_server import Server, demand, wait_for

from streamer import load_model
from streamer.bench import live as bench

pytestmark = pytest.mark.live

Line = dict[str, Any]
RATE = 44_100
#: What the null sink and the sound server may shift: their own buffers.
SLACK = 0.1


@pytest.fixture
def song(tmp_path: Path, clip: Path) -> Path:
    """Twenty seconds of the example clip, across two moods, after a second of silence."""
    samples, rate = soundfile.read(clip, frames=20 * RATE, dtype="float32", always_2d=True)
    assert rate == RATE
    path = tmp_path / "song.wav"
    silence = np.zeros((RATE, samples.shape[1]), np.float32)
    soundfile.write(path, np.concatenate([silence, samples]), rate)
    return path


def read_lines(stream: IO[str] | None) -> list[Line]:
    """The rest of the JSON lines."""
    assert stream is not None
    return [json.loads(line) for line in stream]


def lines_until(stream: IO[str] | None, seconds: float) -> list[Line]:
    """JSON lines up to the first that is not before ``seconds`` of stream time."""
    assert stream is not None
    found = []
    for line in stream:
        found.append(json.loads(line))
        if found[-1].get("t", 0.0) >= seconds:
            break
    return found


def lines_until_heard(stream: IO[str] | None) -> list[Line]:
    """JSON lines up to the next estimate that is not silent, within a minute of sound."""
    assert stream is not None
    found: list[Line] = []
    for line in stream:
        found.append(json.loads(line))
        if found[-1].get("silent") is False:
            break
        assert found[-1].get("t", 0.0) - found[0].get("t", 0.0) < 60.0, "nothing is heard"
    return found


def of_type(lines: list[Line], kind: str) -> list[Line]:
    """The lines of one type."""
    return [line for line in lines if line["type"] == kind]


def loudest_shift(one: np.ndarray, two: np.ndarray) -> int:
    """By how many samples ``two`` is later than ``one``."""
    size = 1 << (len(one) + len(two)).bit_length()
    both = np.fft.irfft(np.conj(np.fft.rfft(one, size)) * np.fft.rfft(two, size), size)
    shift = int(np.argmax(both))
    return shift if shift < size // 2 else shift - size


def test_live_agrees_with_replay(
    server: Server, song: Path, model_directory: Path, tmp_path: Path
) -> None:
    """A file played into the sink is judged as ``replay`` judges it, every frame of it."""
    heard = tmp_path / "heard.wav"
    model = ["--model", str(model_directory), "--interval", "0", "--no-dashboard"]
    live = server.streamer("live", "--device", "monitor", "--wav", str(heard), *model)
    began = lines_until(live.stdout, 1.0)
    player = server.play(song)
    began += lines_until(live.stdout, 24.0)
    assert player.wait(60) == 0
    live.send_signal(signal.SIGINT)
    lines = began + read_lines(live.stdout)
    assert live.wait(30) == 130
    assert lines[0]["source"]["name"] == "music.monitor"
    assert lines[-1]["type"] == "end"
    assert of_type(lines, "gap") == []

    def replay(path: Path) -> list[Line]:
        program = server.streamer("replay", str(path), "--speed", "max", *model)
        return of_type(read_lines(program.stdout), "emotion")

    played, _ = soundfile.read(song, dtype="float32", always_2d=True)
    recorded, rate = soundfile.read(heard, dtype="float32")
    assert rate == RATE
    shift = loudest_shift(played.mean(axis=1), recorded)
    assert shift > 0
    # Aligned in time: the song, as much later as it was played after the listening began.
    aligned = tmp_path / "aligned.wav"
    silence = np.zeros((shift, played.shape[1]), np.float32)
    soundfile.write(aligned, np.concatenate([silence, played]), RATE, subtype="FLOAT")

    estimates = of_type(lines, "emotion")
    recorded_estimates = replay(heard)
    assert len(estimates) > 700
    for one, two in zip(estimates, recorded_estimates, strict=False):
        assert (one["t"], one["silent"], one["quadrant"]) == (
            two["t"],
            two["silent"],
            two["quadrant"],
        )
        for number in ("valence", "arousal", "valence_sd", "arousal_sd", "level_db"):
            assert one[number] == (two[number] and pytest.approx(two[number], abs=1e-5))

    begin, end = shift / RATE + 1.0, shift / RATE + 21.0

    def arousal(found: list[Line]) -> dict[float, float]:
        return {line["t"]: line["arousal"] for line in found if not line["silent"]}

    one, two = arousal(estimates), arousal(replay(aligned))
    common = [t for t in one if t in two and begin < t < end]
    assert len(common) > 0.95 * 20.0 / 0.025
    curves = np.array([[one[t] for t in common], [two[t] for t in common]])
    assert np.std(curves, axis=1).min() > 1e-3
    assert np.corrcoef(curves)[0, 1] > 0.95


def test_the_latency_is_known_and_short(server: Server, song: Path, model_directory: Path) -> None:
    """At the default settings: the median within 80 ms of the device's block, and by a clock."""
    live = server.streamer(
        "live",
        "--device",
        "monitor",
        "--duration",
        "12",
        "--model",
        str(model_directory),
        "--no-dashboard",
    )
    server.play(song)
    lines = read_lines(live.stdout)
    assert live.wait(30) == 0
    latency = lines[-1]["latency"]
    assert latency["count"] == lines[-1]["estimates"] == 24
    assert latency["clock"]
    assert 0 < latency["median_s"] < 0.02 + 0.08
    # Stream time and capture time go on together: the same sound card's clock is behind both.
    moments = [
        (line["t"], datetime.fromisoformat(line["captured"]).timestamp())
        for line in of_type(lines, "emotion")
    ]
    shifts = [captured - t for t, captured in moments[4:]]
    assert max(shifts) - min(shifts) < 0.005
    assert lines[-1]["t"] == pytest.approx(12.0, abs=0.05)


def test_the_server_dies_and_returns(
    server: Server, song: Path, model_directory: Path, tmp_path: Path
) -> None:
    """The program survives; one notice, one gap of the time without sound, then estimates again."""
    live = server.streamer(
        "live",
        "--device",
        "monitor",
        "--duration",
        "14",
        "--model",
        str(model_directory),
        "--no-dashboard",
    )
    server.play(song)
    lines = lines_until(live.stdout, 3.0)
    began = time.monotonic() - lines[-1]["t"]
    server.stop()
    died = time.monotonic() - began
    time.sleep(2.0)
    server.start()
    server.play(song)
    lines += read_lines(live.stdout)
    ended = time.monotonic() - began
    assert live.wait(30) == 0
    (gap,) = of_type(lines, "gap")
    assert gap["cause"] == "device lost"
    assert gap["estimated"] is True
    assert gap["t"] == pytest.approx(died, abs=0.3)
    assert 2.0 < gap["seconds"] < 8.0
    assert lines[-1]["t"] == pytest.approx(14.0, abs=0.05)
    assert ended == pytest.approx(14.0, abs=0.5), "stream time and the clock have parted"
    after = [line for line in of_type(lines, "emotion") if line["t"] > gap["t"] + gap["seconds"]]
    assert len(after) >= 4
    assert any(not line["silent"] for line in after)
    assert live.stderr is not None
    assert live.stderr.read().count("stopped delivering sound") == 1


def test_a_server_that_hangs(server: Server, model_directory: Path) -> None:
    """A server that is there but does not answer hangs PortAudio, and not the program."""
    live = server.streamer(
        "live",
        "--device",
        "monitor",
        "--model",
        str(model_directory),
        "--no-dashboard",
    )
    lines_until(live.stdout, 2.0)
    server.signal(signal.SIGSTOP)
    time.sleep(3.0)
    server.signal(signal.SIGCONT)
    lines = lines_until(live.stdout, 10.0)
    live.send_signal(signal.SIGTERM)
    lines += read_lines(live.stdout)
    assert live.wait(10) == 143
    assert lines[-1]["type"] == "end"
    assert [gap["cause"] for gap in of_type(lines, "gap")] == ["device lost"]
    assert len(of_type(lines, "emotion")) > 5


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    ("who", "seconds"), [("listener", 3.0), ("listener", 13.0), ("capture", 3.0), ("both", 3.0)]
)
def test_suspended(server: Server, model_directory: Path, who: str, seconds: float) -> None:
    """After SIGSTOP and SIGCONT, samples delivered and lost together follow the clock."""
    live = server.streamer(
        "live",
        "--device",
        "monitor",
        "--interval",
        "0",
        "--model",
        str(model_directory),
        "--no-dashboard",
    )
    assert live.stdout is not None
    lateness = []

    def note(lines: list[Line]) -> None:
        lateness.append(time.monotonic() - lines[-1]["t"])

    for moment in np.arange(2.0, 4.0, 0.1):
        note(lines := lines_until(live.stdout, float(moment)))
    before = min(lateness)
    (capture,) = children(live.pid)
    stopped = {"listener": [live.pid], "capture": [capture], "both": [live.pid, capture]}[who]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    lines = lines_until(live.stdout, lines[-1]["t"] + seconds + 2.0)
    lateness.clear()
    for moment in lines[-1]["t"] + np.arange(0.1, 2.0, 0.1):
        step = lines_until(live.stdout, float(moment))
        note(step)
        lines += step
    after = min(lateness)
    live.send_signal(signal.SIGINT)
    lines += read_lines(live.stdout)
    assert live.wait(10) == 130
    # Each is known to within a block and a frame, and the server may hold back more than before.
    assert after - before == pytest.approx(0.0, abs=0.1), "the clock was left behind, or ahead"
    gaps = of_type(lines, "gap")
    if who == "listener":
        # The capture went on: the ring holds ten seconds, the pipe most of one more, and what the
        # ring had to refuse is counted.
        assert {gap["cause"] for gap in gaps} == ({"ring overrun"} if seconds > 11 else set())
        assert not any(gap["estimated"] for gap in gaps)
        lost = sum(gap["seconds"] for gap in gaps)
        assert lost == pytest.approx(max(0.0, seconds - 10.7), abs=1.0)


def test_the_recording_survives_a_kill(
    server: Server, song: Path, model_directory: Path, tmp_path: Path
) -> None:
    """What ``--wav`` was writing when the program was killed can be read to within a second."""
    heard = tmp_path / "heard.wav"
    live = server.streamer(
        "live",
        "--device",
        "monitor",
        "--wav",
        str(heard),
        "--model",
        str(model_directory),
        "--no-dashboard",
    )
    server.play(song)
    t = lines_until(live.stdout, 5.0)[-1]["t"]
    (capture,) = children(live.pid)
    live.kill()
    live.wait()
    samples, rate = soundfile.read(heard)
    assert len(samples) / rate > t - 1.1
    assert np.abs(samples).max() > 0.01
    wait_for(lambda: not Path(f"/proc/{capture}").exists(), "the capturing process to end")


def test_wrong_devices(server: Server, model_directory: Path) -> None:
    """A device that is not there and a rate that cannot be are one sentence and exit code 1."""
    for arguments, says in (
        (["--device", "tuba"], "no input's name contains 'tuba'; there are: "),
        (["--device", "99"], "no input has the index 99"),
        (["--device", "monitor", "--rate", "900000"], "cannot be opened at 900000 Hz"),
    ):
        live = server.streamer(
            "live",
            *arguments,
            "--model",
            str(model_directory),
        )
        out, error = live.communicate(timeout=60)
        assert live.returncode == 1
        assert out == ""
        assert error.startswith("streamer: ")
        assert error.count("\n") == 1
        assert says in error


def test_the_devices_are_listed(server: Server) -> None:
    """The default is marked, and the monitor that PortAudio cannot name is there, marked too."""
    devices = server.streamer("devices")
    out, _ = devices.communicate(timeout=60)
    assert devices.returncode == 0
    lines = out.splitlines()
    assert any(line.startswith("*") and "default" in line for line in lines)
    (monitor,) = [line for line in lines if "music.monitor" in line]
    assert monitor.split()[0] == "-"
    assert monitor.endswith("loopback")


def test_zeros_are_warned_of(server: Server, model_directory: Path) -> None:
    """Nothing playing: a notice after five seconds, no estimates, no gap."""
    live = server.streamer(
        "live",
        "--device",
        "monitor",
        "--duration",
        "7",
        "--model",
        str(model_directory),
        "--no-dashboard",
    )
    lines = read_lines(live.stdout)
    assert live.wait(30) == 0
    assert live.stderr is not None
    (notice,) = live.stderr.read().splitlines()
    assert notice.startswith("streamer: nothing but zeros from music.monitor for 5 s")
    estimates = of_type(lines, "emotion")
    assert len(estimates) == 14
    assert all(line["silent"] and line["valence"] is None for line in estimates)
    assert of_type(lines, "gap") == []
    assert all(
        two["t"] - one["t"] == pytest.approx(0.5, abs=0.03)
        for one, two in itertools.pairwise(estimates)
    )


def test_monitor_follows_the_default_output(
    server: Server, song: Path, model_directory: Path
) -> None:
    """Headphones become the default while music plays: they are heard, and a gap tells the move."""
    options = ["--model", str(model_directory), "--no-dashboard", "--interval", "0.25"]
    live = server.streamer("live", "--device", "monitor", *options)
    player = server.play(song)
    lines = lines_until_heard(live.stdout)
    headset = server.pactl("load-module", "module-null-sink", "sink_name=headset").strip()
    server.pactl("set-default-sink", "headset")
    player.kill()
    server.environment["PULSE_SINK"] = "headset"
    server.play(song)
    # What came before the change may still be on its way: a gap parts it from what comes after.
    while not of_type(lines, "gap"):
        lines += lines_until(live.stdout, lines[-1]["t"] + 0.25)
    lines += lines_until_heard(live.stdout)
    # The headphones are unplugged while they are listened to.
    server.pactl("unload-module", headset)
    server.environment["PULSE_SINK"] = "music"
    server.play(song)
    while len(of_type(lines, "gap")) < 2:
        lines += lines_until(live.stdout, lines[-1]["t"] + 0.25)
    lines += lines_until_heard(live.stdout)
    live.send_signal(signal.SIGINT)
    lines += read_lines(live.stdout)
    assert live.wait(30) == 130
    # Where the machine is busy, the old monitor's silence is noticed before the change.
    causes = {gap["cause"] for gap in of_type(lines, "gap")}
    assert causes <= {"output changed", "device lost"}
    assert live.stderr is not None
    said = live.stderr.read()
    assert "headset.monitor" in said
    assert "music.monitor" in said


@pytest.mark.parametrize(
    ("channels", "silent"),
    [([], False), (["--channels", "3,5"], False), (["--channels", "3"], True)],
)
def test_channels_without_a_place(
    server: Server,
    song: Path,
    model_directory: Path,
    tmp_path: Path,
    *,
    channels: list[str],
    silent: bool,
) -> None:
    """Of eight channels aux0 to aux7 the fifth has the sound: it is found, or picked, or not."""
    names = ",".join(f"aux{number}" for number in range(8))
    layout = ["sink_name=studio", "channels=8", f"channel_map={names}", "rate=44100"]
    server.pactl("load-module", "module-null-sink", *layout)
    samples, _ = soundfile.read(song, dtype="float32", always_2d=True)
    eight = np.zeros((len(samples), 8), "<f4")
    eight[:, 4] = samples[:, 0]
    raw = tmp_path / "eight.raw"
    raw.write_bytes(eight.tobytes())
    options = ["--model", str(model_directory), "--no-dashboard", "--duration", "60"]
    live = server.streamer("live", "--device", "studio.monitor", *channels, *options)
    lines = lines_until(live.stdout, 0.5)
    assert lines[0]["source"]["channels"] == 8
    player = server.play_raw("studio", 8, raw)
    if silent:
        assert player.wait(60) == 0
    else:
        lines += lines_until_heard(live.stdout)
    live.send_signal(signal.SIGINT)
    lines += read_lines(live.stdout)
    assert all(line["silent"] for line in of_type(lines, "emotion")) is silent
    assert live.stderr is not None
    assert ("channel 5 is heard alone" in live.stderr.read()) is (not channels)


def test_a_translated_desktop(server: Server, model_directory: Path, tmp_path: Path) -> None:
    """Where ``pactl`` speaks German, two outputs are told apart all the same."""
    locales = tmp_path / "locales"
    locales.mkdir()
    made = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(locales / "de_DE.UTF-8")]
    if shutil.which("localedef") is None or subprocess.run(made, check=False).returncode:
        pytest.skip("the German locale cannot be made: apt install locales")
    german = {"LOCPATH": str(locales), "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"}
    server.environment |= german
    server.pactl("load-module", "module-null-sink", "sink_name=other")
    server.pactl("set-default-sink", "music")
    if "Default Sink" in server.pactl("info"):
        pytest.skip("pactl has no German words here")
    live = server.streamer(
        *("live", "--device", "monitor", "--duration", "2", "--no-dashboard"),
        *("--model", str(model_directory)),
    )
    lines = read_lines(live.stdout)
    assert live.wait(30) == 0
    assert lines[0]["source"]["name"] == "music.monitor"


def test_what_a_session_costs_is_measured(model_directory: Path) -> None:
    """The bench counts each session's computing and wake-ups, its capturing process among them."""
    demand()
    model = load_model(str(model_directory))
    cost, wakes, busiest, picture = bench.sections(model, str(model_directory), 3.0, 1)
    names = [bench.FLOOR, bench.LINES, bench.DASHBOARD, bench.PAGE]
    for section in (cost, wakes, busiest):
        assert [row.name for row in section.rows] == names
        assert all(row.value for row in section.rows), section
    # Blocks of a hop of 25 ms come forty times a second; each thread is one of several.
    assert all((busiest.value(name) or 0) < (wakes.value(name) or 0) for name in names)
    assert (busiest.value(bench.FLOOR) or 0) > 20
    assert 0 < (picture.value("until it is drawn") or 0) < 30
