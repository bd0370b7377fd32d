"""The capturing process: a sound device in, messages on standard output out.

PortAudio lives in a process of its own because it can hang for ever (measured: stopping a stream,
and even starting PortAudio, never returns while a sound server is there but does not answer), and
a hanging C library in the listening process could be neither interrupted nor tried again. It also
keeps the callback away from the listening process's interpreter lock, and ALSA's chatter away from
the terminal. :mod:`streamer.audio.microphone` starts it, kills it and starts it again.

Threads: PortAudio's callback fills the ring; the main thread empties it into the pipe; one opens
the device, which may take for ever; one ends the process when standard input closes, that is when
the listening process is gone.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from streamer.audio import (
    link,
    portaudio,
)
from streamer.audio.devices import Input
from streamer.errors import StreamerError

#: Longest silence on the pipe.
TICK_S = 0.25


def pump(stream: portaudio.Stream, send: Callable[[link.Message], None]) -> None:
    """Pass on what the callback delivers until the stream ends."""
    told = portaudio.BY_ENTRY
    while not stream.ended:
        if not stream.ring.wait(TICK_S):
            send(link.Tick())
        clock = portaudio.BY_PORTAUDIO if stream.callback.advances else portaudio.BY_ENTRY
        if clock != told:
            told = clock
            send(link.Clocked(clock))
        while (message := stream.ring.read()) is not None:
            send(message)
    while (message := stream.ring.read()) is not None:
        send(message)
    send(link.Failed(f"{stream.name} stopped delivering"))


def _send_to(pipe: BinaryIO) -> Callable[[link.Message], None]:
    def send(message: link.Message) -> None:
        try:
            pipe.write(link.pack(message))
            pipe.flush()
        except OSError:
            os._exit(0)  # nobody listens any more

    return send


def _exit_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main(request: str) -> None:
    """Do what ``request`` says (JSON: ``list``, or ``device`` and ``rate``), until killed."""
    # The listening process decides what a Ctrl-C in the terminal means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    send = _send_to(sys.stdout.buffer)
    asked = json.loads(request)
    done = threading.Event()
    result: list[portaudio.Stream | list[Input] | str] = []

    def work() -> None:
        try:
            sounddevice = portaudio.load()
            if asked.get("list"):
                result.append(portaudio.inputs(sounddevice))
            else:
                result.append(portaudio.Stream(sounddevice, asked["device"], asked["rate"]))
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
        pump(found, send)
    os._exit(0)  # without PortAudio's own ending, which may hang


if __name__ == "__main__":
    main(sys.argv[1])
