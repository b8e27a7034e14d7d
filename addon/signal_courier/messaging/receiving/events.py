"""The event log: what was received and what the service has to say, in one order, for any number of followers at their own pace.

    async for stretch in log.follow(after=position, wanted=EventFilter(types=frozenset({EventType.MESSAGE}))):
        for entry in stretch.entries:
            ...  # entry.event, entry.json
        position = stretch.last

    log.publish(Event(id=0, type=EventType.STATUS, account=account, time=now, status=Status(message="msg_1", state="sent")))

Nothing is shown before it is stored. A follower is nothing but a position: who lags reads from the store, and those who lag at the same
place read together. An envelope becomes an event when the first follower wants it, and that is shared by all.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

import msgspec

from signal_courier.messaging.clock import GuardedClock
from signal_courier.model.events import EVERYTHING, Event, EventFilter
from signal_courier.store.errors import StoreError
from signal_courier.store.events import EventTable, NewEvent
from signal_courier.store.inbox import NewEnvelope

_LOGGER = logging.getLogger(__name__)

TAIL_ENTRIES = 2000
TAIL_BYTES = 4 << 20
"""Entries, and bytes of their frames, that stay in memory; what is older is read from the store."""
STRETCH_ENTRIES = 256
STRETCH_BYTES = 256 << 10
"""What a follower gets at once (always at least one)."""
STRETCHES = 8
"""Stretches read from the store that are kept for others who lag as far."""
QUEUE_LIMIT = 20_000
"""Own events that may wait for the disk; above that the oldest are given up."""
_RETRY_PAUSE = (0.1, 5.0)

type Reader = Callable[[int, bytes], Event | None]
"""Makes an event of an id and a frame; `None` for a frame that says nothing to anybody."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class Entry:
    """One place in the log. Its event is made when it is first asked for."""

    __slots__ = ("_event", "_json", "_reader", "account", "frame", "id")

    def __init__(self, id: int, account: str | None, frame: bytes | None, reader: Reader, event: Event | None = None) -> None:
        self.id = id
        self.account = account
        """Number of the account; `""` for a frame of no known one, `None` for events of the engine."""
        self.frame = frame
        """The exact bytes of `{"envelope": …, "account": …}`; `None` for the service's own events."""
        self._reader: Reader | None = None if event is not None else reader
        self._event = event
        self._json: bytes | None = None

    @property
    def event(self) -> Event | None:
        """The event; `None` where there is nothing to tell (an empty sync message, a frame that is not understood)."""
        if self._reader is not None:
            self._event = self._reader(self.id, self.frame) if self.frame is not None and self.account else None
            self._reader = None
        return self._event

    @property
    def json(self) -> bytes:
        """The event as JSON; `null` where there is none."""
        if self._json is None:
            self._json = _encode(self.event)
        return self._json


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the log, as one follower sees it."""

    last: int
    """The follower knows everything up to here now."""
    entries: Sequence[Entry]
    """Those that were wanted; each has an event."""
    missed: int = 0
    """How many had been removed by retention before they could be told, wanted or not."""

    @property
    def events(self) -> list[Event]:
        """The events of the entries."""
        return [entry.event for entry in self.entries if entry.event is not None]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the log, not filtered yet."""

    last: int
    entries: Sequence[Entry]


class EventLog:
    """`run` is its task: it stores what is published. `received` is told what the inbox has committed."""

    def __init__(self, table: EventTable, reader: Reader, clock: GuardedClock) -> None:
        self._table = table
        self._reader = reader
        self._clock = clock
        self._head = 0
        self._floor = 0
        """What is behind this id is in the tail."""
        self._tail: dict[int, Entry] = {}
        self._tail_bytes = 0
        self._early: dict[int, Entry] = {}
        """Committed, but not announced yet: one before it is still on its way from the database."""
        self._queue: deque[Event] = deque()
        self._queued = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._waiting: set[asyncio.Future[None]] = set()
        self._watchers = asyncio.Event()
        """Set, and replaced, whenever a follower begins to wait."""
        self._parts: OrderedDict[int, asyncio.Task[_Part]] = OrderedDict()
        self._closing = asyncio.Event()

    async def start(self) -> None:
        """Learn where the log ends. Call before anything is received or published."""
        self._head = self._floor = await self._table.last_id()

    def close(self) -> None:
        """End every `follow`."""
        self._closing.set()
        self._wake()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    async def wait_closed(self) -> None:
        """Wait for `close`."""
        await self._closing.wait()

    @property
    def head(self) -> int:
        """Id of the newest entry; 0 before the first."""
        return self._head

    async def oldest(self) -> int:
        """The position before the oldest entry that is still stored. Raises a `StoreError`."""
        return await self._table.first_id() - 1

    # --- in --------------------------------------------------------------------------------------------------------------

    def publish(self, event: Event) -> None:
        """Store an event of the service itself and tell it then; its id is given by the log. Never blocks, never fails."""
        if len(self._queue) >= QUEUE_LIMIT:
            lost = self._queue.popleft()
            _LOGGER.error("An event (%s) is given up: %d wait to be stored", lost.type, QUEUE_LIMIT)
        self._queue.append(event)
        self._idle.clear()
        self._queued.set()

    def received(self, first: int, envelopes: Sequence[NewEnvelope]) -> None:
        """Announce envelopes that were committed under consecutive ids."""
        self._announce([Entry(number, new.account, new.frame, self._reader) for number, new in enumerate(envelopes, start=first)])

    async def run(self) -> None:
        """Store what is published, for ever."""
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                events = list(self._queue)
                self._queue.clear()
                first = await self._commit(events)
                self._announce(
                    [
                        Entry(number, event.account, None, self._reader, msgspec.structs.replace(event, id=number))
                        for number, event in enumerate(events, start=first)
                    ]
                )
            self._idle.set()

    async def drain(self, timeout: float) -> None:
        """Wait until what was published is stored, at most that many seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            _LOGGER.error("Events of the service could not be stored before the stop and are lost")  # noqa: TRY400

    async def _commit(self, events: Sequence[Event]) -> int:
        now = self._clock.now_ms()
        rows = [NewEvent(now, _encode(event)) for event in events]
        pause, longest = _RETRY_PAUSE
        while True:
            try:
                return await self._table.insert_many(rows)
            except StoreError as error:
                _LOGGER.error("%d events wait, as they cannot be stored: %s", len(rows), error)  # noqa: TRY400
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    def _announce(self, entries: Sequence[Entry]) -> None:
        """Take what was committed into the tail, in the order of the ids, whatever order the news of the commits came in."""
        for entry in entries:
            self._early[entry.id] = entry
        while (following := self._early.pop(self._head + 1, None)) is not None:
            self._head = following.id
            self._tail[following.id] = following
            self._tail_bytes += len(following.frame or b"")
        while len(self._tail) > TAIL_ENTRIES or self._tail_bytes > TAIL_BYTES:
            self._floor = next(iter(self._tail))
            self._tail_bytes -= len(self._tail.pop(self._floor).frame or b"")
        self._wake()

    # --- out -------------------------------------------------------------------------------------------------------------

    async def follow(self, *, after: int, wanted: EventFilter = EVERYTHING) -> AsyncGenerator[Stretch]:
        """Everything behind an id, then everything that comes; ends when the log is closed.

        A stretch may hold nothing that is wanted: then it says how far that is true. Raises a `StoreError`.
        """
        while not self._closing.is_set():
            stretch = await self.read(after, wanted)
            if stretch is None:
                await self.wait_beyond(after)
                continue
            yield stretch
            after = stretch.last

    async def read(self, after: int, wanted: EventFilter = EVERYTHING, *, envelopes: bool = False) -> Stretch | None:
        """The next part behind an id, `None` when there is none now. Raises a `StoreError`.

        With `envelopes` every envelope of the wanted accounts, whether it is an event or not, and nothing else.
        """
        if self._head <= after:
            return None
        if after >= self._floor:
            part = self._from_tail(after)
        else:
            part = await self._from_store(after)
        missed = part.last - after - len(part.entries)
        chosen = _is_wanted_envelope if envelopes else _is_wanted
        return Stretch(part.last, [entry for entry in part.entries if chosen(entry, wanted)], missed)

    async def next(self, after: int, wanted: EventFilter, *, deadline: float, envelopes: bool = False) -> Stretch | None:
        """As `read`, but waits until `deadline` (`time.monotonic()`) or the end for something to come. Raises a `StoreError`."""
        while (stretch := await self.read(after, wanted, envelopes=envelopes)) is None and not self._closing.is_set():
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self.wait_beyond(after)
            except TimeoutError:
                return None
        return stretch

    async def wait_beyond(self, after: int) -> None:
        """Wait until there is something behind an id, or the log is closed."""
        while self._head <= after and not self._closing.is_set():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            self._watchers.set()
            self._watchers = asyncio.Event()
            try:
                await future
            finally:
                self._waiting.discard(future)

    async def watched(self, followers: int = 1) -> None:
        """Wait until at least so many followers wait for what comes next."""
        while len(self._waiting) < followers:
            await self._watchers.wait()

    def _from_tail(self, after: int) -> _Part:
        entries: list[Entry] = []
        size = 0
        for number in range(after + 1, min(self._head, after + STRETCH_ENTRIES) + 1):
            entry = self._tail[number]
            size += len(entry.frame or b"")
            if entries and size > STRETCH_BYTES:
                break
            entries.append(entry)
        return _Part(entries[-1].id, entries)

    async def _from_store(self, after: int) -> _Part:
        """Entries from the store; those who lag at the same place share the reading and what is made of it."""
        task = self._parts.get(after)
        if task is None:
            task = asyncio.create_task(self._load(after))
            self._parts[after] = task
            while len(self._parts) > STRETCHES:
                self._parts.popitem(last=False)
        try:
            return await asyncio.shield(task)
        finally:
            if task.done() and self._parts.get(after) is task and (task.cancelled() or task.exception() is not None):
                del self._parts[after]

    async def _load(self, after: int) -> _Part:
        found = await self._table.read(after, self._head, rows=STRETCH_ENTRIES, size=STRETCH_BYTES)
        return _Part(found.last, [self._entry_of(stored.id, stored.account, stored.data) for stored in found.entries])

    def _entry_of(self, number: int, account: str | None, data: bytes) -> Entry:
        if account is not None:
            return Entry(number, account, data, self._reader)
        event = msgspec.structs.replace(_decode(data), id=number)
        return Entry(number, event.account, None, self._reader, event)

    async def purge(self, created_before: int, below: int | None, most: int) -> int:
        """Retention of the service's own events, as `InboxTable.purge_older` and `purge_beyond`; gives how many went."""
        self._parts.clear()
        rows = 0
        while (purged := await self._table.purge(created_before, below, most)) > 0:
            rows += purged
        self._parts.clear()
        return rows

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


def _is_wanted(entry: Entry, wanted: EventFilter) -> bool:
    if not wanted.wants_account(entry.account):
        return False
    event = entry.event
    return event is not None and wanted.wants(event)


def _is_wanted_envelope(entry: Entry, wanted: EventFilter) -> bool:
    return entry.frame is not None and bool(entry.account) and wanted.wants_account(entry.account)
