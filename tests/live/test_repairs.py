"""What only a person can mend, seen and mended in Home Assistant's repairs."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.live.browser import Album, Dialog, logged_in
from tests.live.home_assistant import HomeAssistant
from tests.live.service import SECOND, TOKEN, Service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

NEWKEY = "+4915100000013"
LIMITED = "+4915100000015"
CHANGED = "Second: the safety number with Newkey has changed"
LIMIT = "Second: Signal wants to know that you are a person"
UNLINKED = "Second: Signal is no longer linked"


async def told(home: HomeAssistant, key: str) -> bool:
    """Whether an issue of ours is told."""
    found = (await home.ask("repairs/list_issues"))["issues"]
    return any(issue["domain"] == "signal_courier" and issue["translation_key"] == key for issue in found)


async def becomes(home: HomeAssistant, key: str, *, there: bool, within: float = 60) -> None:
    """Waits until an issue is told, or no more."""
    async with asyncio.timeout(within):
        while await told(home, key) is not there:  # noqa: ASYNC110  # it is another process that is asked
            await asyncio.sleep(0.1)


async def opened(page: Page, home: HomeAssistant, title: str) -> Dialog:
    """The dialog of an issue, from the list of repairs."""
    await page.goto(f"{home.base}/config/repairs")
    await page.get_by_text(title).first.click()
    return Dialog(page)


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def account(home: HomeAssistant, service: Service) -> AsyncIterator[None]:
    """The account SECOND, for these tests only."""
    entry_id = await home.add_account(service.base, SECOND, token=TOKEN)
    yield
    await home.call("DELETE", f"/api/config/config_entries/entry/{entry_id}")


async def test_a_safety_number_is_compared_and_a_captcha_given(
    home: HomeAssistant, service: Service, browser: Browser, album: Album
) -> None:
    for person in (NEWKEY, LIMITED):
        await service.call("POST", "/api/v2/messages", {"account": SECOND, "recipients": [person], "text": "Hello", "wait": 0})
    await becomes(home, "safety_number", there=True)
    await becomes(home, "challenge", there=True)
    async with logged_in(browser, home) as page:
        await page.goto(f"{home.base}/config/repairs")
        await page.get_by_text(CHANGED).first.wait_for()
        await album.take(page, "repairs")
        dialog = await opened(page, home, CHANGED)
        await dialog.shows("Do you trust Newkey?")
        await dialog.shows("If you can, compare")
        await album.take(page, "repair-safety-number")
        await dialog.choose("We have compared it, it is the same")
        await dialog.shows("repaired")
        dialog = await opened(page, home, LIMIT)
        await dialog.shows("Solve a captcha")
        await album.take(page, "repair-captcha")
        await dialog.fill(captcha="signalcaptcha://signal-hcaptcha.solved.challenge.x")
        await dialog.submit()
        await dialog.shows("repaired")
    await becomes(home, "safety_number", there=False)
    await becomes(home, "challenge", there=False)


async def test_a_phone_that_has_removed_the_device_scans_a_new_code(
    home: HomeAssistant, service: Service, place: Path, browser: Browser, album: Album
) -> None:
    await service.stop()
    state = place / "service" / "data" / "simulator" / "state.json"
    world = json.loads(state.read_text())
    (account,) = (one for one in world["accounts"].values() if one["number"] == SECOND)
    account |= {"device_id": 2, "loaded": False, "unlinked": True}
    state.write_text(json.dumps(world))
    await service.start()
    await becomes(home, "unlinked", there=True)
    async with logged_in(browser, home, dark=True, phone=True) as page:
        dialog = await opened(page, home, UNLINKED)
        await album.take(page, "phone-repair-unlinked")
        await dialog.shows(f"Link {SECOND} again")
        await album.take(page, "phone-relink")
        await dialog.submit()
        await service.scan(await dialog.code())
        await dialog.shows("Reconfiguration was successful")
    await becomes(home, "unlinked", there=False)
