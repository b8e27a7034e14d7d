"""Automations that wait for messages, reactions, votes and what became of messages."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.condition import async_get_all_descriptions as conditions_of
from homeassistant.helpers.trigger import async_get_all_descriptions as triggers_of
from homeassistant.helpers.trigger import async_initialize_triggers, async_validate_trigger_config
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.const import CONF_ALLOWED_SENDERS, DOMAIN
from custom_components.signal_courier.happenings.polls import async_remember_poll
from custom_components.signal_courier.receiving.unread import async_tell_read
from tests.integration.courier import DEMO_GROUP, DEMO_GROUP_ID, ECHO, HOME, NEWKEY, POLLY, SECOND, uuid_of
from tests.integration.waiting import wait_for

type Automate = Callable[..., Awaitable[list[dict[str, Any]]]]

SHOWN = (
    "text", "sender", "handle", "command", "args", "groups", "emoji", "chosen", "votes", "state", "message_id", "late", "conversation_id",
    "platform", "description", "reached", "action",
)  # fmt: skip


@pytest.fixture
async def automate(hass: HomeAssistant, setup_integration) -> Automate:
    """Sets up an automation with a trigger (and conditions), and the integration behind it; gives what the automation was run with."""
    calls: list[dict[str, Any]] = []

    @callback
    def note(call: ServiceCall) -> None:
        calls.append(dict(call.data))

    hass.services.async_register("test", "automation", note)

    async def make(trigger: str, *, target: dict | None = None, conditions: list | None = None, **options: object) -> list[dict[str, Any]]:
        config = {
            "alias": "Test",
            "triggers": {"trigger": f"{DOMAIN}.{trigger}", "options": options, **({"target": target} if target else {})},
            "conditions": conditions or [],
            "actions": {"action": "test.automation", "data": {name: f"{{{{ trigger.get('{name}') }}}}" for name in SHOWN}},
            "mode": "queued",
        }
        assert await async_setup_component(hass, "automation", {"automation": config})
        assert hass.states.get("automation.test").state == "on"
        await setup_integration()
        return calls

    return make


async def test_a_message_runs_an_automation_with_all_that_an_answer_needs(courier, automate: Automate):
    runs = await automate("message_received")
    (timestamp,) = await courier.deliver("Is the heating on?")
    await wait_for(lambda: runs)
    (run,) = runs
    assert (run["text"], run["sender"], run["platform"]) == ("Is the heating on?", "Echo Hill", "signal_courier.message_received")
    assert run["handle"] == f"signal:{timestamp}:{uuid_of(ECHO)}:{uuid_of(ECHO)}"
    assert run["conversation_id"] == uuid_of(ECHO)
    assert run["description"] == "message of Echo Hill"


async def expect(courier, runs: list, *expected: str) -> None:
    """After everything that was delivered so far, the automation has run for these texts and no others."""
    await courier.deliver("the end")
    await wait_for(lambda: runs and runs[-1]["text"] == "the end")
    assert [run["text"] for run in runs[:-1]] == list(expected)


async def test_texts_are_filtered(courier, automate: Automate):
    runs = await automate("message_received", matches=r"(?i)set (\w+) to (\d+)|the end")
    for text in ("Hello", "Set heating to 21", "set nothing"):
        await courier.deliver(text)
    await expect(courier, runs, "Set heating to 21")
    assert runs[0]["groups"] == ["heating", "21"]


async def test_commands_have_arguments(courier, automate: Automate):
    runs = await automate("message_received", command=["heating"])
    for text in ("heating on", "/Heating on 21", "/light on"):
        await courier.deliver(text)
    await wait_for(lambda: runs)
    await courier.settled()
    assert [(run["command"], run["args"]) for run in runs] == [("/heating", ["on", "21"])]


@pytest.mark.parametrize("conversation", ["demo", DEMO_GROUP])
async def test_conversations_are_named_by_name_or_id(courier, automate: Automate, conversation):
    runs = await automate("message_received", conversation=conversation)
    await courier.deliver("alone")
    await courier.deliver("in the group", group_id=DEMO_GROUP_ID)
    await wait_for(lambda: runs)
    assert [run["text"] for run in runs] == ["in the group"]


@pytest.mark.parametrize("sender", [ECHO, int(ECHO), uuid_of(ECHO), "echo hill"])
async def test_senders_are_named_by_number_id_or_name(courier, automate: Automate, sender):
    runs = await automate("message_received", sender=[sender])
    await courier.deliver("from Polly", sender=POLLY, group_id=DEMO_GROUP_ID)
    await courier.deliver("from Echo", group_id=DEMO_GROUP_ID)
    await expect(courier, runs, "from Echo")


async def test_entities_and_devices_are_targets(hass: HomeAssistant, courier, automate: Automate, config_entry):
    runs = await automate("message_received", entity_id="event.demo")
    await courier.deliver("alone")
    await courier.deliver("in the group", group_id=DEMO_GROUP_ID)
    await wait_for(lambda: runs)
    assert [run["text"] for run in runs] == ["in the group"]


@pytest.mark.parametrize(
    ("identifier", "expected"), [(f"{uuid_of(HOME)}_{DEMO_GROUP}", ["in the group"]), (uuid_of(HOME), ["alone", "in the group"])]
)
async def test_a_device_stands_for_its_conversation_or_the_account(
    hass: HomeAssistant, courier, automate: Automate, setup_integration, identifier, expected
):
    entry = await setup_integration()
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, identifier), config_entry_id=entry.entry_id)
    await hass.config_entries.async_unload(entry.entry_id)
    runs = await automate("message_received", target={"device_id": device.id})
    await courier.deliver("alone")
    await courier.deliver("in the group", group_id=DEMO_GROUP_ID)
    await wait_for(lambda: len(runs) == len(expected))
    await courier.settled()
    assert [run["text"] for run in runs] == expected


async def test_attachments_can_be_asked_for(courier, automate: Automate):
    runs = await automate("message_received", has_attachment=True)
    await courier.deliver("without")
    file = {"contentType": "image/png", "filename": "a.png", "id": "a.png", "size": 3}
    await courier.speak({"attachments": [file]}, text="with")
    await wait_for(lambda: runs)
    assert [run["text"] for run in runs] == ["with"]


async def test_strangers_trigger_nothing_unless_asked_for(courier, automate: Automate):
    runs = await automate("message_received")
    await courier.deliver("stranger", sender=NEWKEY)
    await expect(courier, runs)


async def test_strangers_trigger_when_asked_for(courier, automate: Automate):
    runs = await automate("message_received", include_unknown_senders=True)
    await courier.deliver("stranger", sender=SECOND)
    await expect(courier, runs, "stranger")


async def test_the_list_of_allowed_senders_lets_them_trigger(hass: HomeAssistant, courier, automate: Automate, config_entry):
    hass.config_entries.async_update_entry(config_entry, options={CONF_ALLOWED_SENDERS: [SECOND]})
    runs = await automate("message_received")
    await courier.deliver("on the list", sender=SECOND)
    await expect(courier, runs, "on the list")


def long_ago(text: str) -> dict[str, Any]:
    envelope = {
        "source": ECHO, "sourceNumber": ECHO, "sourceUuid": uuid_of(ECHO), "sourceName": "Echo Hill", "sourceDevice": 1,
        "timestamp": 1790000000000, "dataMessage": {"timestamp": 1790000000000, "message": text},
    }  # fmt: skip
    return {"account": HOME, "envelope": envelope}


@pytest.mark.parametrize(("options", "expected"), [({}, []), ({"include_late": True}, ["long ago"])])
async def test_late_messages_trigger_only_when_asked_for(courier, automate: Automate, options, expected):
    runs = await automate("message_received", **options)
    await courier.inject(long_ago("long ago"))
    await expect(courier, runs, *expected)


@pytest.mark.parametrize(("options", "expected"), [({}, []), ({"include_own": True}, ["to myself"])])
async def test_notes_to_self_trigger_when_asked_for(courier, automate: Automate, options, expected):
    runs = await automate("message_received", **options)
    await courier.deliver_sent("to myself", recipient=HOME)
    await expect(courier, runs, *expected)


async def test_an_automation_survives_that_the_account_is_reloaded(hass: HomeAssistant, courier, automate: Automate, config_entry):
    runs = await automate("message_received")
    await hass.config_entries.async_reload(config_entry.entry_id)
    await courier.deliver("after the reload")
    await wait_for(lambda: runs)
    assert [run["text"] for run in runs] == ["after the reload"]


async def test_an_automation_that_is_off_is_not_run(hass: HomeAssistant, courier, automate: Automate):
    runs = await automate("message_received")
    await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.test"}, blocking=True)
    await courier.deliver("nobody hears it")
    await wait_for(lambda: hass.states.get("event.echo_hill").state != "unknown")
    assert runs == []


async def test_a_trace_tells_why_a_message_has_triggered_nothing(hass: HomeAssistant, courier, setup_integration):
    await setup_integration()
    ran, told = [], []
    configs = await async_validate_trigger_config(hass, [{"platform": f"{DOMAIN}.message_received", "options": {"contains": "?"}}])
    remove = await async_initialize_triggers(
        hass, configs, callback(lambda variables, context=None: ran.append(variables)), DOMAIN, "test", print,
        did_not_trigger=callback(lambda variables, info, context=None: told.append(info.reason)),
    )  # fmt: skip
    assert remove is not None
    await courier.deliver("stranger?", sender=SECOND)
    await courier.inject(long_ago("long ago?"))
    await courier.deliver("not a question")
    await courier.deliver("now?")
    await wait_for(lambda: ran)
    assert told == ["sender_not_allowed", "late"]
    assert [run["trigger"]["text"] for run in ran] == ["now?"]
    remove()


async def test_another_account_does_not_count(hass: HomeAssistant, courier, automate: Automate, config_entry):
    other = MockConfigEntry(domain=DOMAIN, title="Other", data={})
    other.add_to_hass(hass)
    runs = await automate(
        "message_received", config_entry_id=other.entry_id, conditions=[{"condition": f"{DOMAIN}.is_connected", "options": {}}]
    )
    await courier.deliver("to Home")
    await wait_for(lambda: hass.states.get("event.echo_hill").state != "unknown")
    assert runs == []


async def test_all_accounts_must_be_connected_where_none_is_named(hass: HomeAssistant, courier, automate: Automate, config_entry):
    MockConfigEntry(domain=DOMAIN, title="Other", data={}, disabled_by=ConfigEntryDisabler.USER).add_to_hass(hass)
    runs = await automate("message_received", conditions=[{"condition": f"{DOMAIN}.is_connected", "options": {}}])
    await courier.deliver("one")
    await wait_for(lambda: runs)
    MockConfigEntry(domain=DOMAIN, title="Third", data={}).add_to_hass(hass)
    await courier.deliver("two")
    await wait_for(lambda: hass.states.get("sensor.echo_hill_last_message").attributes["text"] == "two")
    assert len(runs) == 1


# -- reactions, votes, states


async def react(courier, emoji: str, *, author: str = ECHO, removed: bool = False) -> None:
    whose = {"targetAuthor": author, "targetAuthorUuid": uuid_of(author), "targetAuthorNumber": author}
    await courier.speak({"reaction": {"emoji": emoji, "isRemove": removed, "targetSentTimestamp": 1795221024321, **whose}})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["👍🏽", "❤️", "👎"]),
        ({"emoji": ["👍", "❤"]}, ["👍🏽", "❤️"]),
        ({"on_own_messages": True}, ["👎"]),
        ({"include_removed": True}, ["👍🏽", "❤️", "❤️", "👎"]),
    ],
)
async def test_reactions_are_filtered(courier, automate: Automate, options, expected):
    runs = await automate("reaction_received", **options)
    await react(courier, "👍🏽")
    await react(courier, "❤️")
    await react(courier, "❤️", removed=True)
    await react(courier, "👎", author=HOME)
    await wait_for(lambda: len(runs) == len(expected))
    await courier.settled()
    assert [run["emoji"] for run in runs] == expected


@pytest.mark.parametrize(("option", "comes"), [(None, True), (["yes"], True), ([0], True), (["No"], False), (["1"], False)])
async def test_votes_are_known_by_their_words(hass: HomeAssistant, courier, automate: Automate, config_entry, option, comes):
    runs = await automate("poll_answered", **({} if option is None else {"option": option}))
    async_remember_poll(hass, config_entry.entry_id, 4711, "Tea?", ["Yes", "No"])
    vote = {"author": HOME, "authorUuid": uuid_of(HOME), "targetSentTimestamp": 4711, "optionIndexes": [0], "voteCount": 1}
    await courier.speak({"pollVote": vote})
    await wait_for(lambda: hass.states.get("event.echo_hill").attributes.get("event_type") == "poll_vote")
    await hass.async_block_till_done()
    assert [(run["votes"], run["chosen"]) for run in runs] == ([([0], ["Yes"])] if comes else [])


async def test_polls_that_come_are_remembered_for_their_votes(hass: HomeAssistant, courier, automate: Automate):
    runs = await automate("poll_answered")
    timestamp = await courier.speak({"pollCreate": {"question": "Tea?", "allowMultiple": False, "options": ["Yes", "No"]}})
    vote = {"author": ECHO, "authorUuid": uuid_of(ECHO), "targetSentTimestamp": timestamp, "optionIndexes": [1], "voteCount": 1}
    await courier.speak({"pollVote": vote})
    await wait_for(lambda: runs)
    assert runs[0]["chosen"] == ["No"]


async def test_what_becomes_of_a_message_runs_an_automation(courier, automate: Automate, client):
    runs = await automate("message_status", state=["read"], conversation=[ECHO])
    sent = await client.messages.send([uuid_of(ECHO)], text="Hello")
    await wait_for(lambda: runs)
    assert (runs[0]["message_id"], runs[0]["state"], runs[0]["reached"]) == (sent.id, "read", [uuid_of(ECHO)])


async def test_another_message_does_not_count(courier, automate: Automate, client):
    runs = await automate("message_status", state=["read"], message_id=["msg_99"])
    await client.messages.send([uuid_of(ECHO)], text="Hello")
    await courier.settled()
    assert runs == []


# -- conditions


async def test_unread_and_connection_are_conditions(hass: HomeAssistant, courier, automate: Automate, config_entry):
    conditions = [
        {"condition": f"{DOMAIN}.is_connected", "options": {"config_entry_id": config_entry.entry_id}},
        {"condition": f"{DOMAIN}.has_unread", "options": {"conversation": "Demo"}},
    ]
    runs = await automate("message_received", conversation=[ECHO], conditions=conditions)
    await courier.deliver("nothing waits in Demo")
    await courier.deliver("now it does", group_id=DEMO_GROUP_ID)
    await wait_for(lambda: hass.states.get("binary_sensor.demo_unread").state == "on")
    await expect(courier, runs)
    async_tell_read(hass, config_entry.entry_id, DEMO_GROUP)
    await courier.deliver("read again")
    await wait_for(lambda: hass.states.get("sensor.echo_hill_last_message").attributes["text"] == "read again")
    assert len(runs) == 1


# -- what the editor shows


async def test_the_editor_knows_every_trigger_and_condition(hass: HomeAssistant, setup_integration):
    await setup_integration()
    triggers, conditions = await triggers_of(hass), await conditions_of(hass)
    names = {name for name in (*triggers, *conditions) if name.startswith(DOMAIN)}
    assert names == {f"{DOMAIN}.{name}" for name in (
        "message_received", "reaction_received", "poll_answered", "message_status", "is_connected", "has_unread",
    )}  # fmt: skip
    received = triggers[f"{DOMAIN}.message_received"]
    assert received is not None
    assert {"conversation", "sender", "command", "include_late"} <= set(received["fields"])
    assert not received.get("target"), "a trigger that wants one looks unfinished without"


@pytest.mark.parametrize(
    ("trigger", "options"),
    [
        ("message_received", {"matches": "("}),
        ("message_received", {"config_entry_id": "nobody"}),
        ("message_received", {"unheard_of": True}),
        ("message_received", {"equals": True}),
        ("message_status", {"state": "eaten"}),
        ("message_status", {}),
        ("message_status", {"state": "read", "entity_id": "event.demo"}),
    ],
)
async def test_a_wrong_trigger_is_told_when_it_is_written(hass: HomeAssistant, setup_integration, trigger, options):
    await setup_integration()
    config = {"alias": "Test", "triggers": {"trigger": f"{DOMAIN}.{trigger}", "options": options}, "actions": []}
    assert await async_setup_component(hass, "automation", {"automation": config})
    assert hass.states.get("automation.test").state == "unavailable"
