"""A long JSON text, taken in piece by piece: its long contents go to files, the rest stays a text that is short enough to decode.

Only strings under a content key (`base64_attachments` and the like) are taken out, and only when they are long; a placeholder that no
client can guess stands in their place.
"""

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from signal_courier.http.decoding.lenient import invalid
from signal_courier.http.decoding.spooling import Spool
from signal_courier.model.attachments import Upload
from signal_courier.model.errors import TooLarge

CONTENT_KEYS: Final = frozenset(
    {"base64_attachments", "base64_attachment", "base64_avatar", "base64_thumbnail", "attachments", "attachment", "avatar"}
)
"""Keys (in lower case) whose strings, also those in lists, are the content of files."""

INLINE_LIMIT: Final = 32 * 1024
"""Bytes of JSON up to which a content stays in the text."""
STRING_LIMIT: Final = 1024 * 1024
"""Bytes of JSON up to which any other string is taken."""
TEXT_LIMIT: Final = 4 * 1024 * 1024
"""Bytes that a body may have without its contents."""
_DEEPEST: Final = 200
_MOST_UPLOADS: Final = 1000

_STRUCTURE: Final = re.compile(rb"[{}\[\]:,]")


class JsonStream:
    """Takes pieces of a JSON text with `feed`; `finish` gives the shortened text.

    All errors leave files behind until `discard`, which removes every file, also those of `uploads`, unless somebody moved them away.
    """

    def __init__(self, folder: Path) -> None:
        self.uploads: dict[str, Upload] = {}
        """What was taken out, by the string that stands for it."""
        self._folder = folder
        self._nonce = secrets.token_hex(16)
        self._text = bytearray()
        self._rest = b""  # a backslash whose partner is still to come
        self._mark = 0  # where in `_text` the current string begins
        self._objects: list[bool] = []  # for each open container: is it an object?
        self._keys: list[str] = []  # for each open container: the key that counts for what is directly in it
        self._key_next = False
        self._spool: Spool | None = None
        self._state: Callable[[bytes, int], int] = self._between

    @property
    def done(self) -> bool:
        """The first value is complete; more is ignored."""
        return self._state == self._ignore

    def feed(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            UndecodableBody: It is no JSON.
            InvalidValue: A content is no base64.
            TooLarge: A string or the text as a whole.
            NoSpace: The disk does not take it.
        """
        if self._rest:
            piece, self._rest = self._rest + piece, b""
        position, size = 0, len(piece)
        while position < size:
            position = self._state(piece, position)
        if len(self._text) > TEXT_LIMIT:
            raise TooLarge(
                "body", f"Couldn't process request - the body is larger than {TEXT_LIMIT // 1024 // 1024} MiB without its attachments"
            )

    def finish(self) -> bytes:
        """The text with placeholders, once everything was fed. Raises `UndecodableBody` when the text is cut off."""
        if self._rest or self._objects or self._state not in {self._between, self._ignore}:
            raise invalid("the body ends too early")
        return bytes(self._text)

    def discard(self) -> None:
        """Remove all files."""
        if self._spool is not None:
            self._spool.discard()
            self._spool = None
        for upload in self.uploads.values():
            upload.path.unlink(missing_ok=True)

    def _between(self, piece: bytes, position: int) -> int:
        quote = piece.find(b'"', position)
        end = quote if quote >= 0 else len(piece)
        for match in _STRUCTURE.finditer(piece, position, end):
            if not self._structure(match[0]):
                self._text += piece[position : match.end()]
                self._state = self._ignore
                return match.end()
        self._text += piece[position : end + 1]
        if quote >= 0:
            self._mark = len(self._text)
            if self._key_next:
                self._state = self._key
            elif self._keys and self._keys[-1] in CONTENT_KEYS:
                self._state = self._content
            else:
                self._state = self._string
        elif len(self._text) > TEXT_LIMIT:
            return len(piece)
        return end + 1

    def _structure(self, sign: bytes) -> bool:
        """Keep track of where we are; false when the first value ends here."""
        match sign:
            case b"{" | b"[":
                if len(self._objects) >= _DEEPEST:
                    raise invalid("nested too deeply")
                is_object = sign == b"{"
                self._keys.append("" if is_object or not self._keys else self._keys[-1])
                self._objects.append(is_object)
                self._key_next = is_object
            case b":":
                self._key_next = False
            case b",":
                self._key_next = bool(self._objects) and self._objects[-1]
            case _:
                if not self._objects:
                    raise invalid("a bracket closes nothing")
                self._objects.pop()
                self._keys.pop()
                self._key_next = False
        return bool(self._objects)

    def _key(self, piece: bytes, position: int) -> int:
        start = self._mark
        position = self._string(piece, position)
        if self._state == self._between:
            try:
                name = msgspec.json.decode(b'"' + self._text[start:], type=str)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise invalid(str(error)) from None
            if self._keys:
                self._keys[-1] = name.casefold()
        return position

    def _string(self, piece: bytes, position: int) -> int:
        end, closed = self._find_end(piece, position)
        self._text += piece[position:end]
        if len(self._text) - self._mark > STRING_LIMIT:
            name = self._keys[-1] if self._keys else "body"
            raise TooLarge(name, f"Couldn't process request - {name[:64]} is longer than {STRING_LIMIT // 1024 // 1024} MiB")
        if not closed:
            return len(piece)
        self._text += b'"'
        self._state = self._between
        return end + 1

    def _content(self, piece: bytes, position: int) -> int:
        end, closed = self._find_end(piece, position)
        if self._spool is None:
            self._text += piece[position:end]
            if len(self._text) - self._mark > INLINE_LIMIT:
                if len(self.uploads) >= _MOST_UPLOADS:
                    raise TooLarge(self._keys[-1], f"Couldn't process request - more than {_MOST_UPLOADS} attachments")
                self._spool = Spool(self._folder, self._keys[-1])
                self._spool.write(bytes(self._text[self._mark :]))
                del self._text[self._mark :]
        else:
            self._spool.write(piece[position:end] if position or end < len(piece) else piece)
        if not closed:
            return len(piece)
        if self._spool is not None:
            placeholder = f"{self._nonce}:{len(self.uploads)}"
            self.uploads[placeholder] = self._spool.finish()
            self._spool = None
            self._text += placeholder.encode()
        self._text += b'"'
        self._state = self._between
        return end + 1

    def _find_end(self, piece: bytes, position: int) -> tuple[int, bool]:
        """Where the string that goes on at `position` ends in this piece, and whether it does."""
        quote = piece.find(b'"', position)
        while quote >= 0 and _backslashes(piece, position, quote) % 2:
            quote = piece.find(b'"', quote + 1)
        if quote >= 0:
            return quote, True
        end = len(piece)
        if _backslashes(piece, position, end) % 2:  # the piece ends within an escape
            end -= 1
            self._rest = piece[end:]
        return end, False

    @staticmethod
    def _ignore(piece: bytes, position: int) -> int:
        del position
        return len(piece)


def _backslashes(piece: bytes, start: int, end: int) -> int:
    """How many backslashes stand directly before `end`, not counting what is before `start`."""
    at = end
    while at > start and piece[at - 1] == 0x5C:
        at -= 1
    return end - at
