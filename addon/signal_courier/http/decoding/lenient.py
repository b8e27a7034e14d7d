"""JSON as clients send it, decoded into what the routes declare.

The rules are upstream's (Go's `encoding/json`): the first value counts and what follows it is ignored, keys match in any case, unknown
keys are ignored, `null` is the same as leaving a key out; a wrong type is an error.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import msgspec
from msgspec import inspect

from signal_courier.http.problems import UndecodableBody
from signal_courier.model.attachments import Content, Inline, Upload

INVALID: Final = "Couldn't process request - invalid request"

# Every key of a JSON text is among what this finds; what else it finds (in strings) only costs time.
_KEYS: Final = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t\r\n]*+:', re.DOTALL)
_TRAILING: Final = re.compile(r"JSON is malformed: trailing characters \(byte ([0-9]+)\)")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_BOM: Final = b"\xef\xbb\xbf"
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def invalid(detail: str) -> UndecodableBody:
    """The error for a body that cannot be used; `detail` says where and why."""
    return UndecodableBody(INVALID, detail=detail)


def decode[T](raw: bytes, type_: type[T], uploads: Mapping[str, Upload] | None = None) -> T:
    """Decode a body.

    Args:
        raw: JSON text.
        type_: A msgspec struct; fields of the type `Content` take strings.
        uploads: By the string that stands for it in `raw`: what was taken out of the text because it was too long to stay there.

    Raises:
        UndecodableBody: It is no JSON, or not of this type.
    """
    decoder: _Decoder[T] = _decoder(type_)  # type: ignore[arg-type]  # a class is hashable, whatever its own instances are
    return decoder.decode(raw) if not uploads else decoder.decode_with(raw, uploads)


@dataclass(slots=True)
class _Shape:
    """Where names stand in a type, so that keys in another case find their field."""

    fields: dict[str, "_Field"] = field(default_factory=dict)  # by folded name
    items: "_Shape | None" = None  # of a list or a mapping
    values: "_Shape | None" = None
    takes_null: bool = False

    @property
    def holds_names(self) -> bool:
        """Whether an object with fields may stand there, or within."""
        return bool(self.fields) or any(inner is not None and inner.holds_names for inner in (self.items, self.values))


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    shape: _Shape


class _Decoder[T]:
    def __init__(self, type_: type[T]) -> None:
        self._type = type_
        self._exact = msgspec.json.Decoder(type_, dec_hook=_hook({}, set()))
        names: set[str] = set()
        self._shape = _shape_of(inspect.type_info(type_), {}, names)
        self._plain = frozenset(known.name for known in self._shape.fields.values() if not known.shape.holds_names)
        self._names = frozenset(name.encode() for name in names)
        self._folded_names = frozenset(name.casefold().encode() for name in names)

    def decode(self, raw: bytes) -> T:
        try:
            value = self._exact.decode(raw)
            members = _members(raw)  # looks at keys that the other skips, so it may find them broken
        except _UNDECODABLE:
            return self._convert(raw, _hook({}, set()))
        if self._plain.issuperset(members):  # the usual case: nothing that has names of its own
            return value
        keys = _KEYS.findall(raw)
        if self._names.issuperset(keys) or not any(self._might_be_a_name(key) for key in keys):
            return value
        return self._convert(raw, _hook({}, set()))

    def decode_with(self, raw: bytes, uploads: Mapping[str, Upload]) -> T:
        used: set[str] = set()
        value = self._convert(raw, _hook(uploads, used))
        unused = uploads.keys() - used
        if unused:  # under a key that nobody knows: fine. In a text: too long for one
            rest = msgspec.json.encode(value, enc_hook=lambda _: None)
            if any(placeholder.encode() in rest for placeholder in unused):
                raise invalid("a text is too long for its field")
        return value

    def _might_be_a_name(self, key: bytes) -> bool:
        """Whether a key that the exact decoding may have ignored could mean a field in another spelling."""
        return key not in self._names and (not key.isascii() or b"\\" in key or key.lower() in self._folded_names)

    def _convert(self, raw: bytes, hook: Callable[[type, object], object]) -> T:
        value = _first_value(raw)
        if value is None:
            value = {}
        try:
            return msgspec.convert(_fold(value, self._shape), self._type, dec_hook=hook)
        except msgspec.ValidationError as error:
            raise invalid(str(error)) from None


_decoder = cache(_Decoder)


def _hook(uploads: Mapping[str, Upload], used: set[str]) -> Callable[[type, object], object]:
    def decode_content(type_: type, value: object) -> object:
        if type_ is not Content:
            raise NotImplementedError(f"no such type in a body: {type_}")
        if not isinstance(value, str):
            raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
        upload = uploads.get(value)
        if upload is None:
            return Inline(value)
        used.add(value)
        return upload

    return decode_content


def _first_value(raw: bytes) -> object:
    raw = raw.removeprefix(_BOM)
    try:
        return msgspec.json.decode(raw)
    except _UNDECODABLE as error:
        fault: Exception = error
    if _SURROGATE.search(raw):
        raw = _ESCAPE.sub(_whole_character, raw)
        try:
            return msgspec.json.decode(raw)
        except _UNDECODABLE as error:
            fault = error
    if trailing := _TRAILING.match(str(fault)):
        try:
            return msgspec.json.decode(raw[: int(trailing[1]) - 1])  # the byte is counted from 1
        except _UNDECODABLE as error:
            fault = error
    raise invalid(_first_line(fault))


def _whole_character(escape: re.Match[bytes]) -> bytes:
    """An escape as it is, or the replacement character for half of a pair (what a client makes that cuts a text within an emoji)."""
    return escape[0] if escape["half"] is None else rb"\ufffd"


def _first_line(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).partition("\n")[0]


def _fold(value: object, shape: _Shape) -> object:
    """Give keys the spelling of their fields, and leave out those without a value where the field must have one."""
    if isinstance(value, dict) and shape.fields:
        folded: dict[object, object] = {}
        for key, item in value.items():
            known = shape.fields.get(key) or shape.fields.get(key.casefold())
            if known is not None and (item is not None or known.shape.takes_null):
                folded[known.name] = _fold(item, known.shape)
        return folded
    if isinstance(value, dict) and shape.values is not None:
        return {key: _fold(item, shape.values) for key, item in value.items()}
    if isinstance(value, list) and shape.items is not None:
        return [_fold(item, shape.items) for item in value]
    return value


def _shape_of(info: inspect.Type, seen: dict[type, _Shape], names: set[str]) -> _Shape:
    match info:
        case inspect.StructType():
            if info.cls in seen:
                return seen[info.cls]
            shape = seen[info.cls] = _Shape()
            for member in info.fields:
                names.add(member.encode_name)
                known = _Field(member.encode_name, _shape_of(member.type, seen, names))
                shape.fields[member.encode_name] = shape.fields[member.encode_name.casefold()] = known
            return shape
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType() | inspect.CollectionType():
            return _Shape(items=_shape_of(info.item_type, seen, names))
        case inspect.DictType():
            return _Shape(values=_shape_of(info.value_type, seen, names))
        case inspect.Metadata():
            return _shape_of(info.type, seen, names)
        case inspect.UnionType():
            return _joined([_shape_of(member, seen, names) for member in info.types])
        case inspect.NoneType() | inspect.AnyType() | inspect.RawType():
            return _Shape(takes_null=True)
    return _Shape()


def _joined(shapes: list[_Shape]) -> _Shape:
    joined = _Shape()
    for shape in shapes:
        joined.fields |= shape.fields
        joined.items = joined.items or shape.items
        joined.values = joined.values or shape.values
        joined.takes_null |= shape.takes_null
    return joined
