"""The feed hands every committed frame to everybody, in order, from memory or from the store."""

import asyncio

import pytest

from signal_courier.messaging.receiving.feed import Batch, Feed, FellBehind
from signal_courier.store.inbox import InboxTable, NewEnvelope

ANN, BEN = "+4915100000001", "+4915100000002"


async def put(table: InboxTable, feed: Feed, *texts: bytes, account: str = ANN) -> None:
    envelopes = [NewEnvelope(account, 0, text) for text in texts]
    feed.publish(await table.insert_many(envelopes), envelopes)


def texts(count: int, start: int = 0) -> list[bytes]:
    return [b"%06d" % number for number in range(start, start + count)]


async def take(feed: Feed, count: int, *, after: int = 0, account: str = ANN) -> list[bytes]:
    """The next frames; fails after 10 s."""
    found: list[bytes] = []
    async with asyncio.timeout(30):
        async for batch in feed.follow(account, after=after):
            found += batch.frames
            if len(found) >= count:
                return found
    return found


async def test_a_follower_gets_what_is_there_and_what_comes(table: InboxTable, feed: Feed) -> None:
    await put(table, feed, *texts(10))
    follower = asyncio.create_task(take(feed, 20))
    await put(table, feed, *texts(10, 10))
    assert await follower == texts(20)


async def test_what_an_earlier_run_stored_is_read_first(table: InboxTable) -> None:
    await table.insert_many([NewEnvelope(ANN, 0, text) for text in texts(700)])
    feed = Feed(table)
    await feed.start()
    await put(table, feed, *texts(10, 700))
    assert await take(feed, 710) == texts(710)
    assert await take(feed, 5, after=705) == texts(5, 705)


@pytest.mark.parametrize("tail_frames", [0, 1, 7, 100, 10_000])
async def test_falling_out_of_memory_loses_and_repeats_nothing(table: InboxTable, tail_frames: int) -> None:
    feed = Feed(table, tail_frames=tail_frames)
    await feed.start()
    for start in range(0, 1000, 50):
        await put(table, feed, *texts(50, start))
    assert await take(feed, 1000) == texts(1000)
    assert await take(feed, 877, after=123) == texts(877, 123)


async def test_accounts_are_followed_apart(table: InboxTable, feed: Feed) -> None:
    await put(table, feed, b"a1", b"a2")
    await put(table, feed, b"b1", account=BEN)
    await put(table, feed, b"a3")
    assert await take(feed, 3) == [b"a1", b"a2", b"a3"]
    assert await take(feed, 1, account=BEN) == [b"b1"]


async def test_memory_is_bounded(table: InboxTable) -> None:
    feed = Feed(table, tail_bytes=1 << 20)
    await feed.start()
    for _ in range(40):
        await put(table, feed, *([b"x" * 100_000] * 3))
    assert feed.tail_bytes <= 1 << 20
    assert len(await take(feed, 120)) == 120


async def test_what_is_made_of_a_batch_is_made_once(table: InboxTable, feed: Feed) -> None:
    made: list[Batch] = []

    def derive(batch: Batch) -> int:
        made.append(batch)
        return len(batch.frames)

    async def consume() -> int:
        async for batch in feed.follow(ANN, after=0):
            return batch.once(derive)
        return 0

    await put(table, feed, *texts(10))
    assert await asyncio.gather(*(consume() for _ in range(20))) == [10] * 20
    assert len(made) == 1


async def test_those_who_lag_together_read_the_store_once(table: InboxTable) -> None:
    await table.insert_many([NewEnvelope(ANN, 0, text) for text in texts(5000)])
    feed = Feed(table)
    await feed.start()
    batches: list[set[int]] = []

    async def consume() -> None:
        mine = []
        async for batch in feed.follow(ANN, after=0):
            mine.append(batch)
            if batch.last == 5000:
                break
        batches.append(set(map(id, mine)))
        kept.extend(mine)

    kept: list[Batch] = []
    await asyncio.gather(*(consume() for _ in range(10)))
    assert all(one == batches[0] for one in batches)


async def test_a_cancelled_follower_does_not_disturb_the_others(table: InboxTable) -> None:
    await table.insert_many([NewEnvelope(ANN, 0, text) for text in texts(2000)])
    feed = Feed(table)
    await feed.start()
    first, second = (asyncio.create_task(take(feed, 2000)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == texts(2000)


async def test_retention_that_overtakes_a_follower_is_told(table: InboxTable, feed: Feed) -> None:
    await put(table, feed, *texts(10))
    follower = feed.follow(ANN, after=0)
    await anext(follower)
    await put(table, feed, *texts(10, 10))
    feed.forget((await table.purge_beyond(5)).newest)
    with pytest.raises(FellBehind):
        await anext(follower)


async def test_retention_of_what_was_read_disturbs_nobody(table: InboxTable, feed: Feed) -> None:
    await put(table, feed, *texts(10))
    follower = feed.follow(ANN, after=0)
    await anext(follower)
    feed.forget((await table.purge_beyond(0)).newest)
    await put(table, feed, b"next")
    assert list((await anext(follower)).frames) == [b"next"]


async def test_what_was_purged_before_is_skipped(table: InboxTable) -> None:
    await table.insert_many([NewEnvelope(ANN, 0, text) for text in texts(10)])
    feed = Feed(table)
    await feed.start()
    feed.forget((await table.purge_beyond(0)).newest)
    waiting = asyncio.create_task(take(feed, 1))
    await feed.watched(ANN)
    await put(table, feed, b"next")
    assert await waiting == [b"next"]


async def test_closing_ends_every_follower(feed: Feed) -> None:
    waiting = asyncio.create_task(take(feed, 1))
    await feed.watched(ANN)
    feed.close()
    assert await waiting == []
