"""What tests with real programs share, as pytest fixtures (import them in a conftest.py): a place, requests, the service."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from tests.live.service import ROOT, Service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For requests."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as made:
        yield made


def empty_place(name: str) -> Path:
    """An empty folder; what is in it stays there until the next run, with the logs."""
    folder = ROOT / ".run" / name
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
