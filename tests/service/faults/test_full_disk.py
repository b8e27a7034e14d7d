"""The disk is full: what was received waits and is said to, what can do without the disk goes on, and nothing is lost."""

import asyncio
import base64
import os
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.daemon import FakeDaemon
from tests.fakes.disk import fill, small_disk
from tests.fakes.listener import Listener, frame_of
from tests.fakes.served import served
from tests.service.faults.test_service_process import ANN, Service

BEN = "+4915100000002"
COUNT = 3000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", ["space", "stop", "kill"])
async def test_what_is_received_on_a_full_disk_arrives_once_there_is_space(tmp_path: Path, end: str) -> None:
    async with small_disk(tmp_path / "disk", 8) as disk, FakeDaemon(accounts=[ANN]) as daemon:
        socket = tmp_path / "d.sock"
        await daemon.listen_unix(socket)
        frames = [frame_of(ANN, number) for number in range(COUNT)]
        async with Service.running(disk, socket) as service, aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as http:
            await daemon.wait_subscribed()
            if end == "space":
                (disk / "data" / "run" / "unstored.reserve").unlink()
            ballast = fill(disk)
            for frame in frames:
                daemon.notify_raw(frame, ANN)
            await daemon.flushed()
            if end == "space":
                async with http.get("/api/v2/health") as health:
                    assert health.status == 503
                    assert "cannot be stored" in (await health.json())["detail"]
                async with http.post("/v2/send", json={"number": ANN, "recipients": [BEN], "message": "still"}) as sent:
                    assert sent.status == 201, "what needs no disk goes on"
                async with http.get("/api/v2/messages", timeout=aiohttp.ClientTimeout(10)) as history:
                    assert history.status == 200, "what is there can be read"
                ballast.unlink()
                async with Listener.connect(service.port, ANN) as listener:
                    assert await listener.frames(COUNT) == frames
                async with http.get("/api/v2/health") as health:
                    assert health.status == 200
                return
            if end == "stop":
                service.process.terminate()
                assert await asyncio.wait_for(service.process.wait(), 8) == 0
            else:
                service.process.kill()
                await service.process.wait()
        ballast.unlink()
        async with Service.running(disk, socket) as service, Listener.connect(service.port, ANN) as listener:
            assert await listener.frames(COUNT) == frames


async def test_uploads_leave_room_for_messages(tmp_path: Path) -> None:
    """Whoever may only send must not be able to keep messages from being received."""
    async with small_disk(tmp_path / "disk", 40) as disk, served(disk) as service:
        statuses = [(await service.post("/api/v2/attachments", bytes(1_000_000))).status for _ in range(50)]
        assert statuses[0] == 201
        assert statuses[-1] == 507
        encoded = base64.b64encode(bytes(700_000)).decode()
        body = {"number": ANN, "recipients": [BEN], "message": "x", "base64_attachments": [encoded]}
        assert (await service.post("/v2/send", body)).status == 507
        free = os.statvfs(disk)
        assert free.f_bavail * free.f_frsize > 1 << 20
        assert (await service.get("/api/v2/health")).status == 200
        assert service.spooled() == []
