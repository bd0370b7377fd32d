"""How sound is laid out: plausible rates and channel counts, and the mix of channels to mono."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.audio.source import Samples
from streamer.errors import AudioError

#: Rates in Hz that sound is kept at; outside of them a header is wrong, not unusual.
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
#: libsndfile's own limit.
MOST_CHANNELS = 1_024


def check(rate: int, channels: int, what: str) -> None:
    """Raise ``AudioError`` where ``what`` claims a rate or a number of channels beyond belief."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"{what} has a sample rate of {rate} Hz, outside {LOWEST_RATE} to {HIGHEST_RATE} Hz: "
            f"give the right rate, or convert the sound"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(
            f"{what} has {channels} channels, outside 1 to {MOST_CHANNELS}: "
            f"give the right number of channels, or convert the sound"
        )


def mix(block: NDArray[np.float32], out: Samples) -> None:
    """Write the mean of the channels of ``block`` (samples, channels) into ``out`` (samples,).

    Channel by channel instead of a matrix product: the result of a sample must not depend on where
    a block was cut, and nothing is allocated (the sound card's callback calls this).
    """
    np.copyto(out, block[:, 0])
    channels = block.shape[1]
    if channels > 1:
        for channel in range(1, channels):
            np.add(out, block[:, channel], out=out)
        np.multiply(out, np.float32(1.0 / channels), out=out)
