"""Nothing that the engine reports is lost or reordered, whatever the database does."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from signal_courier.engine.base import AlreadyStored
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.messaging.receiving.inbox import Inbox, InboxLimits
from signal_courier.store.database import Database
from signal_courier.store.inbox import InboxTable
from tests.fakes.listener import frame_of
from tests.service.messaging.conftest import Tap

ANN = "+4915100000001"


@pytest.fixture
async def inbox(table: InboxTable, feed: Feed, tap: Tap) -> AsyncIterator[Inbox]:
    made = Inbox(table, feed, tap, GuardedClock(), InboxLimits(high_frames=1000))
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def stored(table: InboxTable, account: str | None = None) -> list[bytes]:
    return [row.frame for row in await table.read_after(account, 0, rows=100_000, size=1 << 30)]


async def test_frames_are_committed_before_they_are_announced(inbox: Inbox, feed: Feed, database: Database) -> None:
    inbox.accept(frame_of(ANN, 1))
    async for batch in feed.follow(ANN, after=0):
        with closing(sqlite3.connect(database.path)) as other:
            assert other.execute("SELECT envelope FROM inbox").fetchall() == [(batch.frames[0],)]
        break


async def test_what_an_earlier_run_has_stored_is_not_stored_twice_when_the_journal_repeats_it(inbox: Inbox, table: InboxTable) -> None:
    frames = [frame_of(ANN, number) for number in range(10)]
    for frame in frames[:6]:
        inbox.accept(frame)
    await inbox.committed()
    await inbox.recall()
    for frame in frames[3:6]:
        with pytest.raises(AlreadyStored):
            inbox.accept(frame)
    inbox.accept(frames[6])
    inbox.forget()
    inbox.accept(frames[5])  # not from the journal any more
    await inbox.committed()
    assert await stored(table) == [*frames[:7], frames[5]]


async def test_order_is_kept_over_many_turns_of_the_loop(inbox: Inbox, table: InboxTable) -> None:
    frames = [frame_of(ANN, number) for number in range(900)]
    for number, frame in enumerate(frames):
        inbox.accept(frame)
        if number % 7 == 0:
            await asyncio.sleep(0)
    await inbox.committed()
    assert await stored(table) == frames


@pytest.mark.parametrize(
    "frame,kept",
    [
        (b'{"envelope":{"timestamp":1}}', b'{"envelope":{"timestamp":1},"account":"+4915100000001"}'),
        (b'{"envelope":{},"account":null} \n', b'{"envelope":{},"account":null,"account":"+4915100000001"}'),
        (b"{}", b'{"account":"+4915100000001"}'),
    ],
)
async def test_a_frame_without_account_gets_the_only_one(inbox: Inbox, table: InboxTable, frame: bytes, kept: bytes) -> None:
    inbox.accept(frame)
    await inbox.committed()
    assert await stored(table, ANN) == [kept]


async def test_what_cannot_be_understood_is_kept(inbox: Inbox, table: InboxTable, tap: Tap) -> None:
    tap.accounts = (ANN, "+4915100000002")
    inbox.accept(b"no json")
    inbox.accept(b'{"envelope":{}}')
    await inbox.committed()
    assert await stored(table, "") == [b"no json", b'{"envelope":{}}']


async def test_frames_wait_in_order_while_the_database_is_locked(inbox: Inbox, table: InboxTable, database: Database, tap: Tap) -> None:
    frames = [frame_of(ANN, number) for number in range(1500)]
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for frame in frames[:1200]:
            inbox.accept(frame)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(inbox.committed(), 0.5)
        assert tap.orders == ["pause"], "above the high-water mark the engine is asked to wait"
        assert inbox.pending == 1200
        other.execute("ROLLBACK")
    await asyncio.wait_for(inbox.committed(), 30)
    for frame in frames[1200:]:
        inbox.accept(frame)
    await asyncio.wait_for(inbox.committed(), 30)
    assert await stored(table) == frames
    assert tap.orders == ["pause", "resume"]


async def test_where_nothing_can_be_stored_signal_keeps_its_messages_however_few_wait(
    inbox: Inbox, table: InboxTable, database: Database, tap: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal_courier.messaging.receiving.inbox._STUCK", 0.2)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        inbox.accept(frame_of(ANN, 1))
        async with asyncio.timeout(30):
            while not tap.orders:  # noqa: ASYNC110  # the engine's side, which has no event
                await asyncio.sleep(0.01)
        other.execute("ROLLBACK")
    await asyncio.wait_for(inbox.committed(), 30)
    assert tap.orders == ["pause", "resume"]
    assert await stored(table) == [frame_of(ANN, 1)]


async def test_frames_wait_in_order_while_the_disk_is_full(inbox: Inbox, table: InboxTable, database: Database) -> None:
    await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())
    frames = [frame_of(ANN, number) for number in range(900)]
    for frame in frames:
        inbox.accept(frame)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.committed(), 0.5)
    await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
    await asyncio.wait_for(inbox.committed(), 30)
    assert await stored(table) == frames


async def test_a_jumping_clock_neither_reorders_nor_purges(table: InboxTable, feed: Feed, tap: Tap) -> None:
    wall, monotonic = [1_800_000_000.0], [0.0]
    inbox = Inbox(table, feed, tap, GuardedClock(lambda: wall[0], lambda: monotonic[0]))
    task = asyncio.create_task(inbox.run())
    frames = [frame_of(ANN, number) for number in range(6)]
    for frame, jump in zip(frames, (0, 400, -900, 30, 10_000, -10_000), strict=True):
        wall[0] += jump * 86_400
        monotonic[0] += 1
        inbox.accept(frame)
        await inbox.committed()
    task.cancel()
    assert await stored(table) == frames
    assert (await table.purge_older(1_800_000_000_000)).rows == 0
