"""A hundred PCM streams in one process: python examples/many_streams.py [--feed 100].

Each connection to the port sends mono s16le samples at the model's rate and gets a JSON line an
estimate; one batched call a turn steps them all. Once a second standard error is told how many
streams there are, which share of a core they take, and the lag: the time from a block's arrival to
the writing of what was judged of it. ``--feed N`` plays a clip from N connections in real time,
each from another place of it, and ends with them.
"""

import argparse
import contextlib
import selectors
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr

from streamer import TrackerPool, load_model
from streamer.events import to_json

TURN_S = 0.05  # blocks that come within one turn are stepped together
CLIP = Path(__file__).with_name("four_moods.flac")


class Server:
    """Connections, each a stream of the pool."""

    def __init__(self, pool: TrackerPool, port: int) -> None:
        self._pool = pool
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.streams: dict[socket.socket, int] = {}
        self._odd: dict[int, bytes] = {}  # the half of a sample that a block ended in
        self.lags: list[float] = []
        self.estimates = 0

    def turn(self) -> None:
        """Take what has come, judge it in one call, and answer."""
        begun = time.monotonic()
        blocks: dict[socket.socket, np.ndarray] = {}
        for key, _ in self._selector.select(TURN_S):
            if key.fileobj is self._listener:
                self._welcome()
            elif (samples := self._read(key.fileobj)) is not None:
                blocks[key.fileobj] = samples
        arrived = time.monotonic()
        if blocks:
            found = self._pool.push({self.streams[each]: blocks[each] for each in blocks})
            for connection in blocks:
                self._answer(connection, found[self.streams[connection]])
            self.lags.append(time.monotonic() - arrived)
        # So that the next turn has a block of each stream, and not of the first that sends.
        time.sleep(max(0.0, TURN_S - (time.monotonic() - begun)))

    def _welcome(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                self._selector.register(connection, selectors.EVENT_READ)
                self.streams[connection] = self._pool.add()

    def _read(self, connection: socket.socket) -> np.ndarray | None:
        try:
            data = connection.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._leave(connection)
            return None
        stream = self.streams[connection]
        data = self._odd.pop(stream, b"") + data
        if len(data) % 2:
            self._odd[stream] = data[-1:]
        return np.frombuffer(data, "<i2", len(data) // 2).astype(np.float32) / 32768

    def _answer(self, connection: socket.socket, found: list) -> None:
        try:
            connection.sendall("".join(f"{to_json(each)}\n" for each in found).encode())
        except OSError:  # gone, or it does not read what it gets: nobody waits for it
            self._leave(connection)
        self.estimates += len(found)

    def _leave(self, connection: socket.socket) -> None:
        stream = self.streams.pop(connection)
        self._pool.remove(stream)
        self._odd.pop(stream, None)
        self._selector.unregister(connection)
        connection.close()


def serve(asked: argparse.Namespace) -> None:
    """Judge what connections send until the fed ones are gone, or for ever."""
    pool = TrackerPool(load_model(asked.model))
    rate = pool.model.config.features.sample_rate
    server = Server(pool, asked.port)
    print(f"listening on 127.0.0.1:{server.port} for mono s16le at {rate} Hz", file=sys.stderr)
    feeder = None
    if asked.feed:
        words = ["--to", server.port, "--rate", rate, "--feed", asked.feed]
        words += ["--clip", asked.clip, "--seconds", asked.seconds]
        feeder = subprocess.Popen([sys.executable, __file__, *map(str, words)])
    told, used = time.monotonic(), time.process_time()
    while feeder is None or feeder.poll() is None or server.streams:
        server.turn()
        now = time.monotonic()
        if now - told >= 1 and server.lags:
            share = 100 * (time.process_time() - used) / (now - told)
            print(
                f"{len(server.streams)} streams, {share:.0f} % of a core, "
                f"lag {1e3 * statistics.median(server.lags):.1f} ms at the median, "
                f"{1e3 * max(server.lags):.1f} ms at most",
                file=sys.stderr,
            )
            told, used = now, time.process_time()
            server.lags.clear()
    print(f"{server.estimates} estimates")


def play(asked: argparse.Namespace) -> None:
    """Send the clip from many connections in real time; what comes back is read and left."""
    samples, own = soundfile.read(asked.clip, dtype="float32", always_2d=True)
    song = soxr.resample(samples.mean(axis=1), own, asked.rate)
    pcm = (np.clip(song, -1, 1) * 32767).astype("<i2")
    connections = [socket.create_connection(("127.0.0.1", asked.to)) for _ in range(asked.feed)]
    block, begun = asked.rate // 10, time.monotonic()
    for turn in range(round(asked.seconds * 10)):
        for number, connection in enumerate(connections):
            first = (number * asked.rate // 3 + turn * block) % (len(pcm) - block)
            connection.sendall(pcm[first : first + block].tobytes())
            with contextlib.suppress(BlockingIOError):
                connection.recv(1 << 16, socket.MSG_DONTWAIT)
        time.sleep(max(0.0, begun + (turn + 1) / 10 - time.monotonic()))
    for connection in connections:
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--model", help="a model's name or directory")
    parser.add_argument("--feed", type=int, default=0, help="play to so many streams, then end")
    parser.add_argument("--clip", default=CLIP)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--to", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    play(given) if given.to else serve(given)
