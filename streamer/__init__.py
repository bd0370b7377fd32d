"""streamer: how music feels, while it plays.

``from streamer import EmotionTracker, load_model`` is all that most programs need; names are
imported when they are used, so that ``import streamer`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from streamer.events import End as End
    from streamer.events import Estimate as Estimate
    from streamer.events import Event as Event
    from streamer.events import Gap as Gap
    from streamer.events import Notice as Notice
    from streamer.events import Start as Start
    from streamer.network.model import Model as Model
    from streamer.network.model import load_model as load_model
    from streamer.pool import TrackerPool as TrackerPool
    from streamer.session import Session as Session
    from streamer.stages import TrackerState as TrackerState
    from streamer.tracker import EmotionTracker as EmotionTracker

_HOMES = {
    "End": "streamer.events",
    "Estimate": "streamer.events",
    "Event": "streamer.events",
    "Gap": "streamer.events",
    "Notice": "streamer.events",
    "Start": "streamer.events",
    "Model": "streamer.network.model",
    "load_model": "streamer.network.model",
    "Session": "streamer.session",
    "EmotionTracker": "streamer.tracker",
    "TrackerPool": "streamer.pool",
    "TrackerState": "streamer.stages",
}

__all__ = [
    "EmotionTracker",
    "End",
    "Estimate",
    "Event",
    "Gap",
    "Model",
    "Notice",
    "Session",
    "Start",
    "TrackerPool",
    "TrackerState",
    "__version__",
    "load_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'streamer' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
