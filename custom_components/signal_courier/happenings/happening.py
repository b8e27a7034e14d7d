"""What happens on Signal, as automations see it: a few fixed types, and a flat dictionary.

It is the same for event entities, triggers and the bus. Keys that do not apply are left out. Times are milliseconds since 1970
(`timestamp`, Signal's name of a message) or ISO 8601 (`time`).
"""

from enum import StrEnum
from typing import Final

from ..client.events import (
    Call,
    Event,
    EventAttachment,
    MessageContent,
    MessageRef,
    MessageStatus,
    Person,
    Poll,
    Quote,
)
from ..client.models import Recipient
from ..files.ids import media_id
from ..moments import moment
from .handles import MessageHandle

type Payload = dict[str, object]


class HappeningType(StrEnum):
    """The kinds of happenings; few and stable. Event entities know them by these names."""

    MESSAGE = "message"
    EDIT = "edit"
    DELETE = "delete"
    REACTION = "reaction"
    POLL_CREATED = "poll_created"
    POLL_VOTE = "poll_vote"
    POLL_CLOSED = "poll_closed"
    TYPING = "typing"
    CALL = "call"
    SENT = "sent"
    """What the account itself did on its phone or another device; `action` says what."""
    GROUP = "group"
    """A group, or a conversation's timer or pinned messages, has changed."""
    RECEIPT = "receipt"
    STATUS = "message_status"
    """A message of the outbox has moved on."""
    ACCOUNT = "account"


IN_CONVERSATION: Final = (
    HappeningType.MESSAGE,
    HappeningType.EDIT,
    HappeningType.DELETE,
    HappeningType.REACTION,
    HappeningType.POLL_CREATED,
    HappeningType.POLL_VOTE,
    HappeningType.POLL_CLOSED,
    HappeningType.TYPING,
    HappeningType.CALL,
    HappeningType.SENT,
    HappeningType.GROUP,
)
"""What can happen in one conversation."""
IN_ACCOUNT: Final = tuple(HappeningType)
"""What can happen to an account: everything."""

_POLLS: Final = {"created": HappeningType.POLL_CREATED, "voted": HappeningType.POLL_VOTE, "closed": HappeningType.POLL_CLOSED}
_PLAIN: Final = {
    "message": HappeningType.MESSAGE,
    "edit": HappeningType.EDIT,
    "delete": HappeningType.DELETE,
    "reaction": HappeningType.REACTION,
    "typing": HappeningType.TYPING,
    "call": HappeningType.CALL,
    "sent": HappeningType.SENT,
    "group": HappeningType.GROUP,
    "receipt": HappeningType.RECEIPT,
    "status": HappeningType.STATUS,
    "account": HappeningType.ACCOUNT,
}


def happening_type(event: Event) -> HappeningType | None:
    """What kind of happening an event is; `None` for what concerns no account (signal-cli itself) or is not known here."""
    if event.type == "poll":
        return _POLLS.get(event.poll.action) if event.poll is not None else None
    return _PLAIN.get(event.type)


def payload_of(event: Event, kind: HappeningType, *, entry_id: str, late: bool, allowed: bool, repeated: bool = False) -> Payload:
    """The event as automations see it.

    Args:
        event: What the service told.
        kind: What `happening_type` says of it.
        entry_id: Of the config entry.
        late: Whether it happened long before it came.
        allowed: Whether its sender may cause automations.
        repeated: Whether some may have heard of it before Home Assistant was killed.
    """
    found: Payload = {
        "config_entry_id": entry_id,
        "account": event.account,
        "time": moment(event.time).isoformat(timespec="milliseconds"),
        "late": late,
        "allowed": allowed,
    }
    if repeated:
        found["repeated"] = True
    if (place := event.conversation) is not None:
        found["conversation_id"] = place.id
        found["conversation"] = place.name or place.number or place.id
        found["conversation_kind"] = place.kind
        found["is_group"] = place.kind == "group"
    if (sender := event.sender) is not None:
        found |= _sender(sender)
    if kind is HappeningType.SENT:
        found["action"] = _sent_action(event)
    where = place.id if place is not None else None
    author = sender.address if sender is not None else None
    if event.message is not None:
        found |= _content(event.message, where, author, entry_id)
    if event.edit is not None:
        found |= _target(event.edit.target, where)
    if event.delete is not None:
        found |= _target(event.delete.target, where) | {"by_admin": event.delete.by_admin}
    if event.reaction is not None:
        found |= _target(event.reaction.target, where) | {"emoji": event.reaction.emoji, "removed": event.reaction.removed}
    if event.poll is not None:
        found |= _poll(event.poll, event.time, where, author)
    if event.typing is not None:
        found["started"] = event.typing.started
    if event.call is not None:
        found |= _call(event.call)
    if event.receipt is not None:
        found |= {"receipt": event.receipt.kind, "timestamps": [one.timestamp for one in event.receipt.targets]}
    if event.group is not None:
        found["change"] = event.group.change
    if event.status is not None:
        found |= _status(event.status)
    if event.account_change is not None:
        change = event.account_change
        found |= _present(change=change.change, state=change.state, detail=change.detail)
    return found


def _present(**values: object) -> Payload:
    return {key: value for key, value in values.items() if value is not None}


def _sender(person: Person) -> Payload:
    return _present(
        sender=person.name or person.number or person.uuid,
        sender_id=person.address,
        sender_name=person.name,
        sender_number=person.number,
        sender_uuid=person.uuid,
    )


def _sent_action(event: Event) -> str:
    members = ("edit", "delete", "reaction", "poll", "typing", "receipt", "group", "call", "message")
    return next((name for name in members if getattr(event, name) is not None), "other")


def _handle(timestamp: int, author: str | None, where: str | None) -> str | None:
    if where is None or author is None:
        return None
    return str(MessageHandle(timestamp, author, where))


def _content(message: MessageContent, where: str | None, author: str | None, entry_id: str) -> Payload:
    found = _present(
        timestamp=message.timestamp,
        handle=_handle(message.timestamp, author, where),
        text=message.text or "",
        attachments=[_attachment(one, entry_id) for one in message.attachments],
        quote=_quote(message.quote, where) if message.quote is not None else None,
        sticker=f"{message.sticker.pack_id}:{message.sticker.sticker_id}" if message.sticker is not None else None,
    )
    if message.mentions:
        found["mentions"] = [_present(id=one.uuid or one.number, name=one.name) for one in message.mentions]
    if message.previews:
        found["links"] = [_present(url=one.url, title=one.title) for one in message.previews]
    if message.contacts:
        found["contacts"] = [_present(name=one.name, phones=list(one.phones), emails=list(one.emails)) for one in message.contacts]
    for flag in ("view_once", "story", "truncated"):
        if getattr(message, flag):
            found[flag] = True
    if message.expires_in:
        found["expires_in"] = message.expires_in
    return found


def _attachment(one: EventAttachment, entry_id: str) -> Payload:
    media = media_id(entry_id, one.id) if one.id is not None else None
    return _present(
        id=one.id,
        type=one.type,
        name=one.name,
        size=one.size,
        caption=one.caption,
        voice_note=one.voice_note or None,
        media_content_id=media,
        media_content_type=one.type if media is not None else None,
    )


def _quote(quote: Quote, where: str | None) -> Payload:
    author = quote.author.address
    return _present(
        timestamp=quote.timestamp, handle=_handle(quote.timestamp, author, where), author=quote.author.name or author, author_id=author,
        text=quote.text,
    )  # fmt: skip


def _target(target: MessageRef, where: str | None) -> Payload:
    author = target.author.address if target.author is not None else None
    return _present(target=_handle(target.timestamp, author, where), target_timestamp=target.timestamp, target_author=author)


def _poll(poll: Poll, time: int, where: str | None, author: str | None) -> Payload:
    if poll.action == "created":
        timestamp = poll.target.timestamp if poll.target is not None else time
        found = _present(timestamp=timestamp, handle=_handle(timestamp, author, where))
    else:
        found = _target(poll.target, where) if poll.target is not None else {}
    if poll.question is not None:
        found["question"] = poll.question
    if poll.options:
        found["options"] = list(poll.options)
        found["multiple"] = poll.multiple
    if poll.action == "voted":
        found["votes"] = list(poll.votes)
        if poll.options:
            found["chosen"] = [poll.options[vote] for vote in poll.votes if 0 <= vote < len(poll.options)]
    return found


def _call(call: Call) -> Payload:
    return _present(action=call.action, call_id=call.call_id, media=call.media, reason=call.reason)


def _status(status: MessageStatus) -> Payload:
    return _present(
        message_id=status.message,
        state=status.state,
        kind=status.kind,
        timestamp=status.timestamp,
        recipients=[_recipient(one) for one in status.recipients],
    )


def _recipient(one: Recipient) -> Payload:
    return _present(
        id=one.uuid or one.number or one.recipient, recipient=one.recipient, group=one.group, state=one.state, reason=one.reason
    )
