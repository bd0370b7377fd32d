"""A page in the browser, and the lines that it is drawn from over WebSocket.

For overlays (OBS takes a page, not a socket), a phone, a projector, other programs: ``/`` is the
page, one file without anything from elsewhere; ``/lines`` a WebSocket that sends what standard
output gets, a message a line; ``/now`` the newest estimate as JSON.

A thread of its own serves; the session's thread puts each line into a bounded letter box and goes
on. Only the letter box is shared.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import dataclasses
import errno
import hashlib
import ipaddress
import json
import logging
import math
import os
import re
import socket
import threading
from collections import deque
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.circumplex import COLOURS, FULL_RADIUS, GREY, MOODS
from streamer.errors import MissingExtraError, OutputError
from streamer.events import QUADRANTS, Cadence, End, Estimate, Event, Notice, Start, to_json

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

#: Viewers at once; and the lines by which one may be behind before it is dropped.
VIEWERS = 50
BEHIND = 120
#: Which estimates a late viewer gets, in seconds of stream time; and how many lines it gets of the
#: newest, and of those before them.
_STEPS = Cadence(0.5, 1)
_NEWEST, _OLDER = 600, 600
#: Lines that the letter box holds: what comes beyond pushes out the oldest.
_LETTERS = 4096
#: Bytes that the system keeps for a viewer: what it has not read by then waits in its queue.
_SEND_BUFFER = 65_536
#: How long the end of the session waits for the viewers to get it.
_FAREWELL_S = 1.0
#: Connections beside the viewers' that may be open: those that have not asked for anything yet.
_WAITING = 64
#: Endings of names that no public name server answers for.
_LOCAL = (".local", ".lan", ".internal", ".home.arpa", ".localhost")
_REFUSED = (
    "not for pages from elsewhere, nor under a name that may be theirs: use this machine's "
    "address, its name alone, or its name with .local\n"
)


class Past:
    """The lines of a session for whoever comes late: bounded, however long it lasts.

    An estimate each half second; all of the newest five minutes, then ever fewer the longer it
    lasts, back to the beginning.
    """

    def __init__(self) -> None:
        self._start: list[str] = []
        self._end: list[str] = []
        self._newest: deque[str] = deque()
        self._older: list[str] = []
        self._passed = 0  # lines that are no longer among the newest
        self._every = 1  # of those, one in so many is kept
        self._reached = -math.inf
        #: The line of the newest estimate.
        self.now: str | None = None

    def add(self, event: Event, line: str) -> None:
        """Take in an event and its line."""
        if isinstance(event, Start):
            self._start = [line]
        elif isinstance(event, End):
            self._end = [line]
        else:
            if isinstance(event, Estimate):
                self.now = line
                reached = _STEPS.index(event.t)
                if reached <= self._reached:
                    return
                self._reached = reached
            self._newest.append(line)
            if len(self._newest) > _NEWEST:
                self._pass(self._newest.popleft())

    def lines(self) -> list[str]:
        """What a viewer who comes now has missed, in order."""
        return [*self._start, *self._older, *self._newest, *self._end]

    def _pass(self, line: str) -> None:
        if self._passed % self._every == 0:
            self._older.append(line)
        self._passed += 1
        if len(self._older) > _OLDER:
            del self._older[1::2]
            self._every *= 2


class Page:
    """Serves the page and the lines on ``host``:``port`` from a thread of its own until closed.

    ``viewers``: how many may watch at once; ``behind``: how many lines one may be late before it is
    dropped. A request from a page of another origin, or under a name that is not this machine's,
    gets 403. Raises ``OutputError`` where the port cannot be had, and ``MissingExtraError`` where
    websockets is not installed.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        viewers: int = VIEWERS,
        behind: int = BEHIND,
    ) -> None:
        try:
            import websockets.asyncio.server  # noqa: F401
        except ImportError:
            raise MissingExtraError("--serve", "websockets", "web") from None
        self._host, self._port = host, port
        self._most, self._behind = viewers, behind
        self._html, self._policy = _page()
        self._past = Past()
        self._guests = 0
        self._viewers: dict[asyncio.Queue[str | None], ServerConnection] = {}
        self._letters: deque[tuple[Event, str]] = deque(maxlen=_LETTERS)
        self._ringing = threading.Event()  # the server has been told of letters
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._bound: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread.start()
        try:
            self._port = self._bound.result()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno in _TOLD else str(error)
            raise OutputError(
                f"the page cannot be served on {_authority(host, port)} ({reason}): "
                f"name another port or host"
            ) from None

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"http://{_authority(host, self._port)}/"

    def write(self, event: Event) -> None:
        """Put the event's line into the letter box; nothing is waited for."""
        if isinstance(event, Notice):
            return
        if isinstance(event, Start):
            event = _without_folders(event)
        self._letters.append((event, to_json(event)))
        if not self._ringing.is_set():
            self._ringing.set()
            # The loop is closed where the session's end has been told already.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver)

    def close(self) -> None:
        """Tell the viewers the last lines, then that it is over; takes a second at most, or two."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(2 * _FAREWELL_S)

    def _run(self) -> None:
        try:
            # A runner ends what is still under way, and closes the loop.
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # whoever waits for the port must be told of any
            if self._bound.done():
                raise
            self._bound.set_exception(error)

    async def _serve(self) -> None:
        from websockets.asyncio.server import ServerConnection, serve

        sink, most = self, self._most + _WAITING

        class Guest(ServerConnection):
            """A connection, refused where too many are open: the session needs its files too."""

            def connection_made(self, transport: Any) -> None:
                sink._guests += 1
                super().connection_made(transport)
                if sink._guests > most:
                    transport.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                sink._guests -= 1
                super().connection_lost(exc)

        # What strangers send must not reach the terminal.
        quiet = logging.getLogger("streamer.sinks.page")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        # Nor what asyncio says of connections that it cannot take.
        self._loop.set_exception_handler(lambda _, context: quiet.error(context["message"]))
        async with serve(
            self._watch,
            self._host,
            self._port,
            process_request=self._answer,
            compression=None,  # costs more than it saves on lines of 300 bytes
            max_size=1024,  # what viewers say is not listened to
            create_connection=Guest,
            open_timeout=5,
            close_timeout=_FAREWELL_S,
            server_header=None,
            logger=quiet,
        ) as server:
            self._bound.set_result(_port(server))
            await self._closing.wait()
            self._deliver()
            for queue in list(self._viewers):
                self._put(queue, None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    while self._viewers:
                        await asyncio.sleep(0.01)
            for connection in self._viewers.values():
                connection.transport.abort()

    def _deliver(self) -> None:
        """Hand what is in the letter box to the past and to every viewer."""
        self._ringing.clear()  # first: a letter that comes now rings again
        while self._letters:
            event, line = self._letters.popleft()
            if isinstance(event, Start):
                self._past = Past()  # one session may follow another
            self._past.add(event, line)
            for queue in list(self._viewers):
                self._put(queue, line)

    def _put(self, queue: asyncio.Queue[str | None], line: str | None) -> None:
        try:
            queue.put_nowait(line)
        except asyncio.QueueFull:
            # It reads too slowly, or not at all: it is not waited for.
            self._viewers.pop(queue).transport.abort()

    async def _watch(self, connection: ServerConnection) -> None:
        """Send one viewer what it has missed, then each line as it comes."""
        from websockets.exceptions import ConnectionClosed

        peer: socket.socket = connection.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        queue: asyncio.Queue[str | None] = asyncio.Queue(self._behind)
        missed = self._past.lines()
        self._viewers[queue] = connection
        listening = asyncio.create_task(self._ignore(connection, queue))
        try:
            for number, line in enumerate(missed):
                await connection.send(line)
                if number % 50 == 0:
                    await asyncio.sleep(0)  # a burst must not keep the others waiting
            while (next_line := await queue.get()) is not None:
                await connection.send(next_line)
        except ConnectionClosed:
            pass
        finally:
            listening.cancel()
            self._viewers.pop(queue, None)

    async def _ignore(self, connection: ServerConnection, queue: asyncio.Queue[str | None]) -> None:
        """Read what a viewer says, and forget it, until it goes."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            async for _ in connection:
                pass
        if queue in self._viewers:
            self._put(queue, None)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request; ``None`` lets a WebSocket begin."""
        path = request.path.partition("?")[0]
        if not self._is_ours(request):
            return connection.respond(403, _REFUSED)
        if path == "/lines":
            if len(self._viewers) >= self._most:
                return connection.respond(503, "as many viewers as there may be\n")
            return None
        if path == "/now":
            return _respond(connection, f"{self._past.now or 'null'}\n", "application/json")
        if path != "/":
            return connection.respond(404, "there is /, /lines and /now\n")
        response = _respond(connection, self._html, "text/html")
        response.headers["Content-Security-Policy"] = self._policy
        return response

    def _is_ours(self, request: Request) -> bool:
        """Whether no page from elsewhere asks: its Origin, or a name that it gave this machine."""
        hosts, origins = request.headers.get_all("Host"), request.headers.get_all("Origin")
        if len(hosts) != 1 or len(origins) > 1 or not self._is_local(hosts[0]):
            return False
        return not origins or origins[0] in (f"http://{hosts[0]}", f"https://{hosts[0]}")

    def _is_local(self, authority: str) -> bool:
        """Whether a name can only be this machine's: pages may point names of theirs here."""
        found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::\d+)?", authority, re.ASCII)
        if found is None:
            return False
        name = found[1].lower().rstrip(".")
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(name.strip("[]"))
            return True
        return "." not in name or name.endswith(_LOCAL) or name == self._host.lower()


#: Failures whose own words are told (asyncio's are long).
_TOLD = {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}


def _page() -> tuple[str, str]:
    """The page with the table of colours in it, and the policy that keeps all else out of it."""
    text = resources.files("streamer.sinks").joinpath("page.html").read_text("utf-8")
    table = {
        "moods": MOODS,
        "colours": COLOURS,
        "grey": GREY,
        "full": FULL_RADIUS,
        "quadrants": QUADRANTS,
    }
    html = text.replace("{{table}}", json.dumps(table))
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return html, policy


def _respond(connection: ServerConnection, text: str, kind: str) -> Response:
    response = connection.respond(200, text)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = f"{kind}; charset=utf-8"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _without_folders(start: Start) -> Start:
    """The start with a file's bare name: who watches need not know where it lies."""
    name = Path(str(start.source.get("name", ""))).name
    return dataclasses.replace(start, source={**start.source, "name": name})


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _port(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port
