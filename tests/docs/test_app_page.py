"""Who follows the app's documentation word by word, on the page that the app shows, gets there."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Locator, Page

from tests.docs.pages import ROOT, blocks
from tests.docs.shell import Terminal, terminal
from tests.live.browser import CHROMIUM, DESKTOP, running_browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

_DOCS = ROOT / "addon" / "DOCS.md"


async def _operation(page: Page, topic: str, name: str) -> Locator:
    """Open a topic and a route in it."""
    shown = page.locator(f"#operations-{topic}-{name}")
    if not await shown.is_visible():
        await page.locator(f"#operations-tag-{topic} button").click()
    await shown.locator(".opblock-summary-control").click()
    await shown.locator(".execute").wait_for()
    return shown


async def _execute(shown: Locator) -> int:
    """Press *Execute*; gives the status of the answer."""
    await shown.locator(".execute").click()
    status = shown.locator(".live-responses-table .response-col_status").last
    await status.wait_for()
    return int((await status.inner_text()).split()[0])


def _body(word: str) -> str:
    return next(block.text for block in blocks(_DOCS, "json") if word in block.text)


def test_the_first_account_the_first_message_and_the_first_token_are_had_as_the_documentation_says(tmp_path: Path) -> None:
    with terminal(tmp_path) as here:
        asyncio.run(_follow(here))


async def _follow(here: Terminal) -> None:
    async with running_browser() as browser:
        page = await browser.new_page(viewport={"width": DESKTOP["width"], "height": DESKTOP["height"]})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        await page.goto(f"http://127.0.0.1:{here.port}/swagger/index.html")

        link = await _operation(page, "Devices", "get_qr_code_link")
        await link.locator("input[placeholder^=device_name]").fill("home")
        assert await _execute(link) == 200
        picture = link.locator(".live-responses-table img")
        await picture.wait_for()
        codes = zxingcpp.read_barcodes(Image.open(io.BytesIO(await picture.screenshot())).convert("L"))
        assert [code.text.startswith("sgnl://linkdevice?") for code in codes] == [True], "a phone can scan what is on the screen"

        send = await _operation(page, "Messages", "send_v2")
        await send.locator("textarea").fill(_body("recipients"))
        assert await _execute(send) == 201

        make = await _operation(page, "Access", "create_token")
        await make.locator("textarea").fill(_body("scopes"))
        assert await _execute(make) == 201
        token: dict[str, Any] = json.loads(await make.locator(".live-responses-table .highlight-code code").first.inner_text())
        assert here.paste(f"curl -H 'Authorization: Bearer {token['token']}' localhost:8080/api/v2/tokens/self")
        assert complaints == []
