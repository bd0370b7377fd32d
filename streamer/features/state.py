"""What a stage of the stream carries from one call to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class State:
    """Base of the frozen state records: comparable by value, and convertible to plain arrays.

    A state is small, printable and never changed in place; every field is a number or an array.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self.to_arrays(), other.to_arrays()
        return mine.keys() == theirs.keys() and all(
            np.array_equal(value, theirs[name]) for name, value in mine.items()
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Every field as an array, nested states as ``outer.inner``: ready for ``numpy.savez``."""
        arrays: dict[str, NDArray[Any]] = {}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, State):
                for name, inner in value.to_arrays().items():
                    arrays[f"{field.name}.{name}"] = inner
            else:
                arrays[field.name] = np.asarray(value)
        return arrays

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """A state of the same kind and shapes with the given values; the inverse of ``to_arrays``.

        Raises ``ValueError`` where a name is missing or unknown, or a fixed shape differs.
        """
        changes: dict[str, Any] = {}
        unknown = set(arrays)
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, State):
                prefix = f"{field.name}."
                inner = {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}
                changes[field.name] = value.with_arrays(inner)
                unknown -= {prefix + name for name in inner}
                continue
            if field.name not in arrays:
                raise ValueError(f"the state lacks {field.name!r}")
            unknown.discard(field.name)
            given = np.asarray(arrays[field.name])
            changes[field.name] = self._fitted(field.name, value, given)
        if unknown:
            raise ValueError(f"the state has an unknown part {min(unknown)!r}")
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def _fitted(self, name: str, current: Any, given: NDArray[Any]) -> Any:
        """``given`` as the type and shape of ``current``, copied."""
        if isinstance(current, np.ndarray):
            free = name in self._free_length()
            if given.ndim != current.ndim or (not free and given.shape != current.shape):
                raise ValueError(f"the state's {name!r} is {given.shape}, not {current.shape}")
            return given.astype(current.dtype)
        if given.ndim:
            raise ValueError(f"the state's {name!r} must be a single number")
        return type(current)(given[()])

    @staticmethod
    def _free_length() -> frozenset[str]:
        """Names of the array fields whose length may change from call to call."""
        return frozenset()
