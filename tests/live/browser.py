"""A browser that is logged in to Home Assistant, and eyes for what it shows."""

import asyncio
import contextlib
import io
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from tests.live.home_assistant import HomeAssistant

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextlib.asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def logged_in(browser: Browser, home: HomeAssistant, *, dark: bool = False, phone: bool = False) -> AsyncIterator[Page]:
    """A page of Home Assistant's frontend, logged in."""
    size = PHONE if phone else DESKTOP
    context = await browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if dark else "light",
        is_mobile=phone,
        has_touch=phone,
        locale="en-GB",
    )
    tokens = json.dumps(json.dumps(home.tokens))
    await context.add_init_script(f"localStorage.setItem('hassTokens', {tokens})")
    context.set_default_timeout(60_000)
    try:
        yield await context.new_page()
    finally:
        await context.close()


class Dialog:
    """The dialog in which Home Assistant sets things up."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._box = page.locator("dialog-data-entry-flow")

    @classmethod
    async def add_integration(cls, page: Page, home: HomeAssistant, domain: str = "signal_courier") -> Self:
        """Opens the one that sets up an integration."""
        await page.goto(f"{home.base}/config/integrations/dashboard/add?domain={domain}")
        await page.get_by_role("button", name="OK").click()  # whether it is to be set up
        return cls(page)

    async def fill(self, **fields: str) -> None:
        """Types into fields, by their names."""
        for name, text in fields.items():
            await self._box.locator(f"input[name={name}]").fill(text)

    async def submit(self) -> None:
        """Presses the button that goes on."""
        await self._box.get_by_role("button", name="Submit").click()

    async def choose(self, text: str) -> None:
        """Takes one thing from a menu."""
        await self._box.get_by_text(text, exact=True).first.click()

    async def pick(self, text: str, *, nth: int = 0) -> None:
        """Takes one thing from a list that can be searched."""
        await self._box.locator("ha-generic-picker").nth(nth).click()
        await self._page.get_by_text(text, exact=True).last.click()

    async def press(self, name: str) -> None:
        """Presses a button."""
        await self._box.get_by_role("button", name=name).click()

    async def shows(self, text: str) -> None:
        """Waits until it says something."""
        await self._box.get_by_text(text).first.wait_for()

    async def code(self) -> str:
        """What a phone reads from the QR code on the screen."""
        async with asyncio.timeout(60):
            while True:
                if (read := qr_code(await self._page.screenshot())) is not None:
                    return read
                await self._page.wait_for_timeout(200)


def qr_code(picture: bytes) -> str | None:
    """What a phone reads from a picture of the screen."""
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    return found[0].text if found else None


class Album:
    """Keeps screenshots for people to look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def take(self, page: Page, name: str) -> bytes:
        """A picture of what the browser shows, kept as `<name>.png`."""
        picture = await page.screenshot(animations="disabled")
        (self.folder / f"{name}.png").write_bytes(picture)
        return picture
