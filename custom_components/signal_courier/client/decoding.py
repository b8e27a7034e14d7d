"""JSON into dataclasses, leniently: unknown members are ignored, missing ones have their defaults.

A field's type says how it is read: `str`, `int`, `float`, `bool`, `dict`, dataclasses, `tuple[X, ...]`, each also `| None`. A value of
another type than the field's counts as missing; a missing value without a default raises `ValueError`.
"""

import types
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeAliasType, Union, get_args, get_origin, get_type_hints

type _Reader = Callable[[object], object]


class _Unreadable(Exception):
    """The value is of another type than the field's."""


def decode[T](kind: type[T], data: object) -> T:
    """An object of the dataclass `kind` from decoded JSON. Raises `ValueError` when it is no object, or lacks what has no default."""
    if not isinstance(data, dict):
        raise ValueError(f"{kind.__name__}: an object is needed, not {type(data).__name__}")  # noqa: TRY004  # it came from outside
    values: dict[str, object] = {}
    plan = _plan(kind)  # type: ignore[arg-type]  # every class is hashable
    for name, read, needed in plan:
        value = data.get(name)
        if value is not None:
            try:
                values[name] = read(value)
                continue
            except _Unreadable:
                pass
        if needed:
            raise ValueError(f"{kind.__name__}: {name} is missing")
    return kind(**values)


@cache
def _plan(kind: type) -> tuple[tuple[str, _Reader, bool], ...]:
    hints = get_type_hints(kind)
    described: tuple[Field[Any], ...] = fields(kind)
    return tuple((one.name, _reader(hints[one.name]), _is_needed(one)) for one in described if one.init)


def _is_needed(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _reader(hint: Any) -> _Reader:
    if isinstance(hint, TypeAliasType):
        return _reader(hint.__value__)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (one for one in get_args(hint) if one is not types.NoneType)
        return _reader(inner)
    if origin is tuple:
        item = _reader(get_args(hint)[0])
        return lambda value: _many(item, value)
    if is_dataclass(hint):
        return lambda value: _object(hint, value)  # type: ignore[arg-type]  # it is the class, never an object
    return _PLAIN[origin or hint]


def _many(item: _Reader, value: object) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _Unreadable
    found = []
    for one in value:
        try:
            found.append(item(one))
        except _Unreadable:
            continue
    return tuple(found)


def _object(kind: type, value: object) -> object:
    try:
        return decode(kind, value)
    except ValueError:
        raise _Unreadable from None


def _of[T](kind: type[T]) -> Callable[[object], T]:
    def read(value: object) -> T:
        if type(value) is not kind:
            raise _Unreadable
        return value

    return read


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unreadable
    return float(value)


_PLAIN: dict[Any, _Reader] = {str: _of(str), int: _of(int), bool: _of(bool), dict: _of(dict), float: _number}
