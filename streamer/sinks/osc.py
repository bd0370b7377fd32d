"""Open Sound Control: each value of an estimate as one plain message over UDP.

For lamps, projections and instruments: ``/emotion/valence f`` and its like reach any program that
speaks OSC (specification 1.0, opensoundcontrol.org). Nobody has to listen.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading

from streamer.circumplex import colour
from streamer.errors import MissingExtraError, OutputError
from streamer.events import QUADRANTS, Estimate, Event
from streamer.sinks.contact import LOG, Contact, Tell

PREFIX = "/emotion"
PORT = 9000
#: What a receiver takes: values as they are, or everything in 0 to 1, as faders do.
RANGES = ("-1..1", "0..1")
_PATH = re.compile(r"(/[^\s#*,/?\[\]{}]+)+")
#: Levels in dB that are 0 and 1 of the range 0..1: the floor of silence, and full scale.
_QUIET_DB, _FULL_DB = -75.0, 0.0
#: Seconds between two questions to a name server that does not answer.
_RETRY_S = 5.0
#: What ICMP told of an earlier message (nobody listens there, yet), and a full buffer: no reason to
#: think that the network is away.
_HARMLESS = (ConnectionRefusedError, ConnectionResetError, BlockingIOError)

Value = float | int | str


def is_address(prefix: str) -> bool:
    """Whether ``prefix`` can begin an OSC address: ``/word``, or several of them.

    >>> is_address("/stage/left"), is_address("stage"), is_address("/*")
    (True, False, False)
    """
    return prefix.isascii() and _PATH.fullmatch(prefix) is not None


def messages(estimate: Estimate, span: str = RANGES[0]) -> list[tuple[str, str, tuple[Value, ...]]]:
    """Name, OSC types and values of each message of an estimate, ``silent`` last.

    ``span``: one of :data:`RANGES`; in "0..1" axes, deviations and the level are brought there too.
    """
    unipolar = span == RANGES[1]
    found: list[tuple[str, str, tuple[Value, ...]]] = []
    valence, arousal = estimate.valence, estimate.arousal
    if valence is not None and arousal is not None:
        axes = {"valence": valence, "arousal": arousal}
        deviations = {
            "valence_sd": estimate.valence_sd or 0.0,
            "arousal_sd": estimate.arousal_sd or 0.0,
        }
        if unipolar:
            axes = {name: (value + 1) / 2 for name, value in axes.items()}
            deviations = {name: min(1.0, value / 2) for name, value in deviations.items()}
        found += [(name, "f", (value,)) for name, value in (axes | deviations).items()]
        found.append(("quadrant", "s", (str(estimate.quadrant),)))
        found.append(("mood", "s", (str(estimate.mood),)))
        chances = estimate.quadrant_p or {}
        found += [(name, "f", (float(chances.get(name, 0.0)),)) for name in QUADRANTS]
        found.append(("colour", "fff", colour(valence, arousal)))
    if unipolar:
        level = (estimate.level_db - _QUIET_DB) / (_FULL_DB - _QUIET_DB)
        found.append(("level", "f", (min(1.0, max(0.0, level)),)))
    else:
        found.append(("level_db", "f", (estimate.level_db,)))
    if estimate.music is not None:
        found.append(("music", "f", (estimate.music,)))
    found.append(("sound", "s", (estimate.sound,)))
    return [*found, ("silent", "i", (int(estimate.silent),))]


class Osc:
    """Sends every estimate to ``host``:``port``, one message a value, addresses under ``prefix``.

    ``span``: what numbers are brought to, one of :data:`RANGES`. While nothing is judged only the
    level, ``music`` (where the model tells), ``sound`` and ``silent`` are sent. Nothing is waited
    for; where the network is away, each estimate is another attempt, and ``tell`` is told. Raises
    ``OutputError`` where the host has no address (a name server that does not answer is asked
    again), and ``MissingExtraError`` where python-osc is not installed.
    """

    def __init__(
        self,
        host: str,
        port: int = PORT,
        prefix: str = PREFIX,
        *,
        span: str = RANGES[0],
        tell: Tell = LOG,
    ) -> None:
        try:
            from pythonosc.osc_message_builder import OscMessageBuilder
        except ImportError:
            raise MissingExtraError("--osc", "python-osc", "osc") from None
        self._builder = OscMessageBuilder
        self._host, self._port, self._prefix = host, port, prefix
        self._span = span
        self.contact = Contact(f"OSC to {host}:{port}", tell)
        self._address: tuple[object, ...] = ()
        self._socket: socket.socket | None = None
        self._closed = threading.Event()
        try:
            self._open()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            if getattr(error, "errno", None) != socket.EAI_AGAIN:
                raise OutputError(
                    f"OSC cannot be sent to {host}:{port} ({reason}): check the host's name"
                ) from None
            # No network yet, or no name server: asking may take long, so a thread does it.
            self.contact.lost(str(reason))
            threading.Thread(target=self._ask_again, name="osc-name", daemon=True).start()

    def write(self, event: Event) -> None:
        """Send an estimate; other events have no OSC form."""
        if not isinstance(event, Estimate) or self._socket is None:
            return
        try:
            for name, kinds, values in messages(event, self._span):
                message = self._builder(f"{self._prefix}/{name}")
                for kind, value in zip(kinds, values, strict=True):
                    message.add_arg(value, kind)
                self._send(self._socket, message.build().dgram)
        except OSError as error:
            self.contact.lost(error.strerror or str(error))
        else:
            self.contact.works()

    def close(self) -> None:
        """Close the socket."""
        self._closed.set()
        if self._socket is not None:
            self._socket.close()

    def _send(self, opened: socket.socket, datagram: bytes) -> None:
        with contextlib.suppress(*_HARMLESS):
            opened.sendto(datagram, self._address)

    def _open(self) -> None:
        # Resolved once: python-osc's own client would ask the name server for every message.
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        # Most programs that speak OSC listen on IPv4 alone: "localhost" must find them.
        found.sort(key=lambda entry: entry[0] != socket.AF_INET)
        family, kind, protocol, _, self._address = found[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        opened.setblocking(False)
        self._socket = opened

    def _ask_again(self) -> None:
        while self._socket is None and not self._closed.wait(_RETRY_S):
            try:
                self._open()
            except OSError:
                continue
