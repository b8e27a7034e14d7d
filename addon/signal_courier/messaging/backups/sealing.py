"""Encryption of a file with a passphrase, piece by piece, so that neither side ever holds the whole.

The key comes from the passphrase by scrypt. Each piece of 64 KiB is sealed by AES-256-GCM under a nonce of its own, which counts the pieces
and marks the last one: a piece that is changed, missing, out of place or cut off is noticed before anything of it is used.
(The construction is STREAM: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance".)
"""

import os
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC: Final = b"signal-courier sealed 1\n"
_SALT: Final = 16
_PREFIX: Final = 7
"""Random bytes that begin each nonce; four bytes of counter and one that marks the last piece follow."""
_PIECE: Final = 64 * 1024
_TAG: Final = 16
_WORK: Final = 2**17
"""Of scrypt: with r = 8 about 128 MiB and half a second."""


class WrongPassphrase(Exception):
    """The passphrase is another, or the file is damaged at its beginning."""


class Damaged(Exception):
    """The file is not as it was written."""


class SealingWriter:
    """A file to write to; what it is given goes sealed to `target`. `close` writes the last piece, and leaves `target` open."""

    def __init__(self, target: BinaryIO, passphrase: str) -> None:
        salt, self._prefix = os.urandom(_SALT), os.urandom(_PREFIX)
        self._cipher = _cipher(passphrase, salt)
        self._target = target
        self._waiting = bytearray()
        self._count = 0
        target.write(MAGIC + salt + self._prefix)

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._waiting += data
        while len(self._waiting) > _PIECE:  # the last piece is never empty but in an empty file
            self._seal(bytes(self._waiting[:_PIECE]), last=False)
            del self._waiting[:_PIECE]
        return len(data)

    def close(self) -> None:
        """Seal what is left."""
        self._seal(bytes(self._waiting), last=True)

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._target.write(self._cipher.encrypt(_nonce(self._prefix, self._count, last=last), piece, None))
        self._count += 1


class SealedReader:
    """A file to read from; `source` stands behind the magic. Raises `WrongPassphrase` or `Damaged` while reading."""

    def __init__(self, source: BinaryIO, passphrase: str) -> None:
        salt, self._prefix = source.read(_SALT), source.read(_PREFIX)
        self._cipher = _cipher(passphrase, salt)
        self._source = source
        self._next = source.read(_PIECE + _TAG)
        self._open = b""
        self._count = 0
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all with -1; empty at the end."""
        parts: list[bytes] = []
        left = size
        while left != 0:
            if not self._open and not self._fill():
                break
            part = self._open if left < 0 else self._open[:left]
            self._open = self._open[len(part) :]
            parts.append(part)
            left -= len(part) if left > 0 else 0
        return b"".join(parts)

    def _fill(self) -> bool:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        while not self._ended:
            piece, self._next = self._next, self._source.read(_PIECE + _TAG)
            self._ended = not self._next
            try:
                self._open = self._cipher.decrypt(_nonce(self._prefix, self._count, last=self._ended), piece, None)
            except (InvalidTag, ValueError):
                if self._count == 0:
                    raise WrongPassphrase("The passphrase is wrong, or the file is damaged") from None
                raise Damaged("The file is damaged or not complete") from None
            self._count += 1
            if self._open:
                return True
        return False


def _nonce(prefix: bytes, count: int, *, last: bool) -> bytes:
    return prefix + count.to_bytes(4) + bytes([last])


def _cipher(passphrase: str, salt: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # only who encrypts loads OpenSSL
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415

    return AESGCM(Scrypt(salt=salt, length=32, n=_WORK, r=8, p=1).derive(passphrase.encode()))
