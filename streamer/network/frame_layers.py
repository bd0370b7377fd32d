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

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class FrameLayer(Protocol):
    """A linear map with bias, mostly rectified; ``owed`` is missing from what it returns."""

    owed: Doubles

    def __call__(self, rows: Floats) -> Floats:
        """(frames, inputs) to (frames, outputs), less ``owed``."""


class Linear:
    """One matrix product without a rectifier; ``owed`` is missing from the rows that come in."""

    def __init__(self, matrix: Floats, bias: Floats, owed: Doubles) -> None:
        self._matrix = np.ascontiguousarray(matrix)
        self.owed = bias + owed @ self._matrix.astype(np.float64)

    def __call__(self, rows: Floats) -> Floats:
        """See :class:`FrameLayer`."""
        current: Floats = rows.dot(self._matrix)
        return current


class Dense:
    """One matrix product; ``owed`` is missing from the rows that come in."""

    def __init__(self, matrix: Floats, bias: Floats, owed: Doubles) -> None:
        self._matrix = np.ascontiguousarray(matrix)
        self.owed = bias + owed @ self._matrix.astype(np.float64)
        self._least = (-self.owed).astype(np.float32)

    def __call__(self, rows: Floats) -> Floats:
        """See :class:`FrameLayer`."""
        current: Floats = rows.dot(self._matrix)
        return np.maximum(current, self._least, out=current)


class Convolution:
    """Filters one time row high, sliding along the positions of a frame.

    PyTorch's ``weight`` (filters, channels, 1, width) and ``bias`` (filters,); ``owed`` is missing
    from the rows that come in. One product for all positions: as one matrix mostly of zeros, the
    layer was measured to be slower, one frame a call and many.
    """

    def __init__(self, weight: Floats, bias: Floats, stride: int, owed: Doubles) -> None:
        kernel = weight[:, :, 0, :].transpose(2, 1, 0)
        width, channels, filters = kernel.shape
        self._kernel = np.ascontiguousarray(kernel.reshape(width * channels, filters))
        self._step = stride * channels
        self._new = (len(owed) // channels - width) // stride + 1
        missing: Doubles = np.dot(self._windows(owed[None]), self._kernel.astype(np.float64))
        self.owed: Doubles = (missing + bias).reshape(-1)
        self._least = (-self.owed).astype(np.float32)

    def __call__(self, rows: Floats) -> Floats:
        """See :class:`FrameLayer`."""
        current: Floats = self._windows(rows).dot(self._kernel)
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
