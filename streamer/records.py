"""Strict reading: values from JSON or TOML as the dataclasses that a configuration is made of."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from typing import Any, TypeVar

Record = TypeVar("Record")


def read(kind: type[Record], value: Any, where: str) -> Record:
    """``value`` as the dataclass ``kind``, checked all the way down.

    Raises ``ValueError`` with a clause that begins with the place (``where`` and the fields'
    names): for an unknown field, a missing one that has no default, a wrong type, a number that is
    not finite, and what the dataclasses themselves refuse.
    """
    return typing.cast(Record, _record(kind, value, where))


#: Worked out once for each kind: a hostile file may hold a million records.
_hints = functools.cache(typing.get_type_hints)


def _record(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a table of named values")
    hints = _hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            raise ValueError(f"{where} has an unknown field {name[:40]!r}")
    for name, field in fields.items():
        if name not in value and field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where} lacks {name!r}")
    parts = {name: _value(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    try:
        return kind(**parts)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _value(kind: Any, value: Any, where: str) -> Any:
    parts = typing.get_args(kind)
    if types.NoneType not in parts:
        return _given(kind, value, where)
    (something,) = (part for part in parts if part is not types.NoneType)
    return None if value is None else _given(something, value, where)


def _given(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast(type, kind), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} must be a list")
        item = typing.get_args(kind)[0]
        return tuple(_value(item, entry, where) for entry in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{where} must be a table of named values")
        item = typing.get_args(kind)[1]
        return {key: _value(item, entry, f"{where}.{key[:40]}") for key, entry in value.items()}
    if origin is typing.Literal or kind is str:
        wanted: tuple[type, ...] = (str,)
    elif kind is float:
        wanted = (int, float)
    else:
        wanted = (kind,)
    fits = isinstance(value, wanted) and (kind is bool or not isinstance(value, bool))
    if not fits or (isinstance(value, str) and not is_text(value)):
        raise ValueError(f"{where} must be of type {getattr(kind, '__name__', 'str')}")
    if kind is float:
        try:
            value = float(value)
        except OverflowError:
            raise ValueError(f"{where} is too large") from None
        if not math.isfinite(value):
            raise ValueError(f"{where} must be finite")
    return value


def is_text(value: str) -> bool:
    """Whether it can be written: JSON's escapes can tell of half a character alone."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
