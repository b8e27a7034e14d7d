"""Promises of Assist over Signal: who is answered, by whom, and what is not touched without a word of confirmation."""

import asyncio
import re

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.setup import async_setup_component

from custom_components.signal_courier.assist.text import LONGEST, async_text, markdown_as_styles, pieces, spoken
from custom_components.signal_courier.client import SignalCourierClient
from custom_components.signal_courier.const import (
    CONF_ALLOWED_SENDERS,
    CONF_ASSIST,
    CONF_ASSIST_AGENT,
    CONF_ASSIST_CONFIRM,
    CONF_ASSIST_ENABLED,
    CONF_READ_RECEIPTS,
    CONF_TYPING,
    DOMAIN,
)
from tests.integration.assist.chats import Chat, Model, Sent, code_in
from tests.integration.courier import DEMO_GROUP, DEMO_GROUP_ID, ECHO, HOME, NEWKEY, POLLY, SECOND, TOKEN, uuid_of
from tests.integration.waiting import wait_for, wait_until


async def test_a_command_is_carried_out_and_answered(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat()
    await courier.deliver("turn on the lamp", sender=SECOND)
    assert re.match(r"Turned on", (await sent(1))[0])
    assert hass.states.get("light.lamp").state == "on"


async def test_strangers_are_not_answered(courier, chat: Chat, sent: Sent, hass: HomeAssistant):
    await chat()
    await courier.deliver("turn on the lamp", sender=NEWKEY)
    await courier.deliver("what time is it", sender=SECOND)
    assert len(await sent(1)) == 1
    assert hass.states.get("light.lamp").state != "on"


async def test_in_a_group_only_those_who_may_are_answered(hass: HomeAssistant, courier, chat: Chat, client, sent: Sent):
    await chat(conversation_id=DEMO_GROUP, **{CONF_ALLOWED_SENDERS: [uuid_of(POLLY)]})
    await courier.deliver("turn on the lamp", sender=SECOND, group_id=DEMO_GROUP_ID)
    (asked,) = await courier.deliver("what time is it", sender=POLLY, group_id=DEMO_GROUP_ID)
    await sent(1, DEMO_GROUP)
    (answer,) = (await client.messages.history(conversation=DEMO_GROUP, direction="sent")).messages
    assert answer.message.quote.timestamp == asked
    assert hass.states.get("light.lamp").state != "on"


async def test_commands_of_automations_are_left_alone(courier, chat: Chat, sent: Sent):
    await chat()
    await courier.deliver("/turn on the lamp", sender=SECOND)
    await courier.deliver("what time is it", sender=SECOND)
    assert len(await sent(1)) == 1


async def test_the_answer_to_a_question_is_no_command(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat()
    asking = hass.async_create_task(
        hass.services.async_call(
            DOMAIN,
            "ask",
            {"conversation": uuid_of(SECOND), "question": "Tea?", "options": ["Yes", "No"], "method": "reply"},
            blocking=True,
            return_response=True,
        )
    )
    await wait_for(lambda: any(one.timestamps for one in hass.data.get(f"{DOMAIN}_questions", ())))
    await courier.deliver("Yes", sender=SECOND)
    answer = await asking
    assert answer is not None
    assert answer["answer"] == "Yes"
    await courier.deliver("what time is it", sender=SECOND)
    assert len(await sent(2)) == 2


async def test_a_note_to_oneself_is_answered_too(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat(conversation_id=uuid_of(HOME))
    await courier.deliver_sent("turn on the lamp", recipient=HOME)
    assert re.match(r"Turned on", (await sent(2, uuid_of(HOME)))[-1])


async def test_the_agent_of_choice_answers_and_remembers(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    model = Model(answer="# News\nAll is **well**, see [here](https://example.org)")
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("How is it?", sender=SECOND)
    assert await sent(1) == ["News\nAll is well, see here (https://example.org)"]
    await courier.deliver("And now?", sender=SECOND)
    await sent(2)
    assert len({one.conversation_id for one in model.asked}) == 1
    assert [one.text for one in model.asked] == ["How is it?", "And now?"]
    assert "Signal" in (model.asked[0].extra_system_prompt or "")


async def test_sentences_of_automations_come_first(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    automation = {
        "alias": "Good night",
        "triggers": {"trigger": "conversation", "command": ["good night house"]},
        "actions": {"set_conversation_response": "Sleep well"},
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    model = Model()
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("good night house", sender=SECOND)
    assert await sent(1) == ["Sleep well"]
    assert model.asked == []


async def test_long_answers_come_in_parts(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    model = Model(answer="\n\n".join(f"Paragraph {number}. " + "word " * 100 for number in range(8)))
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("Tell me", sender=SECOND)
    texts = await sent(3)
    assert all(len(text) <= LONGEST for text in texts)
    assert texts[0].startswith("Paragraph 0.")


async def test_an_agent_that_is_gone_is_said(courier, chat: Chat, sent: Sent):
    await chat(**{CONF_ASSIST_AGENT: "conversation.gone"})
    await courier.deliver("Hello?", sender=SECOND)
    assert await sent(1) == ["There is nobody in Home Assistant who could answer."]


async def test_an_agent_that_fails_is_said_and_asked_again(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    model = Model()
    agent_id = model.install(hass)
    model.failing = KeyError("broken")
    await chat(**{CONF_ASSIST_AGENT: agent_id})
    await courier.deliver("Hello?", sender=SECOND)
    assert await sent(1) == ["Something went wrong in Home Assistant. Its log tells more."]
    model.failing = None
    await courier.deliver("Hello again", sender=SECOND)
    assert (await sent(2))[1] == "Done!"


async def test_without_assist_somebody_says_so(hass: HomeAssistant, courier, config_entry, setup_integration, sent: Sent, client):
    known = next(one for one in config_entry.subentries.values() if one.unique_id == DEMO_GROUP)
    data = {**known.data, CONF_ASSIST: {CONF_ASSIST_ENABLED: True}}
    hass.config_entries.async_update_subentry(config_entry, known, data=data)
    await setup_integration()
    await courier.deliver("Hello?", sender=SECOND, group_id=DEMO_GROUP_ID)
    assert (await sent(1, DEMO_GROUP))[0] == "There is nobody in Home Assistant who could answer."


async def test_who_sends_everything_back_is_answered_once(courier, chat: Chat, sent: Sent):
    await chat(conversation_id=uuid_of(ECHO))
    await courier.deliver("turn on the lamp")
    assert len(await sent(1, uuid_of(ECHO))) == 1
    await courier.settled()
    await courier.deliver("turn off the lamp")
    assert len(await sent(2, uuid_of(ECHO))) == 2
    await courier.settled()


async def test_what_the_owner_writes_to_others_is_no_command(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat()
    await courier.deliver_sent("turn on the lamp", recipient=SECOND)
    await courier.deliver("what time is it", sender=SECOND)
    written, answer = await sent(2)
    assert (written, answer.startswith("Turned on")) == ("turn on the lamp", False)
    assert hass.states.get("light.lamp").state != "on"


async def test_too_many_questions_are_not_collected(hass: HomeAssistant, courier, chat: Chat, sent: Sent, caplog):
    model, gate = Model(answer="Yes"), asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    model.meanwhile = wait
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("Question {n}", sender=SECOND, count=30)
    await wait_for(lambda: "more than 20 messages to answer" in caplog.text)
    gate.set()
    await sent(20)
    await wait_for(lambda: len(model.asked) in (20, 21))


async def test_an_answer_that_cannot_be_sent_is_logged(hass: HomeAssistant, courier, chat: Chat, caplog):
    model = Model()
    model.meanwhile = courier.stop
    await chat(options={CONF_TYPING: True}, **{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("Hello?", sender=SECOND)
    await wait_for(lambda: "Assist could not answer in Chat" in caplog.text)


# -- locks, covers, alarms


@pytest.mark.parametrize("name", ["Front door", "Garage"])
async def test_nothing_sensitive_is_touched_before_a_word_of_confirmation(hass: HomeAssistant, courier, chat: Chat, sent: Sent, name):
    await chat()
    entity_id, before, after = {"Front door": ("lock.front_door", "locked", "unlocked"), "Garage": ("cover.garage", "unknown", "open")}[
        name
    ]
    await courier.deliver(f"unlock the {name}" if name == "Front door" else f"open the {name}", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith(f"This moves: {name}. Reply YES ")
    assert hass.states.get(entity_id).state == before
    await courier.deliver(f"yes {code_in(question)}", sender=SECOND)
    assert (await sent(2))[1] == f"Done: {name}."
    assert hass.states.get(entity_id).state == after


@pytest.mark.parametrize("between", ["YES 12", "what time is it"])
async def test_another_word_confirms_nothing_and_ends_it(hass: HomeAssistant, courier, chat: Chat, sent: Sent, between):
    await chat()
    await courier.deliver("unlock the front door", sender=SECOND)
    (question,) = await sent(1)
    await courier.deliver(between, sender=SECOND)
    await sent(2)
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND)
    assert (await sent(3))[2].startswith("Nothing was done")
    assert hass.states.get("lock.front_door").state == "locked"


async def test_nobody_else_can_confirm(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat(conversation_id=DEMO_GROUP, **{CONF_ALLOWED_SENDERS: [uuid_of(POLLY), uuid_of(SECOND)]})
    await courier.deliver("unlock the front door", sender=POLLY, group_id=DEMO_GROUP_ID)
    (question,) = await sent(1, DEMO_GROUP)
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND, group_id=DEMO_GROUP_ID)
    assert (await sent(2, DEMO_GROUP))[1].startswith("Nothing was done")
    assert hass.states.get("lock.front_door").state == "locked"


async def test_a_language_models_tools_are_held_back_too(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    model = Model(("HassTurnOn", {"name": "Lamp"}), ("HassTurnOff", {"name": "Front door"}), answer="I have opened the door!")
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("light, and let me in", sender=SECOND)
    (question,) = await sent(1)
    assert question.startswith("This moves: Front door.")
    assert "Nothing was done yet" in str(model.results[1])
    assert (hass.states.get("light.lamp").state, hass.states.get("lock.front_door").state) == ("on", "locked")
    await courier.deliver(f"YES, {code_in(question)}.", sender=SECOND)
    assert (await sent(2))[1] == "Done: Front door."
    assert hass.states.get("lock.front_door").state == "unlocked"


@pytest.mark.parametrize("word", ["SÍ", "si\N{COMBINING ACUTE ACCENT}", "Si", "yes"])
async def test_the_word_of_confirmation_is_that_of_the_language_with_or_without_its_accent(
    hass: HomeAssistant, courier, chat: Chat, sent: Sent, word
):
    hass.config.language = "es"
    model = Model(("HassTurnOff", {"name": "Front door"}), answer="Hecho")
    await chat(**{CONF_ASSIST_AGENT: model.install(hass)})
    await courier.deliver("abre la puerta", sender=SECOND)
    (question,) = await sent(1)
    found = re.fullmatch(r"Esto mueve: Front door\. Responde SÍ (\d{4}) .*", question)
    assert found is not None, question
    await courier.deliver(f"{word} {found[1]}", sender=SECOND)
    assert (await sent(2))[1] == "Hecho: Front door."
    assert hass.states.get("lock.front_door").state == "unlocked"


async def test_what_fails_after_the_confirmation_is_said(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat()
    await courier.deliver("unlock the front door", sender=SECOND)
    (question,) = await sent(1)
    hass.services.async_remove("lock", "unlock")
    await courier.deliver(f"YES {code_in(question)}", sender=SECOND)
    assert (await sent(2))[1] == "That did not work: Front door."


async def test_without_the_rule_it_is_done_at_once(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat(**{CONF_ASSIST_CONFIRM: False})
    await courier.deliver("unlock the front door", sender=SECOND)
    await sent(1)
    assert hass.states.get("lock.front_door").state == "unlocked"


async def test_others_who_talk_to_home_assistant_are_not_asked(hass: HomeAssistant, courier, chat: Chat, sent: Sent, config_entry):
    await chat()
    await courier.deliver("turn on the lamp", sender=SECOND)
    await sent(1)
    await intent.async_handle(hass, "test", "HassTurnOff", {"name": {"value": "Front door"}}, assistant="conversation")
    assert hass.states.get("lock.front_door").state == "unlocked"
    guards = [one for one in intent.async_get(hass) if hasattr(one, "unguarded")]
    assert guards
    await hass.config_entries.async_unload(config_entry.entry_id)
    assert not [one for one in intent.async_get(hass) if hasattr(one, "unguarded")]


# -- reading and typing


async def test_typing_is_shown_and_the_message_is_read(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat(options={CONF_TYPING: True, CONF_READ_RECEIPTS: True})
    await courier.deliver("what time is it", sender=SECOND)
    await sent(1)
    other = SignalCourierClient(async_get_clientsession(hass), courier.url, token=TOKEN, account=SECOND)

    async def told() -> bool:
        events, _ = await other.messages.received(types=["typing", "receipt"])
        typing = [one.typing.started for one in events if one.typing is not None]
        return typing == [True, False] and any(one.receipt.kind == "read" for one in events if one.receipt is not None)

    await wait_until(told)


async def test_what_assist_has_answered_is_read_without_telling_the_writer(hass: HomeAssistant, courier, chat: Chat, sent: Sent):
    await chat()
    await courier.deliver("what time is it", sender=SECOND)
    await sent(1)
    await wait_until(lambda: unread(hass))


async def unread(hass: HomeAssistant) -> bool:
    """Whether the chat with SECOND has been read."""
    (state,) = [one for one in hass.states.async_all("binary_sensor") if one.entity_id.endswith("_unread") and "second" in one.entity_id]
    return state.state == "off"


# -- texts


async def test_a_text_that_no_language_has_is_its_name(hass: HomeAssistant):
    assert await async_text(hass, "de", "no_such_text") == "no_such_text"


def test_markdown_becomes_what_signal_can_show():
    assert markdown_as_styles("## Title\n* one\n[two](https://example.org)") == "**Title**\n• one\ntwo (https://example.org)"


def test_what_is_spoken_has_no_marks():
    assert spoken("**Hello** `you`, see [this](https://example.org)") == "Hello you, see this"


@pytest.mark.parametrize("text", ["", "short", "x" * 5000, "A sentence. " * 500, ("line " * 30 + "\n") * 40], ids=range(5))
def test_no_part_is_too_long_and_nothing_is_lost(text):
    parts = list(pieces(text))
    assert all(0 < len(part) <= LONGEST for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
