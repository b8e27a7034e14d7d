"""The options: who may trigger something is picked by name and kept by id; everything else is as it was until it is changed."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.const import CONF_ALLOWED_SENDERS, CONF_LATE_AFTER
from custom_components.signal_courier.flows.options import DEFAULTS
from tests.integration.conftest import Setup
from tests.integration.courier import POLLY, uuid_of


async def opened(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """The dialog."""
    return await hass.config_entries.options.async_init(entry.entry_id)


async def given(hass: HomeAssistant, result: Any, **fields: object) -> Any:
    """The dialog filled in."""
    return await hass.config_entries.options.async_configure(result["flow_id"], {**DEFAULTS, **fields})


async def test_options_are_kept_and_take_effect(hass: HomeAssistant, setup_integration: Setup) -> None:
    entry = await setup_integration()
    before = entry.runtime_data
    result = await opened(hass, entry)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "init")
    typed = ["polly vote", POLLY, "*", "shade.01"]
    result = await given(hass, result, allowed_senders=typed, late_after=60.0, read_receipts=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.options[CONF_ALLOWED_SENDERS] == [uuid_of(POLLY), "*", uuid_of("shade")]
    assert (entry.options[CONF_LATE_AFTER], type(entry.options[CONF_LATE_AFTER])) == (60, int)
    assert entry.runtime_data is not before


async def test_the_dialog_shows_what_is_set(hass: HomeAssistant, config_entry: MockConfigEntry, setup_integration: Setup) -> None:
    hass.config_entries.async_update_entry(config_entry, options={CONF_ALLOWED_SENDERS: [uuid_of(POLLY), "+4915100000077"]})
    result = await opened(hass, await setup_integration())
    fields = {key.schema: ((key.description or {}).get("suggested_value"), field) for key, field in result["data_schema"].schema.items()}
    assert fields[CONF_ALLOWED_SENDERS][0] == [uuid_of(POLLY), "+4915100000077"]
    labels = {one["value"]: one["label"] for one in fields[CONF_ALLOWED_SENDERS][1].config["options"]}
    assert labels[uuid_of(POLLY)] == f"Polly Vote ({POLLY})"
    assert labels["+4915100000077"] == "+4915100000077"
    assert fields[CONF_LATE_AFTER][0] == 300


async def test_somebody_unknown_is_said_at_the_field(hass: HomeAssistant, setup_integration: Setup) -> None:
    entry = await setup_integration()
    result = await given(hass, await opened(hass, entry), allowed_senders=["who is that"])
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {CONF_ALLOWED_SENDERS: "sender_unknown"})
    assert result["description_placeholders"]["sender"] == "who is that"
    result = await given(hass, result, allowed_senders=[])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_an_account_that_is_not_connected_keeps_its_options(hass: HomeAssistant, config_entry: MockConfigEntry) -> None:
    result = await opened(hass, config_entry)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_loaded")
