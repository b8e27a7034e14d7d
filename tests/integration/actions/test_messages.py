"""Actions that send: what arrives, what they answer, what they say when it does not work."""

import asyncio

import pytest
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er

from custom_components.signal_courier.const import DOMAIN
from tests.integration.courier import DEMO_GROUP, DEMO_GROUP_ID, ECHO, HOME, LIMITED, NEWKEY, NOBODY, POLLY, SECOND, uuid_of
from tests.integration.waiting import wait_for, wait_until


async def test_a_message_goes_to_a_name_a_number_and_a_group_at_once(act, client):
    answer = await act("send_message", conversation=["echo hill", POLLY, DEMO_GROUP], message="Dinner is ready")
    assert answer["state"] in ("sent", "delivered", "read")
    assert {one["conversation"] for one in answer["messages"]} == {"Echo Hill", "Polly Vote", "Demo"}
    assert {one["name"] for one in answer["recipients"]} >= {"Echo Hill", "Polly Vote"}
    assert (await client.messages.get(answer["message_id"])).timestamp == answer["timestamp"]


async def test_a_number_that_a_template_made_an_integer_is_a_number_again(act, client):
    answer = await act("send_message", conversation=int(ECHO.removeprefix("+")), message="Hello")
    assert answer["messages"][0]["conversation_id"] == uuid_of(ECHO)


async def test_a_message_goes_to_the_conversation_of_an_entity(hass: HomeAssistant, act, config_entry):
    (subentry,) = (one for one in config_entry.subentries.values() if one.title == "Demo")
    entity = er.async_get(hass).async_get_or_create(
        "notify", DOMAIN, "demo", config_entry=config_entry, config_subentry_id=subentry.subentry_id
    )
    answer = await act("send_message", entity_id=entity.entity_id, message="Hello")
    assert [one["conversation_id"] for one in answer["messages"]] == [DEMO_GROUP]
    stranger = er.async_get(hass).async_get_or_create("notify", "other", "x")
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", entity_id=stranger.entity_id, message="Hello")
    assert error.value.translation_key == "entity_unknown"


async def test_titles_and_styles_stand_in_the_text(act, events, courier):
    await act("send_message", conversation=ECHO, title="Doör 🚪", message="It is open")
    await act("send_message", conversation=ECHO, title="a*b", message="*open*", text_mode="styled")
    echoes = await wait_for(
        lambda: [one.message for one in events if one.type == "message"][1:] and [one.message for one in events if one.type == "message"]
    )
    assert [one.text for one in echoes] == ["Doör 🚪\nIt is open", "a*b\nopen"]
    assert [(one.start, one.length, one.style) for one in echoes[0].styles] == [(0, 7, "BOLD")]
    assert {(one.start, one.length, one.style) for one in echoes[1].styles} == {(0, 3, "BOLD"), (4, 4, "ITALIC")}


async def test_an_answer_quotes_and_goes_where_the_question_came_from(act, events, courier, client):
    (timestamp,) = await courier.deliver("Is it warm?", group_id=DEMO_GROUP_ID)
    answer = await act("send_message", reply_to=f"signal:{timestamp}:{uuid_of(ECHO)}:{DEMO_GROUP}", message="Yes")
    assert answer["messages"][0]["conversation_id"] == DEMO_GROUP
    sent = (await client.messages.history(conversation=DEMO_GROUP, direction="sent", limit=1)).messages[0]
    assert (sent.message.quote.timestamp, sent.message.quote.author.uuid) == (timestamp, uuid_of(ECHO))


async def test_people_are_mentioned_by_their_names(act, events):
    await act("send_message", conversation=ECHO, message="🙂 Ask @Polly and @Echo Hill", mentions=["Polly Vote", ECHO])
    echo = await wait_for(lambda: next((one.message for one in events if one.type == "message"), None))
    assert {one.uuid for one in echo.mentions} == {uuid_of(POLLY), uuid_of(ECHO)}
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", conversation=ECHO, message="Hello", mentions=["Polly Vote"])
    assert error.value.translation_key == "mention_missing"


async def test_waiting_for_read_ends_when_it_is_read(act):
    answer = await act("send_message", conversation=ECHO, message="Read me", wait_for="read", timeout=10)
    assert (answer["state"], [one["state"] for one in answer["recipients"]]) == ("read", ["read"])


async def test_waiting_for_a_group_ends_when_every_member_has_it(act):
    async with asyncio.timeout(10):
        answer = await act("send_message", conversation=DEMO_GROUP, message="To all", wait_for="delivered", timeout=60)
    assert {one["state"] for one in answer["recipients"] if one["id"] != DEMO_GROUP} <= {"delivered", "read"}


async def test_waiting_ends_when_the_time_is_over(act, courier):
    answer = await act("send_message", conversation=SECOND, message="Second reads nothing", wait_for="read", timeout=1)
    assert answer["state"] in ("sent", "delivered")


async def test_what_a_script_tries_again_is_sent_once(hass: HomeAssistant, act, courier, client):
    context = Context()
    await courier.stop()
    with pytest.raises(HomeAssistantError) as error:
        await act("send_message", context, conversation=ECHO, message="Once")
    assert error.value.translation_key == "cannot_connect"
    await courier.again()
    first = await act("send_message", context, conversation=ECHO, message="Once")
    second = await act("send_message", context, conversation=ECHO, message="Once")
    assert first["message_id"] != second["message_id"]
    found = (await client.messages.history(conversation=ECHO, direction="sent")).messages
    assert [one.message.text for one in found] == ["Once", "Once"]


async def test_a_restart_of_the_service_is_waited_out(act, courier):
    await courier.stop()
    sending = asyncio.ensure_future(act("send_message", conversation=ECHO, message="Through"))
    await asyncio.sleep(0)
    await courier.again()
    assert (await sending)["state"] in ("sent", "delivered", "read")


@pytest.mark.parametrize(("whom", "key"), [(NOBODY, "problem_not_on_signal"), (LIMITED, "parked_captcha"), (NEWKEY, "parked_identity")])
async def test_who_cannot_be_reached_is_told_with_the_reason(act, whom, key):
    with pytest.raises(HomeAssistantError) as error:
        await act("send_message", conversation=whom, message="Hello")
    assert error.value.translation_key == key
    assert whom in (error.value.translation_placeholders or {})["recipients"]


async def test_some_are_reached_although_others_are_not(act):
    answer = await act("send_message", conversation=[NOBODY, ECHO], message="Hello")
    assert {"failed"} < {one["state"] for one in answer["recipients"]}


async def test_targets_that_do_not_exist_are_told(act):
    for data, key in (
        ({}, "target_missing"),
        ({"conversation": "Nobody at all"}, "conversation_unknown"),
        ({"conversation": ECHO, "config_entry_id": "nothing"}, "service_config_entry_not_found"),
        ({"reply_to": "no handle"}, "handle_invalid"),
    ):
        with pytest.raises(ServiceValidationError) as error:
            await act("send_message", message="Hello", **data)
        assert error.value.translation_key == key


async def test_an_account_that_is_not_loaded_is_told(hass: HomeAssistant, act, config_entry):
    await hass.config_entries.async_unload(config_entry.entry_id)
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", conversation=ECHO, message="Hello")
    assert error.value.translation_key == "service_config_entry_not_loaded"


async def test_messages_are_edited_reacted_to_and_deleted_by_their_handle(act, client):
    handle = (await act("send_message", conversation=ECHO, message="Helo"))["handle"]
    await act("edit_message", handle=handle, message="Hello", title="T")
    await act("react", handle=handle, emoji="👍")
    now = (await client.messages.history(conversation=ECHO, direction="sent", limit=1)).messages[0]
    assert (now.message.text, [one.emoji for one in now.reactions]) == ("T\nHello", ["👍"])
    await act("react", handle=handle, emoji="👍", remove=True)
    await act("delete_message", handle=handle)
    now = (await client.messages.history(conversation=ECHO, direction="sent", limit=1)).messages[0]
    assert now.deleted_at
    assert not now.reactions


async def test_a_message_is_named_by_conversation_and_time_too(act, courier, client):
    (timestamp,) = await courier.deliver("Hello")
    await courier.settled()
    answer = await act("react", conversation=ECHO, timestamp=str(timestamp), author=ECHO, emoji="👍")
    assert answer["handle"] == f"signal:{timestamp}:{uuid_of(ECHO)}:{uuid_of(ECHO)}"
    with pytest.raises(ServiceValidationError) as error:
        await act("react", conversation=ECHO, emoji="👍")
    assert error.value.translation_key == "message_missing"


async def test_conversations_are_marked_as_read_and_show_typing(act, courier, client):
    await courier.deliver("{n}", count=3)
    await courier.settled()

    async def all_are_unread() -> bool:
        return (await client.conversations.get(ECHO)).unread == 3

    await wait_until(all_are_unread)
    assert await act("mark_read", conversation=ECHO) == {"read": 3}
    await act("set_typing", conversation=ECHO)
    await act("set_typing", conversation=ECHO, typing=False)


async def test_polls_are_sent_voted_in_and_closed(act, events, client):
    answer = await act("send_poll", conversation=POLLY, question="Tea?", options=["Yes", "No"])
    vote = await wait_for(lambda: next((one for one in events if one.type == "poll"), None))
    assert (vote.poll.votes, vote.poll.target.timestamp) == ((0,), answer["timestamp"])
    await act("vote", handle=answer["handle"], options=1)
    await act("close_poll", handle=answer["handle"])
    poll = (await client.messages.history(conversation=POLLY, direction="sent", limit=1)).messages[0]
    assert poll.closed
    assert HOME


async def test_the_entity_of_the_conversation_knows_when_it_was_written_to(hass: HomeAssistant, act):
    def last(entity_id: str) -> str:
        state = hass.states.get(entity_id)
        assert state is not None
        return state.state

    assert (last("notify.echo_hill"), last("notify.demo")) == ("unknown", "unknown")
    await act("send_message", conversation=ECHO, message="Hello")
    assert last("notify.echo_hill") != "unknown"
    assert last("notify.demo") == "unknown"
    await act("send_poll", entity_id="notify.demo", question="?", options=["A", "B"])
    assert last("notify.demo") != "unknown"
