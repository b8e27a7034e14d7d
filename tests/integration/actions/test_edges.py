"""Actions at their edges: two accounts, answers that come early, what cannot be closed or reminded of."""

import probatio
import pytest
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.actions.questions import Question
from custom_components.signal_courier.client.events import MessageContent, MessageRef, Person, Place, Poll
from custom_components.signal_courier.const import CONF_ACCOUNT, DOMAIN
from custom_components.signal_courier.receiving.events import CourierEvent
from tests.integration.courier import ECHO, HOME, LIMITED, POLLY, SECOND, TOKEN, uuid_of
from tests.integration.waiting import wait_for, wait_until


@pytest.fixture
async def second(hass: HomeAssistant, courier, act):
    """The entry of another account of the same service, set up too."""
    data = {CONF_URL: courier.url, CONF_TOKEN: TOKEN, CONF_VERIFY_SSL: True, CONF_ACCOUNT: SECOND}
    entry = MockConfigEntry(domain=DOMAIN, title="Second", unique_id=uuid_of(SECOND), data=data)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await wait_for(lambda: entry.runtime_data.events.connected)
    yield entry
    await hass.config_entries.async_unload(entry.entry_id)


async def test_of_two_accounts_one_has_to_be_chosen(hass: HomeAssistant, act, second, config_entry):
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", conversation=ECHO, message="Hello")
    assert error.value.translation_key == "service_found_multiple_config_entry_for_domain"
    registry = er.async_get(hass)
    ours = registry.async_get_or_create("event", DOMAIN, "a", config_entry=config_entry)
    theirs = registry.async_get_or_create("event", DOMAIN, "b", config_entry=second)
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", entity_id=[ours.entity_id, theirs.entity_id], conversation=ECHO, message="Hello")
    assert error.value.translation_key == "several_accounts"
    sent = await act("send_message", entity_id=theirs.entity_id, conversation=HOME, message="From the second")
    assert sent["handle"].split(":")[2] == uuid_of(SECOND)
    await act("edit_message", handle=sent["handle"], message="By its handle alone")
    with pytest.raises(ServiceValidationError) as error:
        await act("set_typing", entity_id=ours.entity_id)
    assert error.value.translation_key == "target_missing"


async def test_several_conversations_are_too_many_for_some_actions(act):
    for name, data in (("send_poll", {"question": "?", "options": ["A", "B"]}), ("react", {"emoji": "👍", "timestamp": 1})):
        with pytest.raises(ServiceValidationError) as error:
            await act(name, conversation=[ECHO, POLLY], **data)
        assert error.value.translation_key == "target_not_single"


async def test_what_is_no_target_is_refused(act):
    targets: list[object] = [True, "", [""], 1.5, {}]
    for target in targets:
        with pytest.raises(probatio.Invalid):
            await act("send_message", conversation=target, message="Hello")


async def test_votes_are_given_in_words_too(act, client):
    handle = (await act("send_poll", conversation=ECHO, question="Tea?", options=["Yes", "No"]))["handle"]
    assert (await act("vote", handle=handle, options=["no"]))["options"] == [1]
    assert (await act("vote", handle=handle, options=["0"]))["options"] == [0]
    assert (await act("vote", handle=handle, options=[]))["options"] == []
    with pytest.raises(ServiceValidationError) as error:
        await act("vote", handle=handle, options=["perhaps"])
    assert error.value.translation_key == "option_unknown"


async def test_mentions_can_be_placed(act, events):
    mention = {"recipient": "Polly Vote", "start": 4, "length": 1}
    await act("send_message", conversation=ECHO, message="Ask X", mentions=[mention])
    echo = await wait_for(lambda: next((one.message for one in events if one.type == "message"), None))
    assert [(one.uuid, one.start) for one in echo.mentions] == [(uuid_of(POLLY), 4)]


async def test_a_vote_that_is_faster_than_the_answer_of_the_service_counts(hass: HomeAssistant, act, config_entry):
    here = Place(id=uuid_of(ECHO))
    early = CourierEvent(
        id=1, type="poll", conversation=here, sender=Person(uuid=uuid_of(ECHO)), entry_id=config_entry.entry_id,
        poll=Poll(action="voted", target=MessageRef(timestamp=5), votes=(1,)),
    )  # fmt: skip
    made = {"hass": hass, "entry_id": config_entry.entry_id, "conversation_id": here.id, "options": ["Yes", "No"], "typed": False}
    with Question(**made) as question, Question(**made) as other:
        assert not question.take(early)
        assert not other.take(early)
        other.async_sent(4)
        question.async_sent(5)
        assert (await question.answer).text == "No"
        assert not other.answer.done()
        assert not question.take(early)


async def test_a_plain_answer_that_is_faster_than_the_answer_of_the_service_counts_for_one_question(hass: HomeAssistant, act, config_entry):
    here = Place(id=uuid_of(ECHO))
    made = {"hass": hass, "entry_id": config_entry.entry_id, "conversation_id": here.id, "options": ["Yes", "No"], "typed": True}

    def said(text: str, number: int, time: int) -> CourierEvent:
        message = MessageContent(timestamp=time, text=text)
        return CourierEvent(id=number, type="message", conversation=here, time=time, entry_id=config_entry.entry_id, message=message)

    with Question(**made) as first, Question(**made) as second:
        before, after = said("No", 1, 90), said("Yes", 2, 110)
        assert not any(one.take(event) for event in (before, after) for one in (second, first))
        second.async_sent(100)
        assert (await second.answer).text == "Yes"  # what was written before the question is no answer to it
        first.async_sent(100)
        assert not first.answer.done()  # the other has taken it


async def test_a_reminder_that_cannot_be_sent_does_not_end_the_question(act, courier, hass: HomeAssistant, client):
    waiting = hass.async_create_task(
        act("ask", conversation=ECHO, question="Close it?", options=["Yes", "No"], reminder=1, timeout=2, default="No")
    )

    async def asked() -> bool:
        return bool((await client.messages.history(conversation=ECHO, direction="sent")).messages)

    await wait_until(asked)
    await courier.stop()
    answer = await waiting
    assert (answer["answered"], answer["answer"]) == (False, "No")
    await courier.again()


async def test_a_challenge_can_be_named(act):
    with pytest.raises(HomeAssistantError):
        await act("send_message", conversation=LIMITED, message="Hello")
    assert await act("submit_challenge", captcha="signalcaptcha://solved", token="simulated-challenge-1") == {
        "token": "simulated-challenge-1"
    }
    with pytest.raises(HomeAssistantError):
        await act("submit_challenge", captcha="nonsense", token="simulated-challenge-1")
