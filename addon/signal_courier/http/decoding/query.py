"""Query strings, read into a struct that the route declares."""

import types
import typing
from typing import Any, NamedTuple

import msgspec
from multidict import MultiMapping

from signal_courier.model.errors import InvalidValue


class Refusal(msgspec.Struct, frozen=True):
    """Annotates a query field whose wrong values have a text of their own: `Annotated[int, Refusal("…")]`."""

    text: str
    unless_empty: bool = False
    """An empty value counts as not given."""


_REFUSALS = {
    bool: "Couldn't process request - {name} parameter needs to be either 'true' or 'false'",
    int: "Couldn't process request - {name} needs to be numeric!",
}


class _Parameter(NamedTuple):
    name: str
    key: str
    kind: type
    refusal: Refusal


class QueryReader:
    """Reads one kind of query. Fields may be `str`, `int`, `bool` (exactly `true` or `false`) or `list[str]`, each with a default."""

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        self._struct = struct
        self._fields: list[_Parameter] = []
        hints = typing.get_type_hints(struct, include_extras=True)
        for info in msgspec.structs.fields(struct):
            hint = hints[info.name]
            kind = _kind_of(hint)
            usual = Refusal(_REFUSALS.get(kind, "").format(name=info.encode_name))
            refusal = next((note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Refusal)), usual)
            self._fields.append(_Parameter(info.name, info.encode_name, kind, refusal))

    def read(self, query: MultiMapping[str]) -> msgspec.Struct:
        """The struct for a query; raises `InvalidValue` that names the parameter."""
        values: dict[str, Any] = {}
        for name, key, kind, refusal in self._fields:
            if key not in query:
                continue
            text = query[key]
            if not text and refusal.unless_empty:
                continue
            if kind is list:
                values[name] = query.getall(key)
            elif kind is bool:
                if text not in ("true", "false"):
                    raise InvalidValue(key, refusal.text)
                values[name] = text == "true"
            elif kind is int:
                if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) < 19):
                    raise InvalidValue(key, refusal.text)
                values[name] = int(text)
            else:
                values[name] = text
        return self._struct(**values)


def _kind_of(hint: object) -> type:
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(arg for arg in typing.get_args(hint) if arg is not types.NoneType)
        return _kind_of(hint)
    origin = typing.get_origin(hint) or hint
    return origin if isinstance(origin, type) else str
