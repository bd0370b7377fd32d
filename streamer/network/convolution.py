"""The hybrid convolution in NumPy: filters one time row high, along the coefficients of a frame.

Layers take and give flat rows, (frames, positions * channels) with the channels of a position side
by side, so that a filter's window is one contiguous stretch. Every frame is worked on alone.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.network.config import Convolution

Floats = NDArray[np.float32]

#: Up to this many numbers (half a megabyte) a layer is unrolled into one matrix.
_LARGEST_MATRIX = 1 << 17


class Layer(Protocol):
    """One convolution with its bias and rectifier."""

    def __call__(self, rows: Floats) -> Floats:
        """(frames, positions * channels) to (frames, new positions * filters)."""


class Unrolled:
    """A convolution as one matrix product: most of the matrix is zeros, and it still is faster.

    One call of BLAS a frame costs less than gathering the windows of a few filters.
    """

    def __init__(self, kernel: Floats, bias: Floats, stride: int, positions: int) -> None:
        width, channels, filters = kernel.shape
        new = (positions - width) // stride + 1
        matrix = np.zeros((positions, channels, new, filters), dtype=np.float32)
        for place in range(new):
            matrix[place * stride : place * stride + width, :, place] = kernel
        self._matrix = matrix.reshape(positions * channels, new * filters)
        self._bias = np.tile(bias, new)

    def __call__(self, rows: Floats) -> Floats:
        """See :class:`Layer`."""
        current: Floats = np.dot(rows, self._matrix)
        current += self._bias
        return np.maximum(current, 0, out=current)


class Sliding:
    """A convolution as one product a position, for layers whose matrix would be too large."""

    def __init__(self, kernel: Floats, bias: Floats, stride: int, positions: int) -> None:
        width, channels, filters = kernel.shape
        self._kernel = np.ascontiguousarray(kernel.reshape(width * channels, filters))
        self._bias = bias
        self._step = stride * channels
        self._new = (positions - width) // stride + 1

    def __call__(self, rows: Floats) -> Floats:
        """See :class:`Layer`."""
        rows = np.ascontiguousarray(rows)
        shape = (len(rows), self._new, len(self._kernel))
        strides = (rows.strides[0], self._step * rows.itemsize, rows.itemsize)
        windows = np.ndarray(shape, rows.dtype, rows, 0, strides)
        # Overlapping rows are no matrix that BLAS would take: they are copied apart.
        current: Floats = np.dot(
            windows.reshape(len(rows) * self._new, len(self._kernel)), self._kernel
        )
        current += self._bias
        np.maximum(current, 0, out=current)
        return current.reshape(len(rows), self._new * len(self._bias))


def build(weight: Floats, bias: Floats, layer: Convolution, positions: int) -> Layer:
    """The layer of PyTorch's ``weight`` (filters, channels, 1, width) and ``bias`` (filters,)."""
    kernel = weight[:, :, 0, :].transpose(2, 1, 0)
    new = (positions - layer.width) // layer.stride + 1
    size = positions * kernel.shape[1] * new * layer.filters
    kind = Unrolled if size <= _LARGEST_MATRIX else Sliding
    return kind(kernel, bias, layer.stride, positions)
