"""The LSTM in NumPy, over any number of sequences of any lengths, side by side."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


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
        self._gates: tuple[Floats, ...] = ()

    def gates(self, count: int, units: int) -> tuple[Floats, ...]:
        """Gates (count, 4 * units); the sigmoids among them; and each gate by itself."""
        if self._shape != (count, units):
            gates = np.empty((count, 4 * units), dtype=np.float32)
            each = (gates[:, k * units : (k + 1) * units] for k in range(4))
            self._gates = (gates, gates[:, : 3 * units], *each)
            self._shape = (count, units)
        return self._gates


_WORK = _Work()
#: An array: NumPy takes as long to convert a Python number as to multiply by it.
_HALF = np.array(0.5, dtype=np.float32)


class Lstm:
    """One layer; weights as PyTorch has them.

    The gates' sigmoids are taken as ``(1 + tanh(x / 2)) / 2``, so that one ``tanh`` serves all four
    gates of a step; the halves are folded into the weights.
    """

    def __init__(self, into: Floats, recurrent: Floats, bias: Floats) -> None:
        """``into`` (inputs, 4 * units), ``recurrent`` (units, 4 * units), ``bias`` (4 * units,)."""
        units = len(recurrent)
        gates = np.full((4, units), 0.5, dtype=np.float32)
        gates[2] = 1  # the candidate is a tanh already
        halves = gates.reshape(-1)
        # PyTorch's order is input, forget, candidate, output; the three sigmoids go together.
        order = np.arange(4 * units).reshape(4, -1)[[0, 1, 3, 2]].reshape(-1)
        # Advanced indexing would leave the columns strided.
        self._into, self._recurrent = (
            np.ascontiguousarray((matrix * halves)[:, order]) for matrix in (into, recurrent)
        )
        self._bias = (bias * halves)[order]

    def __call__(
        self, rows: Floats, runs: Sequence[tuple[int, int]], hidden: Floats, cell: Floats
    ) -> Floats:
        """Outputs (rows, units) of packed ``rows`` (rows, inputs).

        ``hidden`` and ``cell`` (sequences, units) are moved on in place.
        """
        drive = rows.dot(self._into)
        drive += self._bias
        recurrent = self._recurrent
        outputs = np.empty((len(rows), len(recurrent)), dtype=np.float32)
        begin = 0
        for count, steps in runs:
            going, carried = hidden[:count], cell[:count]
            gates, sigmoids, enter, forget, leave, candidate = _WORK.gates(count, len(recurrent))
            current = going
            for _ in range(steps):
                end = begin + count
                current.dot(recurrent, out=gates)
                gates += drive[begin:end]
                np.tanh(gates, out=gates)
                sigmoids *= _HALF
                sigmoids += _HALF
                carried *= forget
                enter *= candidate
                carried += enter
                current = outputs[begin:end]
                np.tanh(carried, out=current)
                current *= leave
                begin = end
            going[:] = current
        return outputs
