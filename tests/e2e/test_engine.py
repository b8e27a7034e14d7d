"""The engine with the real signal-cli behind it: started, killed, started again, and nothing that was sent is missing."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from signal_courier.engine.base import AccountState, EngineState
from signal_courier.engine.commands import Commands
from signal_courier.engine.daemon import SignalCli
from signal_courier.engine.errors import EngineUnavailable
from signal_courier.engine.program.options import EngineOptions
from tests.e2e.lab.datafolder import write_accounts
from tests.e2e.lab.laboratory import Lab

NUMBER = "+4915100000301"


class Inbox:
    """What the engine hands over."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, frame: bytes) -> None:
        message = msgspec.json.decode(frame)["envelope"].get("dataMessage") or {}
        if message.get("message"):
            self.texts.append(message["message"])
            self._news.set()

    async def holds(self, text: str, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while text not in self.texts:
                self._news.clear()
                await self._news.wait()


class Supervised:
    """A running engine, its inbox, and who it is on Signal."""

    def __init__(self, engine: SignalCli, inbox: Inbox, aci: str) -> None:
        self.engine = engine
        self.inbox = inbox
        self.aci = aci
        self.commands = Commands(engine)

    async def ready(self, restarts: int = 0) -> None:
        async with asyncio.timeout(60):
            while self.engine.status.state is not EngineState.READY or self.engine.status.restarts < restarts:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="session")
async def supervised(lab: Lab, tmp_path: Path) -> AsyncIterator[Supervised]:
    home = lab.folder / "supervised"
    (account,) = write_accounts(home, [NUMBER])
    await lab.levers.load(home)
    inbox = Inbox()
    options = EngineOptions(exe=lab.launcher, config_dir=home, run_dir=lab.folder / "supervised-run", trust="always", backoff=(0.1, 1.0))
    engine = SignalCli(options)
    await engine.start(inbox)
    running = Supervised(engine, inbox, account.aci_account_data.service_id)
    try:
        await running.ready()
        yield running
    finally:
        await engine.stop()


async def test_messages_survive_kills_of_signal_cli(lab: Lab, supervised: Supervised) -> None:
    """All that was reported, and all that is sent while it is down.

    The kill comes between messages: signal-cli 0.13.19 itself loses the one that it has decrypted and not reported yet.
    """
    engine = supervised.engine
    assert engine.status.accounts == {NUMBER: AccountState.READY}
    number = 0
    for kill in range(3):
        for _ in range(5):
            await lab.ann.send(supervised.aci, f"message {number}")
            number += 1
        await supervised.inbox.holds(f"message {number - 1}")
        pid = engine.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        for _ in range(5):
            await lab.ann.send(supervised.aci, f"message {number}")
            number += 1
        await supervised.ready(restarts=kill + 1)
    await supervised.inbox.holds(f"message {number - 1}")
    assert list(dict.fromkeys(supervised.inbox.texts)) == [f"message {n}" for n in range(number)]


async def test_while_paused_messages_stay_with_signal(lab: Lab, supervised: Supervised) -> None:
    await lab.ann.send(supervised.aci, "before")
    await supervised.inbox.holds("before")
    supervised.engine.pause()
    await supervised.commands.list_accounts()
    await lab.ann.send(supervised.aci, "meanwhile")
    with pytest.raises(TimeoutError):
        await supervised.inbox.holds("meanwhile", 1)
    supervised.engine.resume()
    await supervised.inbox.holds("meanwhile")


async def test_a_call_in_flight_fails_at_once_when_signal_cli_is_killed(supervised: Supervised) -> None:
    call = asyncio.create_task(supervised.commands.finish_link(device_link_uri=await supervised.commands.start_link()))
    await supervised.commands.version()
    pid = supervised.engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable):
        await asyncio.wait_for(call, 2)
    assert await supervised.commands.version() == "0.13.19"
