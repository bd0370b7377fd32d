"""Recorded sessions: the JSON lines of ``streamer live`` and ``replay``, read event by event."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import SessionFileError
from streamer.events import End, Estimate, Event, Gap, Notice, Start, beginning, from_json

#: Bytes of the longest line that is read: those of a session have a few hundred.
_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded session: its events in order of writing; ``end`` is missing where it broke off."""

    path: Path
    start: Start | None
    estimates: tuple[Estimate, ...]
    gaps: tuple[Gap, ...]
    end: End | None

    @property
    def name(self) -> str:
        """What was listened to, or else the name of the file."""
        heard = str(self.start.source.get("name", "")) if self.start is not None else ""
        return Path(heard).name or self.path.stem

    @property
    def span(self) -> tuple[float, float]:
        """Seconds of stream time at which it begins and ends; there must be an estimate."""
        first = min([self.estimates[0].t, *(gap.t for gap in self.gaps)])
        ends = [self.estimates[-1].t, *(gap.t + gap.seconds for gap in self.gaps)]
        return beginning(self.start, first), max(ends + ([self.end.t] if self.end else []))

    @property
    def hop_s(self) -> float:
        """Seconds between estimates, as far as that is known; at least a little."""
        if self.start is not None:
            return max(self.start.interval_s, self.start.hop_s, 1e-3)
        return 0.5


def read_session(path: Path | str) -> Recording:
    """Read the first of the sessions that a file holds; see :func:`read_sessions`."""
    return read_sessions(path)[0]


def read_sessions(path: Path | str) -> list[Recording]:
    """Read all sessions that a file holds, as written by ``>>``; a torn last line is left out.

    Raises ``SessionFileError`` where the file cannot be read, a line is not an event of schema 1,
    or there is not one estimate in it. A session without an estimate among others is left out.
    """
    path = Path(path)
    sessions: list[list[Event]] = [[]]
    for event in _all_events(path):
        if isinstance(event, Start) and sessions[-1]:
            sessions.append([])
        sessions[-1].append(event)
    found = [_recording(path, events) for events in sessions]
    found = [recording for recording in found if recording.estimates]
    if not found:
        raise SessionFileError(f"{path} holds no estimate: record a session with --jsonl")
    return found


def _recording(path: Path, events: list[Event]) -> Recording:
    return Recording(
        path=path,
        start=next((event for event in events if isinstance(event, Start)), None),
        estimates=tuple(event for event in events if isinstance(event, Estimate)),
        gaps=tuple(event for event in events if isinstance(event, Gap)),
        end=next((event for event in events if isinstance(event, End)), None),
    )


def read_events(path: Path) -> Generator[Event, None, None]:
    """The events of a file's first session, one at a time; a last line cut off is left out.

    Files of one session that ``--rotate`` cut, joined again, are that session. Where another
    session follows, a notice before the end says so. Raises ``SessionFileError`` where the file
    cannot be opened, is empty, or has a line that is no event.
    """
    begun = False
    end: End | None = None
    for event in _all_events(path):
        if isinstance(event, Start) and begun:
            where = f"{path} holds another session after this one"
            yield Notice(end.t if end is not None else 0.0, f"{where}: only the first is shown")
            break
        begun = True
        if isinstance(event, End):
            end = event
        else:
            yield event
    if end is not None:
        yield end


def _all_events(path: Path) -> Iterator[Event]:
    """The events of a file; a session that ``--rotate`` cut, joined again, is one."""
    start: Start | None = None
    before: End | None = None  # of the parts of this session so far
    ended: End | None = None  # held back: the session may go on
    again: Start | None = None  # held back: its start line once more
    for event in _lines(path):
        if ended is not None and again is None and event == start:
            again = start
            continue
        if ended is not None and again is not None:
            if isinstance(event, Estimate | Gap) and event.t >= ended.t:
                before, ended = ended, None
            again = None if ended is None else again
        if ended is not None:
            yield ended
            if again is not None:
                yield again
            before = ended = again = None
        if isinstance(event, Start):
            start = event
        if isinstance(event, End):
            ended = event if before is None else _together(before, event)
        else:
            yield event
    if ended is not None:
        yield ended


def _together(first: End, second: End) -> End:
    """The end of two parts of one session."""
    return dataclasses.replace(
        second,
        estimates=first.estimates + second.estimates,
        frames=first.frames + second.frames,
        gaps=first.gaps + second.gaps,
        lost_samples=first.lost_samples + second.lost_samples,
    )


def _lines(path: Path) -> Iterator[Event]:
    """The event of every line, in order; a last line cut off is left out."""
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST):
                number += 1
                if not line.strip():
                    continue
                try:
                    if len(line) == _LONGEST and not line.endswith(b"\n"):
                        raise ValueError(f"longer than {_LONGEST:,} bytes")
                    event = from_json(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except ValueError as error:
                    if not line.endswith(b"\n") and number > 1 and len(line) < _LONGEST:
                        return
                    undecoded = isinstance(error, UnicodeDecodeError)
                    wrong = "not UTF-8 text" if undecoded else f"no line of a session: {error}"
                    raise SessionFileError(f"{path}, line {number}, is {wrong}") from None
                if event is not None:
                    yield event
    except OSError as error:
        raise SessionFileError(f"{path} cannot be read: {error.strerror}") from None
    if not number:
        raise SessionFileError(f"{path} is empty: record a session with --jsonl")
