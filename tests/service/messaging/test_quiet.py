"""A quiet house gives its memory back, and nobody misses anything."""

import gc

from signal_courier.messaging.receiving.feed import Feed
from signal_courier.messaging.receiving.quiet import Quiet, resident, trim
from signal_courier.store.inbox import InboxTable, NewEnvelope

ANN = "+4915100000001"


async def put(table: InboxTable, feed: Feed, *frames: bytes) -> None:
    envelopes = [NewEnvelope(ANN, 0, frame) for frame in frames]
    feed.publish(await table.insert_many(envelopes), envelopes)


async def read_all(feed: Feed, after: int = 0) -> list[bytes]:
    found: list[bytes] = []
    while (batch := await feed.read(ANN, after)) is not None:
        found += batch.frames
        after = batch.last
    return found


async def test_frames_stay_in_memory_while_more_come_and_go_when_none_does(table: InboxTable, feed: Feed) -> None:
    quiet = Quiet(feed)
    for number in range(3):
        await put(table, feed, b"%d" % number)
        quiet.look()
        assert feed.tail_bytes == number + 1
    quiet.look()
    assert feed.tail_bytes == 0


async def test_what_was_let_go_is_read_from_the_store_together_with_what_came_later(table: InboxTable, feed: Feed) -> None:
    frames = [b"%05d" % number for number in range(1500)]
    await put(table, feed, *frames[:1000])
    feed.let_go()
    await put(table, feed, *frames[1000:1200])
    feed.let_go()
    feed.let_go()
    await put(table, feed, *frames[1200:])
    assert await read_all(feed) == frames
    assert await read_all(feed, after=1100) == frames[1100:]
    assert await read_all(feed, after=1300) == frames[1300:]


async def test_memory_that_is_free_goes_back_to_the_system() -> None:
    before = resident()
    taken = [bytearray(b"x" * 100_000) for _ in range(500)]  # too small each to go back by itself
    kept = taken[::100]
    taken.clear()
    gc.collect()
    trim()
    assert resident() < before + (20 << 20)
    assert len(kept) == 5
