"""Adding a conversation: picked by name or typed, whoever wrote last is suggested; how Assist answers there can be changed."""

from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigSubentry, SubentryFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.client.models import Conversation
from custom_components.signal_courier.const import CONF_CONVERSATION_ID, CONF_KIND, SUBENTRY_CONVERSATION
from custom_components.signal_courier.flows.conversation import ASSIST_DEFAULTS, by_label
from tests.integration.conftest import Setup, conversation_subentry
from tests.integration.courier import ECHO, HOME, NEWKEY, NOBODY, POLLY, Courier, uuid_of
from tests.integration.waiting import wait_for

ASSIST = dict(ASSIST_DEFAULTS)


async def opened(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """The dialog that adds a conversation."""
    return await hass.config_entries.subentries.async_init((entry.entry_id, SUBENTRY_CONVERSATION), context={"source": SOURCE_USER})


async def given(hass: HomeAssistant, result: Any, conversation: str, **assist: object) -> Any:
    """The dialog filled in."""
    fields = {"conversation": conversation, "assist": ASSIST | assist}
    return await hass.config_entries.subentries.async_configure(result["flow_id"], fields)


POLLY_LABEL = f"Polly Vote ({POLLY})"


def choices(result: Any) -> list[str]:
    """What the list offers, in its order. What is chosen stands in the field as it is, so it is a name and no id."""
    schema = result["data_schema"].schema
    options = [one for key, field in schema.items() if key == "conversation" for one in field.config["options"]]
    assert all(one["value"] == one["label"] for one in options)
    return [one["label"] for one in options]


def suggested(result: Any) -> str | None:
    """What is filled in already."""
    (key,) = (key for key in result["data_schema"].schema if key == "conversation")
    return (key.description or {}).get("suggested_value")


async def test_a_person_is_picked_by_name(hass: HomeAssistant, setup_integration: Setup) -> None:
    entry = await setup_integration()
    result = await opened(hass, entry)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    offered = choices(result)
    assert POLLY_LABEL in offered
    assert not [label for label in offered if "Echo" in label or "Demo" in label], "added already"
    assert suggested(result) is None
    result = await given(hass, result, POLLY_LABEL, enabled=True, agent_id="conversation.home_assistant")
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Polly Vote")
    await hass.async_block_till_done()
    (made,) = (one for one in entry.subentries.values() if one.unique_id == uuid_of(POLLY))
    assert dict(made.data) == {
        CONF_CONVERSATION_ID: uuid_of(POLLY), "name": "Polly Vote", CONF_KIND: "person",
        "assist": ASSIST | {"enabled": True, "agent_id": "conversation.home_assistant"},
    }  # fmt: skip


async def test_groups_and_the_blocked_are_told_apart(
    hass: HomeAssistant, courier: Courier, config_entry: MockConfigEntry, setup_integration: Setup
) -> None:
    for subentry in list(config_entry.subentries):
        hass.config_entries.async_remove_subentry(config_entry, subentry)
    await courier.signal_cli("block", account=HOME, recipient=[POLLY])
    offered = choices(await opened(hass, await setup_integration()))
    assert "👥 Demo" in offered
    assert POLLY_LABEL not in offered


async def test_whoever_wrote_last_is_suggested_and_comes_first(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    entry = await setup_integration()
    await courier.deliver("Hello?", sender=POLLY)
    await wait_for(entry.runtime_data.conversations.recent)
    result = await opened(hass, entry)
    assert suggested(result) == POLLY_LABEL
    assert choices(result)[0] == POLLY_LABEL


def test_two_of_the_same_name_can_be_told_apart() -> None:
    again = [Conversation(id=uuid_of(name), name="Anna") for name in ("a", "b")]
    labels = by_label(again)
    assert len(labels) == 2
    assert list(labels.values()) == [one.id for one in again]


@pytest.mark.parametrize(
    ("typed", "conversation", "name"),
    [
        (POLLY, uuid_of(POLLY), "Polly Vote"),
        ("+49 151 00000012", uuid_of(POLLY), "Polly Vote"),
        ("polly vote", uuid_of(POLLY), "Polly Vote"),
        ("u:shade.01", uuid_of("shade"), "Shade"),
        ("shade.01", uuid_of("shade"), "Shade"),
    ],
)
async def test_a_number_name_or_username_can_be_typed(
    hass: HomeAssistant, setup_integration: Setup, typed: str, conversation: str, name: str
) -> None:
    entry = await setup_integration()
    result = await given(hass, await opened(hass, entry), typed)
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, name)
    assert result["unique_id"] == conversation


@pytest.mark.parametrize("forgotten", [POLLY, "shade"])
async def test_somebody_who_is_no_contact_is_looked_up_at_signal(
    hass: HomeAssistant, courier: Courier, setup_integration: Setup, forgotten: str
) -> None:
    await courier.signal_cli("removeContact", account=HOME, recipient=uuid_of(forgotten), forget=True)
    entry = await setup_integration()
    typed = forgotten if forgotten == POLLY else "shade.01"
    result = await given(hass, await opened(hass, entry), typed)
    assert (result["type"], result["unique_id"]) == (FlowResultType.CREATE_ENTRY, uuid_of(forgotten))
    assert result["title"] == typed


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        (NOBODY, "problem_not_on_signal"),
        ("nobody.99", "problem_not_on_signal"),
        ("who is that", "conversation_unknown"),
        ("group.bm90aGluZw==", "conversation_unknown"),
        ("00000000-0000-4000-8000-000000000000", "conversation_unknown"),
        (ECHO, "conversation_added"),
    ],
)
async def test_what_cannot_be_added_is_said_at_its_field(hass: HomeAssistant, setup_integration: Setup, typed: str, error: str) -> None:
    entry = await setup_integration()
    result = await given(hass, await opened(hass, entry), typed)
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"conversation": error})
    result = await given(hass, result, uuid_of(NEWKEY))
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_somebody_who_was_added_by_number_is_not_added_again_by_name(
    hass: HomeAssistant, config_entry: MockConfigEntry, setup_integration: Setup
) -> None:
    by_number = conversation_subentry(POLLY, POLLY, "person")
    hass.config_entries.async_add_subentry(config_entry, ConfigSubentry(**{**by_number, "data": MappingProxyType(by_number["data"])}))
    entry = await setup_integration()
    result = await opened(hass, entry)
    assert POLLY_LABEL not in choices(result)
    assert (await given(hass, result, uuid_of(POLLY)))["errors"] == {"conversation": "conversation_added"}


async def test_a_service_that_does_not_answer_is_said(hass: HomeAssistant, courier: Courier, setup_integration: Setup) -> None:
    entry = await setup_integration()
    result = await opened(hass, entry)
    await courier.stop()
    for typed in ("+4915100000077", "Somebody"):
        result = await given(hass, result, typed)
        assert result["errors"] == {"conversation": "cannot_connect"}


async def test_an_account_that_is_not_connected_adds_nothing(hass: HomeAssistant, config_entry: MockConfigEntry) -> None:
    result = await opened(hass, config_entry)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_loaded")


@pytest.mark.parametrize("loaded", [True, False])
async def test_how_assist_answers_can_be_changed(
    hass: HomeAssistant, config_entry: MockConfigEntry, setup_integration: Setup, loaded: bool
) -> None:
    if loaded:
        await setup_integration()
    (subentry,) = (one for one in config_entry.subentries.values() if one.unique_id == uuid_of(ECHO))
    context = SubentryFlowContext(source=SOURCE_RECONFIGURE, subentry_id=subentry.subentry_id)
    key = (config_entry.entry_id, SUBENTRY_CONVERSATION)
    result = await hass.config_entries.subentries.async_init(key, context=context)
    assert (result["step_id"], result["description_placeholders"]) == ("reconfigure", {"conversation": "Echo Hill"})
    changed = {**ASSIST, "enabled": True, "confirm_sensitive": False}
    result = await hass.config_entries.subentries.async_configure(result["flow_id"], changed)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    kept = config_entry.subentries[subentry.subentry_id].data
    assert kept["assist"] == changed
    assert kept[CONF_CONVERSATION_ID] == uuid_of(ECHO)
