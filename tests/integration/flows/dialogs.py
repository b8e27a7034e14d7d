"""Driving dialogs in tests, as the frontend does."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager, FlowResultType, UnknownFlow

from custom_components.signal_courier.const import DOMAIN
from tests.integration.courier import TOKEN, Courier
from tests.integration.waiting import wait_for

type Result = Any
"""What a dialog shows; the managers' types differ, and tests look into every corner of it."""


async def begin(hass: HomeAssistant, **connection: object) -> Result:
    """Open the dialog; with `url` and perhaps `token` also fill in its first form."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    if not connection:
        return result
    return await hass.config_entries.flow.async_configure(result["flow_id"], {"verify_ssl": True, **connection})


async def connected(hass: HomeAssistant, courier: Courier) -> Result:
    """The dialog with the service reached: the menu of accounts."""
    result = await begin(hass, url=courier.url, token=TOKEN)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "add_account"), result
    return result


async def choose(hass: HomeAssistant, result: Result, option: str) -> Result:
    """Take an option of a menu."""
    assert option in result["menu_options"]
    return await hass.config_entries.flow.async_configure(result["flow_id"], {"next_step_id": option})


async def give(hass: HomeAssistant, result: Result, **fields: object) -> Result:
    """Fill in a form."""
    assert result["type"] is FlowResultType.FORM
    return await hass.config_entries.flow.async_configure(result["flow_id"], fields)


async def progressed(hass: HomeAssistant, result: Result, *, within: float = 30) -> Result:
    """What comes after all progress: the dialog goes on by itself, and the frontend asks for what it shows then."""
    flow: FlowManager[Any, Any, Any] = hass.config_entries.flow
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        step = result["step_id"]

        def moved_on(step: str = step, flow_id: str = result["flow_id"]) -> bool:
            now = flow.async_get(flow_id)
            return now.get("step_id") != step

        await wait_for(moved_on, within)
        result = await flow.async_configure(result["flow_id"])
    return result


async def refreshed(hass: HomeAssistant, result: Result) -> Result:
    """What a dialog in progress shows now, as the frontend asks when it was told of a change."""
    return await hass.config_entries.flow.async_configure(result["flow_id"])


def is_open(hass: HomeAssistant, flow_id: str) -> bool:
    """Whether a dialog is still there."""
    try:
        hass.config_entries.flow.async_get(flow_id)
    except UnknownFlow:
        return False
    return True
