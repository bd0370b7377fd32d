"""OSC over a real UDP socket, read by python-osc's own parser."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_message import OscMessage

from streamer.errors import OutputError
from streamer.events import End, Estimate, Gap, Notice
from streamer.sinks.osc import Osc, is_address

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
SILENT = Estimate(2.0, None, None, None, None, None, None, None, -120.0, True)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A lamp: a UDP socket on this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lamp:
        lamp.bind(("127.0.0.1", 0))
        lamp.settimeout(10)
        yield lamp


def heard(lamp: socket.socket, messages: int) -> list[tuple[str, str, object]]:
    """Address, the OSC type tag on the wire, and value, of so many messages."""
    found = []
    for _ in range(messages):
        datagram = lamp.recv(4096)
        message = OscMessage(datagram)
        tag = datagram[datagram.index(b",") + 1 :][:1].decode()
        found.append((message.address, tag, *message.params))
    return found


def test_an_estimate_is_eight_plain_messages(listener: socket.socket) -> None:
    """Floats, strings and an integer under the prefix, each with its type tag."""
    sink = Osc("127.0.0.1", listener.getsockname()[1])
    sink.write(SPOKEN)
    assert heard(listener, 8) == [
        ("/emotion/valence", "f", 0.25),
        ("/emotion/arousal", "f", -0.5),
        ("/emotion/valence_sd", "f", 0.125),
        ("/emotion/arousal_sd", "f", 0.0625),
        ("/emotion/quadrant", "s", "calm"),
        ("/emotion/mood", "s", "serene"),
        ("/emotion/level_db", "f", -18.5),
        ("/emotion/silent", "i", 0),
    ]
    sink.close()
    sink.close()


def test_silence_sends_level_and_silence_alone(listener: socket.socket) -> None:
    """While silent nothing judges the music: two messages, and none for gaps, notices and ends."""
    sink = Osc("localhost", listener.getsockname()[1], "/stage/left")
    sink.write(Gap(0.0, 1.0, 44100, False, "overflow"))
    sink.write(Notice(0.0, "a word"))
    sink.write(SILENT)
    sink.write(End(2.0, 1, 1, 0, 0, None))
    sink.write(SPOKEN)
    sink.close()
    received = heard(listener, 3)
    assert received[:2] == [("/stage/left/level_db", "f", -120.0), ("/stage/left/silent", "i", 1)]
    assert received[2] == ("/stage/left/valence", "f", 0.25)


def test_a_dispatcher_gets_the_values(listener: socket.socket) -> None:
    """What a light artist writes, ``dispatcher.map("/emotion/*", ...)``, is called with values."""
    got: dict[str, object] = {}
    dispatcher = Dispatcher()
    dispatcher.map("/emotion/*", lambda address, *values: got.update({address: values}))
    sink = Osc("127.0.0.1", listener.getsockname()[1])
    sink.write(SPOKEN)
    sink.close()
    for _ in range(8):
        dispatcher.call_handlers_for_packet(listener.recv(4096), ("127.0.0.1", 1))
    assert got["/emotion/mood"] == ("serene",)
    assert got["/emotion/arousal"] == (-0.5,)
    assert len(got) == 8


def test_nobody_listening_does_no_harm() -> None:
    """Messages to a port where nobody listens are sent and forgotten."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    sink = Osc("127.0.0.1", port)
    for _ in range(20):
        sink.write(SPOKEN)
    sink.close()


def test_only_a_refusal_is_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused message does no harm; any other failure of the network is told."""

    class Failing:
        def __init__(self, error: OSError) -> None:
            self.error = error

        def sendto(self, datagram: bytes, address: object) -> None:
            raise self.error

    sink = Osc("127.0.0.1", 9)
    sink.close()
    monkeypatch.setattr(sink, "_socket", Failing(ConnectionRefusedError(111, "refused")))
    sink.write(SPOKEN)
    monkeypatch.setattr(sink, "_socket", Failing(OSError(101, "Network is unreachable")))
    with pytest.raises(OutputError, match=r"127\.0\.0\.1:9: Network is unreachable"):
        sink.write(SPOKEN)


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
