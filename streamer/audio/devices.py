"""Inputs of this machine, and which of them a person means by an index or a part of a name.

PortAudio sees one device called "pulse" behind which all sources of PulseAudio and PipeWire are.
Which of them it records is the environment variable PULSE_SOURCE's to say, read when the stream
opens; their own names, monitors of outputs above all, come from ``pactl``.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from streamer.errors import DeviceError

#: The word for "what this computer plays", whichever output that is.
MONITOR = "monitor"
_TIMEOUT_S = 3.0


def _pactl(*words: str) -> str:
    """What ``pactl`` prints; nothing where it is absent, fails, or its server does not answer."""
    program = shutil.which("pactl")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *words],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def pulse_sources() -> list[tuple[str, int, int]]:
    """Each source's name, channels and rate in Hz, in the server's order."""
    found = []
    for line in _pactl("list", "short", "sources").splitlines():
        # 0 \t music.monitor \t module-null-sink.c \t s16le 2ch 44100Hz \t RUNNING
        fields = line.split("\t")
        if len(fields) < 4:
            continue
        channels = rate = 0
        for word in fields[3].split():
            if word.endswith("ch") and word[:-2].isdigit():
                channels = int(word[:-2])
            elif word.endswith("Hz") and word[:-2].isdigit():
                rate = int(word[:-2])
        found.append((fields[1], channels, rate))
    return found


def default_monitor() -> str | None:
    """The source that records what the default output plays, if a server says which that is."""
    for line in _pactl("info").splitlines():
        label, _, sink = line.partition(": ")
        if label == "Default Sink" and sink:
            return f"{sink}.monitor"
    return None


#: Parts of names (in lower case) of inputs that carry what the computer itself plays.
_LOOPBACKS = (
    "monitor",
    "loopback",
    "blackhole",
    "soundflower",
    "stereo mix",
    "stereomix",
    "what u hear",
    "wave out mix",
    "vb-audio",
    "cable output",
    "voicemeeter out",
)
PULSE_API = "PulseAudio"


@dataclass(frozen=True, slots=True)
class Input:
    """An input that can be listened to.

    ``index`` is PortAudio's, or ``None`` for a source that only PulseAudio or PipeWire knows by
    name; ``rate`` is the default one in Hz; ``loopback``: it carries what the computer plays, as
    far as its name tells.
    """

    index: int | None
    name: str
    channels: int
    rate: int
    api: str
    default: bool
    loopback: bool


def is_loopback(name: str) -> bool:
    """Whether a device's name is one of those that carry what the computer plays."""
    lower = name.lower()
    return any(part in lower for part in _LOOPBACKS)


def choose(wanted: str | int | None, inputs: list[Input]) -> Input:
    """The input that ``wanted`` means: an index, a name or a part of one, ``None`` the default.

    An index may come as a string of digits; letter case does not matter; a whole name wins over a
    part of one. "monitor" means what the default output plays, where the sound server says which
    that is. Raises ``DeviceError`` where nothing matches or several inputs do.
    """
    if not inputs:
        raise DeviceError(
            "there is no sound input: plug one in, or start the sound server, "
            "then look with: streamer devices"
        )
    if wanted is None:
        for each in inputs:
            if each.default:
                return each
        raise DeviceError(
            "the system has no default sound input: name one of these with --device: "
            + _names(inputs)
        )
    text = str(wanted).strip()
    if text.isdigit():
        for each in inputs:
            if each.index == int(text):
                return each
        raise DeviceError(f"no input has the index {text}; there are: {_names(inputs)}")
    lower = text.lower()
    if lower == MONITOR:
        monitor = default_monitor()
        for each in inputs:
            if monitor is not None and each.name == monitor:
                return each
    matches = [each for each in inputs if each.name.lower() == lower]
    matches = matches or [each for each in inputs if lower in each.name.lower()]
    if len({each.name for each in matches}) == 1:
        # One device that several host APIs offer: the one of the system's default.
        api = next((each.api for each in inputs if each.default), matches[0].api)
        return next((each for each in matches if each.api == api), matches[0])
    if matches:
        raise DeviceError(
            f"{text!r} could be any of {_names(matches)}: give more of the name, or the index"
        )
    raise DeviceError(f"no input's name contains {text!r}; there are: {_names(inputs)}")


def _names(inputs: list[Input]) -> str:
    return ", ".join(
        each.name if each.index is None else f"{each.index} {each.name}" for each in inputs
    )
