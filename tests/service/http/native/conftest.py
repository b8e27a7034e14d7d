"""The service before the simulator, whose people are as fast as the machine."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signal_courier.engine.simulator import Simulator
from tests.fakes.served import Service, simulated


@pytest.fixture
async def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """The simulator with its demo people, at full speed."""
    start = Simulator.__init__

    def fast(self: Simulator, folder: Path, config_dir: Path) -> None:
        start(self, folder, config_dir, speed=math.inf)

    monkeypatch.setattr(Simulator, "__init__", fast)
    async with simulated(tmp_path) as service:
        yield service
