"""The page's server, asked by real clients: lines, late viewers, strangers, and slow readers."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from line_schema import VALIDATOR, valid_lines
from receivers import free_port, wait_for
from scripted_session import estimate, silence, start

pytest.importorskip("websockets", reason="extra 'web'")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streamer.errors import OutputError
from streamer.events import End, Estimate, Gap, Notice, to_json
from streamer.sinks.page import Page, Past

END = End(99.0, 198, 198, 1, 10, None)


@pytest.fixture
def page() -> Iterator[Page]:
    """A page on a port of its own."""
    served = Page(port=0)
    try:
        yield served
    finally:
        served.close()
        served.close()


def port_of(page: Page) -> int:
    return int(page.url.rstrip("/").rpartition(":")[2])


def view(page: Page, **options: object) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port_of(page)}/lines", **options)  # type: ignore[arg-type]


def ask(page: Page, path: str = "/", **headers: str) -> tuple[int, str, str]:
    """Status, body and kind of an answer."""
    line = http.client.HTTPConnection("127.0.0.1", port_of(page), timeout=20)
    line.request("GET", path, headers=headers)
    answer = line.getresponse()
    body = answer.read().decode()
    line.close()
    return answer.status, body, answer.headers["Content-Type"] or ""


def test_a_viewer_gets_the_lines_of_standard_output(page: Page) -> None:
    """What came before it, then each line as it comes, to the end; notices are for people."""
    events = [start("clip.flac"), estimate(0.5), Gap(0.7, 0.1, 1600, False, "ring overrun")]
    for event in events:
        page.write(event)
    page.write(Notice(0.8, "a word"))
    wait_for(lambda: ask(page, "/now")[1] != "null\n", "the first estimate")
    with view(page) as viewer:
        got = [viewer.recv(timeout=20) for _ in events]
        more = [silence(1.0), estimate(1.02), END]
        for event in more:
            page.write(event)
            got.append(viewer.recv(timeout=20))
        page.close()
        with pytest.raises(ConnectionClosed):
            viewer.recv(timeout=20)
    assert got == [to_json(event) for event in (*events, *more)]
    valid_lines("".join(f"{line}\n" for line in got).encode())


def test_the_name_of_a_file_is_told_without_its_folders(page: Page) -> None:
    """Who watches need not know whose computer it is."""
    page.write(start("/home/ada/Music/song.flac"))
    with view(page) as viewer:
        line = json.loads(viewer.recv(timeout=20))
    assert line["source"]["name"] == "song.flac"
    VALIDATOR.validate(line)


def test_the_newest_estimate_is_a_request_away(page: Page) -> None:
    """``/now`` is null before the first, then the newest line, dense ones included."""
    assert ask(page, "/now") == (200, "null\n", "application/json; charset=utf-8")
    page.write(start())
    for step in range(10):
        page.write(estimate(0.1 * step))
    newest = to_json(estimate(0.1 * 9))
    wait_for(lambda: ask(page, "/now")[1] == newest + "\n", "the newest")
    assert ask(page, "/favicon.ico")[0] == 404


def test_the_page_holds_all_that_it_needs(page: Page) -> None:
    """One file: nothing is loaded from elsewhere, and no script but its own may run."""
    status, body, kind = ask(page, "/?overlay=word")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert "{{" not in body
    for word in ("src=", "@import", "url(", "http://", "https://"):
        found = [line for line in body.splitlines() if word in line]
        assert all("www.w3.org/2000/svg" in line for line in found), found


def test_silent_connections_do_not_use_up_the_sessions_files(
    page: Page, capfd: pytest.CaptureFixture[str]
) -> None:
    """Beyond a number that is no viewer's they are cut off, and a viewer is answered still."""
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(page)), 10))
        wait_for(lambda: 1 <= page._guests <= 120, "those beyond the bound are let go")
    wait_for(lambda: page._guests == 0, "all gone")
    assert ask(page, "/now")[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("path", ["/", "/now", "/lines"])
def test_pages_from_elsewhere_are_refused(page: Page, path: str) -> None:
    """A foreign Origin, one without a name, and a name that a stranger gave this machine: 403."""
    own = f"127.0.0.1:{port_of(page)}"
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{own}.evil.example"},
        {"Origin": f"http://localhost:{port_of(page)}"},
        {"Host": "evil.example"},
        {"Host": f"evil.example:{port_of(page)}", "Origin": "http://evil.example"},
        {"Host": "a b"},
    ):
        status, told, _ = ask(page, path, **headers)
        assert status == 403, headers
        assert "use this machine's address" in told
    if path == "/lines":
        evil = "https://evil.example"
        with pytest.raises(InvalidStatus, match="403"), view(page, origin=evil):
            pass
        with view(page, origin=f"http://{own}"):
            pass
    else:
        for headers in (
            {"Origin": f"http://{own}"},
            {"Host": "studio:80"},
            {"Host": "studio.local:1"},
            {"Host": "[::1]:9"},
        ):
            assert ask(page, path, **headers)[0] == 200, headers


def test_this_machine_alone_can_ask(page: Page) -> None:
    """Without a host the port is open on 127.0.0.1 and nowhere else."""
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", port_of(page))) != 0
    everywhere = Page(port=0, host="0.0.0.0")
    try:
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port_of(everywhere))) == 0
        assert everywhere.url.startswith("http://127.0.0.1:")
    finally:
        everywhere.close()


def test_a_port_that_is_taken_is_one_sentence(page: Page) -> None:
    """What cannot be had is told at once, with what to do; so is a host that is not ours."""
    with pytest.raises(OutputError, match=r"Address already in use.*: name another port or host"):
        Page(port=port_of(page))
    with pytest.raises(OutputError, match=r"192\.0\.2\.1:"):
        Page(port=free_port(), host="192.0.2.1")


def test_fifty_viewers_and_not_one_more(page: Page) -> None:
    """Fifty at once get each line; the next is told that there is no room until one goes."""
    page.write(start())
    with contextlib.ExitStack() as room, ThreadPoolExecutor(50) as pool:
        first = contextlib.ExitStack()
        viewers = [first.enter_context(view(page))]
        viewers += [room.enter_context(view(page)) for _ in range(49)]

        def newest(viewer: ClientConnection) -> object:
            return viewer.recv(timeout=20)

        assert set(pool.map(newest, viewers)) == {to_json(start())}
        with pytest.raises(InvalidStatus, match="503"), view(page):
            pass
        page.write(estimate(0.5))
        assert set(pool.map(newest, viewers)) == {to_json(estimate(0.5))}
        first.close()

        def again() -> bool:
            try:
                with view(page) as viewer:
                    return newest(viewer) == to_json(start())
            except InvalidStatus:
                return False

        wait_for(again, "room for another")


def deaf(page: Page) -> socket.socket:
    """A viewer that shakes hands and then reads nothing; it has little room for what comes."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", port_of(page)))
    line.sendall(
        b"GET /lines HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert line.recv(12) == b"HTTP/1.1 101"
    return line


def test_a_viewer_that_does_not_read_is_dropped(page: Page) -> None:
    """Writing never waits for it, and the others get every line."""
    page.write(start())
    with deaf(page) as stuck, view(page) as viewer:
        viewer.recv(timeout=20)
        for block in range(60):
            for step in range(50):
                page.write(estimate(25.0 * block + 0.5 * step))
            times = [json.loads(viewer.recv(timeout=20))["t"] for _ in range(50)]
            assert times == [25.0 * block + 0.5 * step for step in range(50)]
        stuck.settimeout(20)
        size = 0
        with contextlib.suppress(ConnectionResetError):
            while (got := len(stuck.recv(65_536))) > 0:
                size += got
        assert size < 3000 * 300


def test_a_server_that_hangs_does_not_hold_the_session(page: Page) -> None:
    """Even with its thread standing still, writing returns at once, and memory is bounded."""
    go_on = threading.Event()
    page._loop.call_soon_threadsafe(go_on.wait, 300)
    page.write(start())
    for step in range(10_000):
        page.write(estimate(0.5 * step))
    assert page._past.now is None
    assert len(page._letters) < 5000
    go_on.set()
    wait_for(lambda: json.loads(ask(page, "/now")[1])["t"] == 0.5 * 9999, "the newest")


def test_a_week_is_kept_in_bounded_memory() -> None:
    """Whoever comes after days gets some twelve hundred lines, from the first to the newest."""
    past = Past()
    past.add(start(), "start")
    seconds = 200_000
    for step in range(seconds):
        event = Estimate(float(step), None, None, None, None, None, None, None, -9.0, True)
        past.add(event, str(step))
    lines = past.lines()
    assert lines[0] == "start"
    times = [int(line) for line in lines[1:]]
    assert 900 <= len(times) <= 1201
    assert times[0] == 0
    assert times[-600:] == list(range(seconds - 600, seconds))
    steps = {b - a for a, b in itertools.pairwise(times[:-600])}
    assert len(steps) <= 2
    assert times == sorted(times)


def test_the_next_session_begins_afresh(page: Page) -> None:
    """Where one session follows another, whoever comes late sees the newer one alone."""
    for event in (start("a.flac"), estimate(60.0), END, start("b.flac"), estimate(0.5)):
        page.write(event)
    with view(page) as viewer:
        found = [json.loads(viewer.recv(timeout=20)) for _ in range(2)]
    assert (found[0]["source"]["name"], found[1]["t"]) == ("b.flac", 0.5)


def test_dense_estimates_are_thinned_for_late_viewers_alone() -> None:
    """With every frame written, a late viewer gets one each half second."""
    past = Past()
    for step in range(1, 101):
        past.add(estimate(step / 10), str(step))
    assert [int(line) for line in past.lines()] == [1, *range(5, 101, 5)]
    assert past.now == "100"


def test_the_end_waits_for_nobody(page: Page) -> None:
    """With a viewer that reads nothing, the session's end takes a moment and leaves no thread."""
    page.write(start())
    with deaf(page):
        for step in range(2000):
            page.write(estimate(0.5 * step))
        begun = time.monotonic()
        page.write(END)
        page.close()
        assert time.monotonic() - begun < 20
    assert not page._thread.is_alive()
    page.write(estimate(1.0))
