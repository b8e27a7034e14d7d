"""One Home Assistant, one service and one browser for the whole session: starting them takes longer than what they are asked."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from imageio_ffmpeg import get_ffmpeg_exe
from playwright.async_api import Browser

from tests.e2e.lab.fixtures import lab, prepared
from tests.live.browser import CHROMIUM, Album, running_browser
from tests.live.home_assistant import CONFIGURATION, HomeAssistant
from tests.live.service import ROOT, Service

__all__ = ["lab", "prepared"]

MODEM = Path(__file__).parent / "modem"
VOICE = f"""
assist_pipeline:
ffmpeg:
  ffmpeg_bin: {get_ffmpeg_exe()}
stt:
  - platform: modem
tts:
  - platform: modem
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For requests."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as made:
        yield made


@pytest.fixture(scope="session")
def place() -> Path:
    """Where everything of this session is; it stays there until the next, with the logs."""
    folder = ROOT / ".run" / "live"
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
async def home(place: Path, session: aiohttp.ClientSession) -> AsyncIterator[HomeAssistant]:
    """Home Assistant after its first dialogs, with our integration among the custom ones, and nothing set up."""
    made = HomeAssistant(place / "home", session, configuration=CONFIGURATION + VOICE, components=[MODEM])
    try:
        await made.start()
        await made.onboard()
        yield made
    finally:
        await made.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser; without one the tests that look are skipped."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    async with running_browser() as made:
        yield made


@pytest.fixture(scope="session")
def album() -> Album:
    """Where screenshots are kept, for people to look at."""
    return Album(ROOT / ".run" / "screenshots")
