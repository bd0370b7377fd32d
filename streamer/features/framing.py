"""Samples to overlapping frames, as a stream.

Frame arithmetic lives here and nowhere else: frame ``k`` covers the samples from ``k * hop`` to
``k * hop + length`` of the stream, lost samples counted. A frame is emitted as soon as it is
complete, and only then (python_speech_features pads a last, partial frame; a stream cannot).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.audio.source import LIMIT
from streamer.features.state import State


def frame_count(samples: int, length: int, hop: int) -> int:
    """How many complete frames ``samples`` samples give."""
    return 0 if samples < length else 1 + (samples - length) // hop


def frame_start(index: int, hop: int) -> int:
    """The stream position of the first sample of frame ``index``."""
    return index * hop


@dataclass(frozen=True, slots=True, eq=False)
class FramingState(State):
    """Where the stream stands: remainder, offset and one sample of history.

    ``position``: samples counted so far, lost ones too. ``start``: stream position of the next
    frame's first sample. ``previous``: the sample just before ``start``, 0 at the beginning and
    after a gap. ``remainder``: the samples from ``start`` to ``position``, float64.
    """

    position: int
    start: int
    previous: float
    remainder: NDArray[np.float64]

    @staticmethod
    def _free_length() -> frozenset[str]:
        return frozenset({"remainder"})

    def _rules(self) -> dict[str, tuple[str, bool]]:
        lasting = max(0, self.position - self.start)
        return {
            "previous": ("is beyond all sound", abs(self.previous) <= float(LIMIT)),
            "remainder": (
                "must be the samples from 'start' to 'position', and none beyond all sound",
                len(self.remainder) == lasting
                and bool(np.abs(self.remainder).max(initial=0) <= LIMIT),
            ),
        }


class Framing:
    """Cuts a stream into frames of ``length`` samples, one every ``hop`` samples."""

    def __init__(self, length: int, hop: int) -> None:
        self.length = length
        self.hop = hop

    def initial(self) -> FramingState:
        """The state before the first sample."""
        return FramingState(0, 0, 0.0, np.empty(0))

    def check(self, state: FramingState) -> None:
        """Raises ``ValueError`` where ``state`` is not one of frames of this length and hop."""
        ahead = state.start - state.position
        if state.start % self.hop or not -self.length < ahead < self.hop:
            raise ValueError(
                f"the state's 'framing.start' must be a multiple of {self.hop}, less than that "
                f"after 'position' or less than {self.length} before it"
            )

    def cut(
        self, samples: NDArray[np.floating], state: FramingState
    ) -> tuple[NDArray[np.float64], range, FramingState]:
        """The frames that ``samples`` (any length) complete.

        Returns ``frames`` (count, length + 1), float64, read-only: column 0 is the sample before
        the frame, which pre-emphasis needs; ``ends``, the stream positions just after each frame;
        and the new state. Every frame's values are those of the input, whatever the cuts.
        """
        dropped = min(len(samples), max(0, state.start - state.position))
        previous = float(samples[dropped - 1]) if dropped else state.previous
        buffer = np.empty(1 + len(state.remainder) + len(samples) - dropped)
        buffer[0] = previous
        buffer[1 : 1 + len(state.remainder)] = state.remainder
        buffer[1 + len(state.remainder) :] = samples[dropped:]

        count = frame_count(len(buffer) - 1, self.length, self.hop)
        # Overlapping rows of the one buffer: sliding_window_view takes ten times as long to make.
        strides = (self.hop * buffer.itemsize, buffer.itemsize)
        frames = np.ndarray((count, self.length + 1), buffer.dtype, buffer, 0, strides)
        frames.flags.writeable = False
        first = state.start // self.hop
        ends = range(
            frame_start(first, self.hop) + self.length,
            frame_start(first + count, self.hop) + self.length,
            self.hop,
        )

        used = count * self.hop
        # A hop longer than the frame leaves samples to be dropped when they come.
        kept = min(used, len(buffer) - 1)
        return (
            frames,
            ends,
            FramingState(
                position=state.position + len(samples),
                start=state.start + used,
                previous=float(buffer[kept]),
                remainder=buffer[1 + kept :].copy(),
            ),
        )

    def skip(self, samples: int, state: FramingState) -> FramingState:
        """The state after a gap of ``samples`` samples.

        The clock moves on, no frame spans the gap, the history is cleared, and framing starts
        again at the next position of the hop grid.
        """
        position = state.position + samples
        start = frame_start(-(-position // self.hop), self.hop)
        return FramingState(position, start, 0.0, np.empty(0))
