"""One service, and three Home Assistants that come and go."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.away.house import House
from tests.live.service import HOME, ROOT, SECOND, Service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For requests."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as made:
        yield made


@pytest.fixture(scope="session")
def place() -> Path:
    """Where everything of this session is; it stays there until the next, with the logs."""
    folder = ROOT / ".run" / "away"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(place: Path, session: aiohttp.ClientSession) -> AsyncIterator[Service]:
    """The service with the simulator."""
    made = Service(place / "service", session)
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def houses(place: Path, session: aiohttp.ClientSession, service: Service) -> AsyncIterator[tuple[House, House, House]]:
    """Two with the same account, and one with the other."""
    made = (
        House(place / "stopped", session, account=HOME, friend=SECOND),
        House(place / "killed", session, account=HOME, friend=SECOND),
        House(place / "often", session, account=SECOND, friend=HOME),
    )
    try:
        async with asyncio.TaskGroup() as group:
            for one in made:
                group.create_task(one.move_in(service))
        yield made
    finally:
        await asyncio.gather(*(one.home.stop() for one in made))
