"""Who a message goes to: parsed once at the edge, never a string that might be anything.

Spellings: signal-cli's (`+49…`, uuid, `PNI:uuid`, `u:name.01`, raw base64 group id) and those of the REST contract
(`group.` + base64 of the raw id).
"""

import binascii
import re
from dataclasses import dataclass
from typing import Final, override
from uuid import UUID

from signal_courier.model.errors import InvalidValue

_GROUP_PREFIX: Final = "group."
_GROUP_ID_SIZE: Final = 32  # bytes, of a group's identifier in the Signal protocol (groups V2)
_LONGEST: Final = 256  # characters; a username link has 91, a group id 66

_NUMBER: Final = re.compile(r"\+[0-9]{1,20}")
_DIGITS: Final = re.compile(r"[0-9]{5,20}")
_NUMBER_NOISE: Final = re.compile("[\\s()\u00ad\u200b-\u200f\u2010-\u2015\u2028-\u202e\u2060-\u2069\ufeff-]+")
_NUMBER_DIVIDERS: Final = str.maketrans("", "", "./")  # only behind a plus: without one it may be an address or a date
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_USERNAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,31}\.[0-9]{2,19}")
_USERNAME_LINK: Final = re.compile(r"(?:https|sgnl)://signal\.me/?#eu/[A-Za-z0-9+/_-]{32,128}={0,2}")
_NUMBER_LINK: Final = re.compile(r"(?:https|sgnl)://signal\.me/?#p/(\+[0-9]{5,20})")
_INTERNAL_GROUP: Final = re.compile(r"[A-Za-z0-9+/_-]{43}=?")
_DOUBLY_ENCODED_GROUP: Final = re.compile(r"[A-Za-z0-9+/_-]{59}=?")
_URL_ALPHABET: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number: `+` and digits (E.164)."""

    e164: str

    @override
    def __str__(self) -> str:
        return self.e164


@dataclass(frozen=True, slots=True)
class Aci:
    """A person's account identity, a UUID in lower case with dashes."""

    uuid: str

    @override
    def __str__(self) -> str:
        return self.uuid


@dataclass(frozen=True, slots=True)
class Pni:
    """The identity behind a phone number, a UUID in lower case with dashes; signal-cli wants `PNI:` before it."""

    uuid: str

    @override
    def __str__(self) -> str:
        return f"PNI:{self.uuid}"


@dataclass(frozen=True, slots=True)
class Username:
    """A username with its digits (`name.01`), or a username link (`https://signal.me/#eu/…`), without `u:`."""

    name: str

    @override
    def __str__(self) -> str:
        return f"u:{self.name}"


@dataclass(frozen=True, slots=True)
class GroupId:
    """A group. `internal` is what signal-cli prints: the base64 of 32 bytes, standard alphabet, padded."""

    internal: str

    @property
    def external(self) -> str:
        """The id that REST clients know: `group.` and the base64 of the internal one; safe in a path."""
        return _GROUP_PREFIX + binascii.b2a_base64(self.internal.encode(), newline=False).decode()

    @override
    def __str__(self) -> str:
        return self.external


Recipient = Number | Aci | Pni | Username | GroupId


def parse_recipient(text: str, *, field: str = "recipient") -> Recipient:
    """Tell what kind of recipient a text names, and give it in its one canonical form.

    Args:
        text: A number (spaces, dashes and brackets are ignored; without `+` only if it is valid with it), a UUID with or without `uuid:`,
            `PNI:` and a UUID, a username with or without `u:`, a signal.me link, or a group id in any form.
        field: What the caller called it; the error names it.

    Raises:
        InvalidValue: The text is none of these.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return Number(text)
    if not text:
        raise InvalidValue(field, f"{field}: must not be empty")
    if len(text) > _LONGEST:
        raise InvalidValue(field, f"{field}: '{text[:20]}…' is too long for a recipient")
    recipient = _by_prefix(text, field) or _by_shape(text)
    if recipient is None:
        raise InvalidValue(field, f"{field}: '{text}' is no phone number (like +4915100000001), UUID, username or group id")
    return recipient


def parse_number(text: str, *, field: str = "number") -> Number:
    """Read the number of an account: `+` and digits. The country's own rules are not applied, so test numbers pass.

    Raises:
        InvalidValue: With upstream's text.
    """
    if _NUMBER.fullmatch(text):
        return Number(text)
    number = _number(text.strip())
    if number is None:
        raise InvalidValue(field, "Couldn't process request - please provide a valid number")
    return number


def parse_group_id(text: str, *, field: str = "groupid") -> GroupId:
    """Read a group id in any form: `group.…`, the same without its prefix, or signal-cli's own in either base64 alphabet.

    Raises:
        InvalidValue: With upstream's text.
    """
    text = text.strip()
    group = _group_from_base64(text.removeprefix(_GROUP_PREFIX)) if len(text) <= _LONGEST else None
    if group is None:
        raise InvalidValue(field, "Invalid group id")
    return group


def from_query(text: str) -> str:
    """Give a number from a query string its `+` back, which a client sent unescaped and URL decoding made a space."""
    return "+" + text.lstrip(" ") if text.startswith(" ") else text


def _by_prefix(text: str, field: str) -> Recipient | None:
    if text.startswith(_GROUP_PREFIX):
        return _prefixed_group(text, field)
    if text.startswith("+"):
        return _number(text)
    kind, colon, rest = text.partition(":")
    if colon and kind.lower() == "u":
        return Username(rest) if _is_username(rest) else None
    if colon and kind.lower() == "uuid":
        return Aci(str(UUID(rest))) if _UUID.fullmatch(rest) else None
    if colon and kind.lower() == "pni":
        return Pni(str(UUID(rest))) if _UUID.fullmatch(rest) else None
    if link := _NUMBER_LINK.fullmatch(text):
        return Number(link[1])
    return None


def _by_shape(text: str) -> Recipient | None:
    if _UUID.fullmatch(text):
        return Aci(str(UUID(text)))
    if _is_username(text):
        return Username(text)
    return _group_from_base64(text) or _number(text)


def _is_username(text: str) -> bool:
    return _USERNAME.fullmatch(text) is not None or _USERNAME_LINK.fullmatch(text) is not None


def _prefixed_group(text: str, field: str) -> GroupId | Username | None:
    """Decide on `group.…` as upstream does: a person may be called `group.12`, but what is base64 is an id, right or wrong."""
    encoded = text.removeprefix(_GROUP_PREFIX)
    if group := _group_from_base64(encoded):
        return group
    outer = _decode(encoded)
    if outer is None and _USERNAME.fullmatch(text):
        return Username(text)
    inner = _decode(outer.decode("latin-1")) if outer is not None else None
    if inner is None:
        raise InvalidValue(field, f"Invalid identifier {text}")
    raise InvalidValue(field, f"Invalid Signal group size ({len(inner)}")  # upstream's text, which lacks a bracket too


def _group_from_base64(text: str) -> GroupId | None:
    if _DOUBLY_ENCODED_GROUP.fullmatch(text):
        outer = _decode(_padded(text))
        text = outer.decode("latin-1") if outer is not None else ""
    if not _INTERNAL_GROUP.fullmatch(text):
        return None
    raw = _decode(_padded(text))
    if raw is None or len(raw) != _GROUP_ID_SIZE:
        return None
    return GroupId(binascii.b2a_base64(raw, newline=False).decode())


def _padded(text: str) -> str:
    """Bring base64 into the standard alphabet, with its padding."""
    bare = text.rstrip("=").translate(_URL_ALPHABET)
    return bare + "=" * (-len(bare) % 4)


def _decode(text: str) -> bytes | None:
    """Decode standard, padded base64; `None` when it is none."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error, and text that is not ASCII
        return None


def _number(text: str) -> Number | None:
    bare = _NUMBER_NOISE.sub("", text)
    if bare.startswith("+"):
        bare = bare.translate(_NUMBER_DIVIDERS)
        return Number(bare) if _NUMBER.fullmatch(bare) else None
    if _DIGITS.fullmatch(bare) and _is_valid_number("+" + bare):
        return Number("+" + bare)
    return None


def _is_valid_number(number: str) -> bool:
    import phonenumbers  # noqa: PLC0415  its tables are only worth their memory when somebody leaves out the plus

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
