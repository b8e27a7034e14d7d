"""Messages on their way: what the outbox tells about each of them, and about each of its recipients.

A message is named by its id (`msg_…`) from the moment it was taken; its timestamp, Signal's own name for it, comes with the sending.
"""

import enum
from collections.abc import Sequence
from typing import Final

import msgspec

PREFIX: Final = "msg_"
DAY: Final = 24 * 3600
"""Seconds for which a message is tried unless its sender says otherwise, and for which an idempotency key is remembered."""


class DeliveryState(enum.StrEnum):
    """Where a message is on its way to one recipient."""

    QUEUED = "queued"
    """Waits: for its turn, or (`reason`) to be tried again."""
    SENDING = "sending"
    """Handed to signal-cli, which has not answered yet; or being looked into after a crash."""
    PARKED = "parked"
    """Waits for somebody to act: `rate_limit` (a challenge, with its tokens), `untrusted_identity` or `group_approval` (an admin)."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNKNOWN = "unknown"
    """It may have been sent: signal-cli or this service ended in that moment, and nothing came back that tells."""
    FAILED = "failed"
    EXPIRED = "expired"
    """The time for which it was to be tried is over."""
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether the outbox still has to do with it."""
        return self in _OPEN

    @property
    def is_reached(self) -> bool:
        """Whether Signal has taken the message for this recipient."""
        return self in _REACHED


_OPEN: Final = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.PARKED})
_REACHED: Final = frozenset({DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ})

RATE_LIMIT: Final = "rate_limit"
UNTRUSTED: Final = "untrusted_identity"
GROUP_APPROVAL: Final = "group_approval"
"""Reasons for which a recipient is parked."""


class RecipientStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One recipient of a message. The members of a group follow the group, with `group` naming it."""

    recipient: str
    """As the outbox spells it: number, ACI uuid, `PNI:…`, `u:name.01`, or a group's id (`group.…`)."""
    state: DeliveryState
    reason: str | None = None
    """Why it is queued again, parked or failed: `network`, `engine`, `rate_limit`, `untrusted_identity`, a result type, or words."""
    timestamp: int | None = None
    """Signal's name for the message towards this recipient: ms since the epoch."""
    changed_at: int = 0
    """ms since the epoch."""
    group: str | None = None
    """The recipient through which this person gets it."""
    uuid: str | None = None
    number: str | None = None
    tokens: Sequence[str] = ()
    """Challenge tokens, while parked by a rate limit."""


class Parked(msgspec.Struct, kw_only=True, frozen=True):
    """What an account's messages wait for, until somebody acts."""

    reason: str
    """`rate_limit`, `untrusted_identity` or `group_approval`."""
    recipients: Sequence[str] = ()
    """To whom: UUIDs, else as the outbox spells them."""
    tokens: Sequence[str] = ()
    until: int | None = None
    """When the first is tried again by itself: ms since the epoch."""


class MessageStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One message of the outbox."""

    id: str
    account: str
    kind: str
    """message, edit, delete, reaction, receipt, typing, poll, vote, poll_end or story."""
    state: DeliveryState
    """In one word: open states first, then whether anybody was reached."""
    created_at: int
    """ms since the epoch, as all times."""
    recipients: Sequence[RecipientStatus]
    content: msgspec.Raw = msgspec.Raw(b"null")
    """What is sent, as JSON of its type in `model.messages`; attachments by their names."""
    timestamp: int | None = None
    """Of the first call that reached somebody."""
    expires_at: int | None = None
    """When it is given up, while it is open."""
    attempts: int = 0
    next_attempt_at: int | None = None
    """While it is queued to be tried again, or parked with an end."""


def summary(states: Sequence[DeliveryState]) -> DeliveryState:
    """One word for all recipients: what is still open first; then the lowest of those reached; nobody reached: why."""
    present = frozenset(states)
    for state in (DeliveryState.SENDING, DeliveryState.QUEUED, DeliveryState.PARKED):
        if state in present:
            return state
    for state in (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ):
        if state in present:
            return state
    for state in (DeliveryState.UNKNOWN, DeliveryState.EXPIRED, DeliveryState.FAILED):
        if state in present:
            return state
    return DeliveryState.CANCELLED


def message_id(number: int) -> str:
    """The public id of the message with this number."""
    return f"{PREFIX}{number}"


def message_number(identifier: str) -> int | None:
    """The number in a public id, `None` when it is none."""
    digits = identifier.removeprefix(PREFIX)
    if not identifier.startswith(PREFIX) or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        return None
    return int(digits)
