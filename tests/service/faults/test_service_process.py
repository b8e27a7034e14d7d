"""`kill -9` of the service in mid-stream: whatever signal-cli has written arrives, in order.

signal-cli's protocol knows no acknowledgement: what it has written to a socket counts as delivered. The journal and its keeper hold what
was read and not stored, and what was written and not read, whoever runs signal-cli.
"""

import asyncio
import contextlib
import os
import random
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from tests.fakes.daemon import FakeDaemon
from tests.fakes.listener import Listener, frame_of
from tests.fakes.signal_cli import write_account

ANN = "+4915100000001"
ROOT = Path(__file__).parents[3]
SIGNAL_CLI = ROOT / "tests" / "fakes" / "signal_cli.py"
KILLS = 20
SPACING = 0.001


class Service:
    """The real program in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path, socket: Path | None = None, settings: Mapping[str, str] | None = None) -> AsyncIterator["Service"]:
        """Attached to the daemon at `socket`, if one is given."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT / "addon"),
            "PORT": "0",
            "MODE": "json-rpc",
            "COURIER_DATA_DIR": str(folder / "data"),
            "LOG_LEVEL": "error",
            **({"SIGNAL_CLI_SOCKET": f"unix:{socket}"} if socket else {}),
            **(settings or {}),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "signal_courier", "serve", env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                line = await process.stdout.readline()
            found = re.search(rb":(\d+)$", line.strip())
            assert found, line
            yield cls(process, int(found[1]))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def resident(self) -> int:
        """Memory in MiB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") >> 20

    def worked(self) -> float:
        """Seconds of the processor's time that it has had so far: what a busy machine does not lengthen."""
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Stream:
    """Messages without end, each written once to whoever is subscribed."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self.daemon = daemon
        self.written = 0
        """How many were written to a subscriber."""

    async def run(self) -> None:
        while True:
            await self.daemon.wait_subscribed()
            self.daemon.notify_raw(frame_of(ANN, self.written), ANN)
            self.written += 1
            await asyncio.sleep(SPACING)


def number_of(frame: bytes) -> int:
    return int(msgspec.json.decode(frame)["envelope"]["timestamp"])


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_twenty_kills_in_mid_stream_lose_nothing_where_somebody_else_runs_signal_cli(tmp_path: Path) -> None:
    received: list[int] = []
    lives: list[int] = []
    dice = random.Random(20)
    async with FakeDaemon(accounts=[ANN]) as daemon:
        await daemon.listen_unix(tmp_path / "d.sock")
        stream = Stream(daemon)
        streaming = asyncio.create_task(stream.run())
        for _ in range(KILLS):
            async with Service.running(tmp_path, tmp_path / "d.sock") as service, Listener.connect(service.port, ANN) as listener:
                received += map(number_of, await listener.frames(dice.randint(20, 150)))
                service.process.send_signal(signal.SIGKILL)
                received += map(number_of, await listener.until_gone())
                lives.append(len(received))
                await service.process.wait()
        async with Service.running(tmp_path, tmp_path / "d.sock") as service, Listener.connect(service.port, ANN) as listener:
            received += map(number_of, await listener.frames(100))
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)
            while received[-1] != stream.written - 1:
                received += map(number_of, await listener.frames(1))
            assert service.resident() < 80
    again = _check_order(received, lives)
    print(f"{stream.written} messages, {KILLS} kills: {again} were delivered twice")
    assert sorted(set(range(stream.written)) - set(received)) == []


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_twenty_kills_lose_nothing_at_all_where_the_service_runs_signal_cli_itself(tmp_path: Path) -> None:
    """Then its journal and keeper hold what was read and not stored, and what was written and not read."""
    config, program = tmp_path / "config", tmp_path / "signal-cli"
    write_account(config, ANN)
    total = 6000
    (config / "mailbox.jsonl").write_bytes(b"".join(frame_of(ANN, number) + b"\n" for number in range(total)))
    (config / "behaviour.json").write_text('{"spacing": 0.0003}')
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIGNAL_CLI}" "$@"\n')
    program.chmod(0o755)
    settings: dict[str, str] = {"SIGNAL_CLI": str(program), "SIGNAL_CLI_CONFIG_DIR": str(config)}
    received: list[int] = []
    dice = random.Random(21)
    for _ in range(KILLS):
        async with Service.running(tmp_path, settings=settings) as service, Listener.connect(service.port, ANN) as listener:
            received += map(number_of, await listener.frames(dice.randint(20, 150)))
            service.process.send_signal(signal.SIGKILL)
            received += map(number_of, await listener.until_gone())
            await service.process.wait()
    async with Service.running(tmp_path, settings=settings) as service, Listener.connect(service.port, ANN) as listener:
        while not received or received[-1] != total - 1:
            received += map(number_of, await listener.frames(1))
    print(f"{total} messages, {KILLS} kills: {len(received) - total} were delivered twice")
    assert list(dict.fromkeys(received)) == list(range(total)), "lost or reordered"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_kills_in_the_middle_of_a_flood_lose_nothing(tmp_path: Path) -> None:
    """Hundreds of messages come with one reading of the socket: a kill finds them there or in the journal."""
    dice = random.Random(22)
    burst, kills = 3000, 8
    async with FakeDaemon(accounts=[ANN]) as daemon:
        await daemon.listen_unix(tmp_path / "d.sock")
        for life in range(kills):
            async with Service.running(tmp_path, tmp_path / "d.sock") as service:
                await daemon.wait_subscribed()
                for number in range(life * burst, (life + 1) * burst):
                    daemon.notify_raw(frame_of(ANN, number), ANN)
                await asyncio.sleep(dice.uniform(0, 0.05))
                await daemon.flushed()
                service.process.kill()
                await service.process.wait()
        async with Service.running(tmp_path, tmp_path / "d.sock") as service, Listener.connect(service.port, ANN) as listener:
            received = list(map(number_of, await listener.frames(burst * kills)))
    assert received == list(range(burst * kills))


def _check_order(received: list[int], lives: list[int]) -> int:
    """Within a life every message comes once and in order; a new life may repeat the last few. Gives how many were repeated."""
    again = 0
    highest = -1
    for start, stop in zip([0, *lives], [*lives, len(received)], strict=True):
        life = received[start:stop]
        assert life == sorted(set(life))
        again += sum(number <= highest for number in life)
        highest = max([highest, *life])
    return again


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_what_was_stored_before_a_kill_arrives_after_it(tmp_path: Path) -> None:
    async with FakeDaemon(accounts=[ANN]) as daemon:
        await daemon.listen_unix(tmp_path / "d.sock")
        count = 0
        for _ in range(3):
            async with Service.running(tmp_path, tmp_path / "d.sock") as service:
                await daemon.wait_subscribed()
                for _ in range(500):
                    daemon.notify_raw(frame_of(ANN, count), ANN)
                    count += 1
                await daemon.flushed()
                async with Listener.connect(service.port, "+4915100000002"):
                    await _stored(tmp_path, count)
                service.process.send_signal(signal.SIGKILL)
                await service.process.wait()
        async with Service.running(tmp_path, tmp_path / "d.sock") as service, Listener.connect(service.port, ANN) as listener:
            assert await listener.frames(count) == [frame_of(ANN, number) for number in range(count)]


@pytest.mark.slow
async def test_a_database_locked_by_another_program_delays_and_loses_nothing(tmp_path: Path) -> None:
    count = 5000
    async with FakeDaemon(accounts=[ANN]) as daemon:
        await daemon.listen_unix(tmp_path / "d.sock")
        async with (
            Service.running(tmp_path, tmp_path / "d.sock") as service,
            Listener.connect(service.port, ANN) as listener,
            aiohttp.ClientSession() as http,
        ):
            await daemon.wait_subscribed()
            with contextlib.closing(sqlite3.connect(tmp_path / "data" / "courier.db", isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                for number in range(count):
                    daemon.notify_raw(frame_of(ANN, number), ANN)
                await daemon.flushed()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(listener.next_frame(), 1)
                async with http.get(f"http://127.0.0.1:{service.port}/v1/about", timeout=aiohttp.ClientTimeout(2)) as answer:
                    assert answer.status == 200
                database.execute("ROLLBACK")
            assert await listener.frames(count) == [frame_of(ANN, number) for number in range(count)]
            assert service.resident() < 90


@pytest.mark.slow
async def test_a_stop_in_mid_stream_is_clean_and_keeps_what_was_read(tmp_path: Path) -> None:
    async with FakeDaemon(accounts=[ANN]) as daemon:
        await daemon.listen_unix(tmp_path / "d.sock")
        async with Service.running(tmp_path, tmp_path / "d.sock") as service, Listener.connect(service.port, ANN) as listener:
            await daemon.wait_subscribed()
            for number in range(2000):
                daemon.notify_raw(frame_of(ANN, number), ANN)
            received = await listener.frames(1000)
            service.process.terminate()
            received += await listener.until_gone()
            assert await asyncio.wait_for(service.process.wait(), 5) == 0
        async with Service.running(tmp_path, tmp_path / "d.sock") as service, Listener.connect(service.port, ANN) as listener:
            received += await listener.frames(2000 - len(received))
    assert received == [frame_of(ANN, number) for number in range(2000)]


async def _stored(folder: Path, count: int) -> None:
    """Wait until that many messages are in the database."""
    async with asyncio.timeout(30):
        with contextlib.closing(sqlite3.connect(folder / "data" / "courier.db")) as database:
            while database.execute("SELECT count(*) FROM inbox").fetchone()[0] < count:  # noqa: ASYNC110  # another process's doing
                await asyncio.sleep(0.01)
