"""Signatures of Standard Webhooks 1.0.0, symmetric: HMAC-SHA256 over `id.timestamp.body`."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

from signal_courier.model.errors import InvalidValue

PREFIX: Final = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes that a secret may have."""
_SIZE: Final = 32


def new_key() -> bytes:
    """A random secret."""
    return secrets.token_bytes(_SIZE)


def show(key: bytes) -> str:
    """A secret as its owner sees it, once."""
    return PREFIX + base64.b64encode(key).decode()


def parse(text: str, field: str = "secret") -> bytes:
    """Read a secret that its owner brings along. Raises `InvalidValue`."""
    encoded = text.removeprefix(PREFIX)
    try:
        key = binascii.a2b_base64(encoded + "=" * (-len(encoded) % 4), strict_mode=True) if text.startswith(PREFIX) else b""
    except ValueError:  # binascii.Error, and text that is not ASCII
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise InvalidValue(field, f"{field}: must be {PREFIX} and the base64 of {SHORTEST} to {LONGEST} bytes")
    return key


def sign(key: bytes, message: str, timestamp: int, body: bytes) -> str:
    """One signature; `timestamp` is in seconds since the epoch, and that of the attempt."""
    return "v1," + base64.b64encode(hmac.digest(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256)).decode()


def headers(keys: Iterable[bytes], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; while a secret is being rotated there is a signature with each of the two."""
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(key, message, timestamp, body) for key in keys),
    }
