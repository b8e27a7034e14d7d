"""`/api/v2/events`: what happens, as a stream of server-sent events, over a WebSocket, or a page at a time."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import msgspec
from aiohttp import WSMsgType, web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_bytes
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.streaming.leaving import end_with_client
from signal_courier.http.streaming.sse import KEEP_ALIVE, EventStream
from signal_courier.http.streaming.websocket import ListeningSocket, Stalled, is_upgrade, text_frames
from signal_courier.messaging.receiving.consumers import Consumers
from signal_courier.messaging.receiving.events import Entry, EventLog, Stretch
from signal_courier.model.errors import InvalidValue
from signal_courier.model.events import Event, EventFilter, EventType, conversation_key
from signal_courier.model.recipients import parse_number, parse_recipient
from signal_courier.store.errors import StoreError

_LOGGER = logging.getLogger(__name__)

routes = RouteTable("Events", face=Face.NATIVE)

LONGEST_WAIT = 300
"""Seconds that a page may be waited for."""
MOST_EVENTS = 1000
"""Events in one page."""
_LONGEST_ID = 18  # digits


class EventsQuery(msgspec.Struct):
    """Which events, from where, and how."""

    consumer: str = ""
    """Follow under this name: the position is kept, and moves by acknowledging. A new name begins with what comes from now on."""
    after: int = -1
    """Begin behind this id; 0 = with the oldest that is kept. Without, with the consumer's position, or what comes from now on."""
    types: list[str] = []
    """Only these types; repeated, or with commas."""
    account: list[str] = []
    """Only these accounts."""
    conversation: list[str] = []
    """Only these conversations: numbers, UUIDs or group ids."""
    wait: int | None = None
    """Answer with a page as soon as there is something, after so many seconds at the latest (0 = now, 300 at most)."""
    limit: int = 100
    """Most events of a page, 1000 at most."""
    raw: str = ""
    """`1`: with `raw`, the envelope as signal-cli reported it."""


class EventsPage(msgspec.Struct):
    """A page of events."""

    events: list[Event]
    position: Annotated[int, msgspec.Meta(description="For `after` of the next page, or to be acknowledged.")]
    missed: Annotated[int, msgspec.Meta(description="How many were removed, by age or number, before this consumer got them.")]
    lag: Annotated[int, msgspec.Meta(description="How many (of all accounts and types) come behind this page.")]


_EXAMPLE = {
    "events": [
        {
            "id": 4711,
            "type": "message",
            "account": "+4915100000001",
            "time": 1795221024321,
            "conversation": {
                "id": "22222222-2222-4222-8222-222222222222", "kind": "person", "name": "Ben", "number": "+4915100000002",
            },
            "sender": {"uuid": "22222222-2222-4222-8222-222222222222", "number": "+4915100000002", "name": "Ben", "device": 1},
            "message": {"timestamp": 1795221024321, "text": "Is the heating on?", "styles": [], "mentions": [], "attachments": []},
        }
    ],
    "position": 4711,
    "missed": 0,
    "lag": 0,
}  # fmt: skip


@routes.add(
    "GET", "/api/v2/events", scope=Scope.RECEIVE, accounts=Reach.CHECKED, query=EventsQuery, websocket=True,
    answers=[
        Answer(200, "With `wait`: a page of events, oldest first.", EventsPage, example=_EXAMPLE),
        Answer(200, "Without: events as they happen: `id`, the type as `event`, JSON as `data`.", media="text/event-stream"),
    ],
)  # fmt: skip
async def follow_events(call: Call[None, EventsQuery]) -> web.StreamResponse:
    """Follow what happens.

    Server-sent events; with `Upgrade: websocket` one JSON text frame each; with `wait` a page. Ids grow from event to event, over all
    accounts, and are the same for everybody. A client that comes back says where it was: by the header `Last-Event-ID`, by `after`, or by
    being a named `consumer`, who acknowledges what it is done with (`POST /api/v2/consumers/{consumer}/ack`, or `{"ack": ID}` over the
    WebSocket) and gets everything behind that again. Nothing is told before it is stored, everything at least once and in order. Where
    retention was faster than the client, it is told how many it missed: `{"type": "missed", "missed": N, "after": ID}`, with SSE under the
    event name `missed`.
    """
    wait = call.query.wait
    if wait is not None and wait < 0:
        raise InvalidValue("wait", f"wait: between 0 and {LONGEST_WAIT} seconds")
    following = await _Following.of(call)
    if is_upgrade(call.request):
        return await _push(call.request, following)
    end_with_client(call.request)
    if wait is not None:
        return json_bytes(await _page(following, min(wait, LONGEST_WAIT), max(1, min(call.query.limit, MOST_EVENTS))))
    return await _stream(call.request, following)


class _Following:
    """What one request follows, and from where."""

    def __init__(self, log: EventLog, consumers: Consumers, wanted: EventFilter, owner: str, consumer: str, *, raw: bool) -> None:
        self.log = log
        self._consumers = consumers
        self.wanted = wanted
        self._owner = owner
        self._consumer = consumer
        self.raw = raw
        self.position = 0

    @classmethod
    async def of(cls, call: Call[None, EventsQuery]) -> "_Following":
        """Read the request; raises `InvalidValue`, `NotAllowed`, `StoreError`."""
        query, receiving = call.query, call.services.receiving
        owner = call.caller.token_id or ""
        following = cls(receiving.events, receiving.consumers, _filter_of(call), owner, query.consumer, raw=query.raw in ("1", "true"))
        following.position = await following._start(_asked_for(call))
        return following

    async def _start(self, after: int | None) -> int:
        log = self.log
        if after is not None:
            if after == 0 or after > log.head:  # an id of another life of the database: nothing is known of what it saw
                after = await log.oldest()
            if self._consumer:
                await self._consumers.open(self._owner, self._consumer, after=after)
            return after
        return await self._consumers.open(self._owner, self._consumer) if self._consumer else log.head

    def connected(self) -> AbstractContextManager[None]:
        """Count as a connection of the consumer."""
        return self._consumers.connected(self._owner, self._consumer) if self._consumer else nullcontext()

    async def acknowledge(self, position: int) -> int:
        """Move the consumer on; raises `InvalidValue` (also where there is none)."""
        if not self._consumer:
            raise InvalidValue("ack", "ack: only a named consumer can acknowledge")
        return await self._consumers.acknowledge(self._owner, self._consumer, position)

    async def next(self, deadline: float) -> Stretch | None:
        """What comes next, and move on behind it; `None` when nothing came before the deadline (`time.monotonic()`) or the end."""
        stretch = await self.log.next(self.position, self.wanted, deadline=deadline)
        if stretch is not None:
            self.position = stretch.last
        return stretch

    def json(self, entry: Entry) -> bytes:
        """An event as this client wants it."""
        if not self.raw:
            return entry.json
        return entry.json[:-1] + b',"raw":' + (entry.frame or b"null") + b"}"


def _filter_of(call: Call[None, EventsQuery]) -> EventFilter:
    query = call.query
    types: set[EventType] = set()
    for name in _listed(query.types):
        try:
            types.add(EventType(name))
        except ValueError:
            raise InvalidValue("types", f"types: '{name}' is none of {', '.join(EventType)}") from None
    accounts = frozenset(call.check_account(parse_number(text, field="account").e164) for text in _listed(query.account))
    conversations = frozenset(conversation_key(parse_recipient(text, field="conversation")) for text in _listed(query.conversation))
    return EventFilter(accounts=accounts or call.caller.accounts, types=frozenset(types) or None, conversations=conversations or None)


def _listed(values: Sequence[str]) -> list[str]:
    """Values that were repeated, or separated by commas; a space was a plus before it was decoded."""
    parts = [part for value in values for part in value.split(",")]
    return [("+" + part.lstrip() if part.startswith(" ") else part).strip() for part in parts if part.strip()]


def _asked_for(call: Call[None, EventsQuery]) -> int | None:
    """The id behind which the client wants to begin."""
    last = call.request.headers.get("Last-Event-ID", "").strip()
    if last.isascii() and last.isdigit() and len(last) <= _LONGEST_ID:
        return int(last)
    return call.query.after if call.query.after >= 0 else None


def _missed(stretch: Stretch, after: int) -> bytes:
    return msgspec.json.encode({"type": "missed", "missed": stretch.missed, "after": after})


# --- a page --------------------------------------------------------------------------------------------------------------


async def _page(following: _Following, wait: float, limit: int) -> bytes:
    deadline = time.monotonic() + wait
    events: list[bytes] = []
    missed = 0
    position = following.position
    with following.connected():
        while len(events) < limit:
            stretch = await following.next(time.monotonic() if events else deadline)
            if stretch is None:
                break
            missed += stretch.missed
            room = limit - len(events)
            events += map(following.json, stretch.entries[:room])
            position = stretch.entries[room - 1].id if len(stretch.entries) > room else stretch.last
    tail = f'],"position":{position},"missed":{missed},"lag":{following.log.head - position}}}'
    return b'{"events":[' + b",".join(events) + tail.encode()


# --- server-sent events --------------------------------------------------------------------------------------------------


async def _stream(request: web.BaseRequest, following: _Following) -> web.StreamResponse:
    stream = await EventStream.open(request, following.log.wait_closed)
    with following.connected():
        try:
            while not following.log.closed:
                after = following.position
                stretch = await following.next(time.monotonic() + KEEP_ALIVE)
                if stretch is None:
                    await stream.keep_alive()
                elif chunk := _chunk(following, stretch, after):
                    await stream.write(chunk)
        except (Stalled, StoreError) as error:
            _LOGGER.warning("A client of /api/v2/events is dropped: %s", error)
            stream.abort()
    return stream.response


def _chunk(following: _Following, stretch: Stretch, after: int) -> bytes:
    parts: list[bytes] = []
    if stretch.missed:
        parts.append(b"event: missed\ndata: " + _missed(stretch, after) + b"\n\n")
    for entry in stretch.entries:
        assert entry.event is not None
        parts.append(b"id: %d\nevent: %s\ndata: %s\n\n" % (entry.id, entry.event.type.encode(), following.json(entry)))
    return b"".join(parts)


# --- WebSocket -----------------------------------------------------------------------------------------------------------


class _Order(msgspec.Struct):
    """What a client may say."""

    ack: int


async def _push(request: web.BaseRequest, following: _Following) -> web.StreamResponse:
    try:
        socket = await ListeningSocket.accept(request)
    except web.HTTPException as error:
        raise InvalidValue("Upgrade", error.text or error.reason) from None
    works = (_deliver(socket, following), _listen(socket, following), socket.keep_alive(), following.log.wait_closed())
    tasks = [asyncio.create_task(work) for work in works]
    with following.connected():
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    if following.log.closed:
        await socket.close()
    return socket.response


async def _deliver(socket: ListeningSocket, following: _Following) -> None:
    """Write what comes until the log ends; a client that does not read is dropped."""
    sender = socket.sender
    try:
        while not following.log.closed:
            after = following.position
            stretch = await following.next(time.monotonic() + 3600)
            if stretch is None:
                continue
            texts = [_missed(stretch, after)] if stretch.missed else []
            texts += map(following.json, stretch.entries)
            if texts:
                sender.write(text_frames(texts))
                await sender.drained()
                await asyncio.sleep(0)  # everybody's turn
    except (Stalled, StoreError) as error:
        _LOGGER.warning("A client of /api/v2/events is dropped: %s", error)
        sender.abort()


async def _listen(socket: ListeningSocket, following: _Following) -> None:
    """Take acknowledgements until the client goes; each is answered once it is stored."""
    async for message in socket.response:
        if message.type is not WSMsgType.TEXT:
            continue
        try:
            told: object = {"type": "acked", "position": await following.acknowledge(_order_in(message.data))}
        except InvalidValue as error:
            told = {"type": "error", "detail": error.message}
        except StoreError as error:
            told = {"type": "error", "detail": str(error)}
        socket.sender.write(text_frames([msgspec.json.encode(told)]))


def _order_in(text: str) -> int:
    try:
        return msgspec.json.decode(text, type=_Order).ack
    except msgspec.MsgspecError:
        raise InvalidValue("ack", '{"ack": ID} is all that is understood here') from None
