"""The dashboard in real time on a real sound server: memory, losses, latency, minute by minute."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pexpect
import soundfile
from live_server import Server, wait_for
from processes import children, resident
from soak import RATE, Broadcast


@dataclass
class Figures:
    """What was measured: bytes resident at each sample, and the session's own closing line."""

    minutes: float
    resident: list[tuple[float, int, int]] = field(default_factory=list)
    cpu_s: float = 0.0
    end: dict[str, Any] = field(default_factory=dict)
    exit: int | None = None

    @property
    def well(self) -> bool:
        """Whether it heard everything, and left in order."""
        return self.exit == 0 and self.end.get("gaps") == 0 and bool(self.end.get("frames"))

    def text(self) -> str:
        """The figures in a few lines."""
        points = np.array(self.resident, dtype=float)
        late = points[len(points) // 2 :]
        slope = float(np.polyfit(late[:, 0], late[:, 1], 1)[0]) if len(late) > 2 else 0.0
        latency = self.end.get("latency") or {}
        return (
            f"{self.minutes:g} minutes in real time at 100 x 30: {self.end.get('frames')} frames, "
            f"{self.end.get('gaps')} gaps, exit {self.exit}\n"
            f"memory {points[0, 1] / 1e6:.1f} MB at first, {points[-1, 1] / 1e6:.1f} MB at last, "
            f"slope of the second half {slope * 3600 / 1e6:+.2f} MB an hour; "
            f"the capture {points[0, 2] / 1e6:.1f} and {points[-1, 2] / 1e6:.1f} MB\n"
            f"{100 * self.cpu_s / (60 * self.minutes):.1f} % of a core, dashboard and tracking; "
            f"latency {1000 * latency.get('median_s', 0):.0f} ms in the median, "
            f"{1000 * latency.get('p99_s', 0):.0f} ms at the 99th percentile"
        )


def watched(
    minutes: float, folder: Path, model: str | None = None, step_s: float = 60.0
) -> Figures:
    """``live`` with its dashboard in a terminal for so long, music playing all the while."""
    figures = Figures(minutes)
    chosen = [] if model is None else ["--model", model]
    song, lines = folder / "song.wav", folder / "session.jsonl"
    _record(song, minutes / 60 + 0.02)
    server = Server(folder)
    server.start()
    try:
        player = server.play(song)
        live = pexpect.spawn(
            sys.executable,
            ["-m", "streamer", "live", "--jsonl", str(lines), *chosen],
            env={**server.environment, "PULSE_SOURCE": "music.monitor", "TERM": "xterm-256color"},
            dimensions=(30, 100),
        )
        with contextlib.closing(live):
            begun = time.monotonic()
            wait_for(lambda: _drawn(live) and lines.is_file(), "the first lines")
            following = begun + min(10.0, step_s)
            while time.monotonic() < begun + 60 * minutes:
                _drawn(live)
                if time.monotonic() >= following:
                    following += step_s
                    (capture,) = children(live.pid)
                    figures.resident.append(
                        (time.monotonic() - begun, resident(live.pid), resident(capture))
                    )
            ticks = Path(f"/proc/{live.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            figures.cpu_s = sum(map(int, ticks)) / 100
            assert player.poll() is None, "the music was over too early"
            live.send("q")
            live.expect(pexpect.EOF, timeout=30)
        figures.exit = live.exitstatus
        figures.end = json.loads(lines.read_text().splitlines()[-1])
    finally:
        server.close()
    return figures


def _record(path: Path, hours: float) -> None:
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for piece in Broadcast(hours).pieces():
            file.write(np.clip(np.asarray(piece), -1, 1))


def _drawn(live: pexpect.spawn) -> bool:
    """Read what the dashboard draws, as a terminal would; wait a moment for it."""
    try:
        live.read_nonblocking(1 << 16, timeout=0.25)
    except pexpect.TIMEOUT:
        pass
    except pexpect.EOF:
        raise AssertionError("it ended too early") from None
    return True
