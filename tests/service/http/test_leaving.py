"""Clients that go while something is still to be told: nothing waits for them, and they take nobody's place."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.served import ACCOUNT, Service, simulated

SECOND = "+4915100000002"  # gets what is sent, and does not read it
MOST = 10


async def followers(service: Service) -> None:
    await service.courier.receiving.events.watched(MOST)


async def receivers(service: Service) -> None:
    await service.courier.receiving.feed.watched(ACCOUNT)


async def watchers(service: Service) -> None:
    while not service.courier.outbox.waiting.messages:  # noqa: ASYNC110  # it tells no one
        await asyncio.sleep(0.01)


async def nobody_waits(service: Service) -> None:
    """Until that is so, and there is room for others."""
    courier = service.courier
    while courier.receiving.events._waiting or courier.receiving.feed.followers(ACCOUNT) or courier.outbox.waiting.messages:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    while True:
        with contextlib.suppress(aiohttp.ClientConnectionError):  # the last are still going
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{courier.server.port}/v1/about") as answer:
                assert answer.status == 200
                return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("path", "begun"),
    [
        ("/api/v2/events?types=call", followers),
        ("/api/v2/events?types=call&wait=300", followers),
        ("/api/v1/events", followers),
        (f"/v1/receive/{ACCOUNT}?timeout=300", receivers),
        ("/api/v2/messages/msg_1?wait=600&until=read", watchers),
    ],
)
async def test_who_has_gone_while_waiting_takes_nobodys_place(
    tmp_path: Path, path: str, begun: Callable[[Service], Awaitable[None]]
) -> None:
    async with simulated(tmp_path, max_connections=MOST + 1) as service:
        sent = await service.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [SECOND], "text": "Hello", "wait": 10})
        assert sent.json["id"] == "msg_1"
        for _ in range(2):
            waiting = []
            for _ in range(MOST):
                _, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                waiting.append(writer)
            await asyncio.wait_for(begun(service), 10)
            for writer in waiting:
                writer.close()
            await asyncio.gather(*(writer.wait_closed() for writer in waiting), return_exceptions=True)
            await asyncio.wait_for(nobody_waits(service), 10)
