"""The nodes and constants of an ONNX graph, one fed by the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Nodes:
    """Nodes in order, each fed by the one before, and the constants that they use."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self.all: list[Any] = []
        self.constants: list[Any] = []
        self.newest = "frames"

    def constant(self, values: Any, dtype: type = np.float32) -> str:
        """The name of a constant with these values."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        array: NDArray[Any] = np.ascontiguousarray(values, dtype=dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(
        self,
        kind: str,
        *more: str,
        source: str | None = None,
        results: tuple[str, ...] = (),
        **attributes: Any,
    ) -> str:
        """A node on ``source`` (the newest result) and ``more``; its first result's name."""
        results = results or (f"{kind.lower()}_{len(self.all)}",)
        inputs = [source or self.newest, *more]
        self.all.append(self._helper.make_node(kind, inputs, list(results), **attributes))
        self.newest = results[0]
        return self.newest
