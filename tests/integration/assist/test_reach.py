"""Promises of the word of confirmation: no way around it by scripts, scenes, automations, tools of a language model, or a delay."""

from dataclasses import fields
from inspect import get_annotations
from typing import Any

import pytest
from homeassistant.components.conversation.agent_manager import get_agent_manager
from homeassistant.components.conversation.models import ConversationInput
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import intent, llm
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.assist.guard import async_unguard, guarded
from custom_components.signal_courier.assist.reach import Reach
from custom_components.signal_courier.const import CONF_ASSIST_AGENT
from tests.integration.assist.chats import Chat, Model, Sent, code_in
from tests.integration.courier import SECOND

UNLOCK = {"action": "lock.unlock", "target": {"entity_id": "lock.front_door"}}
LAMP = {"action": "light.turn_on", "target": {"entity_id": "light.lamp"}}


async def scripts(hass: HomeAssistant, **sequences: Any) -> None:
    """Scripts, exposed to Assist."""
    config = {name: {"alias": name.replace("_", " ").title(), "sequence": steps} for name, steps in sequences.items()}
    assert await async_setup_component(hass, "script", {"script": config})
    await hass.async_block_till_done()
    for name in sequences:
        async_expose_entity(hass, "conversation", f"script.{name}", should_expose=True)


def door(hass: HomeAssistant) -> str:
    return hass.states.get("lock.front_door").state


async def test_a_script_that_moves_a_lock_waits_for_the_word(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await scripts(hass, welcome=[LAMP, {"if": "{{ true }}", "then": [UNLOCK]}])
    await chat()
    await courier.deliver("turn on Welcome", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: Welcome (Front door). Reply YES ")
    assert (door(hass), hass.states.get("light.lamp").state) == ("locked", "unknown")
    await courier.deliver(f"yes {code_in(question)}", sender=SECOND)
    assert (await sent(2))[1] == "Done: Welcome (Front door)."
    await hass.async_block_till_done()
    assert (door(hass), hass.states.get("light.lamp").state) == ("unlocked", "on")


async def test_a_script_that_moves_nothing_sensitive_is_run_at_once(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    looks = {"condition": "state", "entity_id": "lock.front_door", "state": "locked"}
    await scripts(hass, cosy=[looks, LAMP])
    await chat()
    await courier.deliver("turn on Cosy", sender=SECOND)
    await sent(1)
    await hass.async_block_till_done()
    assert hass.states.get("light.lamp").state == "on"


async def test_a_scene_with_a_cover_waits_for_the_word(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    scene = {"name": "Evening", "entities": {"light.lamp": "on", "cover.garage": "open"}}
    assert await async_setup_component(hass, "scene", {"scene": [scene]})
    await hass.async_block_till_done()
    async_expose_entity(hass, "conversation", "scene.evening", should_expose=True)
    await chat()
    await courier.deliver("turn on Evening", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: ")
    assert "Garage" in question
    assert hass.states.get("cover.garage").state != "open"
    await courier.deliver(f"yes {code_in(question)}", sender=SECOND)
    await sent(2)
    assert hass.states.get("cover.garage").state == "open"


async def test_a_sentence_whose_automation_moves_a_lock_waits_for_the_word(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    automation = {"alias": "Let in", "triggers": {"trigger": "conversation", "command": ["let (me|us) in"]}, "actions": [UNLOCK]}
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await chat()
    await courier.deliver("Let me in", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: Let in (Front door). Reply YES ")
    assert door(hass) == "locked"
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND)
    assert (await sent(2))[1] == "Done: Let in (Front door)."
    assert door(hass) == "unlocked"


async def test_a_sentence_that_nothing_is_known_of_waits_for_the_word(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    heard: list[str] = []

    async def run(asked: ConversationInput, result: object) -> str:
        heard.append(asked.text)
        return "It is open"

    get_agent_manager(hass).register_trigger(sentences=["open sesame"], trigger_callback=run)
    await chat()
    await courier.deliver("Open sesame!", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: “Open sesame!”. Reply YES ")
    assert heard == []
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND)
    await sent(2)
    assert heard == ["Open sesame!"]


async def test_a_command_for_later_waits_for_the_word(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat()
    await courier.deliver("unlock the front door in 5 minutes", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: “unlock the front door”. Reply YES ")
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND)
    assert (await sent(2))[1].startswith("Done: ")


async def test_an_intent_of_ones_own_waits_for_the_word(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    config = {"LetIn": {"action": [UNLOCK], "speech": {"text": "Come in"}}, "Glow": {"action": [LAMP], "speech": {"text": "It glows"}}}
    assert await async_setup_component(hass, "intent_script", {"intent_script": config})
    model = Model(("Glow", {}), ("LetIn", {}), answer="Welcome!")
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("let me in", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: Front door.")
    assert (door(hass), hass.states.get("light.lamp").state) == ("locked", "on")
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND)
    await sent(2)
    assert door(hass) == "unlocked"


async def test_a_language_models_scripts_wait_for_the_word(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await scripts(hass, welcome=[UNLOCK], cosy=[LAMP])
    model = Model(("script__cosy", {}), ("script__welcome", {}), answer="You are in!")
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("let me in", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: Welcome (Front door).")
    assert "Nothing was done yet" in str(model.results[1])
    assert (door(hass), hass.states.get("light.lamp").state) == ("locked", "on")
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND)
    await sent(2)
    assert door(hass) == "unlocked"


class AnyAction(llm.Tool):
    """A tool by which a language model performs any action."""

    name = "any__action"
    description = "Performs an action."
    integration = "test"

    async def async_call(self, hass: HomeAssistant, tool_input: llm.ToolInput, llm_context: llm.LLMContext) -> llm.ToolResult:
        domain, _, verb = tool_input.tool_args["action"].partition(".")
        await hass.services.async_call(domain, verb, target=tool_input.tool_args.get("target"), blocking=True)
        return llm.ToolResult(data={"success": True})


class AnyAPI(llm.API):
    """With that tool alone."""

    async def async_get_api_instance(self, llm_context: llm.LLMContext) -> llm.APIInstance:
        return llm.APIInstance(api=self, api_prompt="", llm_context=llm_context, tools=[AnyAction()])


async def test_a_language_model_that_may_perform_any_action_waits_for_the_word(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    llm.async_register_api(hass, AnyAPI(hass=hass, id="any", name="Any"))
    model = Model(("any__action", LAMP), ("any__action", UNLOCK), answer="You are in!", api="any")
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("let me in", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: Front door.")
    assert (door(hass), hass.states.get("light.lamp").state) == ("locked", "on")
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND)
    await sent(2)
    assert door(hass) == "unlocked"


async def test_what_stands_for_an_api_is_as_it_was_in_everything_else(hass: HomeAssistant, home):
    for api in llm.async_get_apis(hass):
        before = {field.name: getattr(api, field.name) for field in fields(llm.API)}
        with guarded(hass, context := Context()):
            stands = next(one for one in llm.async_get_apis(hass) if one.id == api.id)
            assert {name: getattr(stands, name) for name in before} == before
            asked = llm.LLMContext(platform="test", context=context, language="en", assistant="conversation", device_id=None)
            tools = (await stands.async_get_api_instance(asked)).tools
            known = (await api.async_get_api_instance(asked)).tools
        for name in get_annotations(llm.Tool):
            assert [getattr(tool, name) for tool in tools if name != "parameters"] == [
                getattr(tool, name) for tool in known if name != "parameters"
            ]
        assert len({*tools, *tools}) == len(tools) == len(known) > 0
        assert tools[0] != known[0]
    async_unguard(hass)


async def test_others_use_the_tools_of_a_language_model_as_before(hass: HomeAssistant, courier, chat: Chat, sent: Sent, config_entry):
    await scripts(hass, welcome=[UNLOCK])
    await chat()
    await courier.deliver("turn on the lamp", sender=SECOND)
    await sent(1)
    model = Model(("script__welcome", {}))
    agent = model.install(hass)
    await hass.services.async_call("conversation", "process", {"text": "let me in", "agent_id": agent}, blocking=True)
    assert door(hass) == "unlocked"
    answer = await intent.async_handle(hass, "test", "HassGetCurrentTime")
    assert answer.speech_slots
    await hass.config_entries.async_unload(config_entry.entry_id)
    assert not [one for one in intent.async_get(hass) if hasattr(one, "unguarded")]
    assert not [one for one in llm.async_get_apis(hass) if hasattr(one, "unguarded")]


# --- what is read from scripts and actions


@pytest.fixture
async def reach(hass: HomeAssistant, home: None) -> Reach:
    return Reach(hass)


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        pytest.param([{"action": "light.turn_on", "target": {"entity_id": "lock.front_door"}}], ("Front door",), id="by whatever action"),
        pytest.param([{"action": "lock.unlock", "target": {"entity_id": "{{ door }}"}}], ("lock.unlock",), id="a template says which"),
        pytest.param([{"action": "lock.unlock", "target": {"entity_id": "all"}}], ("lock.unlock",), id="all of them"),
        pytest.param([{"action": "{{ what }}", "data": {}}], ("{{ what }}",), id="a template says what"),
        pytest.param([{"service": "cover.open_cover", "data": {"entity_id": "cover.garage"}}], ("Garage",), id="in the old form"),
        pytest.param([{"action": "cover.open_cover", "entity_id": "cover.garage"}], ("Garage",), id="in the oldest form"),
        pytest.param([{"action": "homeassistant.toggle", "target": "{{ what }}"}], ("homeassistant.toggle",), id="anything"),
        pytest.param([{"action": "homeassistant.turn_on", "target": {"area_id": "hall"}}], ("Front door",), id="by an area"),
        pytest.param(
            [{"action": "scene.apply", "data": {"entities": {"cover.garage": "open"}}}], ("Garage",), id="a scene made on the spot"
        ),
        pytest.param([{"action": "script.turn_on", "target": {"entity_id": "script.open"}}], ("Open (Front door)",), id="a script"),
        pytest.param([{"action": "script.open"}], ("Open (Front door)",), id="a script by its name"),
        pytest.param([{"action": "script.twice"}], ("Twice (Open (Front door))",), id="a script that runs a script"),
        pytest.param([{"scene": "scene.all"}], ("Garage",), id="a scene"),
        pytest.param([{"action": "automation.trigger", "target": {"entity_id": "automation.a"}}], ("Front door",), id="an automation"),
        pytest.param([{"parallel": [[{"repeat": {"count": 2, "sequence": [UNLOCK]}}]]}], ("Front door",), id="deep inside"),
        pytest.param([{"domain": "lock", "type": "unlock", "device_id": "?", "entity_id": "?"}], ("lock.unlock",), id="of a device"),
        pytest.param([{"domain": "lock", "type": "is_locked", "condition": "device", "device_id": "?"}], (), id="of a device, looking"),
        pytest.param([{"action": "script.turn_off", "target": {"entity_id": "script.other"}}], (), id="a script that opens nothing"),
        pytest.param([{"action": "script.nobody"}], (), id="a script that is not there"),
        pytest.param([{"action": "light.turn_on", "target": {"entity_id": "{{ lamp }}"}}], (), id="some light"),
        pytest.param([{"action": "notify.send_message", "data": {"message": "lock.unlock"}}], (), id="words"),
        pytest.param([{"delay": 5}, {"condition": "state", "entity_id": "lock.front_door", "state": "locked"}], (), id="looking"),
    ],
)
async def test_what_a_script_moves_is_read_from_it(hass: HomeAssistant, reach: Reach, steps: list[dict[str, Any]], names: tuple[str, ...]):
    await scripts(hass, open=[UNLOCK], twice=[{"action": "script.open"}, {"action": "script.twice"}], other=[LAMP])
    scene = {"name": "All", "entities": {"light.lamp": "on", "cover.garage": "open"}}
    assert await async_setup_component(hass, "scene", {"scene": [scene]})
    automation = {
        "alias": "A",
        "triggers": [],
        "actions": [UNLOCK, {"action": "automation.trigger", "target": {"entity_id": "automation.a"}}],
    }
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await hass.async_block_till_done()
    hall = ar.async_get(hass).async_create("Hall")
    er.async_get(hass).async_update_entity("lock.front_door", area_id=hall.id)
    reach.steps(steps)
    assert reach.names == names


async def test_a_devices_lock_is_called_as_the_device_is(hass: HomeAssistant, reach: Reach):
    entry = MockConfigEntry(domain="test")
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, identifiers={("test", "1")}, name="Back door")
    reach.steps([{"domain": "lock", "type": "unlock", "device_id": device.id, "entity_id": "?"}])
    assert reach.names == ("Back door",)


async def test_nothing_is_reached_where_there_are_no_scripts(reach: Reach):
    reach.steps([{"action": "script.turn_on", "target": {"entity_id": "script.open"}}])
    reach.automation("automation.a")
    assert reach.names == ()
