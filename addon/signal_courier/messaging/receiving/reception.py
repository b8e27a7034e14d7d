"""Everything about receiving, put together: from the engine's sink to the consumers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from signal_courier.engine.base import Engine, OnDemand
from signal_courier.engine.reports.envelopes import EnvelopeReader
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.files.uploads import Uploads
from signal_courier.messaging.people import People
from signal_courier.messaging.racing import first_of
from signal_courier.messaging.receiving.backfill import Backfill
from signal_courier.messaging.receiving.consumers import Consumers
from signal_courier.messaging.receiving.dropin import DropIn
from signal_courier.messaging.receiving.events import EventLog
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.messaging.receiving.inbox import Inbox
from signal_courier.messaging.receiving.quiet import Quiet
from signal_courier.messaging.receiving.read_receipts import send_read_receipts
from signal_courier.messaging.receiving.reading import ReadElsewhere
from signal_courier.messaging.receiving.receive_webhook import ReceiveWebhook
from signal_courier.messaging.receiving.retention import AttachmentRetention, MessageRetention, Retention, UploadRetention
from signal_courier.messaging.receiving.schedule import ReceiveSchedule
from signal_courier.messaging.receiving.watch import EngineWatch
from signal_courier.store.consumers import ConsumerTable
from signal_courier.store.database import Database
from signal_courier.store.events import EventConsumerTable, EventTable
from signal_courier.store.inbox import InboxTable
from signal_courier.store.service import here_since

_LOGGER = logging.getLogger(__name__)

_DRAIN = 1.5
"""Seconds that storing may take at the stop."""
_RESTART_PAUSE = 1.0
"""Seconds before a part that failed is started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivingOptions:
    """What the settings say about receiving."""

    attachments_dir: Path
    """Where signal-cli puts received attachments."""
    uploads: Uploads
    """What was uploaded to be sent; it is kept as long as attachments are."""
    inbox_days: int = 30
    inbox_max: int = 100_000
    attachment_days: int = 30
    webhook_url: str | None = None
    schedule: str | None = None
    """A cron expression; only of use with an engine that runs on demand."""
    schedule_seconds: int = 10
    schedule_read_receipts: bool = False


class Receiving:
    """The parts that receive, and their tasks. The engine is started with `inbox.accept` as its sink, after `start`."""

    def __init__(self, database: Database, engine: Engine, options: ReceivingOptions, clock: GuardedClock | None = None) -> None:
        self._engine = engine
        self._options = options
        self._clock = clock or GuardedClock()
        self._database = database
        self._table = InboxTable(database)
        self._consumers = ConsumerTable(database)
        self.feed = Feed(self._table)
        self.people = People(engine)
        self.events = EventLog(EventTable(database), EnvelopeReader(self.people), self._clock)
        self.feed.observe(self.events.received)
        self.consumers = Consumers(EventConsumerTable(database), self.events, self._clock)
        self.inbox = Inbox(self._table, self.feed, engine, self._clock)
        self.dropin = DropIn(self.feed, self._consumers)
        self._read_elsewhere = ReadElsewhere(database, self.inbox)
        self._backfill = Backfill(database)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load what the store knows and begin to work."""
        await self.feed.start()
        await self.events.start()
        await self.consumers.start()
        await self.dropin.start()
        options = self._options
        parts: list[Callable[[], Coroutine[object, object, None]]] = [
            self.inbox.run,
            self.events.run,
            self.people.run,
            self._attend,
            EngineWatch(self._engine, self.events, self._clock, self.people.greet).run,
            self.dropin.run,
            Retention(
                MessageRetention(self._table, self.feed, self.events, self._clock, days=options.inbox_days, most=options.inbox_max),
                AttachmentRetention(
                    options.attachments_dir, self._clock, days=options.attachment_days, since=await here_since(self._database) / 1000
                ),
                UploadRetention(options.uploads, self._clock, days=options.attachment_days),
            ).run,
            Quiet(self.feed).run,
            self._read_elsewhere.run,
            self._backfill.run,
        ]
        if options.webhook_url:
            parts.append(ReceiveWebhook(options.webhook_url, self._table, self.feed, self._consumers).run)
        if options.schedule and isinstance(self._engine, OnDemand):
            parts.append(ReceiveSchedule(options.schedule, self.fetch_as_scheduled).run)
        for run in parts:
            self._own(_keep_running(run))

    @property
    def trouble(self) -> str | None:
        """Why what is received cannot be stored now; `None` where it can."""
        trouble = self._database.trouble
        return "too much waits" if trouble is None and self.inbox.paused else trouble

    def release(self) -> None:
        """Let go of the clients: live sockets and waiting requests end. Call before the HTTP server is stopped."""
        self.feed.close()
        self.events.close()

    async def stop(self) -> None:
        """Store what was received, then end every task. Call after the engine has stopped and before the database is closed."""
        self.release()
        await self.inbox.drain(_DRAIN)
        await self.events.drain(_DRAIN)
        await self.dropin.drain(_DRAIN)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def pickup(self, account: str, *, timeout: float, most: int | None) -> AsyncIterator[list[bytes]]:
        """What nobody got yet, as `DropIn.pickup`; an engine that runs on demand is woken when nothing is there."""
        engine = self._engine
        if isinstance(engine, OnDemand) and self.feed.head(account) <= self.dropin.position(account):
            await first_of(engine.receive_for(timeout), self.feed.wait_beyond(account, self.dropin.position(account)))
        async with self.dropin.pickup(account, timeout=timeout, most=most) as frames:
            yield frames

    def acknowledge(self, account: str, frames: Sequence[bytes]) -> None:
        """Tell the senders in the background that these were read."""
        self._own(send_read_receipts(self._engine, account, frames))

    async def fetch_as_scheduled(self) -> None:
        """What the schedule does when it is due: receive for a while, whoever listens. Raises an `EngineError`."""
        if not isinstance(self._engine, OnDemand):
            return
        before = {account: self.feed.head(account) for account in self._engine.status.accounts}
        await self._engine.receive_for(self._options.schedule_seconds)
        await asyncio.sleep(self._options.schedule_seconds)
        if self._options.schedule_read_receipts:
            for account in self._engine.status.accounts:
                await self._acknowledge_since(account, before.get(account, 0))

    async def _attend(self) -> None:
        """Names are wanted once somebody follows the events."""
        await self.events.watched()
        self.people.attend()

    async def _acknowledge_since(self, account: str, position: int) -> None:
        while (batch := await self.feed.read(account, position)) is not None:
            await send_read_receipts(self._engine, account, batch.frames)
            position = batch.last

    def _own(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("A part of receiving has failed", exc_info=error)


async def _keep_running(run: Callable[[], Coroutine[object, object, None]]) -> None:
    """A part that fails in a way nobody foresaw is started again, as what it has not done yet is still there."""
    while True:
        try:
            return await run()
        except Exception:
            _LOGGER.exception("A part of receiving has failed and is started again")
        await asyncio.sleep(_RESTART_PAUSE)
