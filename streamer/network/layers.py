"""The layers of the network in NumPy: straight and circular convolution, LSTM, leaky mean.

The first two see one frame alone. They take and give flat rows, (frames, positions * channels)
with the channels of a position side by side, so that a filter's window is one contiguous stretch. A
bias and a rectifier, ``max(y + b, 0)``, are ``max(y, -b) + b``: a layer does the first part and
owes the ``+ b`` to the next one, which takes it into its own bias once and for all. Further on, a
bias is one more row of the matrix, and its rows end with a 1. With one frame a call, each array
operation that is spared counts.

The LSTM and the leaky mean (in which what is long past counts less and less) take any number of
sequences of any lengths, side by side.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class FrameLayer(Protocol):
    """A linear map with bias, mostly rectified; ``owed`` is missing from what it returns."""

    owed: Doubles

    def __call__(self, rows: Floats, out: Floats | None = None) -> Floats:
        """(frames, inputs) to (frames, outputs), less ``owed``; into ``out`` where it is given."""


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

    def __call__(self, rows: Floats, out: Floats | None = None) -> Floats:
        """See :class:`FrameLayer`."""
        current: Floats = self._windows(rows).dot(self._kernel)
        current = current.reshape(len(rows), len(self._least))
        return np.maximum(current, self._least, out=current if out is None else out)

    def _windows(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        """The window of each position of each frame: (frames * positions, width * channels)."""
        rows = np.ascontiguousarray(rows)
        shape = (len(rows), self._new, len(self._kernel))
        strides = (rows.strides[0], self._step * rows.itemsize, rows.itemsize)
        windows = np.ndarray(shape, rows.dtype, rows, 0, strides)
        # Overlapping rows are no matrix that BLAS would take: they are copied apart.
        return windows.reshape(len(rows) * self._new, len(self._kernel))


class Circular:
    """Filters that slide in a circle along the pitch classes, pooled over the twelve positions.

    PyTorch's ``weight`` (filters, planes, 12) and ``bias`` (filters,); ``owed`` is missing from the
    rows that come in. As wide as the circle, a filter meets every number at every position, so the
    whole layer is one matrix, and it costs no more than its arithmetic.
    """

    def __init__(self, weight: Floats, bias: Floats, owed: Doubles) -> None:
        filters, planes, classes = weight.shape
        #: Column (position, filter): the filter, turned by the position.
        turned = [np.roll(weight, position, axis=2) for position in range(classes)]
        columns = np.stack(turned).reshape(classes * filters, planes * classes)
        self._matrix = np.ascontiguousarray(columns.T)
        self._shape = (classes, filters)
        missing = bias + (owed @ self._matrix.astype(np.float64)).reshape(classes, filters)
        # The same for all positions, since what is owed is the same for all pitch classes.
        self._least = (-missing).astype(np.float32)
        self._share = np.array(1 / classes, dtype=np.float32)
        self.owed: Doubles = np.tile(missing[0], 2)

    def __call__(self, rows: Floats, out: Floats | None = None) -> Floats:
        """(frames, planes * 12) to (frames, 2 * filters), less ``owed``: maxima, then means."""
        answers: Floats = rows.dot(self._matrix).reshape(len(rows), *self._shape)
        np.maximum(answers, self._least, out=answers)
        pooled = np.empty((len(rows), len(self.owed)), np.float32) if out is None else out
        filters = self._shape[1]
        np.maximum.reduce(answers, axis=1, out=pooled[:, :filters])
        means = np.add.reduce(answers, axis=1, out=pooled[:, filters:])
        means *= self._share
        return pooled


class Packing:
    """Sequences of unequal lengths as steps: in each step, one row of every one that goes on.

    The longest sequences come first, so that those that go on are always the first few.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self._order: NDArray[np.intp] | None = None
        self._rows: NDArray[np.intp] | None = None
        if len(lengths) == 1:
            self.runs = [(1, lengths[0])]
            return
        sizes = np.asarray(lengths)
        order = np.argsort(-sizes, kind="stable")
        steps = np.arange(sizes.max(initial=0))
        # How many sequences are longer than each step.
        active = np.searchsorted(-sizes[order], -steps, side="left").tolist()
        #: Sequences and steps of each stretch in which the same sequences go on.
        self.runs = [(count, len(list(same))) for count, same in groupby(active)]
        if len(steps) > 1 or 0 in lengths:
            starts = (np.cumsum(sizes) - sizes)[order]
            rows = [starts[:count] + step for step, count in enumerate(active)]
            self._rows = np.concatenate(rows) if rows else np.empty(0, dtype=np.intp)
            self._order = order

    def pack(self, rows: Floats) -> Floats:
        """Rows that lie sequence by sequence, step by step."""
        return rows if self._rows is None else rows[self._rows]

    def unpack(self, rows: Floats) -> Floats:
        """The inverse of ``pack``."""
        if self._rows is None:
            return rows
        unpacked = np.empty_like(rows)
        unpacked[self._rows] = rows
        return unpacked

    def sort(self, state: Floats) -> Floats:
        """A copy of a state (layers, sequences, units) in the order of the packed rows."""
        return state.copy() if self._order is None else state[:, self._order]

    def unsort(self, state: Floats) -> Floats:
        """The inverse of ``sort``, which may give the same array."""
        return state if self._order is None else state[:, np.argsort(self._order)]


class _Work(threading.local):
    """Each thread's own working memory: it would take as long to make anew as to multiply."""

    def __init__(self) -> None:
        self._shape = (0, 0)
        self._parts: tuple[Floats, ...] = ()

    def parts(self, count: int, units: int) -> tuple[Floats, ...]:
        """Parts of one array (count, 5 * units), whose rows are one step of a sequence each.

        The gates (leave, enter, forget, candidate), the sigmoids among them, [enter | forget] and
        [candidate | cell]; then leave, enter, forget and cell alone.
        """
        if self._shape != (count, units):
            whole = np.empty((count, 5 * units), dtype=np.float32)
            leave, enter, forget, _, cell = (
                whole[:, k * units : (k + 1) * units] for k in range(5)
            )
            self._parts = (
                *(whole[:, : 4 * units], whole[:, : 3 * units]),
                *(whole[:, units : 3 * units], whole[:, 3 * units :]),
                *(leave, enter, forget, cell),
            )
            self._shape = (count, units)
        return self._parts


_WORK = _Work()
#: An array: NumPy takes as long to convert a Python number as to multiply by it.
_HALF = np.array(0.5, dtype=np.float32)


class Lstm:
    """One layer; weights as PyTorch has them.

    The gates' sigmoids are taken as ``(1 + tanh(x / 2)) / 2``, so that one ``tanh`` serves all four
    gates of a step; the halves are folded into the weights. What enters and what stays of the cell
    are one product.
    """

    def __init__(self, into: Floats, recurrent: Floats, bias: Floats) -> None:
        """``into`` (inputs, 4 * units), ``recurrent`` (units, 4 * units), ``bias`` (4 * units,)."""
        units = len(recurrent)
        gates = np.full((4, units), 0.5, dtype=np.float32)
        gates[2] = 1  # the candidate is a tanh already
        halves = gates.reshape(-1)
        # PyTorch's order is input, forget, candidate, output; the three sigmoids go together.
        order = np.arange(4 * units).reshape(4, -1)[[3, 0, 1, 2]].reshape(-1)
        # Advanced indexing would leave the columns strided.
        self._into, self._recurrent = (
            np.ascontiguousarray((matrix * halves)[:, order])
            for matrix in (np.concatenate((into, bias[None])), recurrent)
        )

    def __call__(
        self,
        rows: Floats,
        runs: Sequence[tuple[int, int]],
        hidden: Floats,
        cell: Floats,
        out: Floats,
    ) -> None:
        """Outputs of packed ``rows`` (rows, inputs + 1), each with a 1 at its end, into ``out``.

        ``out`` (rows, units). ``hidden`` and ``cell`` (sequences, units) are moved on in place.
        """
        drive = rows.dot(self._into)
        recurrent, units = self._recurrent, len(self._recurrent)
        begin = 0
        for count, steps in runs:
            gates, sigmoids, share, what, leave, entered, left, carried = _WORK.parts(count, units)
            carried[:] = cell[:count]
            current = hidden[:count]
            # The gates of several sequences are strided, which `dot` does not write to.
            product = np.dot if count == 1 else np.matmul
            for _ in range(steps):
                end = begin + count
                product(current, recurrent, gates)
                gates += drive[begin:end]
                np.tanh(gates, gates)
                sigmoids *= _HALF
                sigmoids += _HALF
                share *= what
                np.add(entered, left, carried)
                current = out[begin:end]
                np.tanh(carried, current)
                current *= leave
                begin = end
            hidden[:count] = current
            cell[:count] = carried


def fading(frames: float) -> float:
    """What is left of a frame's weight after one step, for a time constant of so many frames."""
    return math.exp(-1 / frames)


class Integrator:
    """The leaky mean over time, from the first frame on: at the start it is the plain mean.

    A sum and the sum of its weights fade together, so that a stream's beginning is not drawn to 0
    (the bias correction of Kingma and Ba 2015, "Adam"). Step by step: a matrix product over many
    steps would be faster, and would round otherwise than the same frames one by one.
    """

    def __init__(self, frames: float) -> None:
        """``frames``: the time constant."""
        self._left = np.array(fading(frames), dtype=np.float32)

    def __call__(
        self,
        rows: Floats,
        runs: Sequence[tuple[int, int]],
        integral: Floats,
        out: Floats | None = None,
    ) -> Floats:
        """Means (rows, units) of packed ``rows`` (rows, units + 1), each with a 1 at its end.

        ``runs`` are sequences and steps of each stretch (``Packing``). ``integral``
        (sequences, units + 1), the sums and their weights last, is moved on in place. Into ``out``
        where it is given.
        """
        sums = np.empty(rows.shape, dtype=np.float32)
        begin = 0
        for count, steps in runs:
            going = integral[:count]
            for _ in range(steps):
                end = begin + count
                total = sums[begin:end]
                np.multiply(going, self._left, total)
                total += rows[begin:end]
                going = total
                begin = end
            integral[:count] = going
        return np.divide(sums[:, :-1], sums[:, -1:], out=out)
