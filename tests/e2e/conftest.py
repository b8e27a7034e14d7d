"""End-to-end tests: the service with the real signal-cli, in a lab that is started once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.courier import House, running_house
from tests.e2e.lab.fixtures import lab, mark_real, prepared
from tests.e2e.lab.laboratory import Lab

__all__ = ["lab", "prepared"]

NUMBER = "+4915100000001"
HASTY = "+4915100000831"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the real signal-cli."""
    mark_real(items, Path(__file__).parent)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(lab: Lab) -> AsyncIterator[House]:
    """A service with one account, for the whole session: tests leave it as they found it."""
    async with running_house(lab, "house", NUMBER) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hasty(lab: Lab) -> AsyncIterator[House]:
    """Another one, which sends what waits as fast as it can."""
    async with running_house(lab, "hasty", HASTY, COURIER_PACE="0", COURIER_RECONCILE_SECONDS="2") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def fine_weather(lab: Lab) -> AsyncIterator[None]:
    """Whatever the test does to the network is over after it."""
    yield
    await lab.levers.outage(on=False)
    await lab.levers.forget_faults()
    await lab.levers.weather()


@pytest.fixture(autouse=True)
def nothing_old(request: pytest.FixtureRequest) -> None:
    """What was received in an earlier test is forgotten."""
    for name in {"house", "hasty"} & set(request.fixturenames):
        request.getfixturevalue(name).inbox.forget()
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").ann.daemon.reports.forget()
