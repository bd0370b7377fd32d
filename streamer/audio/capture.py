"""The capturing process: a sound device in, messages on standard output out.

PortAudio lives in a process of its own because it can hang for ever (measured: stopping a stream,
and even starting PortAudio, never returns while a sound server is there but does not answer), and
a hanging C library in the listening process could be neither interrupted nor tried again. It also
keeps the callback away from the listening process's interpreter lock, and ALSA's chatter away from
the terminal. :mod:`streamer.audio.microphone` starts it, kills it and starts it again.

Threads: PortAudio's callback fills the ring; the main thread empties it into the pipe; one starts
PortAudio and opens the device, which may take for ever; one hears on standard input what is asked,
and ends the process when that closes, that is when the listening process is gone; and one, for
"monitor", sees when the default output is another.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Protocol, cast

from streamer.audio import devices, link, parec, portaudio
from streamer.audio.devices import Input
from streamer.audio.ring import Ring
from streamer.audio.source import Downmix
from streamer.errors import StreamerError

#: Longest silence on the pipe, beside the time in which blocks are gathered.
TICK_S = 0.25
#: PortAudio's names for whatever source is the sound server's default.
_DOORS = ("default", "pulse")
#: The longest time between two looks at which output is the default one, where the sound server
#: tells of changes, and the time between them where it does not.
_LONGEST_LOOK_S, _LOOK_S = 30.0, 2.0


class Stream(Protocol):
    """An open input: what it says of itself, and the ring that it fills until it has ended."""

    name: str
    rate: int
    channels: int
    block_s: float
    ended: bool
    ring: Ring
    downmix: Downmix

    @property
    def clock(self) -> str:
        """What capture times are taken from."""


def open_input(
    sounddevice: Any,
    wanted: str | int | None,
    rate: int | None = None,
    picked: Sequence[int] = (),
    block_s: float = portaudio.BLOCK_S,
    *,
    again: bool = False,
) -> Stream:
    """Open the input that ``wanted`` means; with ``again`` it is the whole name of a lost one.

    A sound server's source of many channels, or of channels whose place it does not know, is
    recorded by the server's own program: through PortAudio the server would mix them by place.
    That holds for the default source behind PortAudio's "default" and "pulse", too.
    """
    found = portaudio.inputs(sounddevice)
    if again:
        device = devices.find_again(str(wanted), found)
    else:
        device = portaudio.choose_input(wanted, found)
    source = device
    if device.name in _DOORS:
        name = devices.default_source()
        source = next((each for each in found if each.index is None and each.name == name), device)
    many = source.numbered or source.channels > 2
    if source.index is None and many and (program := parec.program()) is not None:
        return parec.Stream(program, source, rate, picked, block_s)
    return portaudio.Stream(sounddevice, device, found, rate, picked, block_s)


class Send(Protocol):
    """Sends messages in one go, from any thread: whoever reads is woken once."""

    def __call__(self, *messages: link.Message) -> None:
        """Send these."""


def pump(stream: Stream, send: Send) -> None:
    """Pass on what the callback delivers until the stream ends."""
    told = portaudio.BY_ENTRY
    while not stream.ended:
        gathered_s = (stream.ring.every - 1) * stream.block_s
        messages: list[link.Message] = []
        if not stream.ring.wait(TICK_S + gathered_s):
            messages.append(link.Tick())
        if (clock := stream.clock) != told:
            told = clock
            messages.append(link.Clocked(clock))
        blocks = list(stream.ring.blocks())
        # News of what is in these: who stops at the first of them has got it.
        if (news := stream.downmix.news()) is not None:
            messages.append(link.Told(f"{stream.name}: {news}"))
        send(*messages, *blocks)
    send(*stream.ring.blocks(), link.Failed(f"{stream.name} stopped delivering"))


def _send_to(pipe: BinaryIO) -> Send:
    turn = threading.Lock()

    def send(*messages: link.Message) -> None:
        with turn:
            try:
                pipe.write(b"".join(map(link.pack, messages)))
                pipe.flush()
            except OSError:
                os._exit(0)  # nobody listens any more

    return send


def _own_pipe() -> BinaryIO:
    """Standard output for the messages alone: what C libraries print there goes nowhere."""
    pipe = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return pipe


def follow(send: Send, ask: Callable[[], str | None], wait: Callable[[], object]) -> None:
    """Tell each time that another source is the one of what the computer plays.

    ``ask`` gives the source's name, ``None`` where nobody knows; ``wait`` lies between two looks.
    """
    before = ask()
    while True:
        wait()
        now = ask()
        if now is not None and now != before:
            send(link.Moved(now))
            before = now


class Changes:
    """Waits until the default output may be another: the sound server tells when it may."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes] | None]) -> None:
        self._start = start
        self._program: subprocess.Popen[bytes] | None = None

    def wait(self) -> None:
        """Until a change of the server was told, or half a minute; 2 s where it tells nothing."""
        self._program = self._program or self._start()
        if self._program is None or self._program.stdout is None:
            time.sleep(_LOOK_S)
            return
        pipe = self._program.stdout
        end = time.monotonic() + _LONGEST_LOOK_S
        while (left := end - time.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
            told = pipe.read(1 << 16)
            if not told:  # the server is gone, and with it what was subscribed to
                pipe.close()
                self._program.wait()
                self._program = None
                time.sleep(_LOOK_S)
                return
            if devices.SERVER_CHANGED in told:
                return


def _obey(asked: Callable[[bytes], None], opened: Sequence[object]) -> None:
    """Pass on what is asked, then gather blocks as is said, until the listening process is gone.

    Of the lines on standard input the first is the request, as :func:`main` has it; each other one
    is ``every turn``, as :meth:`Ring.gather` takes them.
    """
    if request := sys.stdin.buffer.readline():
        asked(request)
    for line in sys.stdin.buffer:
        every, turn = map(int, line.split())
        for stream in opened:
            cast(Stream, stream).ring.gather(every, turn)
    os._exit(0)


def main() -> None:
    """Do what the request on standard input says, until killed.

    JSON: ``list``, or ``device`` and ``rate``; with ``again`` the device is one that was lost, with
    ``channels`` these alone are heard, and ``block_s`` says how long a block is to be. PortAudio is
    started before it comes.
    """
    # The listening process decides what a Ctrl-C in the terminal means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    result: list[Stream | list[Input] | str] = []
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_obey, args=(requests.put, result), daemon=True).start()
    send = _send_to(_own_pipe())
    asked: dict[str, Any] = {}
    done = threading.Event()

    def work() -> None:
        try:
            sounddevice = portaudio.load()
            asked.update(json.loads(requests.get()))
            if asked.get("list"):
                result.append(portaudio.inputs(sounddevice))
            else:
                stream = open_input(
                    sounddevice,
                    asked["device"],
                    asked["rate"],
                    asked.get("channels", ()),
                    asked.get("block_s", portaudio.BLOCK_S),
                    again=asked.get("again", False),
                )
                result.append(stream)
        except StreamerError as error:
            result.append(str(error))
        except Exception as error:  # PortAudio's own, of many kinds: for a person to read
            result.append(f"PortAudio failed: {error}")
        done.set()

    threading.Thread(target=work, daemon=True).start()
    while not done.wait(TICK_S):
        send(link.Tick())
    found = result[0]
    if isinstance(found, str):
        send(link.Failed(found))
    elif isinstance(found, list):
        send(link.Listed([dataclasses.asdict(each) for each in found]))
    else:
        send(link.Opened(found.name, found.rate, found.channels, found.block_s, portaudio.BY_ENTRY))
        if devices.means_monitor(asked["device"]):
            looking = (send, devices.default_monitor, Changes(devices.subscribe).wait)
            threading.Thread(target=follow, args=looking, daemon=True).start()
        pump(found, send)
    os._exit(0)  # without PortAudio's own ending, which may hang


if __name__ == "__main__":
    main()
