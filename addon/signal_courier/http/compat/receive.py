"""`/v1/receive/{number}`: a WebSocket when the client asks for one, a JSON array otherwise."""

import asyncio
import logging
from collections.abc import Iterable

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_bytes
from signal_courier.http.call import Call
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.streaming.leaving import end_with_client
from signal_courier.http.streaming.websocket import ListeningSocket, Sender, Stalled, is_upgrade, text_frames
from signal_courier.messaging.receiving.feed import Batch, FellBehind
from signal_courier.messaging.receiving.reception import Receiving
from signal_courier.model.errors import InvalidValue
from signal_courier.store.errors import StoreError

_LOGGER = logging.getLogger(__name__)

routes = RouteTable("Messages")

LONGEST_WAIT = 3600
"""Seconds that a plain GET may wait."""


class ReceiveQuery(msgspec.Struct):
    """How to receive by plain GET; a WebSocket takes none of these, and minds none."""

    timeout: int = 1
    """Seconds to wait for the first message, an hour at most; with 0 or less it does not wait."""
    max_messages: int = 0
    """At most so many messages, the others stay for the next call; 0 = all."""
    ignore_attachments: bool = False
    """Accepted; whether attachments are downloaded is decided before a message gets here (`JSON_RPC_IGNORE_ATTACHMENTS`)."""
    ignore_stories: bool = False
    """Leave stories out; they count as delivered."""
    ignore_avatars: bool = False
    """Accepted, as ignore_attachments."""
    ignore_stickers: bool = False
    """Accepted, as ignore_attachments."""
    send_read_receipts: bool = False
    """Tell the senders that their messages were read."""
    format: str = ""
    """`guide` wraps the list: `{"envelope": […]}`."""


class Received(msgspec.Struct):
    """One message exactly as signal-cli reports it."""

    envelope: dict[str, object]
    account: str


_EXAMPLE = [
    {
        "envelope": {
            "source": "+4915100000002",
            "sourceNumber": "+4915100000002",
            "sourceUuid": "22222222-2222-4222-8222-222222222222",
            "sourceName": "Ben",
            "sourceDevice": 1,
            "timestamp": 1795221024321,
            "serverReceivedTimestamp": 1795221024378,
            "serverDeliveredTimestamp": 1795221024379,
            "dataMessage": {"timestamp": 1795221024321, "message": "Hello", "expiresInSeconds": 0, "viewOnce": False},
        },
        "account": "+4915100000001",
    }
]


@routes.add(
    "GET", "/v1/receive/{number}", scope=Scope.RECEIVE, query=ReceiveQuery, query_upgraded=False, websocket=True,
    answers=[Answer(200, "What nobody got yet, oldest first.", list[Received], example=_EXAMPLE)],
)  # fmt: skip
async def receive(call: Call[None, ReceiveQuery]) -> web.StreamResponse:
    """Receive messages.

    With `Upgrade: websocket` every message comes as one text frame, as soon as it is stored; several clients each get a copy. Without, the
    answer is a list of the messages that nobody got yet. What arrives while nobody is connected is kept and goes to whoever comes first.
    """
    account = call.account
    if is_upgrade(call.request):
        known = call.services.engine.status.accounts
        if known and account not in known:  # it may come; but with a mistyped number a client would wait in silence
            _LOGGER.warning("A client of /v1/receive waits for an account that is not here: …%s", account[-3:])
        return await _push(call.request, call.services.receiving, account)
    return await _pull(call, account)


# --- WebSocket -----------------------------------------------------------------------------------------------------------


async def _push(request: web.BaseRequest, receiving: Receiving, account: str) -> web.StreamResponse:
    try:
        socket = await ListeningSocket.accept(request)
    except web.HTTPException as error:
        raise InvalidValue("Upgrade", f"Couldn't process request - {error.text or error.reason}") from None
    delivery = asyncio.create_task(_deliver(socket, receiving, account))
    others = [asyncio.create_task(socket.gone()), asyncio.create_task(socket.keep_alive())]
    try:
        await asyncio.wait([delivery, *others], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (delivery, *others):
            task.cancel()
        await asyncio.gather(delivery, *others, return_exceptions=True)
    if not delivery.cancelled() and delivery.exception() is None:  # the feed has ended
        await socket.close()
    return socket.response


async def _deliver(socket: ListeningSocket, receiving: Receiving, account: str) -> None:
    """Write what comes until the feed ends; a client that cannot keep up is dropped, without disturbing the others."""
    sender = socket.sender
    try:
        async for batch in receiving.dropin.follow(account):
            sender.write(batch.once(_frames_of))
            await sender.drained()
            receiving.dropin.delivered(account, batch.last)
            await asyncio.sleep(0)  # everybody's turn
    except (Stalled, FellBehind, StoreError) as error:
        _LOGGER.warning("A client of /v1/receive is dropped: %s", error)
        sender.abort()
        raise


def _frames_of(batch: Batch) -> bytes:
    return text_frames(batch.frames)


# --- plain GET -----------------------------------------------------------------------------------------------------------


async def _pull(call: Call[None, ReceiveQuery], account: str) -> web.StreamResponse:
    query, receiving = call.query, call.services.receiving
    if query.send_read_receipts:
        call.check_everybody()
    timeout = max(0, min(query.timeout, LONGEST_WAIT))
    end_with_client(call.request)
    async with receiving.pickup(account, timeout=timeout, most=query.max_messages if query.max_messages > 0 else None) as frames:
        wanted = [frame for frame in frames if not _is_story(frame)] if query.ignore_stories else frames
        answer = json_bytes(_list_of(wanted, guide=query.format == "guide"))
        await _write_all(call.request, answer)
    if query.send_read_receipts and wanted:
        receiving.acknowledge(account, wanted)
    return answer


async def _write_all(request: web.BaseRequest, answer: web.Response) -> None:
    """Write the whole answer; raises when the client has gone or does not read, and then the messages are not counted as delivered."""
    sender = Sender(request)
    try:
        await sender.answer(request, answer)
    except Stalled as error:
        sender.abort()
        raise ConnectionResetError(str(error)) from error


def _list_of(frames: Iterable[bytes], *, guide: bool) -> bytes:
    joined = b"[" + b",".join(frames) + b"]"
    return b'{"envelope":' + joined + b"}" if guide else joined


_ABSENT = msgspec.Raw(b"null")


class _Envelope(msgspec.Struct, rename="camel"):
    story_message: msgspec.Raw = _ABSENT


class _Frame(msgspec.Struct):
    envelope: _Envelope | None = None


_decode = msgspec.json.Decoder(_Frame).decode


def _is_story(frame: bytes) -> bool:
    if b'"storyMessage"' not in frame:
        return False
    envelope = _decode(frame).envelope
    return envelope is not None and bytes(envelope.story_message) != b"null"
