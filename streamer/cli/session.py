"""What `live` and `replay` do: build the session, mind the signals, give the exit code.

A recorded session shown again goes the same way. C libraries that talk to standard error meanwhile
are not heard.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from streamer.analysis.recorded import read_events
from streamer.audio.pacing import Clock, StoppableClock
from streamer.audio.resample import Resampled
from streamer.audio.source import Source
from streamer.cli.main import ENDINGS, FAILED, PATIENCE_S, Leave
from streamer.cli.options import SessionOptions
from streamer.cli.outputs import outputs
from streamer.cli.screen import Screen
from streamer.cli.sentence import tell
from streamer.events import End
from streamer.session import Abandoned, Playback, Session, TimedSource

if TYPE_CHECKING:
    from streamer.audio.microphone import Steps


@contextlib.contextmanager
def libraries_silenced() -> Iterator[None]:
    """Send what C code writes to standard error nowhere; what Python writes goes where it did.

    libmpg123 comments on every fault of a broken MP3 file: in the middle of a dashboard, and where
    one sentence is promised.
    """
    before = sys.stderr
    try:
        before.flush()
        kept = os.dup(2)
        ours = before
        if before.fileno() == 2:
            ours = open(  # noqa: SIM115 - it lives as long as `kept`
                kept, "w", 1, before.encoding, before.errors, closefd=False
            )
    except (OSError, ValueError, AttributeError):  # closed, or no file at all
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = ours
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # nobody reads it: no reason to fail
            ours.flush()
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)


#: Frames of so many seconds come together where the dashboard alone shows them: a picture of each
#: by itself, and each judged in a call of its own, cost nearly twice as much.
_PICTURE_S = 0.2


class Running(Protocol):
    """A session, or the playback of one."""

    def run(self) -> End:
        """Go on until the end."""

    def stop(self, *, interrupt: bool = False) -> None:
        """Ask it to end in order."""

    def request_reset(self) -> None:
        """Ask for the judgement to start afresh."""


class Signals:
    """Ctrl-C and the other ``ENDINGS`` end the session in order, whatever is under way meanwhile.

    The context begins before the first output is opened and ends when the last is closed: what
    comes while the summary is written must not cost it. Where the end takes longer than
    ``PATIENCE_S`` (a line is written to a pipe that nobody reads), the next signal ends it at
    once. The ``clock`` stands still while the process is stopped (Ctrl-Z).
    """

    def __init__(self) -> None:
        self.clock = StoppableClock()
        self._session: Running | None = None
        self._left = False
        self._caught: list[int] = []
        self._first = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        handlers = {
            **dict.fromkeys(ENDINGS, self._stop),
            "SIGCONT": self._go_on,
            "SIGURG": self._wake,
        }
        for name, handler in handlers.items():
            number = getattr(signal, name, None)
            # Under nohup a terminal may go: it is ignored from the beginning.
            if number is not None and not (
                name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN
            ):
                self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> bool:
        for number, handler in self._before.items():
            if self._caught and isinstance(handler, Leave):
                handler.first = self._first  # what repeats it gives the end no other exit code
            signal.signal(number, handler)
        return kind is not None and issubclass(kind, Abandoned)

    @property
    def exit_code(self) -> int | None:
        """128 and the number of the first signal, as shells have it; ``None`` without one."""
        return 128 + self._caught[0] if self._caught else None

    def steer(self, session: Running) -> None:
        """Let the signals end this session from now on; before, they end what is under way."""
        self._session = session
        if self._left:
            session.stop()

    def request_reset(self) -> None:
        """Ask the session for its judgement to start afresh, from any thread."""
        if self._session is not None:
            self._session.request_reset()

    def quit(self) -> None:
        """End the session as the key q does, from any thread, whatever it waits for.

        One that has not begun yet ends as soon as it does.
        """
        self._left = True
        if self._session is not None:
            self._session.stop()
            if hasattr(signal, "SIGURG"):
                # A read of standard input, or a long wait, ends by a signal alone. This one does
                # nothing to a process that has no handler for it.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGURG)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._caught:
            self._first = now
        elif now - self._first > PATIENCE_S:
            raise Abandoned
        self._caught.append(number)
        if self._session is not None:
            self._session.stop(interrupt=True)
        elif len(self._caught) == 1:
            raise Abandoned  # nothing has begun that needs an end

    def _wake(self, number: int, frame: FrameType | None) -> None:
        if self._session is not None:
            self._session.stop(interrupt=True)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        self.clock.went_on()


def awaited_s(options: SessionOptions) -> float:
    """Seconds between the frames that a session waits for; 0 for each of them.

    Lines wait for their own. The dashboard shows every frame, but where it is alone in that, those
    of one picture may come together; a desk beside it would feel that.
    """
    if not options.dashboard:
        return options.interval
    return 0.0 if options.tells_others else _PICTURE_S


def run_session(
    open_source: Callable[[Clock, Steps], Source],
    options: SessionOptions,
    *,
    duration_s: float = math.inf,
    timed: TimedSource | None = None,
    at_once: bool = False,
) -> int:
    """Open the source, listen until it ends or a signal comes, and return the exit code.

    ``open_source`` gets the clock by which a recording is to be paced, and the steps in which it is
    listened to. ``at_once``: the dashboard is shown before the model and the source are there, and
    not only when they are.
    """
    code = 0
    with Signals() as signals, contextlib.ExitStack() as stack:
        screen = stack.enter_context(Screen(options))
        shown = stack.enter_context(contextlib.ExitStack())
        if at_once:
            shown.enter_context(screen.around(signals))
        # What takes longest to import comes after the first picture.
        from streamer.audio.microphone import Steps
        from streamer.network.model import load_model
        from streamer.tracker import EmotionTracker

        model = load_model(options.model)
        cut = model.config.features
        interval = options.interval if screen.watcher is None else 0.0
        steps = Steps(cut.sample_rate, cut.frame, cut.hop, awaited_s(screen.options))
        source = stack.enter_context(contextlib.closing(open_source(signals.clock, steps)))
        out = stack.enter_context(outputs(screen.options))
        silence = options.reset_on_silence
        session = Session(
            Resampled(source, cut.sample_rate),
            EmotionTracker(
                model,
                interval,
                source.info.start_s,
                math.inf if silence is None else silence,
                silence_db=options.silence,
                judge_everything=options.judge_everything,
            ),
            [*out.sinks, *screen.sinks],
            interval=options.interval,
            watcher=screen.watcher,
            duration_s=duration_s,
            on_failure=out.note_failure,
            timed=timed,
        )
        signals.steer(session)
        if not at_once:
            shown.enter_context(screen.around(signals))
        with shown:  # the terminal is given back before the outputs are closed
            session.run()
        out.hang_up()
        code = FAILED if out.failed else 0
    return signals.exit_code or code


def play_back(
    recording: Path,
    options: SessionOptions,
    *,
    speed: float,
    start_s: float | None,
    duration_s: float,
) -> int:
    """Play the recording back ``speed`` times as fast, and return the exit code."""
    code = 0
    with Signals() as signals, contextlib.closing(read_events(recording)) as events:
        # Read before an output is opened: what is no recording must not cost an older file.
        first = list(itertools.islice(events, 1))
        with Screen(options) as screen, outputs(screen.options) as out:
            playback = Playback(
                itertools.chain(first, events),
                [*out.sinks, *screen.sinks],
                speed=speed,
                start_s=start_s,
                duration_s=duration_s,
                watcher=screen.watcher,
                on_failure=out.note_failure,
                clock=signals.clock,
            )
            signals.steer(playback)
            with screen.around(signals):
                end = playback.run()
            out.hang_up()
            code = FAILED if out.failed else 0
    if start_s and not (end.estimates or end.gaps or signals.exit_code):
        tell(f"{recording} holds nothing later than {start_s:g} s")
        code = FAILED
    return signals.exit_code or code
