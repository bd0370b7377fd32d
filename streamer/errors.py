"""Failures a user can act on: each carries one sentence that says what, where and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class StreamerError(Exception):
    """Base of every failure that is a user's to mend; the command line prints it and exits 1."""


class AudioError(StreamerError):
    """A file, a stream or a device cannot be opened or read."""


class DeviceError(AudioError):
    """A sound device is missing, ambiguous, refused its settings, or PortAudio is not installed."""


class ModelError(StreamerError):
    """A model directory is incomplete, altered, of another format, or malformed."""


class DatasetError(StreamerError):
    """A dataset's files are missing or do not fit together."""


class OutputError(StreamerError):
    """A file that the user named cannot be written."""


class SessionFileError(StreamerError):
    """A recorded session cannot be read as JSON lines of a known schema."""


class MissingExtraError(StreamerError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs {package}, which is not installed: "
            f"pip install 'emotion-streamer[{extra}]'"
        )


@contextlib.contextmanager
def writing(what: object) -> Iterator[None]:
    """Turn the ``OSError`` of what is written inside into an ``OutputError`` about ``what``."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{what} cannot be written: {error.strerror or error}") from None
