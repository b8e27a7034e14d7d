"""Events as the service tells them; the members that a type does not use are `None`.

Times are milliseconds since the epoch; a time and its author name a message. Positions in texts are UTF-16 units.
"""

from dataclasses import dataclass

from .models import Recipient


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody. A number is hidden by default in Signal, so that often only the UUID is known."""

    uuid: str | None = None
    number: str | None = None
    name: str | None = None
    device: int | None = None

    @property
    def address(self) -> str | None:
        """What can be used as a recipient: the UUID, else the number."""
        return self.uuid or self.number


@dataclass(frozen=True, kw_only=True)
class Place:
    """The conversation in which it happened."""

    id: str
    kind: str = "person"
    """person, group or self."""
    name: str | None = None
    number: str | None = None


@dataclass(frozen=True, kw_only=True)
class TextStyle:
    """How a part of a text looks: BOLD, ITALIC, STRIKETHROUGH, MONOSPACE or SPOILER."""

    start: int
    length: int
    style: str


@dataclass(frozen=True, kw_only=True)
class Mention:
    """Somebody who is named in a text."""

    start: int
    length: int
    uuid: str | None = None
    number: str | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class EventAttachment:
    """A file that came along; `id` is `None` where it was not downloaded."""

    id: str | None = None
    url: str | None = None
    type: str | None = None
    name: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None
    caption: str | None = None
    voice_note: bool = False


@dataclass(frozen=True, kw_only=True)
class MessageRef:
    """Names a message."""

    timestamp: int
    author: Person | None = None


@dataclass(frozen=True, kw_only=True)
class Quote:
    """The message that is answered."""

    timestamp: int
    author: Person = Person()
    text: str | None = None
    attachments: tuple[EventAttachment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EventSticker:
    """A sticker of a pack."""

    pack_id: str
    sticker_id: int


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A card for an address in the text."""

    url: str
    title: str | None = None
    description: str | None = None
    image: EventAttachment | None = None


@dataclass(frozen=True, kw_only=True)
class SharedContact:
    """Somebody's card."""

    name: str | None = None
    organization: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MessageContent:
    """What a message says."""

    timestamp: int
    text: str | None = None
    """Mentions stand in it as `@` and the name."""
    styles: tuple[TextStyle, ...] = ()
    mentions: tuple[Mention, ...] = ()
    attachments: tuple[EventAttachment, ...] = ()
    quote: Quote | None = None
    sticker: EventSticker | None = None
    previews: tuple[Preview, ...] = ()
    contacts: tuple[SharedContact, ...] = ()
    view_once: bool = False
    expires_in: int = 0
    """Seconds until it disappears, 0 = never."""
    story: bool = False
    story_reply: MessageRef | None = None
    truncated: bool = False


@dataclass(frozen=True, kw_only=True)
class Edit:
    """The message's earlier version; `message` holds the new one."""

    target: MessageRef


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """A message that was taken back."""

    target: MessageRef
    by_admin: bool = False


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """An emoji on a message, or its removal."""

    emoji: str
    target: MessageRef
    removed: bool = False


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of messages: delivered, read or viewed."""

    kind: str
    targets: tuple[MessageRef, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Typing:
    """Somebody begins or stops to type."""

    started: bool


@dataclass(frozen=True, kw_only=True)
class Poll:
    """A poll is created, voted or closed."""

    action: str
    target: MessageRef | None = None
    """The poll's message, where it was answered or closed."""
    question: str | None = None
    options: tuple[str, ...] = ()
    multiple: bool = False
    votes: tuple[int, ...] = ()
    """Indexes of the chosen options, the first is 0."""
    vote_count: int = 0


@dataclass(frozen=True, kw_only=True)
class GroupChange:
    """What has changed for all in a conversation: updated, timer, pinned, unpinned."""

    change: str
    revision: int | None = None
    expires_in: int | None = None
    target: MessageRef | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call on its way: offered, answered, busy, ended, group."""

    action: str
    call_id: str | None = None
    media: str | None = None
    """audio or video."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class MessageStatus:
    """How far a message of the outbox has come."""

    message: str
    """Its id, `msg_…`."""
    state: str
    recipients: tuple[Recipient, ...] = ()
    """Those for whom something has changed."""
    kind: str | None = None
    timestamp: int | None = None


@dataclass(frozen=True, kw_only=True)
class AccountChange:
    """What has changed about an account: state, contacts, groups, blocked, identity, undecryptable, other."""

    change: str
    state: str | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class EngineChange:
    """signal-cli's state."""

    state: str
    version: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event. Its type says which of the last members is filled (`edit` also fills `message`; `sent` any of them)."""

    id: int
    """Grows from event to event; not every number is used."""
    type: str
    """message, edit, delete, reaction, receipt, typing, poll, group, call, sent, status, account, engine."""
    account: str | None = None
    """Number of the account; `None` for the engine."""
    time: int = 0
    """When the sender's phone says it happened; for `status`, `account`, `engine` when the service saw it."""
    conversation: Place | None = None
    sender: Person | None = None
    message: MessageContent | None = None
    edit: Edit | None = None
    delete: Deletion | None = None
    reaction: Reaction | None = None
    receipt: Receipt | None = None
    typing: Typing | None = None
    poll: Poll | None = None
    group: GroupChange | None = None
    call: Call | None = None
    status: MessageStatus | None = None
    account_change: AccountChange | None = None
    engine: EngineChange | None = None
