"""What actions answer: plain dictionaries, in which every message has its handle."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from homeassistant.util.json import JsonObjectType, JsonValueType

from ..client.events import EventAttachment, MessageContent, Person
from ..client.history import HistoryMessage
from ..client.models import Conversation, Member, OutboxMessage, Recipient, Sent
from ..files.ids import media_id
from ..happenings.handles import MessageHandle

if TYPE_CHECKING:
    from .action import Call


def sent_answer(call: Call, sent: Sent | OutboxMessage) -> JsonObjectType:
    """What was sent: `message_id`, `timestamp`, `state`, `recipients`, and for each conversation its `handle` in `messages`."""
    timestamp = sent.timestamp
    answer: JsonObjectType = {
        "message_id": sent.id,
        "timestamp": timestamp,
        "state": state_of(sent),
        "recipients": [_recipient(call, one) for one in sent.recipients],
        "messages": [_message(call, one, timestamp) for one in call.conversations],
    }
    if len(call.conversations) == 1:
        answer["handle"] = handle_of(call, call.conversation.id, timestamp)
    return answer


def state_of(sent: Sent | OutboxMessage) -> str:
    """How far it has come, in a word."""
    if isinstance(sent, OutboxMessage):
        return sent.state
    states = {one.state for one in sent.recipients}
    return "sent" if "sent" in states or not states else next(iter(states))


def handle_of(call: Call, conversation: str, timestamp: int | None) -> str | None:
    """The handle of an own message."""
    return None if timestamp is None else str(MessageHandle(timestamp, call.me, conversation))


def conversation_answer(one: Conversation) -> JsonObjectType:
    """A person or a group."""
    answer: JsonObjectType = {
        "conversation_id": one.id,
        "name": one.name,
        "kind": one.kind,
        "number": one.number,
        "blocked": one.blocked,
        "archived": one.archived,
        "expires_in": one.expires_in,
        "unread": one.unread,
    }
    if (person := one.person) is not None:
        answer |= {"uuid": person.uuid, "username": person.username, "profile_name": person.profile_name, "about": person.about}
    if (group := one.group) is not None:
        answer |= {
            "description": group.description,
            "member": group.member,
            "members": _members(group.members),
            "invited": _members(group.invited),
            "requesting": _members(group.requesting),
            "banned": _members(group.banned),
            "invite_link": group.invite_link,
        }
    return answer


def history_answer(call: Call, one: HistoryMessage) -> JsonObjectType:
    """A message of the history."""
    author = one.sender.address or (call.me if one.direction == "sent" else None)
    where = one.conversation.id if one.conversation is not None else None
    answer: JsonObjectType = {
        "id": one.id,
        "direction": one.direction,
        "time": one.time,
        "timestamp": one.timestamp,
        "handle": str(MessageHandle(one.timestamp, author, where)) if one.timestamp and author and where else None,
        "conversation_id": where,
        "conversation": one.conversation.name if one.conversation is not None else None,
        **_sender(one.sender),
        "deleted": one.deleted_at is not None,
        "edited": one.edited_at is not None,
        "reactions": [{"emoji": given.emoji, **_sender(given.by)} for given in one.reactions],
    }
    if one.message is not None:
        answer |= _content(call.entry.entry_id, one.message)
    if one.poll is not None:
        options = one.poll.options
        answer["poll"] = {
            "question": one.poll.question,
            "options": list(options),
            "multiple": one.poll.multiple,
            "closed": one.closed,
            "votes": [{**_sender(vote.by), "options": list(vote.options)} for vote in one.votes],
        }
    if one.status is not None:
        answer["state"] = one.status.state
    return answer


def _content(entry_id: str, message: MessageContent) -> JsonObjectType:
    answer: JsonObjectType = {
        "text": message.text,
        "attachments": [attachment_answer(entry_id, one) for one in message.attachments],
        "view_once": message.view_once,
        "expires_in": message.expires_in,
    }
    if (quote := message.quote) is not None:
        answer["quote"] = {"timestamp": quote.timestamp, "text": quote.text, "author_id": quote.author.address}
    if (sticker := message.sticker) is not None:
        answer["sticker"] = f"{sticker.pack_id}:{sticker.sticker_id}"
    return answer


def attachment_answer(entry_id: str, one: EventAttachment) -> JsonObjectType:
    """A received file; `media_content_id` for everything in Home Assistant that takes media."""
    return {
        "id": one.id,
        "name": one.name,
        "type": one.type,
        "size": one.size,
        "voice_note": one.voice_note,
        "media_content_id": media_id(entry_id, one.id) if one.id is not None else None,
    }


def _members(members: Iterable[Member]) -> list[JsonValueType]:
    return [{"id": one.uuid or one.number, "name": one.name, "number": one.number, "admin": one.admin} for one in members]


def _sender(person: Person) -> JsonObjectType:
    return {"sender": person.name or person.number or person.uuid, "sender_id": person.address}


def _message(call: Call, conversation: Conversation, timestamp: int | None) -> JsonObjectType:
    return {
        "conversation_id": conversation.id,
        "conversation": conversation.name,
        "handle": handle_of(call, conversation.id, timestamp),
    }


def _recipient(call: Call, one: Recipient) -> JsonObjectType:
    address = one.uuid or one.number or one.recipient
    known = call.entry.runtime_data.conversations.get(address)
    return {"id": address, "name": known.name if known is not None else None, "state": one.state, "reason": one.reason, "group": one.group}
