"""A service that announces itself on the network is offered, asks for its token, and is followed to a new address."""

from ipaddress import ip_address

import pytest
from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_ZEROCONF, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.const import CONF_INSTANCE, DOMAIN
from tests.integration.courier import HOME, TOKEN, Courier
from tests.integration.flows.dialogs import Result, choose, give

INSTANCE = "b0f8a1f2c3d44e5f"


async def announced(hass: HomeAssistant, port: int | None, *, host: str = "127.0.0.1", **told: str) -> Result:
    """Zeroconf brings the announcement."""
    address = ip_address(host)
    info = ZeroconfServiceInfo(
        ip_address=address,
        ip_addresses=[address],
        port=port,
        hostname="courier.local.",
        type="_signal-courier._tcp.local.",
        name="Signal Courier._signal-courier._tcp.local.",
        properties={"id": INSTANCE, "version": "0.1.0"} | told,
    )
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_ZEROCONF}, data=info)


async def test_an_announced_service_is_set_up_with_its_token(hass: HomeAssistant, courier: Courier) -> None:
    result = await announced(hass, courier.port)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "zeroconf_confirm")
    assert result["description_placeholders"]["url"] == courier.url
    result = await give(hass, result, token="wrong-token-0123456789", verify_ssl=True)
    assert result["errors"] == {"token": "invalid_auth"}
    result = await give(hass, result, token=TOKEN, verify_ssl=True)
    result = await choose(hass, result, "existing")
    result = await give(hass, result, account=HOME)
    assert (result["type"], result["data"]["url"]) == (FlowResultType.CREATE_ENTRY, courier.url)
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(result["result"].entry_id)


async def test_one_that_has_gone_meanwhile_is_told(hass: HomeAssistant, courier: Courier) -> None:
    result = await announced(hass, courier.port)
    await courier.stop()
    result = await give(hass, result, token=TOKEN, verify_ssl=True)
    assert result["errors"] == {"base": "cannot_connect"}


async def test_the_address_is_written_as_it_has_to_be(hass: HomeAssistant) -> None:
    result = await announced(hass, 8080, host="fd00::5", tls="1")
    assert result["description_placeholders"]["url"] == "https://[fd00::5]:8080"


async def test_an_announcement_without_an_id_is_not_offered(hass: HomeAssistant) -> None:
    assert (await announced(hass, 8080, id=""))["reason"] == "not_signal_courier"


async def test_one_that_is_ignored_is_not_offered_again(hass: HomeAssistant) -> None:
    MockConfigEntry(domain=DOMAIN, source=SOURCE_IGNORE, unique_id=INSTANCE).add_to_hass(hass)
    assert (await announced(hass, 8080))["reason"] == "already_configured"


async def test_a_service_with_a_new_address_is_followed(hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry) -> None:
    old = {**config_entry.data, CONF_INSTANCE: INSTANCE, "url": "http://127.0.0.9:1"}
    hass.config_entries.async_update_entry(config_entry, data=old)
    await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.reason is not None
    assert (await announced(hass, courier.port))["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert config_entry.data["url"] == courier.url
    assert config_entry.state is ConfigEntryState.LOADED
    await hass.config_entries.async_unload(config_entry.entry_id)


@pytest.mark.parametrize("chosen", ["http://courier.lan:8080", "https://127.0.0.1:8443"])
async def test_an_address_that_somebody_chose_stays(hass: HomeAssistant, config_entry: MockConfigEntry, chosen: str) -> None:
    hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, CONF_INSTANCE: INSTANCE, "url": chosen})
    assert (await announced(hass, 8080))["reason"] == "already_configured"
    assert config_entry.data["url"] == chosen


async def test_an_entry_that_waits_is_tried_again_at_its_own_address(
    hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, CONF_INSTANCE: INSTANCE})
    await courier.stop()
    await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.reason is not None
    await courier.again()
    await announced(hass, courier.port)
    await hass.async_block_till_done()
    assert config_entry.state is ConfigEntryState.LOADED
    await hass.config_entries.async_unload(config_entry.entry_id)


async def test_an_entry_knows_its_service_by_the_id_that_is_announced(hass: HomeAssistant, courier: Courier, setup_integration) -> None:
    entry = await setup_integration()
    instance = entry.data[CONF_INSTANCE]
    assert len(instance) == 32
    await courier.stop()
    hass.config_entries.async_update_entry(entry, data={**entry.data, "url": "http://127.0.0.9:1"})  # where it was before
    await hass.async_block_till_done()
    await courier.again()
    assert (await announced(hass, courier.port, id=instance))["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert (entry.data["url"], entry.state) == (courier.url, ConfigEntryState.LOADED)
