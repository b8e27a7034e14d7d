"""Where a received frame belongs, at a glance: told while it is stored, so that the history of a conversation is found at once.

Only what history needs is decoded, some microseconds a frame; `engine.reports.envelopes` makes the event of it when somebody wants that.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec


class ReadMessage(NamedTuple):
    """A message that was read on another device of the account."""

    sender: str
    """UUID, or number where none is told."""
    timestamp: int


class Place(NamedTuple):
    """Where a frame belongs."""

    account: str | None
    """`None` where the frame does not say."""
    conversation: str | None = None
    """UUID of the person (number where none is told), or the group's internal id; `None` for what is no part of a history."""
    target: int | None = None
    """The timestamp of the message that this one changes or answers with a sign (edit, deletion, reaction, vote); `None` for a message."""
    own: bool = False
    """Sent by the account, on another of its devices."""
    read: Sequence[ReadMessage] = ()


_ABSENT: Final = msgspec.Raw(b"null")
_NOTHING: Final = (_ABSENT, msgspec.Raw(b"[]"), msgspec.Raw(b'""'))


class _Target(msgspec.Struct, rename="camel"):
    target_sent_timestamp: int = 0


class _Deletion(msgspec.Struct):
    timestamp: int = 0


class _Group(msgspec.Struct, rename="camel"):
    group_id: str | None = None


class _Data(msgspec.Struct, rename="camel"):
    group_info: _Group | None = None
    message: msgspec.Raw = _ABSENT
    attachments: msgspec.Raw = _ABSENT
    sticker: msgspec.Raw = _ABSENT
    contacts: msgspec.Raw = _ABSENT
    payment: msgspec.Raw = _ABSENT
    quote: msgspec.Raw = _ABSENT
    previews: msgspec.Raw = _ABSENT
    story_context: msgspec.Raw = _ABSENT
    poll_create: msgspec.Raw = _ABSENT
    reaction: _Target | None = None
    remote_delete: _Deletion | None = None
    admin_delete: _Target | None = None
    poll_vote: _Target | None = None
    poll_terminate: _Target | None = None


class _Edit(msgspec.Struct, rename="camel"):
    target_sent_timestamp: int = 0
    data_message: _Data | None = None


class _Sent(_Data, rename="camel"):
    destination: str | None = None
    destination_number: str | None = None
    destination_uuid: str | None = None
    edit_message: _Edit | None = None


class _Read(msgspec.Struct, rename="camel"):
    sender: str | None = None
    sender_number: str | None = None
    sender_uuid: str | None = None
    timestamp: int = 0


class _Sync(msgspec.Struct, rename="camel"):
    sent_message: _Sent | None = None
    read_messages: list[_Read] | None = None


class _Envelope(msgspec.Struct, rename="camel"):
    source_number: str | None = None
    source_uuid: str | None = None
    data_message: _Data | None = None
    edit_message: _Edit | None = None
    sync_message: _Sync | None = None


class _Frame(msgspec.Struct):
    account: str | None = None
    envelope: _Envelope | None = None


class _Addressed(msgspec.Struct):
    account: str | None = None


_decode = msgspec.json.Decoder(_Frame, strict=False).decode
_account_in = msgspec.json.Decoder(_Addressed).decode


def place_of(frame: bytes) -> Place:
    """Where a frame `{"envelope": …, "account": …}` belongs; of what is not understood at least whose it is.

    Raises `msgspec.MsgspecError` where even that cannot be told.
    """
    try:
        decoded = _decode(frame)
    except msgspec.MsgspecError:
        return Place(_account_in(frame).account)
    account, envelope = decoded.account, decoded.envelope
    if envelope is None:
        return Place(account)
    source = envelope.source_uuid or envelope.source_number
    if (data := envelope.data_message) is not None:
        return _placed(account, source, data)
    if (edit := envelope.edit_message) is not None:
        return _edited(account, source, edit)
    if (sync := envelope.sync_message) is not None:
        if (sent := sync.sent_message) is not None:
            destination = sent.destination_uuid or sent.destination_number or sent.destination
            if sent.edit_message is not None:
                return _edited(account, destination, sent.edit_message, own=True, group=sent.group_info)
            return _placed(account, destination, sent, own=True)
        if sync.read_messages:
            read = [(one.sender_uuid or one.sender_number or one.sender, one.timestamp) for one in sync.read_messages]
            return Place(account, read=[ReadMessage(sender, timestamp) for sender, timestamp in read if sender])
    return Place(account)


def _placed(account: str | None, person: str | None, data: _Data, *, own: bool = False) -> Place:
    conversation = (data.group_info.group_id if data.group_info is not None else None) or person
    if conversation is None:
        return Place(account)
    if (target := _target(data)) is not None:
        return Place(account, conversation, target, own)
    if data.message not in _NOTHING or _says_something(data):
        return Place(account, conversation, None, own)
    return Place(account)


def _edited(account: str | None, person: str | None, edit: _Edit, *, own: bool = False, group: _Group | None = None) -> Place:
    data = edit.data_message
    group = (data.group_info if data is not None else None) or group
    conversation = (group.group_id if group is not None else None) or person
    return Place(account, conversation, edit.target_sent_timestamp, own) if conversation is not None else Place(account)


def _target(data: _Data) -> int | None:
    for change in (data.reaction, data.admin_delete, data.poll_vote, data.poll_terminate):
        if change is not None:
            return change.target_sent_timestamp
    return data.remote_delete.timestamp if data.remote_delete is not None else None


def _says_something(data: _Data) -> bool:
    parts = (data.attachments, data.sticker, data.contacts, data.payment, data.quote, data.previews, data.story_context, data.poll_create)
    return any(part not in _NOTHING for part in parts)
