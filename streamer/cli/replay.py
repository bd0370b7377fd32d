"""``streamer replay``: a file, raw PCM on standard input, or a recorded session, as if live."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from streamer.cli.completion import SAMPLE_FORMAT
from streamer.cli.main import FAILED
from streamer.cli.options import (
    GROUPS,
    Seconds,
    SessionCommand,
    SessionOptions,
    Speed,
    session_options,
)
from streamer.errors import AudioError

if TYPE_CHECKING:
    from streamer.audio.source import Source

#: What was settled when a session was recorded.
_SETTLED = (*GROUPS["Judgement"], "rate", "channels", "form")


@click.command(name="replay", cls=SessionCommand)
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--from",
    "recording",
    metavar="SESSION.jsonl",
    type=click.Path(path_type=Path),
    help="Show a recorded session again instead of a FILE: no sound, no model.",
)
@click.option(
    "--speed",
    type=Speed(),
    help="How many times faster than it sounds, or 'max'.  [default: 1; standard input: max]",
)
@click.option("--start-at", type=Seconds(), help="Begin this many seconds into the file.")
@click.option("--duration", type=Seconds(), help="Stop after this many seconds of sound.")
@click.option("--rate", type=click.IntRange(1), help="Samples a second of standard input.")
@click.option("--channels", type=click.IntRange(1), help="Channels of standard input.")
@click.option("--format", "form", type=SAMPLE_FORMAT, help="Samples of standard input.")
@session_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    file: Path | None,
    recording: Path | None,
    speed: float | None,
    start_at: float | None,
    duration: float | None,
    rate: int | None,
    channels: int | None,
    form: str | None,
    **options: Any,
) -> int:
    """Track a sound FILE as if it were being played now.

    FILE may be WAV, FLAC, OGG, Opus, MP3, and with a decoder (the extra `av`, or ffmpeg) M4A, WMA
    and others, of any rate and any number of channels; `-` is raw PCM on standard input, which
    needs --rate, --channels and --format. Where not all of it can be heard the exit code is 1. With
    --from there is no FILE: a session recorded with --jsonl goes to the dashboard, the pipe and the
    sinks once more.

    Example: streamer replay song.flac --speed 4 > song.jsonl

    Example: ffmpeg -i song.m4a -f s16le - | streamer replay - --rate 44100 --channels 2
    --format s16le

    Example: streamer replay --from song.jsonl --speed 10
    """
    stretch_s = math.inf if duration is None else duration
    chosen = SessionOptions(**options)
    if recording is not None:
        _refuse_settled(ctx, file)
        chosen.check_outputs([recording])
        from streamer.cli.session import play_back

        return play_back(
            recording,
            chosen,
            speed=speed or 1.0,
            start_s=start_at,
            duration_s=stretch_s,
        )
    if file is None:
        raise click.UsageError("name a sound FILE, `-`, or a recorded session with --from")
    raw = {"--rate": rate, "--channels": channels, "--format": form}
    if str(file) == "-":
        if missing := [name for name, value in raw.items() if value is None]:
            raise click.UsageError(f"raw PCM on standard input needs {', '.join(missing)}")
        if start_at is not None:
            raise click.UsageError("standard input cannot be started at a later moment")
    elif given := [name for name, value in raw.items() if value is not None]:
        raise click.UsageError(f"{given[0]} is for raw PCM on standard input: a file says it")

    # What takes long to import comes after what can be refused.
    from streamer.audio.files import BLOCK, LONG_BLOCK, FileSource
    from streamer.audio.pacing import Clock, Paced
    from streamer.audio.pcm import PcmSource
    from streamer.cli.session import libraries_silenced, run_session

    heard: list[FileSource | PcmSource] = []

    def open_source(clock: Clock, _: object) -> Source:
        if rate is not None and channels is not None and form is not None:
            if sys.stdin is None:
                raise AudioError("standard input is closed: send raw PCM to it")
            heard.append(PcmSource(sys.stdin.buffer, rate=rate, channels=channels, fmt=form))
            return Paced(heard[0], speed or math.inf, clock)
        block = LONG_BLOCK if speed == math.inf else BLOCK
        heard.append(FileSource(file, start_s=start_at or 0.0, block=block))
        return Paced(heard[0], speed or 1.0, clock)

    chosen.check_outputs([] if str(file) == "-" else [file])
    with libraries_silenced():
        code = run_session(open_source, chosen, duration_s=stretch_s)
    return code or (FAILED if any(source.incomplete for source in heard) else 0)


def _refuse_settled(ctx: click.Context, file: Path | None) -> None:
    """Refuse what a recorded session leaves no choice about."""
    if file is not None:
        raise click.UsageError(f"either the sound file {file} or a recorded session, not both")
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if parameter.name in _SETTLED and given:
            raise click.UsageError(
                f"{parameter.opts[0]} was settled when the session was recorded: leave it out"
            )
