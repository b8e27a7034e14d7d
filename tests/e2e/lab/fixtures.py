"""The lab as pytest fixtures, for whatever folder of tests wants it (import them in its conftest.py)."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.lab.distribution import Unavailable, ensure_signal_cli
from tests.e2e.lab.laboratory import CACHE, Lab, running_lab
from tests.e2e.lab.overlay import Prepared, prepare

_SECONDS = 600
"""Deadline of one test; the first one may have to download signal-cli."""


def mark_real(items: Iterable[pytest.Item], folder: Path) -> None:
    """Marks the tests below `folder`: they share one event loop with the lab, need the real signal-cli, and may take their time."""
    for item in items:
        if not item.path.is_relative_to(folder):
            continue
        item.add_marker(pytest.mark.real)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SECONDS))
        if isinstance(item, pytest.Function) and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def prepared() -> Prepared:
    """The real signal-cli and what the labs share, or a skip with the reason why it cannot be had."""
    try:
        distribution = ensure_signal_cli(CACHE)
    except Unavailable as reason:
        pytest.skip(str(reason))
    return prepare(distribution, CACHE)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(prepared: Prepared) -> AsyncIterator[Lab]:
    """Signal's servers and three people, for the whole session."""
    async with running_lab(prepared) as running:
        yield running
