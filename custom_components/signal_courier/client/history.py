"""What was said in conversations, in both directions, with everything that came later folded in."""

from dataclasses import dataclass
from typing import Final

from .events import MessageContent, Person, Place, Poll
from .models import OutboxMessage

_SOMEBODY: Final = Person()


@dataclass(frozen=True, kw_only=True)
class GivenReaction:
    """An emoji that somebody has put on a message."""

    emoji: str
    by: Person = _SOMEBODY
    time: int = 0


@dataclass(frozen=True, kw_only=True)
class GivenVote:
    """What somebody has chosen in a poll."""

    by: Person = _SOMEBODY
    options: tuple[int, ...] = ()
    time: int = 0


@dataclass(frozen=True, kw_only=True)
class HistoryMessage:
    """A message as it is now."""

    id: str
    """`evt_…`, the number of its event, or `msg_…`, where the service has sent it."""
    direction: str = "received"
    """received or sent."""
    account: str = ""
    time: int = 0
    """When it was received by the service, or given to it."""
    timestamp: int | None = None
    """Names it, together with its author; `None` until it is sent."""
    conversation: Place | None = None
    """`None` for what was sent to several."""
    sender: Person = _SOMEBODY
    message: MessageContent | None = None
    """The latest version; `None` for a poll, and for what was taken back."""
    poll: Poll | None = None
    reactions: tuple[GivenReaction, ...] = ()
    votes: tuple[GivenVote, ...] = ()
    closed: bool = False
    """The poll is."""
    edited_at: int | None = None
    deleted_at: int | None = None
    status: OutboxMessage | None = None
    """How far it has come, where the service has sent it."""


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    """Some of it, the newest first."""

    messages: tuple[HistoryMessage, ...] = ()
    next: str | None = None
    """For `before` of the next page; `None` at the end. A page may hold less than was asked for, or nothing."""
