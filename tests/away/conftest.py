"""One service, and three Home Assistants that come and go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.away.house import House
from tests.live.fixtures import empty_place, service, session
from tests.live.service import HOME, SECOND, Service

__all__ = ["service", "session"]


@pytest.fixture(scope="session")
def place() -> Path:
    """Where everything of this session is."""
    return empty_place("away")


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
