"""An entry is put in order in its own dialog: another token, another address, the same phone linked again; never another account."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, ConfigEntryState, ConfigFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.config_flow import CONF_RELINK
from custom_components.signal_courier.const import CONF_ACCOUNT, CONF_APP, DOMAIN
from tests.integration.conftest import Setup
from tests.integration.courier import HOME, SECOND, TOKEN, Courier, uuid_of
from tests.integration.flows.dialogs import Result, choose, give, progressed
from tests.integration.flows.test_config_flow import make_token


async def reconfigured(hass: HomeAssistant, entry: MockConfigEntry, data: Mapping[str, Any] | None = None) -> Result:
    """Open the dialog that changes an entry."""
    context = ConfigFlowContext(source=SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    return await hass.config_entries.flow.async_init(DOMAIN, context=context, data=data)


async def reauthenticated(hass: HomeAssistant, entry: MockConfigEntry) -> Result:
    """The dialog that Home Assistant opens when a token is refused."""
    entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == SOURCE_REAUTH
    return await hass.config_entries.flow.async_configure(flow["flow_id"])


async def with_other(hass: HomeAssistant, entry: MockConfigEntry, **changed: object) -> None:
    """The entry keeps something else, and is not set up."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, **changed})


async def test_a_refused_token_is_asked_for_and_replaced(hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry) -> None:
    await with_other(hass, config_entry, token="wrong-token-0123456789")
    await hass.config_entries.async_setup(config_entry.entry_id)
    await hass.async_block_till_done()
    assert config_entry.state.recoverable
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    result = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "reauth_confirm")
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["account"] == HOME
    result = await give(hass, result, token="another-wrong-token-0123456789")
    assert result["errors"] == {"token": "invalid_auth"}
    await courier.stop()
    result = await give(hass, result, token=TOKEN)
    assert result["errors"] == {"base": "cannot_connect"}
    await courier.again()
    result = await give(hass, result, token=TOKEN)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done()
    assert config_entry.data["token"] == TOKEN
    assert config_entry.state is ConfigEntryState.LOADED
    await hass.config_entries.async_unload(config_entry.entry_id)


async def test_a_token_that_works_again_is_asked_for_all_the_same(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    result = await reauthenticated(hass, await setup_integration())
    assert result["step_id"] == "reauth_confirm"
    result = await give(hass, result, token=TOKEN)
    assert result["reason"] == "reauth_successful"


async def test_a_token_of_another_account_is_refused(hass: HomeAssistant, courier: Courier, setup_integration: Setup, client: Any) -> None:
    entry = await setup_integration()
    scopes = ("send", "receive", "contacts", "groups", "accounts")
    result = await reauthenticated(hass, entry)
    result = await give(hass, result, token=await make_token(client, *scopes, accounts=[SECOND]))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "account_failed")
    assert entry.data["token"] == TOKEN


async def test_address_and_token_can_be_changed(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    entry = await setup_integration()
    result = await reconfigured(hass, entry)
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, ["reconfigure_connection", "relink"])
    result = await choose(hass, result, "reconfigure_connection")
    suggested = {key.schema: (key.description or {}).get("suggested_value") for key in result["data_schema"].schema}
    assert (suggested["url"], suggested["token"]) == (courier.url, None)
    result = await give(hass, result, url="not an address", verify_ssl=True)
    assert result["errors"] == {"url": "invalid_url"}
    result = await give(hass, result, url="http://127.0.0.1:1", verify_ssl=True)
    assert result["errors"] == {"url": "cannot_connect"}
    result = await give(hass, result, url=f"{courier.url}/", verify_ssl=False)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert (entry.data["url"], entry.data["token"], entry.data["verify_ssl"]) == (courier.url, TOKEN, False)
    assert entry.state is ConfigEntryState.LOADED


async def test_an_app_stays_one_at_its_own_address_only(hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry) -> None:
    await with_other(hass, config_entry, **{CONF_APP: "abcdef12_signal_courier"})

    async def changed() -> None:
        result = await choose(hass, await reconfigured(hass, config_entry), "reconfigure_connection")
        result = await give(hass, result, url=courier.url, verify_ssl=True)
        assert result["reason"] == "reconfigure_successful"
        await hass.async_block_till_done()

    await changed()
    assert config_entry.data[CONF_APP] == "abcdef12_signal_courier"
    await courier.renew()
    await changed()
    assert config_entry.data[CONF_APP] is None
    await hass.config_entries.async_unload(config_entry.entry_id)


async def test_a_phone_that_has_removed_the_device_is_linked_again(
    hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry
) -> None:
    await courier.unlink()
    result = await reauthenticated(hass, config_entry)
    assert (result["step_id"], result["description_placeholders"]["account"]) == ("relink", HOME)
    await courier.stop()
    result = await give(hass, result)
    assert result["errors"] == {"base": "cannot_connect"}
    await courier.again()
    result = await progressed(hass, await give(hass, result))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done()
    assert config_entry.state is ConfigEntryState.LOADED
    assert config_entry.unique_id == uuid_of(HOME)
    await hass.config_entries.async_unload(config_entry.entry_id)


async def test_another_phone_is_refused_and_changes_nothing(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    entry = await setup_integration()
    result = await choose(hass, await reconfigured(hass, entry), "relink")
    result = await progressed(hass, await give(hass, result))
    assert result["type"] is FlowResultType.ABORT, result
    assert result["reason"] == "wrong_account"
    assert result["description_placeholders"]["expected"] == HOME
    assert entry.data[CONF_ACCOUNT] == HOME


async def test_a_repair_leads_to_the_code_at_once(hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry) -> None:
    result = await reconfigured(hass, config_entry, {CONF_RELINK: True})
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "relink")
