"""A burst reaches everybody who reads; who does not is dropped, and nobody notices."""

import asyncio
import resource
import select
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signal_courier.courier import Courier
from signal_courier.http.streaming import websocket
from signal_courier.settings import Settings
from tests.fakes.listener import Listener, frame_of

ANN = "+4915100000001"
COUNT = 10_000


@pytest.fixture
async def courier(tmp_path: Path) -> AsyncIterator[Courier]:
    started = Courier(
        Settings(port=0, data_dir=tmp_path / "data", signal_cli_config_dir=tmp_path / "config", engine="simulator", mode="json-rpc")
    )
    await started.start()
    yield started
    await asyncio.wait_for(started.stop(), 30)


def burst(padding: int) -> list[bytes]:
    return [frame_of(ANN, number)[:-1] + b',"padding":"' + b"x" * padding + b'"}' for number in range(COUNT)]


def used() -> int:
    """Peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "linux" else 1 << 20)


async def slowly(listener: Listener, count: int) -> list[bytes]:
    """Read with a rest after every few messages."""
    found: list[bytes] = []
    while len(found) < count:
        found += await listener.frames(min(25, count - len(found)))
        await asyncio.sleep(0.002)
    return found


@pytest.mark.slow
async def test_a_stalled_and_a_slow_client_disturb_nobody(courier: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "STALLED_AFTER", 1.5)
    frames = burst(1000)
    port = courier.server.port
    before = used()
    async with Listener.connect(port, ANN) as healthy, Listener.connect(port, ANN, buffer=4096) as slow:
        with socket.create_connection(("127.0.0.1", port)) as stalled:
            stalled.sendall(
                f"GET /v1/receive/{ANN} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            async with asyncio.timeout(30):
                while courier.receiving.feed.followers(ANN) < 3:
                    await courier.receiving.feed.watched(ANN)
                    await asyncio.sleep(0)
            one, two = asyncio.create_task(healthy.frames(COUNT)), asyncio.create_task(slowly(slow, COUNT))
            for number, frame in enumerate(frames):
                courier.receiving.inbox.accept(frame)
                if number % 100 == 0:
                    await asyncio.sleep(0)
            assert await asyncio.wait_for(one, 30) == frames
            assert await asyncio.wait_for(two, 30) == frames
            assert await asyncio.to_thread(_is_dropped, stalled)
        courier.receiving.inbox.accept(frame_of(ANN, COUNT))
        assert await healthy.frames(1) == await slow.frames(1) == [frame_of(ANN, COUNT)]
    assert used() - before < 100, "MiB; the test itself holds the burst twice"


def _is_dropped(client: socket.socket) -> bool:
    """Whether the server resets the connection within 10 s, without reading a byte of what it sent."""
    poll = select.poll()
    poll.register(client, 0)
    return bool(poll.poll(10_000))


async def test_a_burst_while_nobody_is_connected_waits_for_the_first_who_comes(courier: Courier) -> None:
    frames = burst(100)
    for frame in frames:
        courier.receiving.inbox.accept(frame)
    await asyncio.wait_for(courier.receiving.inbox.committed(), 30)
    async with Listener.connect(courier.server.port, ANN) as first:
        assert await first.frames(COUNT) == frames
