"""Linking in the dialog: the code is a picture, renews itself, and the dialog goes on when the phone has scanned it."""

import asyncio
import base64
import struct

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.signal_courier.const import CONF_ACCOUNT
from tests.integration.courier import Courier, uuid_of
from tests.integration.flows.dialogs import Result, choose, connected, is_open, progressed, refreshed

LINKED = "+4915100000003"
"""The number that the simulated phone has."""
PICTURE = "![QR](data:image/png;base64,"
NEVER = 1e-3
"""People who take so long that nobody scans during a test."""


async def shown(hass: HomeAssistant, result: Result, *, other_than: str | None = None) -> str:
    """The picture, once there is one (other than the last)."""
    async with asyncio.timeout(10):
        while (picture := ((await refreshed(hass, result))["description_placeholders"] or {}).get("qr")) in (None, other_than):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert picture is not None
    return picture


async def test_the_dialog_goes_on_by_itself_when_the_phone_has_scanned(hass: HomeAssistant, courier: Courier) -> None:
    await courier.renew(speed=5)
    result = await choose(hass, await connected(hass, courier), "link")
    assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "link_start")
    picture = await shown(hass, result)
    png = base64.b64decode(picture.removeprefix(PICTURE).removesuffix(")"))
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert width == height >= 200
    step = await refreshed(hass, result)
    assert step["progress_action"] == "link_scan"
    result = await progressed(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = result["result"]
    assert (entry.title, entry.unique_id, entry.data[CONF_ACCOUNT]) == ("Linked", uuid_of(LINKED), LINKED)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert {one.name for one in entry.runtime_data.conversations.all.values()} >= {"Echo Hill", "Polly Vote"}
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_code_that_expires_is_replaced_in_place(hass: HomeAssistant, courier: Courier) -> None:
    await courier.renew(speed=NEVER)
    await courier.pace_links(renew_after=0.1)
    result = await choose(hass, await connected(hass, courier), "link")
    first = await shown(hass, result)
    second = await shown(hass, result, other_than=first)
    assert second.startswith(PICTURE)
    assert (await refreshed(hass, result))["step_id"] == "link"
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()


async def test_a_link_that_nobody_scans_is_told_and_can_be_begun_again(hass: HomeAssistant, courier: Courier) -> None:
    await courier.renew(speed=NEVER)
    await courier.pace_links(lifetime=0.2)
    result = await progressed(hass, await choose(hass, await connected(hass, courier), "link"))
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "link_failed")
    assert "nobody has scanned" in result["description_placeholders"]["reason"]
    await courier.pace_links()
    result = await choose(hass, result, "link")
    assert await shown(hass, result)
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    assert await courier.waiting_links() == 0


async def test_whoever_closes_the_dialog_leaves_no_code_behind(hass: HomeAssistant, courier: Courier) -> None:
    await courier.renew(speed=NEVER)
    result = await choose(hass, await connected(hass, courier), "link")
    await shown(hass, result)
    assert await courier.waiting_links() == 1
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    assert not is_open(hass, result["flow_id"])
    assert await courier.waiting_links() == 0


async def test_a_service_that_goes_away_meanwhile_is_told_and_can_be_tried_again(hass: HomeAssistant, courier: Courier) -> None:
    await courier.renew(speed=NEVER)
    result = await choose(hass, await connected(hass, courier), "link")
    await shown(hass, result)
    await courier.stop()
    result = await progressed(hass, result)
    assert result["step_id"] == "link_failed"
    result = await progressed(hass, await choose(hass, result, "link"))
    assert result["step_id"] == "link_failed"
    await courier.again()
    result = await choose(hass, result, "link")
    assert await shown(hass, result)
    await courier.stop()
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()


async def test_an_account_that_cannot_be_told_of_ends_the_dialog(hass: HomeAssistant, courier: Courier) -> None:
    await courier.renew(speed=20)
    result = await choose(hass, await connected(hass, courier), "existing")
    await courier.stop()
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {"account": "+4915100000001"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "account_failed")
