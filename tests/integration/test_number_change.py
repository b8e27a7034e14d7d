"""An account whose owner takes another number stays the account that it was: entities, conversations and all."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.signal_courier.const import CONF_ACCOUNT, DOMAIN
from tests.integration.courier import ECHO, HOME, Courier
from tests.integration.waiting import wait_for

NEW = "+4915100000077"


async def take_another_number(courier: Courier) -> None:
    """As the owner does it with signal-cli."""
    await courier.signal_cli("startChangeNumber", account=HOME, number=NEW, captcha="signalcaptcha://solved.x")
    await courier.signal_cli("finishChangeNumber", account=HOME, number=NEW, verificationCode="123456")


async def test_an_account_goes_on_under_its_new_number(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    heard = async_capture_events(hass, f"{DOMAIN}_message")
    before = entry.runtime_data
    entities = set(hass.states.async_entity_ids())
    await take_another_number(courier)
    await entry.runtime_data.coordinator.async_refresh()
    await wait_for(lambda: entry.state is ConfigEntryState.LOADED and entry.runtime_data is not before)
    await wait_for(lambda: entry.runtime_data.events.connected)
    assert entry.data[CONF_ACCOUNT] == NEW
    assert set(hass.states.async_entity_ids()) == entities
    assert not ir.async_get(hass).issues
    await courier.deliver("Hello", account=NEW)
    await wait_for(lambda: [one.data["text"] for one in heard] == ["Hello"])
    sent = await hass.services.async_call(
        DOMAIN, "send_message", {"conversation": ECHO, "message": "Still me"}, blocking=True, return_response=True
    )
    assert sent is not None
    assert sent["state"] in {"sent", "delivered", "read"}


async def test_a_number_that_has_changed_while_home_assistant_was_down_is_learnt(
    hass: HomeAssistant, courier, config_entry, setup_integration
):
    await take_another_number(courier)
    entry = await setup_integration()
    assert entry.data[CONF_ACCOUNT] == NEW
    assert entry.runtime_data.coordinator.is_connected
