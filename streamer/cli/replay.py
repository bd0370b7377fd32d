"""``streamer replay``: a file, or raw PCM on standard input, as if it were live."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click

from streamer.audio.files import FileSource
from streamer.audio.pacing import Paced, SystemClock
from streamer.audio.pcm import FORMATS, PcmSource
from streamer.audio.source import Source
from streamer.cli.listen import listen
from streamer.cli.options import Listening, Seconds, Speed, listening


@click.command(name="replay")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--speed",
    type=Speed(),
    help="How many times faster than it sounds, or 'max'.  [default: 1; standard input: max]",
)
@click.option("--start-at", type=Seconds(), help="Begin this many seconds into the file.")
@click.option("--duration", type=Seconds(), help="Stop after this many seconds of sound.")
@click.option("--rate", type=click.IntRange(1), help="Samples a second of standard input.")
@click.option("--channels", type=click.IntRange(1), help="Channels of standard input.")
@click.option(
    "--format", "form", type=click.Choice(sorted(FORMATS)), help="Samples of standard input."
)
@listening
def command(
    file: Path,
    speed: float | None,
    start_at: float | None,
    duration: float | None,
    rate: int | None,
    channels: int | None,
    form: str | None,
    **options: Any,
) -> int:
    """Track a sound FILE as if it were being played now.

    FILE may be WAV, FLAC, OGG, Opus or MP3, of any rate and any number of channels; `-` is raw PCM
    on standard input, which needs --rate, --channels and --format.

    Example: streamer replay song.flac --speed 4 > song.jsonl

    Example: ffmpeg -i song.m4a -f s16le - | streamer replay - --rate 44100 --channels 2
    --format s16le
    """
    raw = {"--rate": rate, "--channels": channels, "--format": form}
    if str(file) == "-":
        if missing := [name for name, value in raw.items() if value is None]:
            raise click.UsageError(f"raw PCM on standard input needs {', '.join(missing)}")
        if start_at is not None:
            raise click.UsageError("standard input cannot be started at a later moment")
    elif given := [name for name, value in raw.items() if value is not None]:
        raise click.UsageError(f"{given[0]} is for raw PCM on standard input: a file says it")

    def open_source() -> Source:
        source: Source
        if rate is not None and channels is not None and form is not None:
            source = PcmSource(sys.stdin.buffer, rate=rate, channels=channels, fmt=form)
            return Paced(source, speed or math.inf, SystemClock())
        source = FileSource(file, start_s=start_at or 0.0)
        return Paced(source, speed or 1.0, SystemClock())

    inputs = () if str(file) == "-" else (file,)
    return listen(
        open_source,
        Listening(**options),
        duration_s=math.inf if duration is None else duration,
        inputs=inputs,
    )
