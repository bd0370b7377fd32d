"""The running screen: what is written makes the picture, and no more than needed is written."""

from __future__ import annotations

import dataclasses
import gc
import io
import re
import sys
import threading
from collections.abc import Callable

import pytest
from rich.console import Console
from scripted_session import HOP_S, Script, estimate, start

from streamer.bench.dashboard import dashboard_cost
from streamer.dashboard.closing import closing
from streamer.dashboard.dashboard import Dashboard
from streamer.dashboard.look import Look
from streamer.dashboard.picture import render
from streamer.events import Gap, Notice
from streamer.sinks.history import History, Snapshot

TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([^\x1b])", re.DOTALL)


class Screen:
    """A terminal just good enough to hold what the dashboard writes."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[int, str]] = {}
        self.modes: list[str] = []

    def feed(self, written: str) -> None:
        x = y = 0
        for arguments, command, character in TOKEN.findall(written):
            if command == "H":
                row, _, column = arguments.partition(";")
                y, x = int(row or 1) - 1, int(column or 1) - 1
            elif command == "J":
                self.rows.clear()
            elif command in "hl" and command:
                self.modes.append(arguments + command)
            elif character and character >= " ":
                self.rows.setdefault(y, {})[x] = character
                x += 1

    def text(self, size: tuple[int, int]) -> list[str]:
        return [
            "".join(self.rows.get(y, {}).get(x, " ") for x in range(size[0]))
            for y in range(size[1])
        ]


class Desk:
    """A dashboard on a terminal of our own, its clock and its keys moved by hand."""

    def __init__(
        self,
        size: tuple[int, int] = (100, 30),
        cost: float = 0.0,
        stop_process: Callable[[], None] = lambda: None,
    ) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file,
            width=size[0],
            height=size[1],
            force_terminal=True,
            color_system="truecolor",
            legacy_windows=False,
            _environ={},
        )
        self.now = 0.0
        self.history = History(clock=lambda: 0.0)
        self.history.write(start())
        self.script = Script(self.history)
        self.typed = ""
        self.called: list[str] = []
        self.closed = 0
        self.screen = Screen()
        self.dashboard = Dashboard(
            self.history,
            self.console,
            on_quit=lambda: self.called.append("quit"),
            on_reset=lambda: self.called.append("reset"),
            open_keys=lambda: self,  # type: ignore[return-value, arg-type]
            stop_process=stop_process,
            clock=lambda: self.now,
        )
        live = self.dashboard.live
        live.auto_refresh = False
        spent = iter(range(1 << 30))
        live._cpu = lambda: next(spent) * cost

    def poll(self) -> str:
        typed, self.typed = self.typed, ""
        return typed

    def close(self) -> None:
        self.closed += 1

    def turn(self, seconds: float = 0.1) -> int:
        """Let time go on and the refresh thread take its turn; returns what it wrote."""
        self.now += seconds
        before = len(self.file.getvalue())
        self.dashboard.live.refresh()
        return len(self.file.getvalue()) - before

    def shown(self, size: tuple[int, int] = (100, 30)) -> list[str]:
        self.screen.feed(self.file.getvalue())
        self.file.seek(0)
        self.file.truncate()
        return self.screen.text(size)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def expected(desk: Desk, hint: str = "q quit  r new song  space freeze") -> list[str]:
    return render(desk.history.snapshot(), (100, 30), Look.of(desk.console), hint).text()


def test_what_is_written_bit_by_bit_is_the_picture(desk: Desk) -> None:
    """After any number of partial updates the screen shows exactly the pure picture."""
    with desk.dashboard:
        for _ in range(60):
            desk.script.advance(1.3)
            desk.turn()
            assert desk.shown() == expected(desk)


def test_less_is_written_than_shown(desk: Desk) -> None:
    """An update of a moving picture writes a part of it only."""
    with desk.dashboard:
        desk.script.advance(30.0)
        whole = desk.turn()
        sizes = []
        for _ in range(20):
            desk.script.advance(3 * HOP_S)
            sizes.append(desk.turn())
    assert whole > 2000
    assert sum(sizes) / len(sizes) < whole / 2


def test_nothing_is_written_where_nothing_changed(desk: Desk) -> None:
    """A paused stream costs no output."""
    with desk.dashboard:
        desk.script.advance(3.0)
        assert desk.turn() > 0
        assert [desk.turn() for _ in range(10)] == [0] * 10


def test_scribbles_are_healed(desk: Desk) -> None:
    """What another program wrote over the picture is gone after some seconds."""
    with desk.dashboard:
        for _ in range(3):
            desk.script.advance(1.0)
            desk.turn(1.0)
        desk.file.write("\x1b[5;5HALSA lib pcm.c: underrun\x1b[8;1Hrubbish")
        assert "rubbish" in "\n".join(desk.shown())
        for _ in range(3):
            desk.script.advance(1.0)
            desk.turn(2.0)
        assert desk.shown() == expected(desk)


def test_a_resize_is_followed_at_once(desk: Desk) -> None:
    """The next turn draws for the new size on a cleared screen, even if nothing else changed."""
    with desk.dashboard:
        desk.script.advance(5.0)
        desk.turn()
        for size in ((60, 16), (140, 40), (50, 5)):
            desk.console.size = size  # type: ignore[assignment]
            desk.turn()
            hint = "q quit  r new song  space freeze" if size[0] >= 80 else "q  r  space"
            lines = render(desk.history.snapshot(), size, Look.of(desk.console), hint).text()
            assert desk.shown(size)[: len(lines)] == lines


@pytest.mark.parametrize(
    ("milliseconds", "a_second"), [(1, 12), (5, 4), (7, 2.4), (12, 2), (50, 2), (200, 0.5)]
)
def test_the_rate_falls_when_drawing_is_dear(milliseconds: float, a_second: float) -> None:
    """Drawing takes a fiftieth of a core, for two pictures a second up to a tenth, never more."""
    desk = Desk(cost=milliseconds / 1000)
    with desk.dashboard:
        for _ in range(120):
            desk.script.advance(3 * HOP_S)
            desk.turn(1 / 12)
    assert desk.dashboard.live.pictures == pytest.approx(10 * a_second, rel=0.15, abs=1)


def test_keys_do_what_they_say(desk: Desk) -> None:
    """Q asks for the end, r for a new song; other keys do nothing."""
    with desk.dashboard:
        desk.typed = "x\x1b[Ar"
        desk.turn()
        assert desk.called == ["reset"]
        desk.typed = "Q"
        desk.turn()
        assert desk.called == ["reset", "quit"]


def test_space_freezes_the_picture_and_lets_it_go(desk: Desk) -> None:
    """Frozen, the picture stands and says so; released, it shows the present."""
    with desk.dashboard:
        desk.script.advance(5.0)
        desk.turn()
        desk.typed = " "
        desk.turn()
        still = desk.shown()
        assert still[-1].rstrip().endswith("FROZEN at 0:04: space goes on")
        desk.script.advance(5.0)
        desk.turn()
        assert desk.shown() == still
        desk.typed = " "
        desk.turn()
        assert desk.shown() == expected(desk)


def test_the_terminal_gets_everything_back(desk: Desk) -> None:
    """Alternate screen and cursor are taken and given back in order, the keys closed once."""
    with desk.dashboard:
        desk.turn()
    desk.shown()
    assert desk.screen.modes == ["?1049h", "?25l", "?25h", "?1049l"]
    assert desk.closed == 1


def test_an_exception_inside_gives_the_terminal_back(desk: Desk) -> None:
    """An error in the session passes through after the terminal was restored."""
    with pytest.raises(KeyError), desk.dashboard:
        raise KeyError("inside")
    desk.shown()
    assert desk.screen.modes[-2:] == ["?25h", "?1049l"]
    assert desk.closed == 1


def test_a_second_ctrl_c_while_leaving_leaves_nothing_behind(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted while it gives the terminal back, the dashboard gives it back all the same."""
    show = desk.console.show_cursor
    impatient = [True]

    def interrupted(visible: bool = True) -> bool:
        if visible and impatient:
            impatient.clear()
            raise KeyboardInterrupt
        return show(visible)

    monkeypatch.setattr(desk.console, "show_cursor", interrupted)
    with pytest.raises(KeyboardInterrupt), desk.dashboard:
        pass
    desk.shown()
    assert desk.screen.modes[-2:] == ["?25h", "?1049l"]
    assert desk.closed == 1


def test_ctrl_z_gives_the_terminal_back_while_the_process_stands_still() -> None:
    """While stopped, screen, cursor and keys are the shell's; afterwards the picture is whole."""
    seen: list[list[str]] = []

    def stop_process() -> None:
        desk.shown()
        seen.append(list(desk.screen.modes))
        assert desk.closed == 1
        desk.screen = Screen()

    desk = Desk(stop_process=stop_process)
    with desk.dashboard:
        desk.script.advance(5.0)
        desk.turn()
        desk.typed = "\x1a"
        desk.turn()
        assert seen == [["?1049h", "?25l", "?25h", "?1049l"]]
        assert desk.shown() == expected(desk)
        assert desk.screen.modes == ["?1049h", "?25l"]


def test_it_can_be_put_aside_and_taken_up_again(desk: Desk) -> None:
    """After a suspension the whole picture is drawn anew."""
    with desk.dashboard:
        desk.script.advance(5.0)
        desk.turn()
        desk.dashboard.suspend()
        desk.shown()
        assert desk.screen.modes[-1] == "?1049l"
        desk.screen = Screen()
        desk.dashboard.resume()
        desk.turn()
        assert desk.shown() == expected(desk)


class Broken:
    """A history that cannot be read."""

    def __init__(self, failure: Callable[[], Exception]) -> None:
        self.failure = failure

    def snapshot(self) -> Snapshot:
        raise self.failure()


def test_a_fault_of_drawing_shows_at_the_end_and_stops_nothing() -> None:
    """The session inside goes on; the fault is raised when the dashboard is left."""
    desk = Desk()
    done = []
    dashboard = Dashboard(
        Broken(lambda: ZeroDivisionError("a fault")), desk.console, open_keys=lambda: None
    )

    def listen() -> None:
        with dashboard:
            dashboard.live.refresh()
            done.append("the session")

    with pytest.raises(ZeroDivisionError, match="a fault"):
        listen()
    assert done == ["the session"]
    desk.shown()
    assert desk.screen.modes[-2:] == ["?25h", "?1049l"]


def test_a_terminal_that_is_gone_is_no_failure() -> None:
    """When the window was closed there is nobody to draw for, and nothing to complain about."""
    desk = Desk()
    dashboard = Dashboard(Broken(lambda: OSError(5, "gone")), desk.console, open_keys=lambda: None)
    with dashboard:
        dashboard.live.refresh()
    assert dashboard.live.failure is None


def test_it_fits_only_a_terminal_that_can_move_its_cursor() -> None:
    """A pipe and a dumb terminal get no dashboard."""
    assert Dashboard.fits(Console(file=io.StringIO(), force_terminal=True, _environ={}))
    assert not Dashboard.fits(Console(file=io.StringIO(), _environ={}))
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert not Dashboard.fits(dumb)


def test_drawing_costs_no_more_than_a_bare_live() -> None:
    """Against Rich's own ``Live`` with as many styled cells, computed in the same run."""
    feeds = []

    def feed(history: History, t: float) -> None:
        if not feeds:
            history.write(start())
            feeds.append(Script(history))
            feeds[0].advance(70.0)
        feeds[0].advance(HOP_S)

    found = dashboard_cost(feed, seconds=0.8)
    assert found.dashboard < 1.5 * found.bare_cells
    assert found.pictures_per_s > 1


def test_drawing_for_long_keeps_memory_flat() -> None:
    """Nine hundred pictures more leave nothing behind that three hundred did not."""
    desk = Desk()
    desk.history = History(seconds=20.0, clock=lambda: 0.0)
    desk.script.history = desk.history
    desk.dashboard = Dashboard(
        desk.history, desk.console, open_keys=lambda: None, clock=lambda: desk.now
    )
    desk.dashboard.live.auto_refresh = False
    counts = []
    with desk.dashboard:
        for turn in range(1200):
            desk.script.advance(3 * HOP_S)
            desk.turn()
            desk.shown()
            if turn in (300, 1199):
                gc.collect()
                counts.append(len(gc.get_objects()))
    assert counts[1] < counts[0] * 1.01


def test_what_others_say_meanwhile_is_kept_and_said_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Standard error is the dashboard's: a warning is passed on at once and printed at the end."""
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    console = Console(stderr=True, width=100, height=30, force_terminal=True, _environ={})
    history = History(clock=lambda: 0.0)
    history.write(start())
    heard: list[str] = []
    with Dashboard(history, console, on_line=heard.append, open_keys=lambda: None) as dashboard:
        dashboard.live.refresh()
        print("disk full: tracking ", end="", file=sys.stderr)
        print("goes on\nunfinished", end="", file=sys.stderr)
        assert heard == ["disk full: tracking goes on"]
        assert "disk" not in terminal.getvalue()
        assert "Gymnop" in terminal.getvalue(), "the picture itself is not held back"
    after = terminal.getvalue().partition("\x1b[?1049l")[2]
    assert after == "disk full: tracking goes on\nunfinished\n"
    assert sys.stderr is terminal


def test_an_exit_in_the_main_thread_is_not_swallowed() -> None:
    """A program whose SIGTERM handler exits, while the first picture is drawn, does exit."""
    desk = Desk()

    def leave() -> Snapshot:
        raise SystemExit(143)

    desk.history.snapshot = leave  # type: ignore[method-assign]
    with pytest.raises(SystemExit) as left, desk.dashboard:
        raise AssertionError("it went on")
    assert left.value.code == 143
    desk.shown()
    assert desk.screen.modes[-2:] == ["?25h", "?1049l"]


def test_the_refresh_thread_has_ended_with_the_dashboard() -> None:
    """It holds the session and its resampler, which must be gone before Python ends."""
    desk = Desk()
    desk.dashboard.live.auto_refresh = True
    before = set(threading.enumerate())
    with desk.dashboard:
        (thread,) = set(threading.enumerate()) - before
    assert not thread.is_alive()


def test_a_terminal_that_takes_no_more_for_a_moment_is_drawn_anew() -> None:
    """In non-blocking mode a write may fail half-way: the next picture is whole again."""
    desk = Desk()
    failures = [BlockingIOError(11, "try again")]
    write = desk.file.write

    def full(text: str) -> int:
        if failures and "arousal" in text:
            raise failures.pop()
        return write(text)

    with desk.dashboard:
        desk.script.advance(5.0)
        desk.file.write = full  # type: ignore[method-assign]
        desk.dashboard.live._healed = -100.0  # all lines are written again
        desk.turn(5.0)
        assert not failures
        desk.turn(5.0)
        assert desk.shown() == expected(desk)
    assert desk.dashboard.live.failure is None


@pytest.mark.parametrize("size", [(100, 30), (70, 20), (40, 10), (60, 4)])
def test_no_text_of_others_steers_the_terminal(size: tuple[int, int]) -> None:
    """Whatever a recorded session's names hold, no control character of theirs is written."""
    evil = "\x1b]0;PWNED\x07\x9b2J\u202e\n"
    desk = Desk(size)
    desk.history.write(
        dataclasses.replace(
            start(evil),
            model=evil,
            version=evil,
            time=evil,
            source={"kind": evil, "name": evil, "rate": 44_100, "channels": 2, "duration_s": 9.0},
        )
    )
    judged = dataclasses.replace(estimate(0.5), mood=evil, quadrant=evil)
    for event in (judged, Gap(0.6, 0.1, 100, False, evil), Notice(0.7, evil), judged):
        desk.history.write(event)
        desk.dashboard.live.refresh()
    with desk.dashboard:
        desk.turn()
    desk.console.print(closing(desk.history.summary(), size[0]))
    written = desk.file.getvalue()
    assert "\x07" not in written
    assert "\x9b" not in written
    assert "\u202e" not in written
    assert "\x1b]" not in written
    assert "PWNED" in written or size[1] == 4
