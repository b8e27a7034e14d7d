"""Nothing is lost and nothing comes twice, whoever is away and for however long; and what is late is told as late."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.signal_courier import consumer_of
from custom_components.signal_courier.client import SignalCourierClient
from custom_components.signal_courier.client.events import Event
from custom_components.signal_courier.const import CONF_LATE_AFTER, DOMAIN
from custom_components.signal_courier.receiving.events import CourierEvent, EventHub, async_subscribe_all
from custom_components.signal_courier.receiving.position import position_path
from tests.integration.courier import DEMO_GROUP_ID, ECHO, HOME, Courier, HostProcess, uuid_of
from tests.integration.waiting import wait_for

CONNECTIVITY = "binary_sensor.home_connectivity"
RESTARTS = 50
KILLS = 4


@pytest.fixture
def texts(hass: HomeAssistant) -> list[str]:
    """The text of every message from now on, also of those that come while the entry is set up."""
    found: list[str] = []

    def take(event: CourierEvent) -> None:
        assert event.message is not None
        found.append(event.message.text or "")

    async_subscribe_all(hass, take, types={"message"})
    return found


@pytest.fixture
def own_courier(courier: Courier) -> Iterator[Courier]:
    """`courier`, in a process that can be killed: no other test's."""
    courier.move(HostProcess())
    yield courier
    courier.end()


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


async def at_least(texts: list[str], count: int) -> None:
    await wait_for(lambda: len(texts) >= count, within=60)


@pytest.mark.timeout(300)
async def test_a_thousand_messages_while_the_integration_is_down_come_in_order_and_once(
    hass: HomeAssistant, courier, setup_integration, texts
):
    entry = await setup_integration()
    assert await hass.config_entries.async_unload(entry.entry_id)
    await courier.deliver("{n}", count=1000)
    await courier.settled()
    begin = time.monotonic()
    await setup_integration()
    await at_least(texts, 1000)
    print(f"1000 messages were handed on in {time.monotonic() - begin:.2f} s")
    await courier.deliver("the end")
    await wait_for(lambda: texts[-1] == "the end")
    assert texts == [*numbers(1000), "the end"]


@pytest.mark.timeout(300)
async def test_a_thousand_messages_over_reloads_and_losses_come_in_order_and_once(hass: HomeAssistant, courier, setup_integration, texts):
    entry = await setup_integration()
    assert await hass.config_entries.async_unload(entry.entry_id)
    await courier.deliver("{n}", count=1000)
    await courier.settled()
    for reached in (1, 200, 500):
        await setup_integration()
        await at_least(texts, reached)
        assert await hass.config_entries.async_unload(entry.entry_id)
    await setup_integration()
    await at_least(texts, 700)
    await courier.stop()
    await courier.again()
    await at_least(texts, 1000)
    assert texts == numbers(1000)


@pytest.mark.timeout(420)
async def test_fifty_restarts_of_the_service_lose_nothing_and_repeat_nothing(courier, setup_integration, texts):
    entry = await setup_integration()
    for number in range(RESTARTS):
        await courier.deliver(f"{2 * number}")
        if number % 2:
            await at_least(texts, 2 * number + 1)  # else it is on its way when the service stops
        await courier.stop()
        await courier.again()
        await courier.deliver(f"{2 * number + 1}")
    await at_least(texts, 2 * RESTARTS)
    await courier.deliver("the end")
    await wait_for(lambda: texts[-1] == "the end")
    assert texts == [*numbers(2 * RESTARTS), "the end"]
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.timeout(300)
async def test_a_service_that_is_killed_is_found_again(own_courier, setup_integration, texts):
    await setup_integration()
    for number in range(KILLS):
        await own_courier.deliver(f"{number}")
        await at_least(texts, number + 1)
        await own_courier.kill()
    await own_courier.deliver(f"{KILLS}")
    await at_least(texts, KILLS + 1)
    assert texts == numbers(KILLS + 1)


def noted(hass: HomeAssistant, entry: ConfigEntry) -> Path:
    """Where the entry's position is noted."""
    return position_path(hass, consumer_of(entry))


async def killed_before_acknowledging(hass: HomeAssistant, client: SignalCourierClient, entry: ConfigEntry) -> None:
    """Unload the entry, and let the service know of nothing that was handed on, as if there had been no time to tell it."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    await client.events.delete_consumer(consumer_of(entry))
    await client.events.make_consumer(consumer_of(entry), after=1)


async def test_a_position_that_was_lost_repeats_nothing(hass: HomeAssistant, courier, setup_integration, texts):
    entry = await setup_integration()
    await courier.deliver("{n}", count=3)
    await wait_for(lambda: len(texts) == 3)
    await hass.config_entries.async_unload(entry.entry_id)
    for number, line in enumerate(
        ('{"position": 1, "telling": 1}', "", "\0" * 60, "[]", '{"position": null, "telling": 0}', None), start=3
    ):
        if line is None:
            noted(hass, entry).unlink()
        else:
            noted(hass, entry).write_text(line)
        await setup_integration()
        await courier.deliver(f"{number}")
        await at_least(texts, number + 1)
        await hass.config_entries.async_unload(entry.entry_id)
    assert texts == numbers(9)


async def test_what_was_told_but_not_acknowledged_before_a_kill_is_not_told_again(hass, courier, client, setup_integration, texts):
    entry = await setup_integration()
    await courier.deliver("{n}", count=3)
    await wait_for(lambda: len(texts) == 3)
    await killed_before_acknowledging(hass, client, entry)
    await setup_integration()
    await courier.deliver("3")
    await wait_for(lambda: "3" in texts)
    assert texts == numbers(4)


async def test_the_one_event_that_a_kill_interrupted_is_told_again_and_says_so(hass, courier, client, setup_integration, texts):
    told: list[tuple[str, bool]] = []
    notes: list[dict[str, int]] = []

    def take(event: CourierEvent) -> None:
        assert event.message is not None
        told.append((event.message.text or "", event.repeated))
        notes.append(json.loads(noted(hass, entry).read_text()))

    async_subscribe_all(hass, take, types={"message"})
    entry = await setup_integration()
    await courier.deliver("{n}", count=2)
    await wait_for(lambda: len(told) == 2)
    assert [note["telling"] > note["position"] for note in notes] == [True, True]
    assert notes[1]["position"] >= notes[0]["telling"]  # each is noted before and after
    await killed_before_acknowledging(hass, client, entry)
    noted(hass, entry).write_text(json.dumps(notes[1]))  # while the second was told
    happened = async_capture_events(hass, f"{DOMAIN}_message")
    await setup_integration()
    await courier.deliver("2")
    await wait_for(lambda: len(told) == 4)
    assert told == [("0", False), ("1", False), ("1", True), ("2", False)]
    assert [(event.data["text"], event.data.get("repeated")) for event in happened] == [("1", True), ("2", None)]


async def test_a_position_that_cannot_be_noted_is_said_once_and_stops_nothing(
    hass: HomeAssistant, courier, setup_integration, texts, caplog
):
    entry = await setup_integration()
    file = entry.runtime_data.events._file
    os.close(file._file)
    file._file = os.open("/dev/full", os.O_WRONLY)
    await courier.deliver("{n}", count=3)
    await wait_for(lambda: len(texts) == 3)
    assert caplog.text.count("events may come twice") == 1
    await hass.config_entries.async_unload(entry.entry_id)
    noted(hass, entry).unlink()
    noted(hass, entry).mkdir()
    await setup_integration()
    await courier.deliver("3")
    await wait_for(lambda: len(texts) == 4)
    assert caplog.text.count("events may come twice") == 2
    assert texts == numbers(4)


async def test_a_service_that_has_forgotten_us_goes_on_where_we_were(hass: HomeAssistant, courier, client, setup_integration, texts):
    entry = await setup_integration()
    await courier.deliver("{n}", count=3)
    await wait_for(lambda: len(texts) == 3)
    await hass.config_entries.async_unload(entry.entry_id)
    await client.events.delete_consumer(f"home-assistant-{entry.entry_id}")
    await courier.deliver("3")
    await courier.settled()
    await setup_integration()
    await wait_for(lambda: "3" in texts)
    assert texts == numbers(4)


async def test_a_new_service_at_the_same_address_is_followed_though_it_counts_from_one_again(courier, setup_integration, texts):
    entry = await setup_integration()
    await courier.deliver("{n}", count=30)
    await wait_for(lambda: len(texts) == 30)
    await courier.stop()
    await wait_for(lambda: not entry.runtime_data.events.connected)
    await courier.renew(port=courier.port)
    await wait_for(lambda: entry.runtime_data.events.connected)
    await courier.deliver("30")
    await wait_for(lambda: len(texts) > 30)
    assert texts == numbers(31)
    assert entry.runtime_data.events.position < 30


def envelope(text: str, timestamp: int) -> dict[str, Any]:
    return {
        "account": HOME,
        "envelope": {
            "sourceNumber": ECHO, "sourceUuid": uuid_of(ECHO), "sourceName": "Echo Hill", "sourceDevice": 1, "timestamp": timestamp,
            "dataMessage": {"timestamp": timestamp, "message": text},
        },
    }  # fmt: skip


@pytest.mark.parametrize(("late_after", "late"), [(300, [False, False, True]), (60, [False, True, True]), (3600, [False, False, False])])
async def test_what_is_older_than_the_option_allows_is_told_as_late(
    hass: HomeAssistant, courier, config_entry, setup_integration, late_after, late
):
    if late_after != 300:  # what it is unless somebody chooses
        hass.config_entries.async_update_entry(config_entry, options={CONF_LATE_AFTER: late_after})
    found: list[CourierEvent] = []
    async_subscribe_all(hass, found.append, types={"message"})
    await setup_integration()
    now = int(time.time() * 1000)
    for seconds in (0, 120, 600):
        await courier.inject(envelope(f"{seconds} s ago", now - seconds * 1000))
    await wait_for(lambda: len(found) == 3)
    assert [event.message.text for event in found] == ["0 s ago", "120 s ago", "600 s ago"]
    assert [event.late for event in found] == late


async def test_what_was_written_while_the_service_was_down_for_long_is_late(hass: HomeAssistant, courier, config_entry, setup_integration):
    hass.config_entries.async_update_entry(config_entry, options={CONF_LATE_AFTER: 0.2})
    entry = await setup_integration()
    await hass.config_entries.async_unload(entry.entry_id)
    (sent,) = await courier.deliver("Long ago")
    await courier.settled()
    found: list[CourierEvent] = []
    async_subscribe_all(hass, found.append, types={"message"})
    await wait_for(lambda: time.time() * 1000 - sent > 300)
    await setup_integration()
    await wait_for(lambda: found)
    assert [event.late for event in found] == [True]


async def test_a_subscriber_that_fails_harms_nobody_else(courier, config_entry, events, caplog):
    hub = config_entry.runtime_data.events

    def fail(event: CourierEvent) -> None:
        raise ZeroDivisionError

    failing: Callable[[], None] = hub.async_subscribe(fail)
    after: list[CourierEvent] = []
    hub.async_subscribe(after.append, types={"message"})  # a service that has just begun also tells that the account is ready
    await courier.deliver("One")
    await wait_for(lambda: after)
    assert [event.type for event in events if event.type == "message"] == [event.type for event in after] == ["message"]
    assert "A subscriber failed with the event" in caplog.text
    failing()
    failing()  # twice is no harm
    caplog.clear()
    await courier.deliver("Two")
    await wait_for(lambda: len(after) == 2)
    assert "failed" not in caplog.text


async def test_subscribers_get_what_they_asked_for(courier, config_entry, events):
    here: list[CourierEvent] = []
    reactions: list[CourierEvent] = []
    hub = config_entry.runtime_data.events
    hub.async_subscribe(here.append, conversation_id=uuid_of(ECHO))
    hub.async_subscribe(reactions.append, types={"reaction"})
    (timestamp,) = await courier.deliver("In the chat")
    await courier.deliver("In the group", group_id=DEMO_GROUP_ID)
    await courier.speak({"reaction": {"emoji": "👍", "targetAuthor": ECHO, "targetSentTimestamp": timestamp, "isRemove": False}})
    await wait_for(lambda: len(events) == 3)
    assert [event.type for event in here] == ["message", "reaction"]
    assert [event.type for event in reactions] == ["reaction"]


async def test_the_log_tells_of_each_loss_and_return_once(hass: HomeAssistant, courier, events, caplog):
    caplog.set_level(logging.INFO, f"custom_components.{DOMAIN}")
    for _ in range(3):
        await courier.stop()
        await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "off")
        await courier.again()
        await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "on")
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.name.startswith(f"custom_components.{DOMAIN}")]
    assert [level for level, _ in told] == ["INFO"] * 6
    assert ["lost" if "is lost" in text else "back" if "is back" in text else text for _, text in told] == ["lost", "back"] * 3


async def test_what_cannot_be_judged_is_left_out_and_the_next_is_told(hass: HomeAssistant, courier, client, caplog):
    """A fault of ours in one event must not keep back all that follow."""

    def judge(event: Event) -> bool:
        if event.message is not None and event.message.text == "Odd":
            raise ZeroDivisionError
        return True

    connected: list[bool] = []
    found: list[CourierEvent] = []
    hub = EventHub(
        hass, client, "an-entry", "odd", late_after=300, is_allowed=judge,
        on_connected=lambda: connected.append(True), on_lost=lambda error: connected.append(False),
    )  # fmt: skip
    hub.async_subscribe(found.append, types={"message"})
    await hub.async_prepare()
    begun = hub.async_start()
    await wait_for(lambda: connected)
    await courier.deliver("Odd")
    await courier.deliver("Even")
    await wait_for(lambda: found)
    await hub.async_stop()
    begun()
    assert [event.message.text for event in found] == ["Even"]
    assert "could not be judged" in caplog.text
