"""Lab Streaming Layer, read back by its own library: times, values, description."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from scripted_session import estimate, silence, start

from streamer.events import End, Estimate, Gap, Notice
from streamer.sinks.lsl import CHANNELS, Lsl

pylsl = pytest.importorskip("pylsl", reason="extra 'lsl'")


@pytest.fixture
def name() -> str:
    """A stream of this test alone: other machines may run it too."""
    return f"moods-{uuid.uuid4()}"


@pytest.fixture
def outlet(name: str) -> Iterator[Lsl]:
    sink = Lsl(name)
    sink.write(start())
    try:
        yield sink
    finally:
        sink.close()
        sink.close()


def inlet(name: str) -> pylsl.StreamInlet:
    (found,) = pylsl.resolve_byprop("name", name, timeout=20)
    opened = pylsl.StreamInlet(found, recover=False)
    opened.open_stream(timeout=20)
    return opened


def test_two_rooms_are_told_apart(name: str) -> None:
    """Streams of one name and other sources have other ids; a session begun again has its own."""
    ids = []
    for source in ("left.flac", "right.flac", "right.flac"):
        sink = Lsl(name)
        sink.write(start(source))
        try:
            (found,) = pylsl.resolve_byprop("name", name, timeout=20)
            ids.append(found.source_id())
        finally:
            sink.close()
        deadline = time.monotonic() + 20
        while pylsl.resolve_byprop("name", name, timeout=0.5) and time.monotonic() < deadline:
            pass
    assert ids[0] != ids[1] == ids[2]
    assert all(identity.startswith(f"emotion-streamer {name} ") for identity in ids)


def test_a_laboratory_reads_what_is_judged(outlet: Lsl, name: str) -> None:
    """Values in the order of the channels; what is not judged is NaN; nothing but estimates."""
    reader = inlet(name)
    judged = dataclasses.replace(estimate(0.5, 0.25, -0.5), music=0.75)
    for event in (judged, Gap(0.6, 0.1, 1, False, "x"), Notice(0.7, "y"), silence(1.0)):
        outlet.write(event)
    outlet.write(End(1.0, 2, 2, 0, 0, None))
    values, _ = reader.pull_sample(timeout=20)
    chances = judged.quadrant_p
    assert chances is not None
    expected = [0.25, -0.5, 0.19, 0.16, *chances.values(), 0.75, -18.0, 0.0]
    assert values == pytest.approx(expected, abs=1e-6)
    quiet, _ = reader.pull_sample(timeout=20)
    assert all(math.isnan(value) for value in quiet[:9])
    assert quiet[9:] == [-120.0, 1.0]
    assert reader.pull_sample(timeout=0.0)[0] is None
    reader.close_stream()


def test_the_stream_describes_itself(outlet: Lsl, name: str) -> None:
    """Type, units, model and rate are in the description, as LabRecorder keeps it."""
    reader = inlet(name)
    about = reader.info(timeout=20)
    assert about.type() == "Emotion"
    assert about.channel_count() == len(CHANNELS)
    assert about.nominal_srate() == pylsl.IRREGULAR_RATE
    description = about.desc()
    assert description.child_value("model") == "deam-hybrid-1"
    assert description.child_value("rate_hz") == "2.0"
    assert description.child_value("source") == "file: Gymnopédie No. 1.flac"
    channel = description.child("channels").first_child()
    found = []
    while not channel.empty():
        found.append((channel.child_value("label"), channel.child_value("unit")))
        channel = channel.next_sibling()
    assert found == [(label, unit) for label, unit, _ in CHANNELS]
    reader.close_stream()


#: Prints the time of each sample, brought to the clock of this machine.
READER = """
import sys, pylsl
found, = pylsl.resolve_byprop("name", sys.argv[1], timeout=20)
reader = pylsl.StreamInlet(found, recover=False)
reader.open_stream(timeout=20)
print("open", flush=True)
while True:
    _, stamp = reader.pull_sample(timeout=20)
    print(stamp + reader.time_correction(timeout=20), flush=True)
"""


@pytest.fixture
def read(outlet: Lsl, name: str) -> Iterator[Callable[[Estimate], float]]:
    """Writes an estimate, and gives its time as another process reads it."""
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, name],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert reader.stdout is not None
    said = reader.stdout

    def write(event: Estimate) -> float:
        outlet.write(event)
        return float(said.readline())

    try:
        assert said.readline() == "open\n"
        yield write
    finally:
        reader.kill()
        reader.communicate()


def test_a_file_has_the_times_of_its_writing(read: Callable[[Estimate], float]) -> None:
    """Another process reads each sample with a time of the moment at which it was written."""
    for step in range(5):
        begun = pylsl.local_clock()
        stamp = read(estimate(step))
        assert begun - 0.005 < stamp < pylsl.local_clock() + 0.005


def test_live_samples_have_the_times_of_their_capture(read: Callable[[Estimate], float]) -> None:
    """Read by another process and brought to its clock, a time is off by less than 5 ms."""
    for step in range(5):
        captured = pylsl.local_clock() - 1.25
        moment = datetime.now(UTC) - timedelta(seconds=pylsl.local_clock() - captured)
        written = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        stamp = read(dataclasses.replace(estimate(step), captured=written))
        assert stamp == pytest.approx(captured, abs=0.005)


def test_nobody_listening_costs_nothing(outlet: Lsl) -> None:
    """A thousand estimates that nobody reads are written at once."""
    begun = time.monotonic()
    for step in range(1000):
        outlet.write(estimate(step))
    assert time.monotonic() - begun < 10


def test_the_terminal_is_left_alone(name: str) -> None:
    """Liblsl says nothing on standard error while all is well."""
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from scripted_session import start, estimate\n"
        "from streamer.sinks.lsl import Lsl\n"
        "sink = Lsl(sys.argv[1]); sink.write(start()); sink.write(estimate(1.0)); sink.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, name, *sys.path], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
