"""Inputs of this machine, and which of them a person means by an index or a part of a name.

PortAudio sees one device called "pulse" behind which all sources of PulseAudio and PipeWire are.
Which of them it records is the environment variable PULSE_SOURCE's to say, read when the stream
opens; their own names, monitors of outputs above all, come from ``pactl``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from streamer.errors import DeviceError

#: The word for "what this computer plays", whichever output that is.
MONITOR = "monitor"
_TIMEOUT_S = 3.0


def _english() -> dict[str, str]:
    """An environment in which ``pactl`` speaks English, whatever the desktop's language."""
    return {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": ""}


def _pactl(*words: str) -> str:
    """What ``pactl`` prints, in English.

    Nothing where it is absent, fails, or its server does not answer.
    """
    program = shutil.which("pactl")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=_english(),
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


@dataclass(frozen=True, slots=True)
class PulseSource:
    """A source of the sound server: its name, channels and rate in Hz.

    ``numbered``: the server does not know where its channels stand (aux0, aux1, ...), as with
    interfaces for studios.
    """

    name: str
    channels: int
    rate: int
    numbered: bool


_SAMPLES = re.compile(r"(\d+)ch (\d+)Hz$")


def pulse_sources() -> list[PulseSource]:
    """The sound server's sources, in its order."""
    found: list[PulseSource] = []
    for record in _pactl("list", "sources").split("\n\n"):
        # Lines such as "Name: music.monitor", "Sample Specification: s16le 2ch 44100Hz",
        # "Channel Map: front-left,front-right".
        fields: dict[str, str] = {}
        for line in record.splitlines():
            label, _, value = line.strip().partition(": ")
            fields.setdefault(label, value)
        samples = _SAMPLES.search(fields.get("Sample Specification", ""))
        if samples and fields.get("Name"):
            channels, rate = map(int, samples.groups())
            numbered = fields.get("Channel Map", "").startswith("aux")
            found.append(PulseSource(fields["Name"], channels, rate, numbered))
    return found


def default_monitor() -> str | None:
    """The source that records what the default output plays, if a server says which that is."""
    sink = _told("Default Sink")
    return f"{sink}.monitor" if sink else None


def default_source() -> str | None:
    """The source that the sound server's own default device records, if a server says which."""
    return os.environ.get("PULSE_SOURCE") or _told("Default Source")


def subscribe() -> subprocess.Popen[bytes] | None:
    """A ``pactl`` that writes a line whenever something of the sound server has changed.

    ``None`` where it is absent.
    """
    program = shutil.which("pactl")
    if program is None:
        return None
    try:
        return subprocess.Popen(
            [program, "subscribe"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=_english(),
        )
    except OSError:
        return None


#: Of a line of ``pactl subscribe`` where the default output may be another from now on.
SERVER_CHANGED = b"on server"


def _told(label: str) -> str | None:
    """What ``pactl info`` tells under a label."""
    for line in _pactl("info").splitlines():
        found, _, value = line.partition(": ")
        if found == label and value:
            return value
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
    far as its name tells; ``numbered`` as for :class:`PulseSource`.
    """

    index: int | None
    name: str
    channels: int
    rate: int
    api: str
    default: bool
    loopback: bool
    numbered: bool = False


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
    if text.isdecimal():
        for each in inputs:
            # Compared as text: of absurdly many digits Python makes no number.
            if each.index is not None and str(each.index) == (text.lstrip("0") or "0"):
                return each
        raise DeviceError(f"no input has the index {text}; there are: {_names(inputs)}")
    lower = text.lower()
    if means_monitor(text):
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


#: What ALSA adds to a card's name: its number, another one whenever it is plugged in.
_PLACE = re.compile(r"\s*\((?:plug)?hw:\d+(?:,\d+)?\)")


def is_same(one: str, two: str) -> bool:
    """Whether two names are one device's, wherever it is plugged in."""
    return _PLACE.sub("", one) == _PLACE.sub("", two)


def find_again(name: str, inputs: list[Input]) -> Input:
    """The input of that whole name, or of that name on another of ALSA's numbers.

    Raises ``DeviceError`` where it is not there, or where two others could be it.
    """
    found = [each for each in inputs if each.name == name]
    found = found or [each for each in inputs if is_same(each.name, name)]
    if len({each.name for each in found}) == 1:
        return choose(found[0].name, inputs)
    raise DeviceError(f"{name} is not there; there are: {_names(inputs)}")


def means_monitor(wanted: str | int | None) -> bool:
    """Whether a person asks for what the computer plays, whichever output that is."""
    return str(wanted).strip().lower() == MONITOR


def _names(inputs: list[Input]) -> str:
    return ", ".join(
        each.name if each.index is None else f"{each.index} {each.name}" for each in inputs
    )
