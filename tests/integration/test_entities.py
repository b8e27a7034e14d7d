"""The entities of an account and of its conversations."""

import asyncio
import base64
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import async_update_entity
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.restore_state import RestoredExtraData, async_get
from homeassistant.setup import async_setup_component

from custom_components.signal_courier.client import SignalCourierClient
from custom_components.signal_courier.const import (
    CONF_APP,
    CONF_CONVERSATION_ID,
    CONF_KIND,
    CONF_READ_RECEIPTS,
    DOMAIN,
    SUBENTRY_CONVERSATION,
)
from custom_components.signal_courier.receiving.unread import async_tell_read
from custom_components.signal_courier.titles import with_title
from custom_components.signal_courier.update import newer
from tests.integration.courier import DEMO_GROUP, DEMO_GROUP_ID, ECHO, HOME, NOBODY, POLLY, SECOND, uuid_of
from tests.integration.supervisor import supervised
from tests.integration.waiting import wait_for, wait_until

UNREAD = "binary_sensor.echo_hill_unread"
LAST = "sensor.echo_hill_last_message"
LINK_CODE = f"sgnl://linkdevice?uuid=abc&pub_key={base64.b64encode(bytes([5]) + bytes(32)).decode()}"


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    assert found is not None, sorted(hass.states.async_entity_ids())
    return found.state


async def enable(hass: HomeAssistant, entry, *entity_ids: str) -> None:
    registry = er.async_get(hass)
    for entity_id in entity_ids:
        registry.async_update_entity(entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await wait_for(lambda: entry.runtime_data.events.connected)
    await hass.async_block_till_done()


async def sent_messages(client: SignalCourierClient) -> list[Any]:
    """What the service has sent, the newest first, as it tells it."""
    found = await client._transport.call("GET", "/api/v2/messages", query={"account": HOME, "direction": "sent"})
    assert isinstance(found["messages"], list)
    return found["messages"]


def own_envelope(timestamp: int, sync: dict) -> dict:
    """What the account's phone tells."""
    return {
        "source": HOME, "sourceNumber": HOME, "sourceUuid": uuid_of(HOME), "sourceDevice": 1, "timestamp": timestamp, "syncMessage": sync,
    }  # fmt: skip


# -- notify


async def test_a_title_is_the_first_line_in_bold(hass: HomeAssistant, courier, setup_integration, client):
    await setup_integration()
    data = {"entity_id": "notify.echo_hill", "message": "at the door", "title": "Somebody 👋"}
    await hass.services.async_call("notify", "send_message", data, blocking=True)
    (sent,) = await sent_messages(client)
    assert sent["message"]["text"] == "Somebody 👋\nat the door"
    assert sent["message"]["styles"] == [{"start": 0, "length": 11, "style": "BOLD"}]
    assert state(hass, "notify.echo_hill") not in (STATE_UNKNOWN, STATE_UNAVAILABLE)


async def test_a_group_is_written_to_as_well(hass: HomeAssistant, setup_integration, client):
    await setup_integration()
    await hass.services.async_call("notify", "send_message", {"entity_id": "notify.demo", "message": "Hello"}, blocking=True)
    (sent,) = await sent_messages(client)
    assert (sent["conversation"]["id"], sent["message"]["text"]) == (DEMO_GROUP, "Hello")


async def test_a_refusal_is_told_in_words(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    await courier.stop()
    with pytest.raises(HomeAssistantError) as refused:
        await entry.runtime_data.coordinator.hass.data["entity_components"]["notify"].get_entity("notify.demo").async_send_message("Hello")
    assert refused.value.translation_key == "cannot_connect"


def test_a_title_alone_is_a_text():
    assert with_title("", "Fire") == ("Fire", ({"start": 0, "length": 4, "style": "BOLD"},))
    assert with_title("Fire", None) == ("Fire", ())


# -- events


async def test_a_message_is_an_event_of_its_conversation_and_of_the_account(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    (timestamp,) = await courier.deliver("Is the heating on?")
    await wait_for(lambda: state(hass, "event.echo_hill") != STATE_UNKNOWN)
    for entity_id in ("event.echo_hill", "event.home"):
        told = hass.states.get(entity_id).attributes
        assert (told["event_type"], told["text"], told["sender"]) == ("message", "Is the heating on?", "Echo Hill")
        assert (told["sender_id"], told["sender_number"], told["timestamp"]) == (uuid_of(ECHO), ECHO, timestamp)
        assert told["handle"] == f"signal:{timestamp}:{uuid_of(ECHO)}:{uuid_of(ECHO)}"
        assert (told["late"], told["allowed"], told["is_group"], told["account"]) == (False, True, False, HOME)
    assert state(hass, "event.demo") == STATE_UNKNOWN


async def test_every_kind_of_event_has_its_type_and_what_belongs_to_it(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    (timestamp,) = await courier.deliver("One")
    await wait_for(lambda: state(hass, "event.echo_hill") != STATE_UNKNOWN)

    seen: dict[str, Any] = {}

    @callback
    def see(event: Event[EventStateChangedData]) -> None:
        attributes = event.data["new_state"].attributes
        seen[attributes["event_type"]] = attributes

    async_track_state_change_event(hass, "event.echo_hill", see)

    async def told(kind: str) -> Any:
        return await wait_for(lambda: seen.get(kind))

    target = {"targetAuthor": uuid_of(ECHO), "targetAuthorUuid": uuid_of(ECHO), "targetSentTimestamp": timestamp}
    await courier.speak({"reaction": {"emoji": "👍", "isRemove": False, **target}})
    reaction = await told("reaction")
    handle = f"signal:{timestamp}:{uuid_of(ECHO)}:{uuid_of(ECHO)}"
    assert (reaction["emoji"], reaction["removed"], reaction["target"]) == ("👍", False, handle)
    await courier.speak({"remoteDelete": {"timestamp": timestamp}})
    assert (await told("delete"))["target_timestamp"] == timestamp
    await courier.speak({"pollCreate": {"question": "Tea?", "allowMultiple": False, "options": ["Yes", "No"]}})
    poll = await told("poll_created")
    assert (poll["question"], poll["options"], poll["multiple"]) == ("Tea?", ["Yes", "No"], False)
    await courier.post({"typingMessage": {"action": "STARTED", "timestamp": 1}})
    assert (await told("typing"))["started"] is True
    await courier.deliver_sent("From the phone", recipient=ECHO)
    sent = await told("sent")
    assert (sent["action"], sent["text"], sent["sender_id"]) == ("message", "From the phone", uuid_of(HOME))


async def test_what_is_long_ago_is_told_as_late(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    envelope = {
        "source": ECHO, "sourceNumber": ECHO, "sourceUuid": uuid_of(ECHO), "sourceName": "Echo", "sourceDevice": 1,
        "timestamp": 1790000000000, "dataMessage": {"timestamp": 1790000000000, "message": "Long ago"},
    }  # fmt: skip
    await courier.inject({"account": HOME, "envelope": envelope})
    await wait_for(lambda: state(hass, "event.echo_hill") != STATE_UNKNOWN)
    assert hass.states.get("event.echo_hill").attributes["late"] is True


async def test_what_was_written_is_not_kept_over_a_restart(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    await courier.deliver("Secret")
    await wait_for(lambda: state(hass, "event.echo_hill") != STATE_UNKNOWN)
    entity = hass.data["entity_components"]["event"].get_entity("event.echo_hill")
    kept = entity.extra_restore_state_data.as_dict()
    assert kept["last_event_type"] == "message"
    assert "text" not in kept["last_event_attributes"]
    assert "text" in entity._unrecorded_attributes
    await hass.config_entries.async_reload(entry.entry_id)


# -- conversations


async def test_unread_follows_what_comes_and_what_is_read(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    assert state(hass, UNREAD) == "off"
    timestamps = await courier.deliver("{n}", count=3)
    await wait_for(lambda: hass.states.get(UNREAD).attributes["count"] == 3)
    await courier.speak({"remoteDelete": {"timestamp": timestamps[0]}})
    await wait_for(lambda: hass.states.get(UNREAD).attributes["count"] == 2)
    sent = {
        "destination": uuid_of(ECHO), "destinationNumber": ECHO, "destinationUuid": uuid_of(ECHO), "timestamp": timestamps[2] + 10,
        "message": "Answered on the phone",
    }  # fmt: skip
    await courier.inject({"account": HOME, "envelope": own_envelope(timestamps[2] + 10, {"sentMessage": sent})})
    await wait_for(lambda: state(hass, UNREAD) == "off")
    await courier.deliver("Once more")
    await wait_for(lambda: state(hass, UNREAD) == "on")
    async_tell_read(hass, entry.entry_id, uuid_of(ECHO), timestamps[0])
    assert state(hass, UNREAD) == "on"
    async_tell_read(hass, entry.entry_id, uuid_of(ECHO))
    assert state(hass, UNREAD) == "off"


async def test_a_conversation_that_is_added_knows_what_is_unread_in_it(hass: HomeAssistant, courier, client, setup_integration):
    await courier.deliver("{n}", count=3)
    await courier.settled()

    async def counted() -> bool:
        return (await client.conversations.get(ECHO)).unread == 3

    await wait_until(counted)
    await client.conversations.mark_read(uuid_of(ECHO), upto=(await client.messages.history(conversation=ECHO)).messages[-1].timestamp)
    await setup_integration()
    assert (state(hass, UNREAD), hass.states.get(UNREAD).attributes["count"]) == ("on", 2)
    assert state(hass, "binary_sensor.demo_unread") == "off"


@pytest.mark.parametrize(("known", "expected"), [(None, 2), (10**9, 0)])
async def test_what_was_not_stored_before_a_kill_is_unread_all_the_same(hass: HomeAssistant, courier, setup_integration, known, expected):
    entry = await setup_integration()
    await courier.deliver("{n}", count=2)
    await wait_for(lambda: hass.states.get(UNREAD).attributes["count"] == 2)
    assert await hass.config_entries.async_unload(entry.entry_id)
    stored = async_get(hass).last_states[UNREAD]
    stored.extra_data = RestoredExtraData({"timestamps": [], **({} if known is None else {"position": known})})
    await setup_integration()
    assert hass.states.get(UNREAD).attributes["count"] == expected


async def test_what_was_read_on_the_phone_is_read_here(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    timestamps = await courier.deliver("{n}", count=2)
    await wait_for(lambda: hass.states.get(UNREAD).attributes["count"] == 2)
    read = [{"sender": uuid_of(ECHO), "senderUuid": uuid_of(ECHO), "senderNumber": ECHO, "timestamp": timestamps[0]}]
    await courier.inject({"account": HOME, "envelope": own_envelope(timestamps[1] + 10, {"readMessages": read})})
    await wait_for(lambda: hass.states.get(UNREAD).attributes["count"] == 1)


async def test_the_last_message_is_shown_without_being_recorded(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    assert state(hass, LAST) == STATE_UNKNOWN
    await courier.deliver("x" * 1000)
    await wait_for(lambda: state(hass, LAST) != STATE_UNKNOWN)
    assert hass.states.get(LAST).attributes["text"] == "x" * 1000
    assert "text" in hass.data["entity_components"]["sensor"].get_entity(LAST)._unrecorded_attributes
    before = state(hass, LAST)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, LAST) == before


async def test_a_message_that_is_taken_back_is_no_longer_shown(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    (timestamp,) = await courier.deliver("Oops")
    await wait_for(lambda: hass.states.get(LAST).attributes.get("text") == "Oops")
    await courier.speak({"remoteDelete": {"timestamp": timestamp}})
    await wait_for(lambda: hass.states.get(LAST).attributes.get("text") is None)


async def test_a_group_tells_its_members(hass: HomeAssistant, setup_integration):
    entry = await setup_integration()
    await enable(hass, entry, "sensor.demo_members")
    found = hass.states.get("sensor.demo_members")
    assert found.state == "5"
    assert {"name": "Echo Hill", "id": uuid_of(ECHO)} in found.attributes["members"]
    assert found.attributes["admins"] == ["Home"]


async def test_a_conversation_is_renamed_without_a_reload(hass: HomeAssistant, courier, setup_integration, client):
    entry = await setup_integration()
    data = entry.runtime_data
    await client.groups.change(DEMO_GROUP, name="Family")
    await courier.settled()
    await data.conversations.async_refresh()
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, f"{uuid_of(HOME)}_{DEMO_GROUP}"), config_entry_id=entry.entry_id)
    assert device.name == "Family"
    assert entry.runtime_data is data
    subentry = next(one for one in entry.subentries.values() if one.unique_id == DEMO_GROUP)
    assert subentry.title == "Family"
    await hass.async_block_till_done()
    assert entry.runtime_data is data


async def test_a_conversation_keeps_the_title_that_somebody_gave_it(hass: HomeAssistant, courier, config_entry, setup_integration, client):
    subentry = next(one for one in config_entry.subentries.values() if one.unique_id == DEMO_GROUP)
    hass.config_entries.async_update_subentry(config_entry, subentry, title="My people")
    await client.groups.change(DEMO_GROUP, name="Family")
    await courier.settled()
    await setup_integration()
    assert (subentry.title, subentry.data["name"]) == ("My people", "Family")


async def test_a_conversation_that_was_renamed_while_home_assistant_was_down_has_the_new_title(
    hass: HomeAssistant, courier, config_entry, setup_integration, client
):
    await client.groups.change(DEMO_GROUP, name="Family")
    await courier.settled()
    await setup_integration()
    assert "Family" in {one.title for one in config_entry.subentries.values()}


async def test_blocked_people_and_left_groups_cannot_be_written_to_until_they_can(hass: HomeAssistant, setup_integration, client):
    entry = await setup_integration()
    directory = entry.runtime_data.conversations
    await client.conversations.change(uuid_of(ECHO), blocked=True)
    await directory.async_refresh()
    assert state(hass, "notify.echo_hill") == STATE_UNAVAILABLE
    await client.conversations.change(uuid_of(ECHO), blocked=False)
    await directory.async_refresh()
    assert state(hass, "notify.echo_hill") != STATE_UNAVAILABLE
    await client.groups.leave(DEMO_GROUP, admin=ECHO)
    await directory.async_refresh()
    assert state(hass, "notify.demo") == state(hass, "event.demo") == STATE_UNAVAILABLE


async def test_a_group_that_was_left_after_something_was_written_there_cannot_be_written_to(
    hass: HomeAssistant, courier, setup_integration, client
):
    entry = await setup_integration()
    directory = entry.runtime_data.conversations
    await courier.deliver("Hello", group_id=DEMO_GROUP_ID)
    await wait_for(lambda: DEMO_GROUP in {one.id for one in directory.recent()})
    await client.groups.leave(DEMO_GROUP, admin=ECHO)
    await directory.async_refresh()
    assert state(hass, "notify.demo") == STATE_UNAVAILABLE
    assert directory.get(DEMO_GROUP) is None
    assert DEMO_GROUP not in {one.id for one in directory.recent()}


async def test_a_conversation_can_be_removed_and_the_account_cannot(hass: HomeAssistant, setup_integration, hass_ws_client):
    entry = await setup_integration()
    assert await async_setup_component(hass, "config", {})
    registry = dr.async_get(hass)
    socket = await hass_ws_client(hass)
    ids = {device.name: device.id for device in dr.async_entries_for_config_entry(registry, entry.entry_id)}
    for name, works in (("Home", False), ("Demo", True)):
        await socket.send_json_auto_id(
            {"type": "config/device_registry/remove_config_entry", "config_entry_id": entry.entry_id, "device_id": ids[name]}
        )
        answer = await socket.receive_json()
        assert answer["success"] is works, answer
    await hass.async_block_till_done()
    assert [subentry.unique_id for subentry in entry.subentries.values()] == [uuid_of(ECHO)]
    assert hass.states.get("notify.demo") is None


async def test_an_edited_message_is_shown_as_it_is_now(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    (timestamp,) = await courier.deliver("Tee")
    await wait_for(lambda: hass.states.get(LAST).attributes.get("text") == "Tee")
    edit = {"targetSentTimestamp": timestamp, "dataMessage": {"timestamp": timestamp + 5, "message": "Tea"}}
    await courier.post({"editMessage": edit})
    await wait_for(lambda: hass.states.get(LAST).attributes.get("text") == "Tea")
    await courier.post({"editMessage": {**edit, "targetSentTimestamp": 1, "dataMessage": {"timestamp": timestamp + 6, "message": "No"}}})
    await courier.speak({"remoteDelete": {"timestamp": 1}})
    await wait_for(lambda: hass.states.get("event.echo_hill").attributes["event_type"] == "delete")
    assert hass.states.get(LAST).attributes["text"] == "Tea"


async def test_somebody_who_was_added_by_number_is_found_under_her_uuid(hass: HomeAssistant, courier, config_entry, setup_integration):
    for name, number in (("Polly", POLLY), ("Nobody", NOBODY)):
        subentry = ConfigSubentry(
            data=MappingProxyType({CONF_CONVERSATION_ID: number, "name": name, CONF_KIND: "person"}),
            subentry_type=SUBENTRY_CONVERSATION, title=name, unique_id=number,
        )  # fmt: skip
        hass.config_entries.async_add_subentry(config_entry, subentry)
    await setup_integration()
    await courier.deliver("Hello", sender=POLLY)
    await wait_for(lambda: state(hass, "event.polly_vote") != STATE_UNKNOWN)
    assert hass.states.get("event.polly_vote").attributes["text"] == "Hello"
    assert state(hass, "notify.nobody") == STATE_UNKNOWN


# -- the account


async def test_linked_devices_are_counted_if_the_token_may_ask(hass: HomeAssistant, courier, config_entry, setup_integration, client):
    entry = await setup_integration()
    sensor = "sensor.home_linked_devices"
    await enable(hass, entry, sensor)
    await courier.signal_cli("addDevice", account=HOME, uri=LINK_CODE)
    await async_update_entity(hass, sensor)
    assert state(hass, sensor) == "1"
    (device,) = hass.states.get(sensor).attributes["devices"]
    assert device["id"] == 2
    await courier.stop()
    await async_update_entity(hass, sensor)
    await courier.again()
    await wait_for(lambda: state(hass, sensor) == "1")
    scopes = ["send", "receive", "contacts", "groups"]
    token = (await client._transport.call("POST", "/api/v2/tokens", {"name": "small", "scopes": scopes}))["token"]
    hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, "token": token})
    await hass.async_block_till_done()
    await wait_for(lambda: entry.runtime_data.events.connected)
    await hass.async_block_till_done()
    assert state(hass, sensor) == STATE_UNKNOWN


async def test_the_account_tells_its_figures(hass: HomeAssistant, setup_integration, client):
    entry = await setup_integration()
    names = ("sensor.home_last_received", "sensor.home_link_expires_in", "sensor.home_linked_devices")
    assert [hass.states.get(name) for name in names] == [None, None, None]
    await enable(hass, entry, *names)
    assert state(hass, "sensor.home_linked_devices") == "0"
    for name in ("queued", "parked", "failed_today", "sent_today"):
        assert state(hass, f"sensor.home_{name}") == "0"


async def test_the_buttons_send_and_ask(hass: HomeAssistant, setup_integration, client):
    await setup_integration()
    await hass.services.async_call("button", "press", {"entity_id": "button.home_send_test_message"}, blocking=True)
    (sent,) = await sent_messages(client)
    assert "test message" in sent["message"]["text"]
    assert sent["conversation"]["kind"] == "self"
    await hass.services.async_call("button", "press", {"entity_id": "button.home_sync_contacts_and_groups"}, blocking=True)


async def test_read_receipts_are_sent_while_the_switch_is_on(hass: HomeAssistant, courier, setup_integration, client):
    entry = await setup_integration()
    switch = "switch.home_read_receipts"
    assert state(hass, switch) == "off"
    await hass.services.async_call("switch", "turn_on", {"entity_id": switch}, blocking=True)
    await hass.async_block_till_done()
    assert entry.options[CONF_READ_RECEIPTS] is True
    assert state(hass, switch) == "on"
    await wait_for(lambda: entry.runtime_data.events.connected)
    await courier.deliver("Did you see?")

    await wait_for(lambda: state(hass, LAST) != STATE_UNKNOWN)
    assert state(hass, UNREAD) == "off"
    await courier.deliver("A stranger", sender=SECOND)
    async with asyncio.timeout(10):
        while (await client.conversations.get(uuid_of(ECHO))).unread:  # noqa: ASYNC110  # only the service knows
            await asyncio.sleep(0.01)
    await hass.services.async_call("switch", "turn_off", {"entity_id": switch}, blocking=True)
    await hass.async_block_till_done()
    assert state(hass, switch) == "off"


async def test_the_service_is_as_new_as_the_integration(hass: HomeAssistant, setup_integration):
    await setup_integration()
    found = hass.states.get("update.home_service")
    assert (found.state, found.attributes["installed_version"], found.attributes["latest_version"]) == ("off", "0.1.0", "0.1.0")
    assert newer("0.1.0", "0.2.0") == "0.2.0"
    assert newer("0.3.0", "0.2.0") == "0.3.0"
    assert newer("0.3.0", "") == newer("0.3.0", "what?") == "0.3.0"


async def test_the_app_is_updated_where_there_is_a_supervisor(hass: HomeAssistant, config_entry, setup_integration):
    hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, CONF_APP: "local_signal_courier"})
    async with supervised(hass, "local_signal_courier") as supervisor:
        supervisor.installed, supervisor.latest = True, "0.2.0"
        await setup_integration()
        entity_id = "update.home_service"
        found = hass.states.get(entity_id)
        assert (found.state, found.attributes["installed_version"], found.attributes["latest_version"]) == ("on", "0.1.0", "0.2.0")
        supervisor.failing.add("/store/addons/local_signal_courier/update")
        with pytest.raises(HomeAssistantError) as refused:
            await hass.services.async_call("update", "install", {"entity_id": entity_id}, blocking=True)
        assert refused.value.translation_key == "update_failed"
        supervisor.failing.clear()
        await hass.services.async_call("update", "install", {"entity_id": entity_id}, blocking=True)
        assert supervisor.version == "0.2.0"
        assert "/backups/new/partial" in supervisor.asked
        supervisor.installed = False
        await async_update_entity(hass, entity_id)
        assert hass.states.get(entity_id).attributes["latest_version"] == "0.2.0"


async def test_everything_is_unavailable_while_the_service_is_away(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    await courier.stop()
    await wait_for(lambda: state(hass, "notify.echo_hill") == STATE_UNAVAILABLE)
    for entity_id in ("event.home", "event.echo_hill", UNREAD, LAST, "sensor.home_queued", "button.home_send_test_message"):
        assert state(hass, entity_id) == STATE_UNAVAILABLE, entity_id
    assert state(hass, "switch.home_read_receipts") == "off"
    await courier.again()
    await wait_for(lambda: state(hass, "notify.echo_hill") != STATE_UNAVAILABLE)


async def test_nobody_can_be_written_to_by_an_account_that_the_phone_has_removed(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    await courier.unlink()
    await entry.runtime_data.coordinator.async_refresh()
    assert state(hass, "notify.echo_hill") == state(hass, "event.echo_hill") == STATE_UNAVAILABLE
    assert state(hass, "button.home_send_test_message") == STATE_UNAVAILABLE
    assert state(hass, "binary_sensor.home_connectivity") == "off"


async def test_the_bus_tells_what_allowed_senders_do(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    told: list[Event] = []
    hass.bus.async_listen("signal_courier_message", told.append)
    await courier.deliver("Nobody knows me", sender=SECOND)
    await courier.deliver("In the group", sender=SECOND, group_id=DEMO_GROUP_ID)
    await wait_for(lambda: told)
    assert [event.data["text"] for event in told] == ["In the group"]
    assert told[0].data["conversation"] == "Demo"


@pytest.mark.parametrize("expected_lingering_timers", [True])  # aiohttp's heartbeat, where data comes while a WebSocket is closed
async def test_nothing_is_missed_or_told_twice_while_the_account_is_reloaded(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    told: list[str] = []
    hass.bus.async_listen("signal_courier_message", callback(lambda event: told.append(event.data["text"])))
    await courier.deliver("{n}", count=300)
    for _ in range(5):
        await hass.config_entries.async_reload(entry.entry_id)
        await wait_for(lambda: entry.runtime_data.events.connected)
    await wait_for(lambda: len(told) >= 300)
    await courier.settled()
    assert told == [str(n) for n in range(300)]


async def test_marking_as_read_by_action_is_seen(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    await courier.deliver("Read me")
    await wait_for(lambda: state(hass, UNREAD) == "on")
    await hass.services.async_call(DOMAIN, "mark_read", {"conversation": ECHO}, blocking=True)
    assert state(hass, UNREAD) == "off"
