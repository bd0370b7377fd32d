"""Lab Streaming Layer: the estimates as a stream that aligns with EEG, heart rate, eye trackers.

A sample has the time at which the newest sound that it was judged from was captured, by the clock
that all streams of a laboratory are brought to (labstreaminglayer.org). liblsl's own threads serve
whoever listens; nobody has to.
"""

from __future__ import annotations

import math
import os
import platform
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from streamer.errors import MissingExtraError, OutputError
from streamer.events import QUADRANTS, Estimate, Event, Start

#: Channels in their order: name, unit, and what it is.
CHANNELS = (
    ("valence", "normalized", "-1 to 1"),
    ("arousal", "normalized", "-1 to 1"),
    ("valence_sd", "normalized", "standard deviation of valence"),
    ("arousal_sd", "normalized", "standard deviation of arousal"),
    *((name, "probability", f"of the quadrant {name}") for name in QUADRANTS),
    ("music", "probability", "that music is heard"),
    ("level_db", "dB", "RMS of the last second relative to full scale"),
    ("silent", "boolean", "1 while silent"),
)
#: Of liblsl, which would tell the terminal that all is well: errors alone.
_QUIET = "[log]\nlevel = -2\n"
#: Seconds of estimates that are kept for a listener that is slow.
_KEPT_S = 60


class Lsl:
    """An outlet named ``name``: an irregular stream of type "Emotion", float32, from ``Start`` on.

    What is not judged is NaN, as is usual there. An estimate without a capture time (of a file) has
    the time of its writing. Raises ``MissingExtraError`` where pylsl is not installed, and
    ``OutputError`` where its library is not.
    """

    def __init__(self, name: str) -> None:
        try:
            import pylsl
        except ImportError:
            raise MissingExtraError("--lsl", "pylsl", "lsl") from None
        except (OSError, RuntimeError) as error:
            first = str(error).strip().splitlines() or ["no reason given"]
            raise OutputError(f"--lsl needs the library liblsl: {first[0]}") from None
        self._lsl: Any = pylsl
        if not any(place.is_file() for place in _configurations()):
            pylsl.set_config_content(_QUIET)
        self._name = name
        self._outlet: Any = None

    def write(self, event: Event) -> None:
        """Make the outlet at the start, then push each estimate; liblsl sends it by itself."""
        if isinstance(event, Start):
            self._outlet = self._open(event)
        elif isinstance(event, Estimate) and self._outlet is not None:
            self._outlet.push_sample(sample(event), self._time(event))

    def close(self) -> None:
        """Take the stream off the network."""
        self._outlet = None  # pylsl frees it with its last reference

    def _open(self, start: Start) -> Any:
        source = f"{start.source.get('kind', '')}: {Path(str(start.source.get('name', ''))).name}"
        info = self._lsl.StreamInfo(
            self._name,
            "Emotion",
            len(CHANNELS),
            self._lsl.IRREGULAR_RATE,
            "float32",
            # A recorder goes on with whatever has the same: it must be the same room.
            f"emotion-streamer {self._name} {start.model} {platform.node()} {source}",
        )
        about = info.desc()
        about.append_child_value("manufacturer", "emotion-streamer")
        about.append_child_value("version", start.version)
        about.append_child_value("model", start.model)
        about.append_child_value("source", source)
        about.append_child_value("rate_hz", repr(1 / (start.interval_s or start.hop_s)))
        about.append_child_value("started", start.time)
        channels = about.append_child("channels")
        for label, unit, what in CHANNELS:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", "Emotion")
            channel.append_child_value("description", what)
        return self._lsl.StreamOutlet(info, max_buffered=_KEPT_S)

    def _time(self, estimate: Estimate) -> float:
        """The capture time on liblsl's clock, which is read beside the one of ``captured``."""
        now: float = self._lsl.local_clock()
        if estimate.captured is None:
            return now
        return now - (time.time() - datetime.fromisoformat(estimate.captured).timestamp())


def _configurations() -> list[Path]:
    """Where liblsl looks for its user's configuration, which is left as it is."""
    named = os.environ.get("LSLAPICFG")
    name = "lsl_api/lsl_api.cfg"
    places = [Path("lsl_api.cfg"), Path.home() / name, Path("/etc") / name]
    return [Path(named), *places] if named else places


def sample(estimate: Estimate) -> list[float]:
    """The channels of an estimate, in the order of :data:`CHANNELS`."""
    chances = estimate.quadrant_p or {}
    found = [
        estimate.valence,
        estimate.arousal,
        estimate.valence_sd,
        estimate.arousal_sd,
        *(chances.get(name) for name in QUADRANTS),
        estimate.music,
        estimate.level_db,
        float(estimate.silent),
    ]
    return [math.nan if value is None else value for value in found]
