"""OSC over a real UDP socket, read by python-osc's own parser."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_message import OscMessage
from receivers import demand, free_port, wait_for
from scripted_session import estimate, noise

from streamer.circumplex import colour
from streamer.errors import OutputError
from streamer.events import End, Estimate, Gap, Notice
from streamer.sinks import osc
from streamer.sinks.osc import Osc, is_address, messages

SPOKEN = Estimate(
    t=1.5,
    valence=0.25,
    arousal=-0.5,
    valence_sd=0.125,
    arousal_sd=0.0625,
    quadrant="calm",
    quadrant_p={"happy": 0.1, "tense": 0.1, "sad": 0.2, "calm": 0.6},
    mood="serene",
    level_db=-18.5,
    silent=False,
)
#: An estimate's messages while music is judged.
MESSAGES = 14
SILENT = Estimate(2.0, None, None, None, None, None, None, None, -120.0, True)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A lamp: a UDP socket on this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lamp:
        lamp.bind(("127.0.0.1", 0))
        lamp.settimeout(10)
        yield lamp


def heard(lamp: socket.socket, messages: int) -> list[tuple[object, ...]]:
    """Address, the OSC type tags on the wire, and values, of so many messages."""
    found = []
    for _ in range(messages):
        datagram = lamp.recv(4096)
        message = OscMessage(datagram)
        tags = datagram[datagram.index(b",") + 1 :].partition(b"\0")[0].decode()
        found.append((message.address, tags, *message.params))
    return found


def test_an_estimate_is_plain_messages(listener: socket.socket) -> None:
    """Floats, strings and an integer under the prefix, each with its type tag."""
    sink = Osc("127.0.0.1", listener.getsockname()[1])
    sink.write(SPOKEN)
    tint = colour(0.25, -0.5)
    assert heard(listener, MESSAGES) == [
        ("/emotion/valence", "f", 0.25),
        ("/emotion/arousal", "f", -0.5),
        ("/emotion/valence_sd", "f", 0.125),
        ("/emotion/arousal_sd", "f", 0.0625),
        ("/emotion/quadrant", "s", "calm"),
        ("/emotion/mood", "s", "serene"),
        ("/emotion/happy", "f", pytest.approx(0.1)),
        ("/emotion/tense", "f", pytest.approx(0.1)),
        ("/emotion/sad", "f", pytest.approx(0.2)),
        ("/emotion/calm", "f", pytest.approx(0.6)),
        ("/emotion/colour", "fff", *(pytest.approx(part) for part in tint)),
        ("/emotion/level_db", "f", -18.5),
        ("/emotion/sound", "s", "music"),
        ("/emotion/silent", "i", 0),
    ]
    sink.close()
    sink.close()


def test_silence_sends_level_and_silence_alone(listener: socket.socket) -> None:
    """While silent nothing judges the music: three messages; none for gaps, notices and ends."""
    sink = Osc("localhost", listener.getsockname()[1], "/stage/left")
    sink.write(Gap(0.0, 1.0, 44100, False, "overflow"))
    sink.write(Notice(0.0, "a word"))
    sink.write(SILENT)
    sink.write(End(2.0, 1, 1, 0, 0, None))
    sink.write(SPOKEN)
    sink.close()
    received = heard(listener, 4)
    assert received[:3] == [
        ("/stage/left/level_db", "f", -120.0),
        ("/stage/left/sound", "s", "silence"),
        ("/stage/left/silent", "i", 1),
    ]
    assert received[3] == ("/stage/left/valence", "f", 0.25)


def test_no_music_is_told(listener: socket.socket) -> None:
    """While what is heard is no music: the level, how sure that is, and the word for it."""
    sink = Osc("127.0.0.1", listener.getsockname()[1])
    sink.write(noise(1.0, 0.25))
    sink.close()
    assert heard(listener, 4) == [
        ("/emotion/level_db", "f", -30.0),
        ("/emotion/music", "f", 0.25),
        ("/emotion/sound", "s", "no music"),
        ("/emotion/silent", "i", 0),
    ]


def test_a_dispatcher_gets_the_values(listener: socket.socket) -> None:
    """What a light artist writes, ``dispatcher.map("/emotion/*", ...)``, is called with values."""
    got: dict[str, object] = {}
    dispatcher = Dispatcher()
    dispatcher.map("/emotion/*", lambda address, *values: got.update({address: values}))
    sink = Osc("127.0.0.1", listener.getsockname()[1])
    sink.write(SPOKEN)
    sink.close()
    for _ in range(MESSAGES):
        dispatcher.call_handlers_for_packet(listener.recv(4096), ("127.0.0.1", 1))
    assert got["/emotion/mood"] == ("serene",)
    assert got["/emotion/arousal"] == (-0.5,)
    assert len(got) == MESSAGES


def test_nobody_listening_does_no_harm() -> None:
    """Messages to a port where nobody listens are forgotten; who comes later gets the next."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    sink = Osc("127.0.0.1", port)
    for _ in range(20):
        sink.write(SPOKEN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.bind(("127.0.0.1", port))
        late.settimeout(10)
        sink.write(SPOKEN)
        assert late.recv(4096).startswith(b"/emotion/")
    sink.close()


class Failing:
    """A socket that raises what it was given; nothing where that is None."""

    error: OSError | None = None
    sent = 0

    def sendto(self, datagram: bytes, address: object) -> None:
        if self.error is not None:
            raise self.error
        self.sent += 1


def test_a_network_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told once when it is gone and once when it is back; a refusal and a full buffer are not."""
    told: list[str] = []
    sink = Osc("127.0.0.1", 9, tell=told.append)
    sink.close()
    network = Failing()
    monkeypatch.setattr(sink, "_socket", network)
    for harmless in (ConnectionRefusedError(111, "refused"), BlockingIOError(11, "full")):
        network.error = harmless
        sink.write(SPOKEN)
    assert told == []
    network.error = OSError(101, "Network is unreachable")
    for _ in range(5):
        sink.write(SPOKEN)
    assert sink.contact.is_lost
    assert told == [
        "OSC to 127.0.0.1:9 is cut off (Network is unreachable): it is tried again until it works"
    ]
    network.error = None
    sink.write(SPOKEN)
    assert told[1:] == ["OSC to 127.0.0.1:9 works again"]
    assert network.sent == MESSAGES
    assert not sink.contact.is_lost


def test_a_name_server_that_is_away_is_asked_again(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lamp's name may not be known yet where a computer has just been started."""
    ask = socket.getaddrinfo
    answers = iter([socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")] * 2)

    def hesitating(*asked: Any, **options: Any) -> Any:
        if (failure := next(answers, None)) is not None:
            raise failure
        return ask("127.0.0.1", *asked[1:], **options)

    monkeypatch.setattr(osc, "_RETRY_S", 0.01)
    monkeypatch.setattr(socket, "getaddrinfo", hesitating)
    told: list[str] = []
    sink = Osc("lamp.home", listener.getsockname()[1], tell=told.append)
    assert "Temporary failure in name resolution" in told[0]

    def arrived() -> bool:
        sink.write(SPOKEN)
        return len(told) == 2

    wait_for(arrived, "the name to be known")
    assert heard(listener, 1) == [("/emotion/valence", "f", 0.25)]
    sink.close()


def test_everything_in_zero_to_one(listener: socket.socket) -> None:
    """For faders: axes, deviations and the level are brought to 0 to 1; what is there stays."""
    sink = Osc("127.0.0.1", listener.getsockname()[1], span="0..1")
    sink.write(SPOKEN)
    sink.close()
    numbers = {
        address.removeprefix("/emotion/"): values
        for address, tags, *values in heard(listener, MESSAGES)
        if set(tags) == {"f"}
    }
    assert {name: values for name, values in numbers.items() if name != "colour"} == {
        "valence": [0.625],
        "arousal": [0.25],
        "valence_sd": [0.0625],
        "arousal_sd": [0.03125],
        "happy": [pytest.approx(0.1)],
        "tense": [pytest.approx(0.1)],
        "sad": [pytest.approx(0.2)],
        "calm": [pytest.approx(0.6)],
        "level": [pytest.approx(56.5 / 75)],
    }
    assert numbers["colour"] == pytest.approx(colour(0.25, -0.5))


@given(
    valence=st.floats(-1, 1),
    arousal=st.floats(-1, 1),
    deviation=st.floats(1e-6, 100),
    level=st.floats(-120, 60),
)
def test_no_number_leaves_zero_to_one(
    valence: float, arousal: float, deviation: float, level: float
) -> None:
    """A desk that takes no sign gets none, and no fader is pushed past its end."""
    judged = estimate(1.0, valence, arousal, (deviation, deviation), level)
    sent = [value for _, _, values in messages(judged, "0..1") for value in values]
    assert all(0 <= value <= 1 for value in sent if not isinstance(value, str))
    assert len(sent) == MESSAGES + 2


PATCH = """#N canvas 0 0 450 300 12;
#X obj 10 10 netreceive -u -b {port};
#X obj 10 40 oscparse;
#X obj 10 70 list trim;
#X obj 10 100 print heard;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 0 3 0;
"""


def test_pure_data_reads_it(tmp_path: Path) -> None:
    """A patch of four boxes in a real Pd prints every address and value."""
    demand("pd")
    port = free_port(socket.SOCK_DGRAM)
    patch = tmp_path / "listen.pd"
    patch.write_text(PATCH.format(port=port))
    program = subprocess.Popen(
        ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", str(patch)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(iter(program.stderr.readline, "")))  # type: ignore[union-attr]
    reader.start()
    red, green, blue = (f"{part:.6g}" for part in colour(0.25, -0.5))
    spoken = {
        "emotion valence 0.625",
        "emotion arousal 0.25",
        "emotion mood serene",
        "emotion sad 0.2",
        f"emotion colour {red} {green} {blue}",
        "emotion sound music",
    }
    sink = Osc("127.0.0.1", port, span="0..1")
    try:

        def heard_all() -> bool:
            # Pd may begin to listen in the middle of one: then all of the next one comes.
            sink.write(SPOKEN)
            return spoken <= {line.removeprefix("heard: ").strip() for line in list(lines)}

        wait_for(heard_all, "Pd to hear it")
    finally:
        sink.close()
        program.kill()
        program.wait()
        reader.join(10)
        program.stderr.close()


def test_a_host_without_an_address_is_one_sentence() -> None:
    """A host name that means nothing is refused before anything is heard."""
    with pytest.raises(OutputError, match="check the host's name"):
        Osc("no such host.invalid", 9000)


@pytest.mark.parametrize("prefix", ["/emotion", "/stage/left", "/a-b_c.1"])
def test_prefixes_that_can_begin_an_address(prefix: str) -> None:
    """Paths of printable ASCII without OSC's pattern characters."""
    assert is_address(prefix)


@pytest.mark.parametrize("prefix", ["", "emotion", "/", "/a b", "/a*", "/a,", "/{a}", "/ä", "//a"])
def test_prefixes_that_cannot(prefix: str) -> None:
    """No slash at the front, an empty part, or a character that OSC keeps for patterns."""
    assert not is_address(prefix)
