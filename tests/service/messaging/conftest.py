"""The parts of receiving over a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signal_courier.engine.base import AccountState, EngineState, EngineStatus
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.store.consumers import ConsumerTable
from signal_courier.store.database import Database
from signal_courier.store.inbox import InboxTable


class Tap:
    """The far edge: what the inbox asks of an engine."""

    def __init__(self, *accounts: str) -> None:
        self.accounts = accounts
        self.orders: list[str] = []
        self.stored_so_far = 0

    @property
    def status(self) -> EngineStatus:
        return EngineStatus(state=EngineState.READY, accounts=dict.fromkeys(self.accounts, AccountState.READY))

    def pause(self) -> None:
        self.orders.append("pause")

    def resume(self) -> None:
        self.orders.append("resume")

    def stored(self, count: int) -> None:
        self.stored_so_far += count


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database(tmp_path / "courier.db").open()
    yield opened
    await opened.close()


@pytest.fixture
def table(database: Database) -> InboxTable:
    return InboxTable(database)


@pytest.fixture
def consumers(database: Database) -> ConsumerTable:
    return ConsumerTable(database)


@pytest.fixture
async def feed(table: InboxTable) -> Feed:
    made = Feed(table)
    await made.start()
    return made


@pytest.fixture
def tap() -> Tap:
    return Tap("+4915100000001")
