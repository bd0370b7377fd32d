"""What every output together costs: page, MQTT, OSC, LSL and JSON lines, at a session's pace."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import streamer
from streamer.bench.report import Row, Section
from streamer.events import End, Estimate, Event, Start
from streamer.network.model import Model
from streamer.sinks.contact import Tell
from streamer.sinks.jsonl import JsonLines
from streamer.sinks.lsl import Lsl
from streamer.sinks.mqtt import Broker, Mqtt
from streamer.sinks.osc import Osc
from streamer.sinks.page import Page
from streamer.sinks.sink import Sink
from streamer.tracker import EmotionTracker

TITLE = "Outputs, two estimates a second"
TOGETHER = "all at once"
_INTERVAL_S = 0.5
#: What each needs to be installed.
_PACKAGES = {"page": "websockets", "MQTT": "paho", "OSC": "pythonosc", "LSL": "pylsl"}
#: Of MQTT 5: "welcome", with nothing to say about it.
_CONNACK = b"\x20\x03\x00\x00\x00"


def section(model: Model, music: NDArray[np.float32], seconds: float) -> Section:
    """Shares of a core, each output alone and all at once, for ``seconds`` in true time each.

    ``music``: (n,) mono at the model's rate; its estimates are what is sent. The time of all
    threads counts. Receivers are there and take what comes; they are other programs' work, so none
    of them reads it here.
    """
    missing = [each for each in _PACKAGES.values() if importlib.util.find_spec(each) is None]
    if missing:
        lacking = f"not installed: {', '.join(missing)}"
        return Section(TITLE, "% of a core", (Row(TOGETHER, None, None, lacking),), compared=False)
    features = model.config.features
    start = Start(
        version=streamer.__version__,
        time="2026-01-01T00:00:00.000Z",
        model=model.name,
        source={"kind": "bench", "name": "music", "rate": features.sample_rate, "channels": 1},
        sample_rate=features.sample_rate,
        hop_s=features.hop / features.sample_rate,
        interval_s=_INTERVAL_S,
        resampler_delay_s=0.0,
    )
    estimates = EmotionTracker(model, interval=_INTERVAL_S).push(music)
    names = ("JSON lines", *_PACKAGES)
    rows = [Row(TOGETHER, _share(names, start, estimates, seconds))]
    rows += [Row(name, _share((name,), start, estimates, seconds)) for name in names]
    rows.append(Row("none, for comparison", _share((), start, estimates, seconds)))
    return Section(TITLE, "% of a core", tuple(rows), compared=False)


def _share(
    names: Sequence[str], start: Start, estimates: Sequence[Estimate], seconds: float
) -> float:
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(_opened(name)) for name in names]

        def write(event: Event) -> None:
            for sink in sinks:
                sink.write(event)

        write(start)
        time.sleep(_INTERVAL_S / 2)  # connections are made once, not twice a second
        begun, computed = time.monotonic(), time.process_time()
        number = 0
        while (left := begun + seconds - time.monotonic()) > 0:
            write(estimates[number % len(estimates)])
            number += 1
            time.sleep(min(_INTERVAL_S, left))
        share = 100 * (time.process_time() - computed) / (time.monotonic() - begun)
        write(End(number * _INTERVAL_S, number, number, 0, 0, None))
        return share


@contextlib.contextmanager
def _opened(name: str) -> Iterator[Sink]:
    """A sink of that name and a receiver for it."""
    silent: Tell = lambda _: None  # noqa: E731 - nobody is told of a receiver that is ours
    with contextlib.ExitStack() as stack:
        sink: Sink
        if name == "JSON lines":
            nowhere = stack.enter_context(Path(os.devnull).open("wb", buffering=0))
            sink = JsonLines(nowhere)
        elif name == "page":
            sink = page = Page(0)
            stack.enter_context(_viewer(page))
        elif name == "MQTT":
            port = stack.enter_context(_broker())
            sink = Mqtt(Broker("127.0.0.1", port), silent)
        elif name == "OSC":
            lamp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            lamp.bind(("127.0.0.1", 0))
            sink = Osc("127.0.0.1", lamp.getsockname()[1], tell=silent)
        else:
            sink = Lsl(f"streamer bench {os.getpid()}")
        # First of all on the way out: receivers go later than what sends to them.
        stack.callback(sink.close)
        yield sink


@contextlib.contextmanager
def _viewer(page: Page) -> Iterator[None]:
    """Somebody who has the page open."""
    host, _, port = page.url.removeprefix("http://").rstrip("/").partition(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            b"GET /lines HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        line.recv(1)
        yield


@contextlib.contextmanager
def _broker() -> Iterator[int]:
    """A broker that says welcome and takes what comes; its port."""
    with contextlib.ExitStack() as lines:
        server = lines.enter_context(socket.create_server(("127.0.0.1", 0)))

        def welcome() -> None:
            with contextlib.suppress(OSError):
                line, _ = server.accept()
                lines.enter_context(line)
                line.recv(1024)
                line.sendall(_CONNACK)

        thread = threading.Thread(target=welcome, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(1.0)
