"""What can be told to somebody who follows: one struct for every event, with the members that its type fills.

Times are milliseconds since the epoch; a time and its author name a message, as everywhere in Signal. Positions in texts are UTF-16 units.
Members that are `None` or empty are left out of the JSON, except those that tell who, where and what.
"""

import enum
from collections.abc import Sequence
from typing import Literal

import msgspec

from signal_courier.model.errors import InvalidValue
from signal_courier.model.outbox import DeliveryState, RecipientStatus
from signal_courier.model.recipients import Pni, Recipient, Username


class EventType(enum.StrEnum):
    """The kinds of events; few and stable."""

    MESSAGE = "message"
    EDIT = "edit"
    DELETE = "delete"
    REACTION = "reaction"
    RECEIPT = "receipt"
    TYPING = "typing"
    POLL = "poll"
    GROUP = "group"
    """A group, or what applies to a conversation as a whole (timer, pinned messages), has changed."""
    CALL = "call"
    SENT = "sent"
    """What the account itself did on another of its devices; the same members say what."""
    STATUS = "status"
    """A message of the outbox has moved on."""
    ACCOUNT = "account"
    """An account's state, its lists, or its trust in somebody has changed."""
    ENGINE = "engine"
    """signal-cli has changed its state."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody. A number is hidden by default in Signal, so that often only the UUID is known."""

    uuid: str | None = None
    number: str | None = None
    name: str | None = None
    """From the contacts, else from the profile."""


class Sender(Person, frozen=True, kw_only=True):
    """Who did it, and on which of their devices."""

    device: int | None = None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """Where it happened."""

    id: str
    """UUID (number where none is known) of the person, or `group.…`; can be used as a recipient."""
    kind: Literal["person", "group", "self"]
    name: str | None = None
    number: str | None = None
    """Of the person, where it is known."""


class TextStyle(msgspec.Struct, frozen=True):
    """How a part of a text looks."""

    start: int
    length: int
    style: str
    """BOLD, ITALIC, STRIKETHROUGH, MONOSPACE or SPOILER."""


class MentionedPerson(Person, frozen=True, kw_only=True):
    """Somebody who is named in a text, where `@` and the name stand."""

    start: int
    length: int


class EventAttachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that came along."""

    id: str | None = None
    """`None` where it was not downloaded."""
    url: str | None = None
    """Path on this service."""
    type: str | None = None
    """Its media type, as the sender says."""
    name: str | None = None
    size: int | None = None
    """In bytes."""
    width: int | None = None
    height: int | None = None
    caption: str | None = None
    voice_note: bool = False


class Quoted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The message that is answered."""

    timestamp: int
    author: Person
    text: str | None = None
    styles: Sequence[TextStyle] = ()
    mentions: Sequence[MentionedPerson] = ()
    attachments: Sequence[EventAttachment] = ()


class Preview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card for an address in the text."""

    url: str
    title: str | None = None
    description: str | None = None
    image: EventAttachment | None = None


class Sticker(msgspec.Struct, frozen=True):
    """A sticker of a pack."""

    pack_id: str
    sticker_id: int


class SharedContact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody's card."""

    name: str | None = None
    organization: str | None = None
    phones: Sequence[str] = ()
    emails: Sequence[str] = ()
    addresses: Sequence[str] = ()
    avatar: EventAttachment | None = None


class Payment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payment's note and its receipt (base64)."""

    receipt: str
    note: str | None = None


class MessageRef(msgspec.Struct, frozen=True, kw_only=True):
    """Names a message: by its time and its author (`None` where Signal does not tell)."""

    timestamp: int
    author: Person | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message says."""

    timestamp: int
    """Names the message; for a quote, a reaction, a receipt."""
    text: str | None
    """Mentions stand in it as `@` and the name."""
    styles: Sequence[TextStyle]
    mentions: Sequence[MentionedPerson]
    attachments: Sequence[EventAttachment]
    quote: Quoted | None = None
    sticker: Sticker | None = None
    previews: Sequence[Preview] = ()
    contacts: Sequence[SharedContact] = ()
    payment: Payment | None = None
    view_once: bool = False
    expires_in: int = 0
    """Seconds until it disappears, 0 = never."""
    story: bool = False
    """It is a story, seen by many."""
    story_reply: MessageRef | None = None
    """The story that it answers."""
    truncated: bool = False
    """The whole text is in the attachment of the type `text/x-signal-plain`."""


class Edit(msgspec.Struct, frozen=True):
    """The message's earlier version; `message` of the event holds the new one."""

    target: MessageRef


class Delete(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that was taken back."""

    target: MessageRef
    by_admin: bool = False


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji on a message, or its removal."""

    emoji: str
    target: MessageRef
    removed: bool = False


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of messages."""

    kind: Literal["delivered", "read", "viewed"]
    targets: Sequence[MessageRef]
    """Messages of the account itself have no author here."""


class Typing(msgspec.Struct, frozen=True):
    """Somebody begins or stops to type."""

    started: bool


class Poll(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A poll is asked, answered or closed."""

    action: Literal["created", "voted", "closed"]
    target: MessageRef | None = None
    """The poll's message, where it was answered or closed."""
    question: str | None = None
    options: Sequence[str] = ()
    multiple: bool = False
    votes: Sequence[int] = ()
    """Indexes of the chosen options, the first is 0."""
    vote_count: int = 0
    """How often this person has voted; the highest counts."""


class GroupChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has changed for all in a conversation."""

    change: Literal["updated", "timer", "pinned", "unpinned"]
    """`updated`: name, members, rights; Signal does not tell which, so ask for the group."""
    revision: int | None = None
    expires_in: int | None = None
    """Seconds that new messages live from now on, 0 = for ever."""
    target: MessageRef | None = None
    """The message that is pinned or not any more."""
    pinned_for: int | None = None
    """Seconds."""


class CallChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call on its way."""

    action: Literal["offered", "answered", "busy", "ended", "group"]
    call_id: str | None = None
    """An unsigned 64-bit number, as text: many JSON readers would round it."""
    media: Literal["audio", "video"] | None = None
    reason: str | None = None
    era: str | None = None
    """Of a group call."""


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a message of the outbox has come."""

    message: str
    """Its id (`msg_…`)."""
    state: DeliveryState
    """In one word for all recipients."""
    recipients: Sequence[RecipientStatus] = ()
    """Those for whom something has changed."""
    kind: str | None = None
    """What is sent: message, edit, delete, reaction…"""
    timestamp: int | None = None
    """The message's own, as soon as it has one."""


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has changed about an account."""

    change: Literal["state", "contacts", "groups", "blocked", "identity", "undecryptable", "other"]
    """`identity`: the sender's safety number has changed and is not trusted, their messages wait; `undecryptable`: something came that
    could not be read; `contacts`, `groups`, `blocked`: the phone has sent these lists anew."""
    state: str | None = None
    """ready, loading, unlinked."""
    detail: str | None = None


class EngineChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """signal-cli's state."""

    state: str
    version: str | None = None
    reason: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event. Its type says which of the last members is filled (`edit` also fills `message`; `sent` any of them)."""

    id: int
    """Grows from event to event, over all accounts; not every number is used. 0 until it is stored."""
    type: EventType
    account: str | None
    """Number of the account that it happened to; `None` for the engine."""
    time: int
    """When the sender's phone says it happened; for `status`, `account` and `engine` when the service saw it."""
    conversation: Conversation | None = None
    sender: Sender | None = None
    message: Content | None = None
    edit: Edit | None = None
    delete: Delete | None = None
    reaction: Reaction | None = None
    receipt: Receipt | None = None
    typing: Typing | None = None
    poll: Poll | None = None
    group: GroupChange | None = None
    call: CallChange | None = None
    status: Status | None = None
    account_change: AccountChange | None = None
    engine: EngineChange | None = None


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events somebody wants; `None` = all."""

    accounts: frozenset[str] | None = None
    types: frozenset[EventType] | None = None
    conversations: frozenset[str] | None = None
    """Ids as in `Conversation.id`, or numbers, as `conversation_key` makes them. What was sent belongs to those to whom it goes."""

    def wants_account(self, account: str | None) -> bool:
        """Whether events of this account are wanted at all; those of the engine concern everybody."""
        return self.accounts is None or account is None or account in self.accounts

    def wants(self, event: Event) -> bool:
        """Whether this one is wanted."""
        if self.types is not None and event.type not in self.types:
            return False
        if not self.wants_account(event.account):
            return False
        if self.conversations is None:
            return True
        place = event.conversation
        if place is not None:
            return place.id in self.conversations or place.number in self.conversations
        return event.status is not None and any(not self.conversations.isdisjoint(_places(one)) for one in event.status.recipients)


EVERYTHING = EventFilter()


def _places(recipient: RecipientStatus) -> Sequence[str | None]:
    """The names of the conversation through which somebody gets what was sent."""
    return (recipient.group,) if recipient.group is not None else (recipient.recipient, recipient.uuid, recipient.number)


def conversation_key(recipient: Recipient) -> str:
    """The id under which a recipient's conversation is found in events. Raises `InvalidValue` for a username, which events do not name."""
    if isinstance(recipient, Username | Pni):
        raise InvalidValue("conversation", f"conversation: '{recipient}' does not stand in events: name the person by UUID or number")
    return str(recipient)
