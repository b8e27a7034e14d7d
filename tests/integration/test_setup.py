"""Setting an account up, losing the service, finding it again, leaving."""

import logging
from pathlib import Path

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from custom_components.signal_courier.client import NotFound
from custom_components.signal_courier.const import DOMAIN
from custom_components.signal_courier.receiving.events import async_subscribe_all
from tests.integration.courier import ECHO, HOME, uuid_of
from tests.integration.waiting import wait_for

CONNECTIVITY = "binary_sensor.home_connectivity"


async def test_an_account_is_a_device_that_is_connected(hass: HomeAssistant, setup_integration):
    entry = await setup_integration()
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, uuid_of(HOME)), config_entry_id=entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    assert (device.name, device.entry_type, device.sw_version) == ("Home", dr.DeviceEntryType.SERVICE, "0.1.0")
    assert hass.states.get(CONNECTIVITY).state == "on"


async def test_a_message_is_told_once_with_who_wrote_it(courier, events):
    (timestamp,) = await courier.deliver("Is the heating on?")
    await wait_for(lambda: events)
    (event,) = events
    assert (event.type, event.sender.uuid, event.message.text) == ("message", uuid_of(ECHO), "Is the heating on?")
    assert (event.message.timestamp, event.late, event.allowed) == (timestamp, False, True)


async def test_nothing_is_missed_while_home_assistant_is_away(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    await hass.config_entries.async_unload(entry.entry_id)
    await courier.deliver("{n}", count=30)
    await courier.settled()
    texts = []
    async_subscribe_all(hass, lambda event: texts.append(event.message.text), types={"message"})
    await setup_integration()
    await wait_for(lambda: len(texts) == 30)
    assert texts == [str(n) for n in range(30)]


async def test_loss_and_return_are_told_in_one_line_each(hass: HomeAssistant, courier, events, caplog):
    caplog.set_level(logging.INFO, "custom_components.signal_courier")
    await courier.stop()
    await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "off")
    await courier.again()
    await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "on")
    await courier.deliver("Back again")
    await wait_for(lambda: [event for event in events if event.type == "message"])
    told = [record.getMessage() for record in caplog.records if record.name.startswith("custom_components.signal_courier")]
    assert [line for line in told if "is lost" in line or "is back" in line] == [line for line in told if "onnection" in line]
    assert len(told) == 2


def kept(hass: HomeAssistant) -> list[Path]:
    """Files of ours that Home Assistant's own storage does not know."""
    return list(Path(hass.config.path(".storage")).glob(f"{DOMAIN}*"))


async def test_removal_leaves_nothing_behind(hass: HomeAssistant, setup_integration, client, hass_storage):
    entry = await setup_integration()
    name = f"home-assistant-{entry.entry_id}"
    assert kept(hass)
    await hass.config_entries.async_remove(entry.entry_id)
    assert not [key for key in hass_storage if key.startswith(DOMAIN)]
    assert not kept(hass)
    with pytest.raises(NotFound):
        await client.events.delete_consumer(name)


async def test_without_the_service_set_up_is_tried_again(hass: HomeAssistant, courier, config_entry):
    await courier.stop()
    await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.state is ConfigEntryState.SETUP_RETRY


async def test_a_rejected_token_asks_for_another(hass: HomeAssistant, config_entry):
    hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, "token": "another-token-0123456789"})
    await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.state is ConfigEntryState.SETUP_ERROR
