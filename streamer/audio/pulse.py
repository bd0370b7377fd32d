"""PulseAudio's and PipeWire's own names for their sources, monitors of outputs above all.

PortAudio sees one device called "pulse" behind which they all are. Which of them it records is the
environment variable PULSE_SOURCE's to say, read when the stream opens.
"""

from __future__ import annotations

import shutil
import subprocess

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


def sources() -> list[tuple[str, int, int]]:
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
