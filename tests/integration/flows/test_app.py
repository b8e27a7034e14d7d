"""The app from the dialog, under a Supervisor: installed and started with consent, found by discovery, followed when it moves."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from homeassistant.config_entries import SOURCE_HASSIO, SOURCE_IGNORE, SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.app import REPOSITORY, SLUG
from custom_components.signal_courier.const import CONF_APP, DOMAIN
from custom_components.signal_courier.flows import app
from tests.integration.conftest import Setup
from tests.integration.courier import HOME, TOKEN, Courier
from tests.integration.flows.dialogs import Result, begin, choose, connected, give, is_open, progressed
from tests.integration.supervisor import UUID, Supervisor, supervised


@pytest.fixture
async def supervisor(hass: HomeAssistant, courier: Courier, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervisor]:
    """A Supervisor whose app is the service."""
    monkeypatch.setattr(app, "_START_PAUSE", 0.01)
    async with supervised(hass, SLUG) as supervisor:
        supervisor.told = {"host": "127.0.0.1", "port": courier.port, "token": TOKEN}
        yield supervisor


async def at_accounts(hass: HomeAssistant, result: Result) -> None:
    """The dialog has reached the service, which is kept as an app's."""
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "add_account"), result
    result = await choose(hass, result, "existing")
    result = await give(hass, result, account=HOME)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].data[CONF_APP] == SLUG
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(result["result"].entry_id)


async def test_the_app_is_installed_and_started_from_the_dialog(hass: HomeAssistant, supervisor: Supervisor) -> None:
    result = await begin(hass)
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, ["app", "manual"])
    supervisor.gate.clear()
    result = await choose(hass, result, "app")
    assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "app_install")
    supervisor.gate.set()
    await at_accounts(hass, await progressed(hass, result))
    assert supervisor.asked == [f"/store/addons/{SLUG}/install", f"/addons/{SLUG}/start"]


async def test_an_app_that_only_has_to_be_started_is_started(hass: HomeAssistant, supervisor: Supervisor) -> None:
    supervisor.installed = True
    await at_accounts(hass, await progressed(hass, await choose(hass, await begin(hass), "app")))
    assert supervisor.asked == [f"/addons/{SLUG}/start"]


async def test_an_app_that_runs_is_used_as_it_is(hass: HomeAssistant, supervisor: Supervisor) -> None:
    supervisor.installed = supervisor.started = True
    await at_accounts(hass, await progressed(hass, await choose(hass, await begin(hass), "app")))
    assert supervisor.asked == []


async def test_the_repository_is_only_added_with_consent(hass: HomeAssistant, supervisor: Supervisor) -> None:
    supervisor.in_store = False
    result = await choose(hass, await begin(hass), "app")
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "app_repository")
    assert result["description_placeholders"]["repository"] == REPOSITORY
    assert "my.home-assistant.io" in result["description_placeholders"]["store_link"]
    assert supervisor.asked == []
    result = await give(hass, result)
    await at_accounts(hass, await progressed(hass, result))
    assert supervisor.asked[:2] == ["/store/repositories", "/store/reload"]


@pytest.mark.parametrize(
    "refused", ["/store/repositories", f"/store/addons/{SLUG}/install", f"/addons/{SLUG}/start", f"/store/addons/{SLUG}"]
)
async def test_what_the_supervisor_refuses_is_told_and_can_be_tried_again(
    hass: HomeAssistant, supervisor: Supervisor, refused: str
) -> None:
    supervisor.in_store = refused != "/store/repositories"
    supervisor.failing.add(refused)
    result = await choose(hass, await begin(hass), "app")
    if result["type"] is FlowResultType.FORM:
        result = await give(hass, result)
    result = await progressed(hass, result)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "app_failed")
    assert "refused" in result["description_placeholders"]["reason"]
    supervisor.failing.clear()
    result = await choose(hass, result, "app")
    if result["type"] is FlowResultType.FORM:
        result = await give(hass, result)
    await at_accounts(hass, await progressed(hass, result))


async def test_an_app_that_does_not_answer_is_told_and_another_service_can_be_named(
    hass: HomeAssistant, supervisor: Supervisor, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_START_SECONDS", 0.2)
    supervisor.told = None
    result = await progressed(hass, await choose(hass, await begin(hass), "app"))
    assert result["step_id"] == "app_failed"
    result = await choose(hass, result, "manual")
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "manual")
    result = await give(hass, result, url="nonsense nonsense", verify_ssl=True)
    assert (result["step_id"], result["errors"]) == ("manual", {"url": "invalid_url"})
    result = await give(hass, result, url=courier.url, token=TOKEN, verify_ssl=True)
    assert result["step_id"] == "add_account"


async def test_an_app_that_answers_late_is_waited_for(hass: HomeAssistant, supervisor: Supervisor, courier: Courier) -> None:
    await courier.stop()
    result = await choose(hass, await begin(hass), "app")
    waiting = asyncio.create_task(progressed(hass, result))
    await asyncio.sleep(0)
    await courier.again()
    await at_accounts(hass, await waiting)


# -- discovery


async def discovered(hass: HomeAssistant, config: dict[str, object]) -> Result:
    """The Supervisor brings the app's message."""
    info = HassioServiceInfo(config=dict(config), name="Signal Courier", slug=SLUG, uuid=UUID)
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_HASSIO}, data=info)


def message(courier: Courier, **changed: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": courier.port, "token": TOKEN, **changed}


async def test_a_discovered_app_is_set_up_after_a_confirmation(hass: HomeAssistant, courier: Courier) -> None:
    result = await discovered(hass, message(courier))
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "hassio_confirm")
    await at_accounts(hass, await give(hass, result))


async def test_what_was_found_is_no_longer_offered_once_it_is_set_up_by_hand(hass: HomeAssistant, courier: Courier) -> None:
    offered = await discovered(hass, message(courier))
    other = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await choose(hass, await connected(hass, courier), "existing")
    result = await give(hass, result, account=HOME)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not is_open(hass, offered["flow_id"])
    assert is_open(hass, other["flow_id"])
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize("wrong", [{"port": 1}, {"token": "wrong-token-0123456789"}])
async def test_a_discovered_app_that_cannot_be_used_is_not_offered(hass: HomeAssistant, courier: Courier, wrong: dict[str, object]) -> None:
    result = await discovered(hass, message(courier, **wrong))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "cannot_connect")


async def test_a_message_that_lacks_the_address_is_not_offered(hass: HomeAssistant, courier: Courier) -> None:
    assert (await discovered(hass, {"token": TOKEN}))["reason"] == "cannot_connect"


async def test_an_app_that_has_moved_is_followed(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    entry = await setup_integration()
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_APP: SLUG})
    await hass.async_block_till_done()
    await courier.renew()
    result = await discovered(hass, message(courier))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    await hass.async_block_till_done()
    assert entry.data["url"] == courier.url
    assert entry.state is ConfigEntryState.LOADED


async def test_an_entry_that_waits_for_the_app_is_loaded_when_it_is_back(
    hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, CONF_APP: SLUG})
    await courier.stop()
    await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.reason is not None
    await courier.again()
    result = await discovered(hass, message(courier))
    assert result["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert config_entry.state is ConfigEntryState.LOADED
    await hass.config_entries.async_unload(config_entry.entry_id)


async def test_a_visit_from_the_device_page_leads_to_the_page_of_the_app(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup
) -> None:
    entry = await setup_integration()
    shown = {device.configuration_url for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)}
    assert shown == {courier.url}
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_APP: SLUG})
    await hass.async_block_till_done()
    shown = {device.configuration_url for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)}
    assert shown == {f"homeassistant://app/{SLUG}"}


async def test_the_same_message_again_loads_nothing_again(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    entry = await setup_integration()
    await discovered(hass, message(courier))
    await hass.async_block_till_done()
    before = entry.runtime_data
    assert (await discovered(hass, message(courier)))["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert entry.runtime_data is before


async def test_an_app_that_is_ignored_is_not_offered_again(hass: HomeAssistant, courier: Courier) -> None:
    MockConfigEntry(domain=DOMAIN, source=SOURCE_IGNORE, unique_id=UUID).add_to_hass(hass)
    assert (await discovered(hass, message(courier)))["reason"] == "already_configured"
