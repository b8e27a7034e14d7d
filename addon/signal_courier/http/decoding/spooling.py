"""A long base64 string, decoded into a file while it comes in."""

import binascii
import re
import uuid
from pathlib import Path
from typing import Final

import msgspec

from signal_courier.http.decoding.lenient import invalid
from signal_courier.http.decoding.space import check_space
from signal_courier.http.problems import NoSpace
from signal_courier.model.attachments import HEAD, MARKER, Upload, base64_fault, illegal_base64
from signal_courier.model.errors import InvalidValue

_LONGEST_HEADER: Final = 4096  # bytes; a data header is a type and a file name
_LONGEST_END: Final = 1024  # bytes of padding and line ends behind the last character
_WRONG: Final = re.compile(rb"[^A-Za-z0-9+/\r\n]")
_CONTROL: Final = re.compile(rb"[\x00-\x1f]")
_CUT_ESCAPE: Final = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?\Z")


class Spool:
    """Takes the inside of a JSON string piece by piece; what is decoded goes to a file in `folder`.

    The first piece must hold the whole data header, if there is one. Memory is that of a piece; an unfinished file is removed by
    `discard`.
    """

    def __init__(self, folder: Path, field: str) -> None:
        self.path = folder / uuid.uuid4().hex
        self._field = field
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb", buffering=0)
        except OSError as error:
            raise NoSpace(error) from error
        self._started = False
        self._header = ""
        self._head = b""
        self._size = 0
        self._cut = b""  # the beginning of an escape whose rest is still to come
        self._carry = b""  # characters that do not make a group of four yet
        self._end = b""  # padding and what follows it
        self._offset = 0  # bytes of base64 before `_end`, as the client counts them

    def write(self, piece: bytes) -> None:
        """Take the next piece, still escaped as in JSON (it may end within an escape).

        Raises:
            InvalidValue: It is not base64; the error tells the offset of the wrong byte.
            UndecodableBody: It is no JSON.
            NoSpace: The disk does not take it.
        """
        if self._cut or b"\\" in piece:
            self._take(self._unescape(self._cut + piece), escaped=True)
        else:
            self._take(piece, escaped=False)

    def finish(self) -> Upload:
        """Check the end, close the file and tell what came in. Raises as `write` does."""
        if self._cut:
            raise invalid("a string ends within an escape")
        fault = base64_fault(self._end, base=self._offset, filled=len(self._carry))
        if fault is not None:
            raise illegal_base64(self._field, fault)
        if self._carry:
            self._store(binascii.a2b_base64(self._carry + b"=" * (4 - len(self._carry))))
        if not self._size:
            raise InvalidValue(self._field, "The base64 data does not exist.")
        self._file.close()
        return Upload(self.path, self._header, self._size, self._head)

    def discard(self) -> None:
        """Remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _unescape(self, piece: bytes) -> bytes:
        self._cut = b""
        cut = _CUT_ESCAPE.search(piece, max(0, len(piece) - 6))
        if cut is not None:
            bare = piece[: cut.start()]
            if (len(bare) - len(bare.rstrip(b"\\"))) % 2 == 0:
                piece, self._cut = bare, cut[0]
        try:
            return msgspec.json.decode(b'"' + piece + b'"', type=str).encode()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise invalid(str(error)) from None

    def _take(self, data: bytes, *, escaped: bool) -> None:
        if not self._started:
            self._started = True
            data = self._split(data, escaped=escaped)
        if not self._end:
            padding = data.find(b"=")
            if padding >= 0:
                self._decode(data[:padding], escaped=escaped)
                data = data[padding:]
            else:
                self._decode(data, escaped=escaped)
                return
        _check_controls(data, escaped=escaped)
        self._end += data
        if len(self._end) > _LONGEST_END:
            fault = base64_fault(self._end, base=self._offset, filled=len(self._carry))
            raise illegal_base64(self._field, fault if fault is not None else self._offset + _LONGEST_END)

    def _split(self, data: bytes, *, escaped: bool) -> bytes:
        at = data.rfind(MARKER.encode(), 0, _LONGEST_HEADER)
        if at < 0 or b"data:" not in data[:_LONGEST_HEADER]:
            return data
        _check_controls(data[:at], escaped=escaped)
        try:
            self._header = data[:at].decode()
        except UnicodeDecodeError as error:
            raise invalid(str(error)) from None
        return data[at + len(MARKER) :]

    def _decode(self, data: bytes, *, escaped: bool) -> None:
        characters = self._carry + (data.translate(None, b"\r\n") if escaped else data)
        whole = len(characters) & ~3
        try:
            decoded = binascii.a2b_base64(memoryview(characters)[:whole], strict_mode=True)
            self._carry = characters[whole:]
            right = not _WRONG.search(self._carry)
        except binascii.Error:
            right = False
        if not right:
            _check_controls(data, escaped=escaped)
            raise illegal_base64(self._field, self._offset + _first_wrong(data))
        self._offset += len(data)
        self._store(decoded)

    def _store(self, decoded: bytes) -> None:
        try:
            check_space(self.path.parent)
            left = memoryview(decoded)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise NoSpace(error) from error
        if len(self._head) < HEAD:
            self._head += decoded[: HEAD - len(self._head)]
        self._size += len(decoded)


def _check_controls(data: bytes, *, escaped: bool) -> None:
    """Refuse line ends and the like that stand in a JSON string as they are."""
    if not escaped and _CONTROL.search(data):
        raise invalid("a control character stands within a string")


def _first_wrong(data: bytes) -> int:
    wrong = _WRONG.search(data)
    assert wrong is not None
    return wrong.start()
