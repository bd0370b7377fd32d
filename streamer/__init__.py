"""streamer: how music feels, while it plays.

``streamer.track("song.flac")`` and ``streamer.listen("monitor")`` are all that most programs need;
names are imported when they are used, so that ``import streamer`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from streamer.analysis.recorded import Recording as Recording
    from streamer.analysis.recorded import read_session as read_session
    from streamer.analysis.recorded import read_sessions as read_sessions
    from streamer.audio.files import FileSource as FileSource
    from streamer.audio.microphone import MicrophoneSource as MicrophoneSource
    from streamer.audio.pcm import PcmSource as PcmSource
    from streamer.audio.source import Source as Source
    from streamer.audio.source import SourceInfo as SourceInfo
    from streamer.errors import StreamerError as StreamerError
    from streamer.events import End as End
    from streamer.events import Estimate as Estimate
    from streamer.events import Event as Event
    from streamer.events import Gap as Gap
    from streamer.events import Notice as Notice
    from streamer.events import Start as Start
    from streamer.network.model import Model as Model
    from streamer.network.model import load_model as load_model
    from streamer.pool import TrackerPool as TrackerPool
    from streamer.session import Playback as Playback
    from streamer.session import Session as Session
    from streamer.sinks.history import History as History
    from streamer.sinks.jsonl import JsonLines as JsonLines
    from streamer.sinks.jsonl import JsonLinesFile as JsonLinesFile
    from streamer.sinks.jsonl import RotatingJsonLines as RotatingJsonLines
    from streamer.sinks.jsonl import Rotation as Rotation
    from streamer.sinks.lsl import Lsl as Lsl
    from streamer.sinks.mqtt import Mqtt as Mqtt
    from streamer.sinks.osc import Osc as Osc
    from streamer.sinks.page import Page as Page
    from streamer.sinks.sink import Callback as Callback
    from streamer.sinks.sink import Sink as Sink
    from streamer.stages import TrackerState as TrackerState
    from streamer.tracker import EmotionTracker as EmotionTracker
    from streamer.tracking import ArraySource as ArraySource
    from streamer.tracking import Tracking as Tracking
    from streamer.tracking import listen as listen
    from streamer.tracking import track as track

_HOMES = {
    "Recording": "streamer.analysis.recorded",
    "read_session": "streamer.analysis.recorded",
    "read_sessions": "streamer.analysis.recorded",
    "FileSource": "streamer.audio.files",
    "MicrophoneSource": "streamer.audio.microphone",
    "PcmSource": "streamer.audio.pcm",
    "Source": "streamer.audio.source",
    "SourceInfo": "streamer.audio.source",
    "StreamerError": "streamer.errors",
    "End": "streamer.events",
    "Estimate": "streamer.events",
    "Event": "streamer.events",
    "Gap": "streamer.events",
    "Notice": "streamer.events",
    "Start": "streamer.events",
    "Model": "streamer.network.model",
    "load_model": "streamer.network.model",
    "TrackerPool": "streamer.pool",
    "Playback": "streamer.session",
    "Session": "streamer.session",
    "History": "streamer.sinks.history",
    "JsonLines": "streamer.sinks.jsonl",
    "JsonLinesFile": "streamer.sinks.jsonl",
    "RotatingJsonLines": "streamer.sinks.jsonl",
    "Rotation": "streamer.sinks.jsonl",
    "Lsl": "streamer.sinks.lsl",
    "Mqtt": "streamer.sinks.mqtt",
    "Osc": "streamer.sinks.osc",
    "Page": "streamer.sinks.page",
    "Callback": "streamer.sinks.sink",
    "Sink": "streamer.sinks.sink",
    "TrackerState": "streamer.stages",
    "EmotionTracker": "streamer.tracker",
    "ArraySource": "streamer.tracking",
    "Tracking": "streamer.tracking",
    "listen": "streamer.tracking",
    "track": "streamer.tracking",
}

__all__ = [
    "ArraySource",
    "Callback",
    "EmotionTracker",
    "End",
    "Estimate",
    "Event",
    "FileSource",
    "Gap",
    "History",
    "JsonLines",
    "JsonLinesFile",
    "Lsl",
    "MicrophoneSource",
    "Model",
    "Mqtt",
    "Notice",
    "Osc",
    "Page",
    "PcmSource",
    "Playback",
    "Recording",
    "RotatingJsonLines",
    "Rotation",
    "Session",
    "Sink",
    "Source",
    "SourceInfo",
    "Start",
    "StreamerError",
    "TrackerPool",
    "TrackerState",
    "Tracking",
    "__version__",
    "listen",
    "load_model",
    "read_session",
    "read_sessions",
    "track",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'streamer' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
