"""``streamer live``: the microphone, or what the computer itself is playing."""

from __future__ import annotations

import contextlib
import math
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamer.cli.completion import DEVICE
from streamer.cli.main import FAILED
from streamer.cli.options import Channels, Seconds, SessionCommand, SessionOptions, session_options
from streamer.processes import start_capture

if TYPE_CHECKING:
    from streamer.audio.link import Line
    from streamer.audio.microphone import MicrophoneSource, Steps
    from streamer.audio.pacing import Clock
    from streamer.audio.source import Source
    from streamer.audio.wav import WavTee


@click.command(name="live", cls=SessionCommand)
@click.option(
    "--device",
    type=DEVICE,
    metavar="NAME|ID",
    help="An input's index or a part of its name (see `devices`); `monitor` is what the computer "
    "plays, where a PulseAudio or PipeWire server runs.  [default: the system's]",
)
@click.option("--rate", type=click.IntRange(1), help="Hz to record at.  [default: the device's]")
@click.option(
    "--channels",
    type=Channels(),
    metavar="N,N",
    help="Channels of the input to hear, mixed: 3,4, or 5 alone.  [default: all, or the one that "
    "has the sound]",
)
@click.option("--duration", type=Seconds(0.1), help="Stop after this many seconds.")
@click.option(
    "--wav",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep what is heard in a WAV file, written as it comes.",
)
@session_options
def command(
    device: str | None,
    rate: int | None,
    channels: tuple[int, ...] | None,
    duration: float | None,
    wav: Path | None,
    **options: Any,
) -> int:
    """Track what a sound device hears, until Ctrl-C.

    A device that goes away is looked for until it returns; `monitor` follows what the computer
    plays from one output to the next. Nothing heard leaves this machine, and
    nothing is stored unless --wav names a file.

    Example: streamer live --device monitor

    Example: streamer live --device "USB" --duration 60 --wav heard.wav > heard.jsonl
    """
    chosen = SessionOptions(**options)
    chosen.check_outputs(more=[wav])

    with Ear(device, rate, channels or (), duration, wav) as ear:
        # What takes long to import comes after what can be refused.
        from streamer.cli.session import run_session

        stretch_s = math.inf if duration is None else duration
        code = run_session(ear.open, chosen, duration_s=stretch_s, timed=ear, at_once=True)
    return code or (FAILED if ear.tee is not None and ear.tee.failed else 0)


class Ear:
    """A microphone that is opened when the model is ready, and the WAV file kept beside it.

    As a context it has PortAudio start, in the process that will capture, while the rest is loaded.
    """

    def __init__(
        self,
        device: str | None,
        rate: int | None,
        channels: tuple[int, ...],
        duration_s: float | None,
        wav: Path | None,
    ) -> None:
        self._device, self._rate, self._channels = device, rate, channels
        self._duration_s, self._wav = duration_s, wav
        self._microphone: MicrophoneSource | None = None
        self._started: subprocess.Popen[bytes] | None = None
        self.tee: WavTee | None = None

    def __enter__(self) -> Ear:
        with contextlib.suppress(OSError):  # told of when a device is opened
            self._started = start_capture()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._started is not None:  # something else failed first
            self._started.kill()
            self._started.communicate()

    def open(self, clock: Clock, steps: Steps) -> Source:
        """The source, to be closed by the caller; a device has a pace of its own."""
        from streamer.audio.microphone import MicrophoneSource
        from streamer.audio.wav import WavTee

        microphone = MicrophoneSource(
            self._device,
            rate=self._rate,
            channels=self._channels,
            duration_s=self._duration_s,
            # What is recorded is not gathered: it would end before somebody stopped.
            launch=self._launch,
            steps=steps if self._wav is None else steps._replace(interval_s=0.0),
        )
        self._microphone = microphone
        if self._wav is None:
            return microphone
        try:
            self.tee = WavTee(microphone, self._wav)
        except BaseException:
            microphone.close()
            raise
        return self.tee

    def _launch(self, request: dict[str, object]) -> Line:
        from streamer.audio.link import Process

        started, self._started = self._started, None
        return Process(request, started)

    @property
    def latency_clock(self) -> str:
        """What capture times are taken from."""
        return "" if self._microphone is None else self._microphone.latency_clock

    def capture_time(self, position: int) -> float | None:
        """When the source's sample ``position`` had been captured, by the monotonic clock."""
        return None if self._microphone is None else self._microphone.capture_time(position)
