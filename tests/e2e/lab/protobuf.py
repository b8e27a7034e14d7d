"""Protocol Buffers on the wire, without schemas: just enough for a server that mostly hands messages on.

The encoding is described at https://protobuf.dev/programming-guides/encoding/.
"""

from typing import Self

type Value = int | bytes | str | None

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """`number` (not negative) in groups of seven bits."""
    out = bytearray()
    while True:
        low, number = number & 127, number >> 7
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def field(number: int, value: Value) -> bytes:
    """One field: an int as varint, bytes and text with their length, None as nothing at all."""
    if value is None:
        return b""
    if isinstance(value, int):
        return varint(number << 3 | _VARINT) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | _BYTES) + varint(len(data)) + data


def fixed64(number: int, value: int) -> bytes:
    """One field of eight little-endian bytes."""
    return varint(number << 3 | _FIXED64) + value.to_bytes(8, "little")


def message(*fields: tuple[int, Value]) -> bytes:
    """The fields one after the other; a field that is None is left out."""
    return b"".join(field(number, value) for number, value in fields)


class Message:
    """A decoded message: every field number with its values in their order."""

    def __init__(self, data: bytes) -> None:
        """Decodes `data`.

        Raises:
            ValueError: not a message.
        """
        self._fields: dict[int, list[int | bytes]] = {}
        position = 0
        while position < len(data):
            key, position = _read_varint(data, position)
            match key & 7:
                case 0:
                    value, position = _read_varint(data, position)
                    self._fields.setdefault(key >> 3, []).append(value)
                    continue
                case 2:
                    size, position = _read_varint(data, position)
                case 1:
                    size = 8
                case 5:
                    size = 4
                case other:
                    raise ValueError(f"wire type {other} is not in use")
            if position + size > len(data):
                raise ValueError("a field goes beyond the end of its message")
            self._fields.setdefault(key >> 3, []).append(data[position : position + size])
            position += size

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def integer(self, number: int, default: int = 0) -> int:
        """The last value of a number field."""
        value = self._fields.get(number, [default])[-1]
        if not isinstance(value, int):
            raise TypeError(f"field {number} holds bytes")
        return value

    def data(self, number: int, default: bytes = b"") -> bytes:
        """The last value of a field of bytes."""
        value = self._fields.get(number, [default])[-1]
        if not isinstance(value, bytes):
            raise TypeError(f"field {number} holds a number")
        return value

    def text(self, number: int) -> str:
        """The last value of a text field, "" when it is missing."""
        return self.data(number).decode()

    def message(self, number: int) -> Self:
        """The message inside a field, an empty one when it is missing."""
        return type(self)(self.data(number))

    def all_data(self, number: int) -> list[bytes]:
        """All values of a repeated field."""
        return [value for value in self._fields.get(number, []) if isinstance(value, bytes)]

    def all_messages(self, number: int) -> list[Self]:
        """All messages of a repeated field."""
        return [type(self)(value) for value in self.all_data(number)]


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    shift = number = 0
    while True:
        if position >= len(data):
            raise ValueError("a number goes beyond the end of its message")
        byte = data[position]
        position += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, position
