"""Samples that cannot be sound (NaN, infinite, absurdly loud) become losses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from streamer.audio.source import Lost, Samples

#: Full scale is 1; float recordings overshoot it a little, never by 18 dB.
LIMIT = np.float32(8.0)
CAUSE = "invalid samples"


def split(block: Samples) -> Iterator[Samples | Lost]:
    """Cut a block of shape (samples,) at its runs of invalid samples.

    A run of NaN, infinite or beyond ±8 becomes ``Lost(length, "invalid samples")``; what lies
    between is yielded as views, in order, so that the lengths add up to the block's. A block that
    is valid throughout is yielded itself; an empty block yields nothing.
    """
    if block.size == 0:
        return
    # NaN survives min and max, and fails every comparison.
    if block.min() >= -LIMIT and block.max() <= LIMIT:
        yield block
        return
    valid = np.abs(block) <= LIMIT
    edges = np.flatnonzero(valid[1:] != valid[:-1]) + 1
    bounds = [0, *edges.tolist(), block.size]
    for begin, end in pairwise(bounds):
        if valid[begin]:
            yield block[begin:end]
        else:
            yield Lost(end - begin, CAUSE)
