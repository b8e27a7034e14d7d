"""Leaving out of a shared library what is only there for debuggers."""

import struct

_LOAD, _DYNAMIC = 1, 2


def loadable_part(library: bytes) -> bytes:
    """What the dynamic loader needs of a 64-bit little-endian ELF `library`: all segments, no sections, no symbol tables for debuggers.

    libsignal's library is 126 MB in the distribution and 16 MB after this; it is unpacked to a temporary folder at every start.

    Raises:
        ValueError: not a 64-bit little-endian ELF file.
    """
    if library[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", library, 32)
    entry, count = struct.unpack_from("<HH", library, 54)
    end = table + entry * count
    for index in range(count):
        kind, _flags, offset, _virtual, _physical, size = struct.unpack_from("<IIQQQQ", library, table + index * entry)
        if kind in {_LOAD, _DYNAMIC}:
            end = max(end, offset + size)
    slim = bytearray(library[:end])
    struct.pack_into("<Q", slim, 40, 0)  # e_shoff: no section headers
    struct.pack_into("<HHH", slim, 58, 0, 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    return bytes(slim)
