"""The webhook gets every message, in order, once its receiver takes them; nobody else waits for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from signal_courier.messaging.receiving.feed import Feed
from signal_courier.messaging.receiving.receive_webhook import NAME, ReceiveWebhook
from signal_courier.store.consumers import ConsumerTable
from signal_courier.store.inbox import InboxTable, NewEnvelope
from tests.fakes.listener import frame_of

ANN = "+4915100000001"


class Receiver:
    """A web server that takes posts, or answers otherwise as told."""

    def __init__(self) -> None:
        self.bodies: asyncio.Queue[bytes] = asyncio.Queue()
        self.types: set[str] = set()
        self.statuses: list[int] = []
        self.before: Callable[[], Awaitable[object]] | None = None

    async def handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        self.types.add(request.headers["Content-Type"])
        if self.before is not None:
            await self.before()
        self.bodies.put_nowait(body)
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def take(self, count: int) -> list[bytes]:
        return [await asyncio.wait_for(self.bodies.get(), 30) for _ in range(count)]


@asynccontextmanager
async def listening(receiver: Receiver, port: int = 0) -> AsyncIterator[int]:
    runner = web.ServerRunner(web.Server(receiver.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def posting(port: int, table: InboxTable, feed: Feed, consumers: ConsumerTable) -> AsyncIterator[None]:
    task = asyncio.create_task(ReceiveWebhook(f"http://127.0.0.1:{port}/hook", table, feed, consumers, first_pause=0.01).run())
    try:
        async with asyncio.timeout(30):
            await feed.watched(None)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def put(table: InboxTable, feed: Feed, *numbers: int) -> None:
    envelopes = [NewEnvelope(ANN, 0, frame_of(ANN, number)) for number in numbers]
    feed.publish(await table.insert_many(envelopes), envelopes)


def posts(*numbers: int) -> list[bytes]:
    return [b'{"jsonrpc":"2.0","method":"receive","params":' + frame_of(ANN, number) + b"}\n" for number in numbers]


async def test_the_whole_notification_is_posted(table: InboxTable, feed: Feed, consumers: ConsumerTable) -> None:
    receiver = Receiver()
    async with listening(receiver) as port, posting(port, table, feed, consumers):
        await put(table, feed, 1, 2, 3)
        assert await receiver.take(3) == posts(1, 2, 3)
    assert receiver.types == {"application/json"}


@pytest.mark.parametrize("statuses", [[500], [503, 429, 404, 301], [500] * 6])
async def test_a_receiver_in_trouble_gets_the_same_message_again_in_order(
    table: InboxTable, feed: Feed, consumers: ConsumerTable, statuses: list[int]
) -> None:
    receiver = Receiver()
    receiver.statuses = list(statuses)
    async with listening(receiver) as port, posting(port, table, feed, consumers):
        await put(table, feed, 1, 2)
        assert await receiver.take(len(statuses) + 2) == posts(*([1] * len(statuses)), 1, 2)


async def test_201_and_204_count_as_taken(table: InboxTable, feed: Feed, consumers: ConsumerTable) -> None:
    receiver = Receiver()
    receiver.statuses = [201, 204]
    async with listening(receiver) as port, posting(port, table, feed, consumers):
        await put(table, feed, 1, 2, 3)
        assert await receiver.take(3) == posts(1, 2, 3)


async def test_a_refused_message_is_passed_over_after_three_tries(table: InboxTable, feed: Feed, consumers: ConsumerTable) -> None:
    receiver = Receiver()
    receiver.statuses = [400, 422, 413]
    async with listening(receiver) as port, posting(port, table, feed, consumers):
        await put(table, feed, 1, 2)
        assert await receiver.take(4) == posts(1, 1, 1, 2)


async def test_what_came_while_the_receiver_was_away_arrives_later(table: InboxTable, feed: Feed, consumers: ConsumerTable) -> None:
    receiver = Receiver()
    async with listening(receiver) as port:
        pass
    async with posting(port, table, feed, consumers):
        await put(table, feed, 1, 2)
        async with listening(receiver, port):
            assert await receiver.take(2) == posts(1, 2)


async def test_a_restart_goes_on_where_it_stopped(table: InboxTable, feed: Feed, consumers: ConsumerTable) -> None:
    receiver = Receiver()
    await put(table, feed, 0)  # before the webhook was set: not for it
    async with listening(receiver) as port:
        async with posting(port, table, feed, consumers):
            await put(table, feed, 1)
            assert await receiver.take(1) == posts(1)
            await feed.watched(None)  # it has stored how far it is, and waits for more
            assert await consumers.positions(NAME) == {"": 2}
        await put(table, feed, 2)
        async with posting(port, table, feed, consumers):
            assert await receiver.take(1) == posts(2)


async def test_a_slow_receiver_delays_nobody_else(table: InboxTable, feed: Feed, consumers: ConsumerTable) -> None:
    receiver = Receiver()
    entered, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        entered.set()
        await go.wait()

    receiver.before = slow
    async with listening(receiver) as port, posting(port, table, feed, consumers):
        await put(table, feed, 1)
        await asyncio.wait_for(entered.wait(), 30)
        await put(table, feed, 2)
        async with asyncio.timeout(1):
            async for batch in feed.follow(ANN, after=0):
                if batch.last == 2:
                    break
        go.set()
        assert await receiver.take(2) == posts(1, 2)
