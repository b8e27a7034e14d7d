"""One text that names a message for ever: `$` and the base64 (URL alphabet) of `author|timestamp`."""

import base64
import binascii
import re
from typing import Final

from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import GroupId, Recipient, parse_recipient

_LONGEST: Final = 512
_TIME: Final = re.compile(r"[0-9]{10,16}")


def message_id(author: str, timestamp: int) -> str:
    """The id of a message, by which it can be answered although nothing is stored of it. `timestamp`: ms since the epoch."""
    return "$" + base64.urlsafe_b64encode(f"{author}|{timestamp}".encode()).rstrip(b"=").decode()


def parse_message_id(text: str, *, field: str) -> tuple[Recipient, int]:
    """The author and the timestamp that an id stands for. Raises `InvalidValue`."""
    wrong = InvalidValue(field, f"{field}: is no id of a message")
    bare = text.strip().removeprefix("$")
    if not 0 < len(bare) <= _LONGEST:
        raise wrong
    try:
        author, _, timestamp = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True).decode().rpartition("|")
    except (binascii.Error, ValueError):
        raise wrong from None
    if not _TIME.fullmatch(timestamp):
        raise wrong
    try:
        person = parse_recipient(author, field=field)
    except InvalidValue:
        raise wrong from None
    if isinstance(person, GroupId):
        raise wrong
    return person, int(timestamp)
