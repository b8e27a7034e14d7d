"""A service that several tests share, for those that only ask it something and leave nothing behind: starting one takes longer."""

from collections.abc import AsyncIterator, Iterable

import pytest
import pytest_asyncio

from tests.fakes.served import Service, served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """It, before a fake daemon; a module that needs it otherwise has a fixture of this name."""
    async with served(tmp_path_factory.mktemp("kept")) as running:
        yield running


@pytest.fixture
def shared(kept: Service) -> Service:
    """The same, as if nobody had asked anything yet."""
    kept.daemon.forget()
    return kept


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Whoever shares it shares its event loop."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
