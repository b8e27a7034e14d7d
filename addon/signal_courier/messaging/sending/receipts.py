"""What comes back of what was sent: receipts, and the copies of what other devices of an account send."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import msgspec

from signal_courier.messaging.receiving.feed import Feed
from signal_courier.messaging.sending.evidence import Copy
from signal_courier.model.outbox import DeliveryState
from signal_courier.store.consumers import ConsumerTable, Cursor
from signal_courier.store.errors import StoreError
from signal_courier.store.inbox import InboxTable
from signal_courier.store.outbox import Confirmation

_LOGGER = logging.getLogger(__name__)

CONSUMER: Final = "outbox"
_PAUSE: Final = 1.0


class _Receipt(msgspec.Struct, rename="camel"):
    is_delivery: bool = False
    is_read: bool = False
    is_viewed: bool = False
    timestamps: list[int] = []


class _Group(msgspec.Struct, rename="camel"):
    group_id: str | None = None


class _Sent(msgspec.Struct, rename="camel"):
    timestamp: int = 0
    message: str | None = None
    destination_uuid: str | None = None
    destination_number: str | None = None
    group_info: _Group | None = None


class _Sync(msgspec.Struct, rename="camel"):
    sent_message: _Sent | None = None


class _Envelope(msgspec.Struct, rename="camel"):
    source_uuid: str | None = None
    source_number: str | None = None
    receipt_message: _Receipt | None = None
    sync_message: _Sync | None = None


class _Frame(msgspec.Struct):
    envelope: _Envelope


_decode = msgspec.json.Decoder(_Frame).decode

type Taker = Callable[[Sequence[Confirmation], Sequence[Copy]], Awaitable[None]]


class ReceiptReader:
    """Reads the inbox of every account from where it was; `run` is its task.

    Reading something twice changes nothing, so that the place is stored now and then only.
    """

    def __init__(
        self, feed: Feed, inbox: InboxTable, consumers: ConsumerTable, accounts: Callable[[], Collection[str]], take: Taker
    ) -> None:
        self._feed = feed
        self._inbox = inbox
        self._consumers = consumers
        self._accounts = accounts
        self._take = take
        self._positions: dict[str, int] = {}

    async def start(self, since: int | None) -> None:
        """Find the places. `since` (ms since the epoch): what came in after it is read again, as it may tell what became of a message."""
        stored = await self._consumers.positions(CONSUMER)
        heads = await self._inbox.last_ids()
        self._positions = {account: stored.get(account, head) for account, head in heads.items()}
        if since is not None:
            for account, first in (await self._inbox.first_since(since)).items():
                self._positions[account] = min(self._positions.get(account, first - 1), first - 1)

    async def run(self) -> None:
        """Read for ever."""
        head = 0
        while not self._feed.closed:
            for account in {*self._positions, *self._accounts()}:
                await self._read(account)
            await self._feed.wait_beyond(None, head)
            head = self._feed.head()

    async def _read(self, account: str) -> None:
        position = self._positions.get(account, 0)
        start = position
        while (batch := await self._feed.read(account, position)) is not None:
            confirmations: list[Confirmation] = []
            copies: list[Copy] = []
            for frame in batch.frames:
                if b'"receiptMessage"' in frame or b'"sentMessage"' in frame:
                    _sort(account, frame, confirmations, copies)
            if confirmations or copies:
                await self._until_taken(confirmations, copies)
            self._positions[account] = position = batch.last
        if position > start:
            try:
                await self._consumers.advance([Cursor(CONSUMER, account, position)], deadline=_PAUSE)
            except StoreError as error:
                _LOGGER.debug("The place in the inbox is not stored: %s", error)

    async def _until_taken(self, confirmations: Sequence[Confirmation], copies: Sequence[Copy]) -> None:
        while True:
            try:
                return await self._take(confirmations, copies)
            except StoreError as error:
                _LOGGER.warning("Receipts wait, as they cannot be stored: %s", error)
            await asyncio.sleep(_PAUSE)


def _sort(account: str, frame: bytes, confirmations: list[Confirmation], copies: list[Copy]) -> None:
    try:
        envelope = _decode(frame).envelope
    except msgspec.MsgspecError:
        return
    receipt = envelope.receipt_message
    if receipt is not None:
        state = DeliveryState.READ if receipt.is_read or receipt.is_viewed else DeliveryState.DELIVERED
        confirmations += [
            Confirmation(account, envelope.source_uuid, envelope.source_number, state.value, timestamp) for timestamp in receipt.timestamps
        ]
    sent = envelope.sync_message.sent_message if envelope.sync_message is not None else None
    if sent is not None:
        group = sent.group_info.group_id if sent.group_info is not None else None
        copies.append(Copy(account, sent.timestamp, sent.message, sent.destination_uuid, sent.destination_number, group))
