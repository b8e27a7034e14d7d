"""One Home Assistant, one service and one browser for the whole session: starting them takes longer than what they are asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from imageio_ffmpeg import get_ffmpeg_exe
from playwright.async_api import Browser

from tests.e2e.lab.fixtures import lab, prepared
from tests.live.browser import CHROMIUM, Album, running_browser
from tests.live.fixtures import empty_place, service, session
from tests.live.home_assistant import CONFIGURATION, HomeAssistant
from tests.live.service import ROOT

__all__ = ["lab", "prepared", "service", "session"]

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


@pytest.fixture(scope="session")
def place() -> Path:
    """Where everything of this session is."""
    return empty_place("live")


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
