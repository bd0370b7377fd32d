"""The layers that see one frame alone, in NumPy: the hybrid convolution and the dense layer.

They take and give flat rows, (frames, positions * channels) with the channels of a position side
by side, so that a filter's window is one contiguous stretch.

A bias and a rectifier, ``max(y + b, 0)``, are ``max(y, -b) + b``. A layer does the first part and
owes the ``+ b`` to the next one, which takes it into its own bias once and for all: with one frame
a call, each array operation that is spared counts.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.network.config import Convolution

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Up to this many numbers (half a megabyte) a convolution is unrolled into one matrix.
_LARGEST_MATRIX = 1 << 17


class FrameLayer(Protocol):
    """A linear map with bias and rectifier; ``owed`` is missing from what it returns."""

    owed: Doubles

    def __call__(self, rows: Floats) -> Floats:
        """(frames, inputs) to (frames, outputs), less ``owed``."""


class Dense:
    """One matrix product: the dense layer, and convolutions unrolled.

    Most of an unrolled matrix is zeros, and still one call of BLAS a frame costs less than
    gathering the windows of a few filters. ``owed`` is missing from the rows that come in.
    """

    def __init__(self, matrix: Floats, bias: Floats, owed: Doubles) -> None:
        self._matrix = np.ascontiguousarray(matrix)
        self.owed = bias + owed @ self._matrix.astype(np.float64)
        self._least = (-self.owed).astype(np.float32)

    def __call__(self, rows: Floats) -> Floats:
        """See :class:`FrameLayer`."""
        current: Floats = np.dot(rows, self._matrix)
        return np.maximum(current, self._least, out=current)


class Sliding:
    """A convolution as one product a position, for layers whose matrix would be too large.

    ``kernel`` is (width, channels, filters), ``positions`` how many come in.
    """

    def __init__(
        self, kernel: Floats, bias: Floats, stride: int, positions: int, owed: Doubles
    ) -> None:
        width, channels, filters = kernel.shape
        self._kernel = np.ascontiguousarray(kernel.reshape(width * channels, filters))
        self._step = stride * channels
        self._new = (positions - width) // stride + 1
        missing: Doubles = np.dot(self._windows(owed[None]), self._kernel.astype(np.float64))
        self.owed: Doubles = (missing + bias).reshape(-1)
        self._least = (-self.owed).astype(np.float32)

    def __call__(self, rows: Floats) -> Floats:
        """See :class:`FrameLayer`."""
        current: Floats = np.dot(self._windows(rows), self._kernel)
        current = current.reshape(len(rows), len(self._least))
        return np.maximum(current, self._least, out=current)

    def _windows(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        """The window of each position of each frame: (frames * positions, width * channels)."""
        rows = np.ascontiguousarray(rows)
        shape = (len(rows), self._new, len(self._kernel))
        strides = (rows.strides[0], self._step * rows.itemsize, rows.itemsize)
        windows = np.ndarray(shape, rows.dtype, rows, 0, strides)
        # Overlapping rows are no matrix that BLAS would take: they are copied apart.
        return windows.reshape(len(rows) * self._new, len(self._kernel))


def unrolled(kernel: Floats, bias: Floats, stride: int, positions: int, owed: Doubles) -> Dense:
    """The convolution that :class:`Sliding` makes of the same arguments, as one matrix."""
    width, channels, filters = kernel.shape
    new = (positions - width) // stride + 1
    matrix = np.zeros((positions, channels, new, filters), dtype=np.float32)
    for place in range(new):
        matrix[place * stride : place * stride + width, :, place] = kernel
    matrix = matrix.reshape(positions * channels, new * filters)
    return Dense(matrix, np.tile(bias, new), owed)


def convolution(
    weight: Floats, bias: Floats, layer: Convolution, positions: int, owed: Doubles
) -> FrameLayer:
    """The layer of PyTorch's ``weight`` (filters, channels, 1, width) and ``bias`` (filters,)."""
    kernel = weight[:, :, 0, :].transpose(2, 1, 0)
    new = (positions - layer.width) // layer.stride + 1
    small = positions * kernel.shape[1] * new * layer.filters <= _LARGEST_MATRIX
    if small:
        return unrolled(kernel, bias, layer.stride, positions, owed)
    return Sliding(kernel, bias, layer.stride, positions, owed)
