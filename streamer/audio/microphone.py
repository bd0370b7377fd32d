"""A sound device as a source: samples as they are captured, faults as losses and remarks."""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from streamer.audio import link
from streamer.audio.devices import is_same, means_monitor
from streamer.audio.link import ANSWER_S, Line, Process
from streamer.audio.pacing import Clock, SystemClock
from streamer.audio.portaudio import BLOCK_S
from streamer.audio.resample import measured_delay
from streamer.audio.ring import Block
from streamer.audio.sample_clock import SampleClock
from streamer.audio.source import Lost, Piece, Remark, Samples, SourceInfo
from streamer.errors import AudioError, DeviceError

#: A device from which nothing has come for this long has stopped delivering; one that was just
#: opened may take a little longer (a null sink takes one and a half seconds).
_STALE_S, _FIRST_S = 1.0, 5.0
_RETRY_S: Final = (0.5, 1.0, 2.0, 4.0, 5.0)
_ZEROS_S = 5.0
#: A sound server hands over a block when the next of its own is there, up to a block later: longer
#: ones would be felt. What is gathered for longer would be missing where somebody stops.
_LONGEST_BLOCK_S, _LONGEST_GATHERING_S = 0.05, 0.5
#: So long are blocks remembered for their capture times: long against jitter and the beat of
#: PulseAudio's blocks with ours (ten seconds were seen), and short against the drift of two clocks
#: (2 ms at 100 ppm).
_REMEMBERED_S = 20.0
#: So much sound behind a loss tells that it is over.
_AFTER_LOSS_S = 0.03
#: What comes with a frame's last sample may come this much later than reckoned.
_SLACK_S = 0.001

Launch = Callable[[dict[str, object]], Line]


class Steps(NamedTuple):
    """How a listener steps through the sound: a frame each ``hop`` samples, at ``rate`` Hz.

    Frame and hop are counted in samples of that rate, to which the listener resamples;
    ``interval_s``: seconds between the frames that it waits for, 0 where it waits for each.
    """

    rate: int
    frame: int
    hop: int
    interval_s: float = 0.0

    @property
    def block_s(self) -> float:
        """Seconds of a block: as many hops as make about 20 ms, or a part of one up to 50 ms."""
        hop_s = self.hop / self.rate
        return hop_s * max(1, round(BLOCK_S / hop_s)) / math.ceil(hop_s / _LONGEST_BLOCK_S - 1e-9)

    @property
    def gathered(self) -> int:
        """Blocks that may come together, since nobody waits for those before the last."""
        step_s = max(self.hop / self.rate, self.block_s)
        steps = self.interval_s / step_s
        whole = round(steps)
        if not whole or abs(steps - whole) > 1e-6:  # each step is waited for
            whole = 1
        most = max(1, int(_LONGEST_GATHERING_S / step_s + 1e-9))
        together = max(k for k in range(1, most + 1) if whole % k == 0)
        return together * round(step_s / self.block_s)

    def ready(self, rate: int) -> int:
        """Samples of a device at ``rate`` Hz after a multiple of the hop until its frame is made.

        It ends so much later where the hop does not divide it, and the resampler looks ahead.
        """
        delay_s = 0.0 if rate == self.rate else measured_delay(rate, self.rate) + _SLACK_S
        return math.ceil((self.frame % self.hop / self.rate + delay_s) * rate)


class MicrophoneSource:
    """Listens to an input until :meth:`close`, or for ``duration_s`` seconds of stream time.

    ``device`` is an index, a name or part of one, or ``None`` for the default; "monitor" follows
    what the computer plays from one output to the next. The device opens at its own rate unless
    ``rate`` (Hz) asks for another. ``channels``: numbers, from 1 on, of those to be heard; all by
    default. ``steps``: how the listener cuts its frames; blocks then end where one is complete, and
    nothing wakes in between. Raises ``DeviceError`` where there is no such input or channel,
    several could be meant, it cannot be opened, or PortAudio is missing or hangs.

    A device that goes away or stops delivering gives one remark; it is looked for again by its
    whole name until it returns (where none was named, it is whichever is the default by then), and
    the time without it becomes one estimated loss. Stream time thus keeps pace with the clock. The
    capture itself runs in a process of its own (:mod:`streamer.audio.capture`), which ``launch``
    starts.
    """

    def __init__(
        self,
        device: str | int | None = None,
        *,
        rate: int | None = None,
        channels: Sequence[int] = (),
        duration_s: float | None = None,
        steps: Steps | None = None,
        launch: Launch = Process,
        clock: Clock | None = None,
    ) -> None:
        self._launch = launch
        self._clock = clock or SystemClock()
        self._closed = False
        self._iterated = False
        self._device = device
        #: The part that is asked for, not a device: the default input, or what the computer plays.
        self._any_name = device is None or means_monitor(device)
        self._wishes: dict[str, object] = {"channels": list(channels)} if channels else {}
        if steps is not None:
            self._wishes["block_s"] = steps.block_s
        self._received = 0  # blocks from this line, ...
        self._gathering = (1, 0)  # ... and how they are gathered, as it was told
        self._line, opened = self._open({"device": device, "rate": rate})
        #: The device that is open now: another than at first where none was named.
        self._name = opened.name
        self._moved: str | None = None  # the source to which the monitor has moved
        self.info = SourceInfo(
            kind="device",
            name=opened.name,
            sample_rate=opened.rate,
            channels=opened.channels,
        )
        #: Length in seconds of the blocks that the device delivers.
        self.block_s = opened.block_s
        #: What capture times are taken from.
        self.latency_clock = opened.latency_clock
        self._last = None if duration_s is None else round(duration_s * opened.rate)
        self._every = 1  # blocks that are to come at a time, ...
        self._step = 0.0  # ... their samples, ...
        self._ready = 0  # ... and the position at which the first of such times ends
        self._surplus = 0  # samples left out before the first
        if steps is not None:
            self._every = steps.gathered
            self._step = self._every * steps.block_s * opened.rate
            self._ready = steps.ready(opened.rate)
            # So that blocks end where a frame is made: nothing waits for the next one.
            self._surplus = -self._ready % round(opened.block_s * opened.rate)
        self._remembered = max(1, round(_REMEMBERED_S / opened.block_s))
        self._clocked = SampleClock(opened.rate)
        self._position = 0  # samples handed out, lost ones included
        self._ends: list[int] = []  # positions at which blocks ended, ...
        self._offsets: list[float] = []  # ... their callbacks, brought back to sample 0, ...
        self._ages: list[float] = []  # ... and how old their newest samples were then
        self._zeros = 0
        self._warned = False
        self._absent = False  # nothing has come since the device was lost

    def capture_time(self, position: int) -> float | None:
        """Monotonic seconds at which sample ``position`` of the stream had been captured.

        By the sound card's clock: samples are evenly spaced, and a callback may come late, never
        early, so the promptest block of the last twenty seconds says where they lie, and the least
        age that a block had, how long before its callback it was captured. Counted in samples of
        the source, lost ones included; ``None`` where it is too long ago (about twenty seconds),
        still to come, or was lost.
        """
        at = bisect.bisect_left(self._ends, position)
        if at == len(self._ends) or position <= 0:
            return None
        if self._ends[at] - position > 2 * self.block_s * self.info.sample_rate:
            return None
        recent = slice(max(0, at - self._remembered), at + 1)
        prompt = min(self._offsets[recent]) - min(self._ages[recent])
        return prompt + position / self.info.sample_rate

    def pieces(self) -> Iterator[Piece]:
        """Blocks as they were captured, losses in their place, remarks."""
        self._iterated = True
        try:
            yield from self._pieces()
        finally:
            self._closed = True
            self._iterated = False
            self._line.end()

    def _pieces(self) -> Iterator[Piece]:
        gathered: list[Samples] = []
        prompt = 0  # samples that are handed out at once
        for piece in self._stream():
            if isinstance(piece, Remark):
                yield from _together(gathered)
                yield piece
                continue
            count = len(piece.samples) if isinstance(piece, Block) else piece.samples
            over = 0 if self._last is None else max(0, self._position + count - self._last)
            self._position += count - over
            if isinstance(piece, Block):
                self._remember(piece)
                if over < count:
                    gathered.append(piece.samples[: count - over])
                    warning = self._check_zeros(piece)
                    if self._is_awaited(count) or warning is not None or prompt > 0:
                        yield from _together(gathered)
                    prompt -= count
                    if warning is not None:
                        yield warning
            else:
                self._zeros = 0
                yield from _together(gathered)
                prompt = round(_AFTER_LOSS_S * self.info.sample_rate)
            if isinstance(piece, Lost) and over < count:
                yield Lost(count - over, piece.cause, piece.estimated)
            if self._position == self._last:
                break
        yield from _together(gathered)

    def close(self) -> None:
        """Stop listening, from any thread or a signal's handler; :meth:`pieces` ends at once."""
        self._closed = True
        if self._iterated:
            self._line.cut()  # whoever is in `pieces` may be reading the line: it ends it
        else:
            self._line.end()

    def _stream(self) -> Iterator[Block | Lost | Remark]:
        """Everything that the device gives, through its absences, without an end of its own."""
        while not self._closed:
            yield from self._listen()
            if self._closed:
                break
            self._absent = True
            if self._moved is None:
                yield Remark(f"{self._name} stopped delivering sound: trying to open it again")
                cause = "device lost"
            else:
                yield Remark(f"the computer plays through another output now: {self._moved}")
                cause = "output changed"
            self._line.end()
            yield from self._clocked.interrupt(cause)
            before = self._name
            if not self._reopen():
                break
            if self._moved is None and self._name != before:
                yield Remark(f"listening to {self._name} now")
            self._moved = None
        yield from self._clocked.release()
        # An absence that lasts to the end is a loss like any other.
        missing = self._clocked.missing(self._clock.now())
        if self._absent and missing:
            yield Lost(missing, "device lost", estimated=True)

    def _listen(self) -> Iterator[Block | Lost | Remark]:
        """What comes from the line while it is alive."""
        heard = self._clock.now()
        patience = _FIRST_S
        while not self._closed:
            message = self._line.receive()
            if isinstance(message, Block):
                heard, patience = message.entered, _STALE_S
                self._received += 1
                self._absent = False
                if self._surplus and (message := self._shortened(message)) is None:
                    continue
                yield from self._clocked.feed(message)
            elif isinstance(message, Lost):
                yield from self._clocked.lose(message)
            elif isinstance(message, link.Told):
                yield Remark(message.message)
            elif isinstance(message, link.Moved):
                self._moved = message.name
                break
            elif isinstance(message, link.Clocked):
                self.latency_clock = message.latency_clock
            elif (
                message is None
                or isinstance(message, link.Failed)
                or self._clock.now() - heard > patience
            ):
                break

    def _is_awaited(self, samples: int) -> bool:
        """Whether with the newest block, of ``samples``, a frame is made that is waited for.

        The blocks up to the next such one are to come together; losses move it.
        """
        if self._every == 1:
            return True
        past = self._position - self._ready + 0.5
        if past // self._step == (past - samples) // self._step:
            return False
        gathering = (self._every, self._received % self._every)
        if self._last is not None and self._last - self._position < self._step:
            gathering = (1, 0)  # the end is waited for, too
        if gathering != self._gathering:
            self._gathering = gathering
            self._line.gather(*gathering)
        return True

    def _shortened(self, block: Block) -> Block | None:
        """A block without what is too much of it before the stream's first sample."""
        left = block.samples[self._surplus :]
        self._surplus -= len(block.samples) - len(left)
        return dataclasses.replace(block, samples=left) if len(left) else None

    def _reopen(self) -> bool:
        """Look for the device until it is back; ``False`` when closed before that.

        It is the one of the same name; where the default input or what the computer plays was asked
        for, the one that is that by then.
        """
        request: dict[str, object] = {"device": self._device, "rate": self.info.sample_rate}
        if not self._any_name:
            request |= {"device": self._name, "again": True}
        attempt = 0
        while True:
            left = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
            if attempt == 0 and self._moved is not None:
                left = 0.0  # nothing is broken
            while left > 0.0 and not self._closed:
                if self._out_of_time():
                    return False
                self._clock.sleep(min(left, 0.25))
                left -= 0.25
            if self._closed:
                return False
            attempt += 1
            try:
                line, opened = self._open(request)
            except AudioError:  # not there, or the system had no process to spare
                continue
            if not (self._any_name or is_same(opened.name, self._name)):
                line.end()
                continue
            self._line, self._name = line, opened.name
            if self._closed:  # while it opened
                self._line.cut()
            return not self._closed

    def _out_of_time(self) -> bool:
        """Whether the absence has outlasted the duration that was asked for."""
        if self._last is None:
            return False
        missing = self._clocked.missing(self._clock.now())
        return self._position + missing >= self._last

    def _open(self, request: dict[str, object]) -> tuple[Line, link.Opened]:
        line = self._launch(request | self._wishes)
        begun = self._clock.now()
        try:
            while True:
                message = line.receive()
                if isinstance(message, link.Opened):
                    self._received, self._gathering = 0, (1, 0)
                    return line, message
                if isinstance(message, link.Failed):
                    raise DeviceError(message.message)
                if message is None:
                    raise DeviceError("the capturing process ended before a device was open")
                if self._closed:
                    raise DeviceError("closed while a device was being opened")
                if self._clock.now() - begun > ANSWER_S:
                    raise DeviceError(
                        f"the sound system did not answer within {ANSWER_S:g} s: "
                        f"is a sound server hanging?"
                    )
        except BaseException:
            line.end()
            raise

    def _remember(self, block: Block) -> None:
        self._ends.append(self._position)
        self._offsets.append(block.entered - self._position / self.info.sample_rate)
        self._ages.append(block.entered - block.captured)
        if len(self._ends) > 2 * self._remembered:
            del self._ends[: self._remembered]
            del self._offsets[: self._remembered]
            del self._ages[: self._remembered]

    def _check_zeros(self, block: Block) -> Remark | None:
        """A warning once in each stretch of zeros that lasts: a connected input has some noise."""
        if np.any(block.samples):
            self._zeros = 0
            self._warned = False
            return None
        self._zeros += len(block.samples)
        if self._warned or self._zeros < _ZEROS_S * self.info.sample_rate:
            return None
        self._warned = True
        return Remark(
            f"nothing but zeros from {self._name} for {_ZEROS_S:.0f} s: nothing is playing, "
            f"it is muted, it is the wrong source (see: streamer devices), "
            f"or this program lacks the permission to listen"
        )


def _together(blocks: list[Samples]) -> Iterator[Samples]:
    """The blocks as one, if there are any; they are taken out of the list."""
    if blocks:
        yield blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        blocks.clear()
