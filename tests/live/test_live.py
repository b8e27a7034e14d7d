"""In this order: each test goes on where the one before has stopped."""

import pytest
from playwright.async_api import Browser

from tests.live.browser import Album, add_integration, logged_in
from tests.live.home_assistant import HomeAssistant
from tests.live.service import Service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def test_home_assistant_knows_the_integration(home: HomeAssistant, service: Service, browser: Browser, album: Album) -> None:
    async with logged_in(browser, home) as page:
        await add_integration(page, home)
        await page.get_by_text("Signal Courier").first.wait_for()
        await album.take(page, "user")
