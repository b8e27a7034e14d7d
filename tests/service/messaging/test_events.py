"""The event log: one order of what was received and what the service says, for any number of followers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from signal_courier.engine.reports.envelopes import EnvelopeReader
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.receiving.events import TAIL_ENTRIES, EventLog, Stretch
from signal_courier.model.events import EngineChange, Event, EventFilter, EventType, Person
from signal_courier.store.database import Database
from signal_courier.store.events import EventTable
from signal_courier.store.inbox import InboxTable, NewEnvelope

ANN, BEN = "+4915100000001", "+4915100000002"


class Nobody:
    def person(self, account: str, uuid: str | None, number: str | None) -> Person | None:
        return None

    def group(self, account: str, internal_id: str) -> str | None:
        return None


class Stack:
    """The log over a real database, fed as the inbox feeds it."""

    def __init__(self, database: Database) -> None:
        self.inbox = InboxTable(database)
        self.table = EventTable(database)
        self.log = EventLog(self.table, EnvelopeReader(Nobody()), GuardedClock())

    async def receive(self, *texts: str, account: str = ANN, announced: bool = True) -> int:
        envelopes = [NewEnvelope(account, 1, frame(text, account)) for text in texts]
        first = await self.inbox.insert_many(envelopes)
        if announced:
            self.log.received(first, envelopes)
        return first

    async def say(self, state: str) -> None:
        self.log.publish(Event(id=0, type=EventType.ENGINE, account=None, time=1, engine=EngineChange(state=state)))
        await self.log.drain(5)


def frame(text: str, account: str = ANN) -> bytes:
    return msgspec.json.encode(
        {
            "envelope": {"sourceNumber": BEN, "sourceName": "Ben", "timestamp": 1, "dataMessage": {"timestamp": 1, "message": text}},
            "account": account,
        }
    )


@contextlib.asynccontextmanager
async def running(database: Database) -> AsyncIterator[Stack]:
    stack = Stack(database)
    await stack.log.start()
    task = asyncio.create_task(stack.log.run())
    try:
        yield stack
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def stack(database: Database) -> AsyncIterator[Stack]:
    async with running(database) as made:
        yield made


def told(event: Event) -> str:
    return (event.message.text or "") if event.message else event.engine.state if event.engine else "?"


async def collect(log: EventLog, count: int, after: int = 0, wanted: EventFilter | None = None) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(30), contextlib.aclosing(log.follow(after=after, wanted=wanted or EventFilter())) as stretches:
        async for stretch in stretches:
            found += stretch.events
            if len(found) >= count:
                break
    return found


async def test_what_is_received_and_what_is_published_come_in_one_order_with_growing_ids(stack: Stack) -> None:
    await stack.receive("one")
    await stack.say("starting")
    await stack.receive("two", "three")
    await stack.say("ready")
    events = await collect(stack.log, 5)
    assert [told(event) for event in events] == ["one", "starting", "two", "three", "ready"]
    assert [event.id for event in events] == [1, 2, 3, 4, 5]


async def test_the_same_order_and_ids_come_after_a_restart(stack: Stack, database: Database) -> None:
    for number in range(50):
        await stack.receive(f"message {number}")
        await stack.say(f"state {number}")
    before = await collect(stack.log, 100)
    async with running(database) as later:
        assert await collect(later.log, 100) == before
        await later.say("back")
        assert [event.id for event in await collect(later.log, 1, after=100)] == [101]


async def test_a_follower_is_woken_by_what_comes(stack: Stack) -> None:
    waiting = asyncio.create_task(collect(stack.log, 2))
    await stack.receive("one")
    await stack.say("ready")
    assert [told(event) for event in await waiting] == ["one", "ready"]


async def test_a_commit_that_is_announced_late_is_not_overtaken(stack: Stack) -> None:
    await stack.receive("one", announced=False)
    await stack.say("ready")
    assert stack.log.head == 0
    stack.log.received(1, [NewEnvelope(ANN, 1, frame("one"))])
    assert [told(event) for event in await collect(stack.log, 2)] == ["one", "ready"]


async def test_who_lags_behind_the_memory_reads_all_the_same_from_the_disk(stack: Stack) -> None:
    count = TAIL_ENTRIES + 700
    for start in range(0, count, 100):
        await stack.receive(*(f"{number}" for number in range(start, start + 100)))
        await stack.say(f"after {start}")
    events = await collect(stack.log, count + count // 100)
    assert [event.id for event in events] == list(range(1, count + count // 100 + 1))
    assert [told(event) for event in events if event.message] == [str(number) for number in range(count)]


async def test_filters_by_account_type_and_conversation(stack: Stack) -> None:
    await stack.receive("for Ann", account=ANN)
    await stack.receive("for Ben", account=BEN)
    await stack.say("ready")
    log = stack.log
    assert [told(one) for one in await collect(log, 2, wanted=EventFilter(accounts=frozenset({BEN})))] == ["for Ben", "ready"]
    only_engine = EventFilter(types=frozenset({EventType.ENGINE}))
    assert [told(one) for one in await collect(log, 1, wanted=only_engine)] == ["ready"]
    with_ben = EventFilter(conversations=frozenset({BEN}))
    assert [told(one) for one in await collect(log, 2, wanted=with_ben)] == ["for Ann", "for Ben"]


async def test_what_retention_took_is_counted(stack: Stack) -> None:
    await stack.receive(*(str(number) for number in range(3000)))
    await stack.say("ready")
    while (await stack.inbox.purge_beyond(10)).rows:
        pass
    assert await stack.log.oldest() == 2990
    stretches: list[Stretch] = []
    async with contextlib.aclosing(stack.log.follow(after=5)) as following:
        async for stretch in following:
            stretches.append(stretch)
            if stretch.last == 3001:
                break
    assert sum(stretch.missed for stretch in stretches) == 2985
    assert sum(len(stretch.events) for stretch in stretches) == 11


async def test_own_events_are_purged_by_age_and_number(stack: Stack) -> None:
    for number in range(20):
        await stack.say(str(number))
    assert await stack.log.purge(0, None, 15) == 5
    assert await stack.log.purge(1 << 60, 11, 15) == 5
    assert await stack.log.oldest() == 10


async def test_following_ends_when_the_log_is_closed(stack: Stack) -> None:
    async def follow_all() -> int:
        return len([stretch async for stretch in stack.log.follow(after=0)])

    task = asyncio.create_task(follow_all())
    await stack.receive("one")
    stack.log.close()
    async with asyncio.timeout(30):
        assert await task <= 1


async def test_a_frame_that_is_not_understood_is_no_event_and_hinders_nothing(stack: Stack) -> None:
    envelopes = [NewEnvelope(ANN, 1, b'{"envelope": 5, "account": "%s"}' % ANN.encode()), NewEnvelope("", 1, b"rubbish")]
    stack.log.received(await stack.inbox.insert_many(envelopes), envelopes)
    await stack.receive("fine")
    assert [told(event) for event in await collect(stack.log, 1)] == ["fine"]
