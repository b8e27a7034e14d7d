"""Messages, reactions, polls, receipts: everything that is sent, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict, Unpack

from .events import Event
from .history import HistoryPage
from .models import OutboxMessage, Sent
from .transport import DEADLINE, SHORT_DEADLINE, Transport, read, read_all, segment

LONGEST_WAIT: Final = 600
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How something is sent, whatever it is."""

    key: str | None = None
    """What has the same key is sent once."""
    queued: bool = False
    """It is on the service's disk first, and tried until it is sent; the answer may be `Sent.is_waiting`, with an id."""
    wait: int = 0
    """With `queued`: seconds (600 at most) that the answer may wait for it to be sent."""
    expires_in: int | None = None
    """With `queued`: seconds for which it is tried, a day unless given."""

    def headers(self) -> dict[str, str] | None:
        """What a request carries for them."""
        found = {"Idempotency-Key": self.key} if self.key else {}
        if self.queued:
            found["Prefer"] = f"respond-async, wait={self.wait}" if self.wait else "respond-async"
            if self.expires_in is not None:
                found["Courier-Expires-In"] = str(self.expires_in)
        return found or None


ONCE: Final = Terms()
"""Tried once, now; what goes wrong is raised."""


class MessageOptions(TypedDict, total=False):
    """What a message can have beside its text; what is `None` counts as left out."""

    text_mode: str | None
    """`styled`: `*italic*`, `**bold**`, `~struck~`, `||spoiler||`; normal."""
    styles: Sequence[Mapping[str, object]] | None
    """`{"start", "length", "style"}` in UTF-16 units."""
    mentions: Sequence[Mapping[str, object]] | None
    """`{"start", "length", "recipient"}`."""
    attachments: Sequence[str] | None
    """Each the id of an upload or a received attachment, or base64."""
    quote: Mapping[str, object] | None
    """`{"timestamp", "author", "text"}`."""
    preview: Mapping[str, object] | None
    """`{"url", "title", "description", "image"}`; the text must hold the url."""
    sticker: str | None
    """`pack:number`."""
    edit: int | None
    """Timestamp of the message whose place it takes."""
    story: Mapping[str, object] | None
    view_once: bool | None
    voice_note: bool | None
    silent: bool | None
    """The phone is not woken."""


class Messages:
    """`/api/v2/messages` and its neighbours. A conversation is named by UUID, number, username or `group.…`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, recipients: Sequence[str], *, text: str = "", terms: Terms = ONCE, **options: Unpack[MessageOptions]) -> Sent:
        """Send a message to people and groups. What became of it for whom is in `recipients`.

        Raises `Problem` where nobody was reached: `RateLimited`, `UntrustedIdentity`, kind `not-on-signal`, …
        """
        return await self._send("/api/v2/messages", {"recipients": list(recipients), "text": text, **options}, terms)

    async def edit(self, conversation: str, timestamp: int, text: str, *, terms: Terms = ONCE, **options: Unpack[MessageOptions]) -> Sent:
        """Change an own message."""
        return await self._send("/api/v2/messages", {"recipients": [conversation], "text": text, **options, "edit": timestamp}, terms)

    async def delete(self, conversation: str, timestamp: int, *, terms: Terms = ONCE) -> Sent:
        """Delete an own message for everybody, within a day."""
        return await self._send("/api/v2/deletions", {"conversation": conversation, "timestamp": timestamp}, terms)

    async def react(self, conversation: str, *, author: str, timestamp: int, emoji: str, remove: bool = False, terms: Terms = ONCE) -> Sent:
        """React to a message, or take the reaction back."""
        body = {"conversation": conversation, "author": author, "timestamp": timestamp, "emoji": emoji, "remove": remove}
        return await self._send("/api/v2/reactions", body, terms)

    async def send_poll(
        self, conversation: str, question: str, options: Sequence[str], *, multiple: bool = False, terms: Terms = ONCE
    ) -> Sent:
        """Ask a question with a choice of 2 to 100 options. Raises `Unsupported` where signal-cli is too old."""
        body = {"conversation": conversation, "question": question, "options": list(options), "multiple": multiple}
        return await self._send("/api/v2/polls", body, terms)

    async def vote(self, conversation: str, *, author: str, timestamp: int, options: Sequence[int], terms: Terms = ONCE) -> Sent:
        """Vote in a poll; `options` are indexes, none takes the vote back."""
        body = {"conversation": conversation, "author": author, "timestamp": timestamp, "options": list(options)}
        return await self._send("/api/v2/polls/votes", body, terms)

    async def close_poll(self, conversation: str, timestamp: int, *, terms: Terms = ONCE) -> Sent:
        """Close an own poll."""
        return await self._send("/api/v2/polls/end", {"conversation": conversation, "timestamp": timestamp}, terms)

    async def send_receipts(self, author: str, timestamps: Sequence[int], *, kind: str = "read") -> None:
        """Tell somebody that their messages were read (or `viewed`)."""
        body = {"author": author, "timestamps": list(timestamps), "kind": kind, **self._transport.whose()}
        await self._transport.call("POST", "/api/v2/receipts", body)

    async def set_typing(self, conversation: str, *, stop: bool = False) -> None:
        """Show that something is being typed (for 15 seconds), or no longer."""
        await self._transport.call("POST", "/api/v2/typing", {"conversation": conversation, "stop": stop, **self._transport.whose()})

    async def get(self, message: str, *, wait: int = 0, until: str = "sent") -> OutboxMessage:
        """What became of a message (`msg_…`). Raises `NotFound`.

        Args:
            message: Its id.
            wait: Seconds (600 at most) to wait until it has come so far.
            until: `sent`, `delivered` or `read`: by everybody whom it reaches at all.
        """
        query: dict[str, str | int | bool | None] = {"wait": wait, "until": until} if wait else {}
        return read(OutboxMessage, await self._transport.call("GET", self._path(message), query=query, deadline=SHORT_DEADLINE + wait))

    async def history(
        self, *, conversation: str | None = None, direction: str = "", search: str = "", before: str | None = None, limit: int = 50
    ) -> HistoryPage:
        """What was said, in one conversation or in all, the newest first.

        Args:
            conversation: All unless given.
            direction: `received` or `sent`; both unless given.
            search: Texts in which this occurs.
            before: `next` of the page before.
            limit: At most 500.
        """
        query = {
            "conversation": conversation, "direction": direction, "search": search, "before": before, "limit": limit,
            "account": self._transport.account,
        }  # fmt: skip
        return read(HistoryPage, await self._transport.call("GET", "/api/v2/messages", query=query))

    async def outbox(self, *, open_only: bool = False, limit: int = 50) -> list[OutboxMessage]:
        """What the service has sent, reactions and deletions too, and what waits; the newest first. `open_only`: only what waits."""
        query = {"open": open_only or None, "limit": limit, "account": self._transport.account}
        return read_all(OutboxMessage, await self._transport.call("GET", "/api/v2/outbox", query=query), "messages")

    async def cancel(self, message: str) -> OutboxMessage:
        """Take back what is not being sent yet. Raises `NotFound`."""
        return read(OutboxMessage, await self._transport.call("DELETE", self._path(message)))

    async def retry(self, message: str) -> OutboxMessage:
        """Try again for all whom it did not reach. Raises `NotFound`."""
        return read(OutboxMessage, await self._transport.call("POST", self._path(message) + "/retry"))

    async def received(
        self, *, conversation: str | None = None, after: int = 0, limit: int = 100, types: Sequence[str] = ()
    ) -> tuple[list[Event], int]:
        """A page of events that the service still has, oldest first, behind the id `after`; and the position for the next page."""
        query = {
            "wait": 0, "after": after, "limit": limit, "conversation": conversation, "types": ",".join(types),
            "account": self._transport.account,
        }  # fmt: skip
        answer = await self._transport.call("GET", "/api/v2/events", query=query)
        position = answer.get("position")
        return read_all(Event, answer, "events"), position if isinstance(position, int) else after

    async def _send(self, path: str, body: Mapping[str, object], terms: Terms) -> Sent:
        whole = {**body, **self._transport.whose()}
        return read(Sent, await self._transport.call("POST", path, whole, headers=terms.headers(), deadline=DEADLINE + terms.wait))

    def _path(self, message: str) -> str:
        return f"/api/v2/messages/{segment(message)}"
