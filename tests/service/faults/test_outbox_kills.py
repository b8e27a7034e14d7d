"""A thousand messages, while the service and the daemon are killed fifty times each: none is lost, none is sent twice."""

import asyncio
import collections
import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.post_office import ACCOUNT

ROOT = Path(__file__).parents[3]
MESSAGES = 1000
PEOPLE = 250
KILLS = 50
CLIENTS = 5
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'addon'}:{ROOT}"}


class World:
    """The two processes, and what clients need to reach the service in its present life."""

    def __init__(self, folder: Path, run: Path) -> None:
        self.folder = folder
        self.socket = run / "socket"
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.dice = random.Random(50)
        self.kills = collections.Counter[str]()
        self.accepted: dict[int, str] = {}

    async def service(self) -> asyncio.subprocess.Process:
        environment = ENVIRONMENT | {
            "HOME": str(self.folder),
            "PORT": "0",
            "MODE": "json-rpc",
            "COURIER_DATA_DIR": str(self.folder / "data"),
            "SIGNAL_CLI_SOCKET": f"unix:{self.socket}",
            "COURIER_PACE": "0",
            "COURIER_RECONCILE_SECONDS": "1",
            "LOG_LEVEL": "error",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "signal_courier", "serve", env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(30):
            while (found := re.search(rb"http://[^ ]*?:(\d+)", line := await process.stdout.readline())) is None:
                assert line, "the service has ended"
        self.port.set_result(int(found[1]))
        return process

    async def daemon(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.fakes.post_office", str(self.folder), str(self.socket), env=ENVIRONMENT, cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 30)
        return process

    async def kill(self, name: str, process: asyncio.subprocess.Process) -> None:
        if name == "service":
            self.port = asyncio.get_running_loop().create_future()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self.kills[name] += 1

    async def torment(self, name: str, lives: tuple[float, float]) -> asyncio.subprocess.Process:
        """Start it, kill it, fifty times; gives the life after."""
        start = self.service if name == "service" else self.daemon
        for _ in range(KILLS):
            process = await start()
            await asyncio.sleep(self.dice.uniform(*lives))
            await self.kill(name, process)
        return await start()

    async def client(self, number: int, http: aiohttp.ClientSession) -> None:
        """Hand over every message of some people, one after another, each until it is accepted."""
        for at in range(MESSAGES):
            person = at % PEOPLE
            if person % CLIENTS != number:
                continue
            body = {"number": ACCOUNT, "recipients": [f"+49152{person:07}"], "message": str(at)}
            headers = {"Idempotency-Key": f"message-{at}", "Prefer": "respond-async"}
            while at not in self.accepted:
                port = await self.port
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    url = f"http://127.0.0.1:{port}/v2/send"
                    async with http.post(url, json=body, headers=headers, timeout=aiohttp.ClientTimeout(10)) as answer:
                        if answer.status == 202:
                            self.accepted[at] = (await answer.json())["id"]
                            break
                        assert answer.status in (503, 500), await answer.text()
                await asyncio.sleep(0.05)
            await asyncio.sleep(self.dice.uniform(0, 0.5))

    def states(self) -> dict[str, str]:
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "courier.db")) as database:
            return {f"msg_{number}": state for number, state in database.execute("SELECT message, state FROM outbox_recipients")}

    async def settled(self) -> dict[str, str]:
        """Wait until nothing is open."""
        async with asyncio.timeout(120):
            while not {"queued", "sending", "parked"}.isdisjoint(self.states().values()):  # noqa: ASYNC110  # another process's doing
                await asyncio.sleep(0.2)
        return self.states()


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_thousand_messages_through_a_hundred_kills_are_sent_once_or_reported_unknown(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as run:
        world = World(tmp_path, Path(run))
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
            service = group.create_task(world.torment("service", (0.3, 2.2)))
            daemon = group.create_task(world.torment("daemon", (0.3, 2.2)))
            for number in range(CLIENTS):
                group.create_task(world.client(number, http))
        try:
            states = await world.settled()
        finally:
            for process in (service.result(), daemon.result()):
                process.kill()
                await process.wait()
    journal = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_bytes().splitlines()]
    sent = collections.Counter(int(entry["text"]) for entry in journal)
    told = {at: states[identifier] for at, identifier in world.accepted.items()}
    unknown = [at for at, state in told.items() if state == "unknown"]
    print(
        f"{MESSAGES} messages, {world.kills['service']} kills of the service and {world.kills['daemon']} of the daemon: "
        f"{len(sent)} were sent, {max(sent.values())} time at most; told as {dict(collections.Counter(told.values()))}; "
        f"of the unknown {sum(sent[at] for at in unknown)} had been sent"
    )
    assert len(states) == len(world.accepted) == MESSAGES, "every message was taken once"
    assert set(sent.values()) == {1}, "no message was sent twice"
    assert [at for at, state in told.items() if state in ("sent", "delivered") and not sent[at]] == [], "what is said to be sent was sent"
    assert set(told.values()) <= {"sent", "delivered", "unknown"}, "nothing was given up"
    assert len(unknown) < MESSAGES / 5
    in_order = collections.defaultdict(list)
    for entry in journal:
        in_order[entry["recipient"]].append(int(entry["text"]))
    assert all(numbers == sorted(numbers) for numbers in in_order.values()), "the order of each conversation was kept"
