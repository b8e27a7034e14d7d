"""`/api/v2/messages` as a history: what was said in conversations, in both directions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import ACCOUNT, INVALID, PERSON, PERSON_UUID, TIMESTAMP, AccountQuery, Timestamp, account_of
from signal_courier.http.native.messages import MessageEntry
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.conversation_history import GivenReaction, GivenVote
from signal_courier.model import events
from signal_courier.model.errors import InvalidValue
from signal_courier.model.messages import Receipt, ReceiptKind
from signal_courier.model.recipients import Recipient, parse_recipient

routes = RouteTable("Messages", face=Face.NATIVE)

_MOST_READ = 1000
_DIRECTIONS: dict[str, Literal["received", "sent"] | None] = {"": None, "received": "received", "sent": "sent"}


class HistoryItem(msgspec.Struct, kw_only=True):
    """A message, as it is now. Times in milliseconds since 1970."""

    id: Annotated[str, msgspec.Meta(description="`evt_…`, the number of its event; or `msg_…`, where this service has sent it.")]
    direction: Literal["received", "sent"]
    account: str
    time: Annotated[int, msgspec.Meta(description="When it was received here, or given to be sent.")]
    timestamp: Annotated[int | None, msgspec.Meta(description="Names the message, together with its author; null until it is sent.")]
    conversation: Annotated[events.Conversation | None, msgspec.Meta(description="Null for what was sent to several.")]
    sender: events.Person
    message: Annotated[events.Content | None, msgspec.Meta(description="The latest version, as in events; null when it was taken back.")]
    poll: events.Poll | None
    reactions: list[GivenReaction]
    votes: list[GivenVote]
    closed: Annotated[bool, msgspec.Meta(description="Whether the poll is.")]
    edited_at: int | None
    deleted_at: Annotated[int | None, msgspec.Meta(description="When it was taken back.")]
    status: Annotated[MessageEntry | None, msgspec.Meta(description="How far it has come, where this service has sent it.")]


class HistoryAnswer(msgspec.Struct):
    """The newest first."""

    messages: list[HistoryItem]
    next: Annotated[str | None, msgspec.Meta(description="`before` of the next page; null at the end.")]


class HistoryQuery(AccountQuery):
    """Which messages."""

    conversation: Annotated[str, msgspec.Meta(description="Only with this person or group.", examples=[PERSON_UUID])] = ""
    direction: Annotated[str, msgspec.Meta(description="`received` or `sent`; both unless given.")] = ""
    search: Annotated[str, msgspec.Meta(description="Texts in which this occurs; accents and case make no difference.")] = ""
    before: Annotated[str, msgspec.Meta(description="`next` of the page before.")] = ""
    limit: Annotated[int, msgspec.Meta(description="At most 500.")] = 50


_ITEM = {
    "id": "evt_4711", "direction": "received", "account": ACCOUNT, "time": TIMESTAMP, "timestamp": TIMESTAMP,
    "conversation": {"id": PERSON_UUID, "kind": "person", "name": "Anna", "number": PERSON},
    "sender": {"uuid": PERSON_UUID, "number": PERSON, "name": "Anna"},
    "message": {"timestamp": TIMESTAMP, "text": "Hello", "styles": [], "mentions": [], "attachments": []},
    "poll": None, "reactions": [], "votes": [], "closed": False, "edited_at": None, "deleted_at": None, "status": None,
}  # fmt: skip


@routes.add(
    "GET", "/api/v2/messages", scope=Scope.RECEIVE, accounts=Reach.CHECKED, query=HistoryQuery,
    answers=[Answer(200, "The newest first.", HistoryAnswer, example={"messages": [_ITEM], "next": "4711-42"}), INVALID],
)  # fmt: skip
async def list_history(call: Call[None, HistoryQuery]) -> web.StreamResponse:
    """List what was said, in both directions, in one conversation or in all.

    Edits, reactions, votes and deletions are part of the message that they belong to. It reaches as far back as messages are kept. Of files
    that were sent the names are known. A search looks at some thousand messages at a time: a page may hold fewer than `limit`, or none;
    where `next` is not null it goes on.
    """
    query, services = call.query, call.services
    if not 1 <= query.limit <= 500:
        raise InvalidValue("limit", "limit: between 1 and 500")
    if query.direction not in _DIRECTIONS:
        raise InvalidValue("direction", "direction: it can be 'received' or 'sent'")
    recipient = parse_recipient(query.conversation, field="conversation") if query.conversation else None
    account = await account_of(call, query.account)
    names = await names_of(call, account, recipient) if recipient is not None else None
    await services.outbox.noted()
    page = await services.history.page(
        account, names, before=query.before or None, limit=query.limit, direction=_DIRECTIONS[query.direction], search=query.search
    )
    return json_answer(page)


class Reading(msgspec.Struct, kw_only=True):
    """How far, and whether to tell."""

    upto: Annotated[Timestamp | None, msgspec.Meta(description="Timestamp of the last message that was read; all unless given.")] = None
    receipts: Annotated[bool, msgspec.Meta(description="Tell the senders that their messages were read.")] = True


class WasRead(msgspec.Struct):
    """What came of it."""

    read: Annotated[int, msgspec.Meta(description="How many messages are read now that were not before.")]


@routes.add(
    "POST", "/api/v2/conversations/{conversation}/read", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    query=AccountQuery, body=Reading, body_optional=True, body_example={"receipts": True},
    answers=[Answer(200, "They are read.", WasRead, example={"read": 3}), INVALID],
)  # fmt: skip
async def mark_conversation_read(call: Call[Reading, AccountQuery]) -> web.StreamResponse:
    """Mark a conversation as read, and tell the senders.

    What was read on another device of the account is marked by itself.
    """
    recipient = parse_recipient(call.path["conversation"], field="conversation")
    call.check_recipients([recipient])
    account = await account_of(call, call.query.account)
    services, upto = call.services, call.body.upto
    unread = await services.history.unread(account, await names_of(call, account, recipient), _MOST_READ)
    if upto is not None:
        at = next((place for place, (_, _, event) in enumerate(unread) if event.time <= upto), len(unread))
        unread = unread[at:]
    authors: dict[str, list[int]] = {}
    for _, _, event in unread:
        sender, content = event.sender, event.message
        if sender is not None and (name := sender.uuid or sender.number) is not None:
            authors.setdefault(name, []).append(content.timestamp if content is not None else event.time)
    if call.body.receipts:
        await _tell_authors(call, account, authors)
    for number, conversation, _ in reversed(unread):
        await services.history.mark_read(account, conversation, number)
    return json_answer(WasRead(len(unread)))


async def _tell_authors[B, Q](call: Call[B, Q], account: str, authors: Mapping[str, Sequence[int]]) -> None:
    """Send each author a receipt. The request's key belongs to the last of them: with that one, all are on their way.

    It is not waited for where that is preferred; what is read is marked at once all the same.
    """
    outbox, terms = call.services.outbox, call.terms
    for at, (name, timestamps) in enumerate(authors.items(), start=1):
        receipt, author = Receipt(kind=ReceiptKind.READ, timestamps=timestamps), parse_recipient(name)
        if terms is not None and terms.respond_async:
            status = await outbox.submit(
                account, [author], receipt, expires_in=terms.expires_in, key=terms.key if at == len(authors) else None
            )
            terms.message = status.id
        else:
            await outbox.send(account, [author], receipt, terms if at == len(authors) else None)


async def names_of[B, Q](call: Call[B, Q], account: str, recipient: Recipient) -> list[str]:
    """Everything that a conversation is called."""
    names = {str(recipient)}
    known = await call.services.conversations.find(account, recipient)
    if known is not None:
        names |= {name for name in (known.id, known.number) if name is not None}
        if known.person is not None and known.person.uuid is not None:
            names.add(known.person.uuid)
    return sorted(names)
