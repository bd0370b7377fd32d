"""Which inputs there are, and which of them a person means."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.audio import pulse
from streamer.errors import DeviceError

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
    if lower == pulse.MONITOR:
        monitor = pulse.default_monitor()
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
