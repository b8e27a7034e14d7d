"""Curve25519 as libsignal uses it: key pairs, and XEdDSA signatures with keys that were made for key agreement.

XEdDSA is specified at https://signal.org/docs/specifications/xeddsa/; libsignal puts the sign bit of the Edwards point into the last
byte of the signature. Plain integers: slow (some milliseconds a signature) and not constant in time, which is all right for a lab.
"""

import hashlib
import secrets
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P

type _Point = tuple[int, int, int, int]


class KeyPair(NamedTuple):
    """`private` has 32 bytes, `public` 33: libsignal's type byte 5 and the key."""

    private: bytes
    public: bytes


def key_pair() -> KeyPair:
    """A new random pair."""
    private = bytearray(secrets.token_bytes(32))
    private[0] &= 248
    private[31] = private[31] & 127 | 64
    public = X25519PrivateKey.from_private_bytes(bytes(private)).public_key().public_bytes_raw()
    return KeyPair(bytes(private), b"\x05" + public)


def sign(private: bytes, message: bytes) -> bytes:
    """The 64 bytes of the XEdDSA signature of `message`."""
    scalar = int.from_bytes(private, "little")
    public = _compressed(_times(scalar, _BASE))
    prefix = b"\xfe" + b"\xff" * 31
    nonce = int.from_bytes(hashlib.sha512(prefix + private + message + secrets.token_bytes(64)).digest(), "little") % _ORDER
    commitment = _compressed(_times(nonce, _BASE))
    challenge = int.from_bytes(hashlib.sha512(commitment + public + message).digest(), "little") % _ORDER
    proof = bytearray(((nonce + challenge * scalar) % _ORDER).to_bytes(32, "little"))
    proof[31] = proof[31] & 0x7F | public[31] & 0x80
    return commitment + bytes(proof)


def _even_x(y: int) -> int:
    squared = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(squared, (_P + 3) // 8, _P)
    if (x * x - squared) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    return _P - x if x & 1 else x


def _add(p: _Point, q: _Point) -> _Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _compressed(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_BASE: _Point = (_even_x(_BASE_Y), _BASE_Y, 1, _even_x(_BASE_Y) * _BASE_Y % _P)
