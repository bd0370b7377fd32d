"""Open Sound Control: each value of an estimate as one plain message over UDP.

For lamps, projections and instruments: ``/emotion/valence f`` and its like reach any program that
speaks OSC (specification 1.0, opensoundcontrol.org). Nobody has to listen.
"""

from __future__ import annotations

import contextlib
import re
import socket

from streamer.errors import MissingExtraError, OutputError
from streamer.events import Estimate, Event

PREFIX = "/emotion"
PORT = 9000
_PATH = re.compile(r"(/[^\s#*,/?\[\]{}]+)+")

#: Field of the estimate and its OSC type (float, string, integer), in the order of sending.
_WHILE_JUDGED = (
    ("valence", "f"),
    ("arousal", "f"),
    ("valence_sd", "f"),
    ("arousal_sd", "f"),
    ("quadrant", "s"),
    ("mood", "s"),
)
_ALWAYS = (("level_db", "f"), ("silent", "i"))


def is_address(prefix: str) -> bool:
    """Whether ``prefix`` can begin an OSC address: ``/word``, or several of them.

    >>> is_address("/stage/left"), is_address("stage"), is_address("/*")
    (True, False, False)
    """
    return prefix.isascii() and _PATH.fullmatch(prefix) is not None


class Osc:
    """Sends every estimate to ``host``:``port``, one message a value, addresses under ``prefix``.

    While silent only ``level_db`` and ``silent`` are sent. Raises ``OutputError`` where the host
    has no address, and ``MissingExtraError`` where python-osc is not installed.
    """

    def __init__(self, host: str, port: int = PORT, prefix: str = PREFIX) -> None:
        try:
            from pythonosc.osc_message_builder import OscMessageBuilder
        except ImportError:
            raise MissingExtraError("--osc", "python-osc", "osc") from None
        self._builder = OscMessageBuilder
        self._name = f"{host}:{port}"
        self._prefix = prefix
        # Resolved once: python-osc's own client would ask the name server for every message.
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"OSC cannot be sent to {self._name} ({reason}): check the host's name"
            ) from None
        # Most programs that speak OSC listen on IPv4 alone: "localhost" must find them.
        found.sort(key=lambda entry: entry[0] != socket.AF_INET)
        family, kind, protocol, _, address = found[0]
        self._address = address
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def write(self, event: Event) -> None:
        """Send an estimate; other events have no OSC form."""
        if not isinstance(event, Estimate):
            return
        for name, kind in _ALWAYS if event.silent else _WHILE_JUDGED + _ALWAYS:
            value = getattr(event, name)
            message = self._builder(f"{self._prefix}/{name}")
            message.add_arg(int(value) if kind == "i" else value, kind)
            self._send(message.build().dgram)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, datagram: bytes) -> None:
        try:
            # What ICMP told of an earlier message: nobody listens there (yet).
            with contextlib.suppress(ConnectionRefusedError, ConnectionResetError):
                self._socket.sendto(datagram, self._address)
        except OSError as error:
            raise OutputError(f"OSC cannot be sent to {self._name}: {error.strerror}") from None
