"""Whoever opens connections by the hundred takes neither the service's files nor its log."""

import asyncio
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from signal_courier.http.serving.descriptors import OURS, connections_possible, quieted
from tests.fakes.daemon import FakeDaemon
from tests.fakes.listener import Listener, frame_of
from tests.service.faults.test_service_process import ANN, Service


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_open_files_is_raised_for_the_connections_that_are_wanted(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    assert connections_possible(500) == 500
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 500 + OURS
    assert connections_possible(10_000_000) == limits[1] - OURS, "no more than the system allows"


def test_that_nobody_can_connect_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    handle = quieted(lambda: now[0])
    loop = asyncio.new_event_loop()
    for second in range(90):
        now[0] = second
        handle(loop, {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")})
    assert [record.getMessage() for record in caplog.records] == [
        "No more connections can be taken for now: [Errno 24] Too many open files"
    ] * 2
    handle(loop, {"message": "something else"})
    assert caplog.records[-1].getMessage() == "something else"
    loop.close()


@pytest.mark.slow
async def test_with_few_open_files_silent_connections_disturb_neither_receiving_nor_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [frame_of(ANN, number) for number in range(500)]
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nulimit -n 64\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    async with FakeDaemon(accounts=[ANN]) as daemon:
        await daemon.listen_unix(tmp_path / "d.sock")
        monkeypatch.setattr("tests.service.faults.test_service_process.sys.executable", str(python))
        async with Service.running(tmp_path, tmp_path / "d.sock") as service:
            await daemon.wait_subscribed()
            silent = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(200)]
            for frame in frames:
                daemon.notify_raw(frame, ANN)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as http, http.get("/api/v2/health") as health:
                assert health.status == 200
            async with Listener.connect(service.port, ANN) as listener:
                assert await listener.frames(len(frames)) == frames
            for _, writer in silent:
                writer.close()
