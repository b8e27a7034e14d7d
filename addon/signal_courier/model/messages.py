"""What can be sent: one type a kind, parsed at the edge, complete before the outbox sees it.

Timestamps are milliseconds since the epoch and name a message together with its author, as everywhere in Signal.
"""

import enum
from collections.abc import Sequence
from typing import override

import msgspec

from signal_courier.model.recipients import Recipient


class Mention(msgspec.Struct, frozen=True):
    """A person named in a text; positions in UTF-16 units of the text that the caller counted."""

    start: int
    length: int
    author: str

    @override
    def __str__(self) -> str:
        return f"{self.start}:{self.length}:{self.author}"


class Quote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The message that is answered. What is `None` or empty is not passed on."""

    timestamp: int | None = None
    author: str | None = None
    message: str | None = None
    mentions: Sequence[Mention] = ()


class LinkPreview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card for an address that the text holds."""

    url: str
    title: str
    description: str = ""
    image: str | None = None
    """Path of the picture, or a `data:` URI."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message with a text, attachments or a sticker; with `edit_timestamp` a new version of an earlier one."""

    text: str = ""
    styles: Sequence[str] = ()
    """`start:length:STYLE` in UTF-16 units of `text`."""
    attachments: Sequence[str] = ()
    """Absolute paths that signal-cli can read, or `data:` URIs."""
    mentions: Sequence[Mention] = ()
    quote: Quote | None = None
    preview: LinkPreview | None = None
    sticker: str | None = None
    """`packId:stickerId`."""
    edit_timestamp: int | None = None
    view_once: bool = False
    voice_note: bool = False
    no_urgent: bool = False
    """The phone shows it without being woken."""
    notify_self: bool = True
    story_timestamp: int | None = None
    """With `story_author`: the message answers a story."""
    story_author: str | None = None


class Deletion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Takes an own message back for everybody."""

    timestamp: int


class Reaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An emoji on somebody's message, or (`remove`) its end."""

    emoji: str
    author: Recipient
    timestamp: int
    remove: bool = False
    story: bool = False


class ReceiptKind(enum.StrEnum):
    """What a receipt says."""

    READ = "read"
    VIEWED = "viewed"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tells the author that messages were read or viewed."""

    kind: ReceiptKind
    timestamps: Sequence[int]


class Typing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shows that somebody is writing, or (`stop`) is not any more."""

    stop: bool = False


class Poll(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question with answers to choose from."""

    question: str
    answers: Sequence[str]
    several: bool = True
    """Whether one person may choose several answers."""


class Vote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An own choice in a poll; a later one replaces it when its `count` is higher."""

    author: Recipient
    timestamp: int
    choices: Sequence[int]
    """From 0, in the poll's order."""
    count: int = 1


class PollEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Closes an own poll."""

    timestamp: int


class Story(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A picture or video that everybody (or a group) can see for a day."""

    attachment: str
    replies: bool = True


type Sendable = Message | Deletion | Reaction | Receipt | Typing | Poll | Vote | PollEnd | Story
