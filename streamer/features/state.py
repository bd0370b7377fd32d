"""What a stage of the stream carries from one call to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

#: No stream counts further: a microsecond's samples or frames for nearly three centuries.
MOST = 1 << 53


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

        Raises ``ValueError`` where a name is missing or unknown, a fixed shape differs, or the
        values are of another kind. Whether a stream can have them is what ``check`` tells.
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
        elif given.ndim:
            raise ValueError(f"the state's {name!r} must be a single number")
        wanted = np.asarray(current).dtype
        if not np.can_cast(given.dtype, wanted, "same_kind"):
            raise ValueError(f"the state's {name!r} is {given.dtype}, not {wanted}")
        if isinstance(current, np.ndarray):
            with np.errstate(over="ignore"):  # what becomes infinite, `check` refuses
                return given.astype(wanted)
        return type(current)(given[()])

    @staticmethod
    def _free_length() -> frozenset[str]:
        """Names of the array fields whose length may change from call to call."""
        return frozenset()

    def check(self) -> None:
        """Raises ``ValueError`` where no stream can have come to this state.

        All numbers are finite, counts neither negative nor beyond reach, and each kind of state
        adds its own rules.
        """
        for name, values in self.to_arrays().items():
            if not np.isfinite(values).all():
                raise ValueError(f"the state's {name!r} holds a number that is not finite")
            if np.issubdtype(values.dtype, np.integer) and values.min(initial=0) < 0:
                raise ValueError(f"the state's {name!r} is a count and cannot be negative")
            if np.issubdtype(values.dtype, np.integer) and values.max(initial=0) > MOST:
                raise ValueError(f"the state's {name!r} is a count beyond reach")
        self._check_rules("")

    def _check_rules(self, prefix: str) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, State):
                value._check_rules(f"{prefix}{field.name}.")
        for name, (rule, holds) in self._rules().items():
            if not holds:
                raise ValueError(f"the state's {prefix + name!r} {rule}")

    def _rules(self) -> dict[str, tuple[str, bool]]:
        """By the name of a field: what it must be, and whether it is; all is finite."""
        return {}
