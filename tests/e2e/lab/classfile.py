"""Changing text constants of a compiled Java class."""

import struct
from collections.abc import Callable

_UTF8 = 1
_WIDTH = {3: 5, 4: 5, 5: 9, 6: 9, 7: 3, 8: 3, 9: 5, 10: 5, 11: 5, 12: 5, 15: 4, 16: 3, 17: 5, 18: 5, 19: 3, 20: 3}
_TAKES_TWO_PLACES = {5, 6}


def replace_texts(compiled: bytes, replacement: Callable[[str], str | None]) -> bytes:
    """`compiled` with every text constant for which `replacement` gives another text exchanged.

    The format is that of the Java Virtual Machine Specification, chapter 4.4.

    Raises:
        ValueError: not a class file, or a text that is too long (65 535 bytes).
    """
    if compiled[:4] != b"\xca\xfe\xba\xbe":
        raise ValueError("not a class file")
    (places,) = struct.unpack_from(">H", compiled, 8)
    changed, position, place = bytearray(compiled[:10]), 10, 1
    while place < places:
        tag = compiled[position]
        if tag == _UTF8:
            (size,) = struct.unpack_from(">H", compiled, position + 1)
            text = compiled[position + 3 : position + 3 + size]
            new = replacement(text.decode("utf-8", "surrogateescape"))
            encoded = text if new is None else new.encode()
            if len(encoded) > 0xFFFF:
                raise ValueError("a class file holds no text of more than 65535 bytes")
            changed += struct.pack(">BH", _UTF8, len(encoded)) + encoded
            position += 3 + size
        else:
            changed += compiled[position : position + _WIDTH[tag]]
            position += _WIDTH[tag]
        place += 2 if tag in _TAKES_TWO_PLACES else 1
    return bytes(changed + compiled[position:])
