"""Questions and their answers; waiting for messages."""

import asyncio

import probatio
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from custom_components.signal_courier.const import DOMAIN
from tests.integration.courier import DEMO_GROUP, DEMO_GROUP_ID, ECHO, HOME, LIMITED, POLLY, uuid_of
from tests.integration.waiting import wait_for, wait_until


@pytest.fixture
def asked(client, act):
    """Gives the last thing that was sent to a conversation, once there is one (more than `behind`)."""

    async def latest(where: str = ECHO, behind: int = 0):
        async def newest():
            page = await client.messages.history(conversation=where, direction="sent")
            found = [one for one in page.messages if one.timestamp]  # what is on disk only is not asked yet
            return found[0] if len(found) > behind else None

        return await wait_until(newest)

    return latest


@pytest.fixture
def question(hass: HomeAssistant, act):
    """Asks, and gives the task that waits."""

    def begin(**data: object) -> asyncio.Task:
        return hass.async_create_task(act("ask", **data))

    return begin


async def is_closed(poll) -> bool:
    return (await poll).closed


def vote(poll: int, *options: int) -> dict:
    return {
        "pollVote": {
            "author": HOME, "authorNumber": HOME, "authorUuid": uuid_of(HOME), "targetSentTimestamp": poll, "optionIndexes": list(options),
            "voteCount": 1,
        }
    }  # fmt: skip


def reaction(emoji: str, timestamp: int, *, remove: bool = False) -> dict:
    return {
        "reaction": {
            "emoji": emoji, "targetAuthor": HOME, "targetAuthorNumber": HOME, "targetAuthorUuid": uuid_of(HOME),
            "targetSentTimestamp": timestamp, "isRemove": remove,
        }
    }  # fmt: skip


def quote(timestamp: int) -> dict:
    return {"quote": {"id": timestamp, "author": HOME, "authorNumber": HOME, "authorUuid": uuid_of(HOME), "text": "?", "attachments": []}}


async def test_a_poll_is_answered_with_who_and_when(act, client, asked):
    answer = await act("ask", conversation=POLLY, question="Close the garage?", options=["Yes", "No"])
    assert (answer["answered"], answer["answer"], answer["index"], answer["method"]) == (True, "Yes", 0, "poll")
    assert (answer["who"], answer["who_id"]) == ("Polly Vote", uuid_of(POLLY))
    assert answer["when"]
    assert answer["handle"].startswith("signal:")
    await wait_until(lambda: is_closed(asked(POLLY)))


async def test_several_options_can_be_the_answer(question, courier, asked):
    waiting = question(conversation=ECHO, question="Which?", options=["A", "B", "C"], multiple=True)
    poll = await asked()
    await courier.speak(vote(poll.timestamp))  # nothing chosen is no answer
    await courier.speak(vote(poll.timestamp, 0, 2))
    answer = await waiting
    assert (answer["answer"], answer["answers"], answer["indexes"]) == ("A, C", ["A", "C"], [0, 2])


async def test_a_reaction_is_the_answer(question, courier, asked):
    waiting = question(conversation=ECHO, question="Close it?", options=["Yes", "No"], method="reactions")
    sent = await asked()
    assert sent.message.text == "Close it?\n1️⃣ Yes\n2️⃣ No"
    await courier.speak(reaction("👍", sent.timestamp))
    await courier.speak(reaction("2️⃣", sent.timestamp, remove=True))
    await courier.speak(reaction("2\N{COMBINING ENCLOSING KEYCAP}", sent.timestamp))
    answer = await waiting
    assert (answer["answer"], answer["index"], answer["method"]) == ("No", 1, "reactions")


@pytest.mark.parametrize("text", ["2", "no", " No. "])
async def test_a_number_or_the_words_are_the_answer(question, courier, asked, text):
    waiting = question(conversation=ECHO, question="Close it?", options=["Yes", "No"], method="reply")
    assert (await asked()).message.text == "Close it?\n1. Yes\n2. No"
    await courier.deliver("What do you mean?")
    await courier.deliver(text)
    assert (await waiting)["answer"] == "No"


async def test_any_text_answers_a_question_without_options(question, courier, asked):
    waiting = question(conversation=ECHO, question="What shall I buy?")
    sent = await asked()
    await courier.speak(quote(sent.timestamp), text="Milk")
    answer = await waiting
    assert answer["answer"] in ("Milk", "What shall I buy?")  # Echo repeats the question, too
    assert (answer["index"], answer["method"]) == (None, "reply")


async def test_two_questions_do_not_take_each_others_answers(question, courier, asked, hass: HomeAssistant):
    options = ["Yes", "No"]
    first = question(conversation=DEMO_GROUP, question="First?", options=options, method="reply")
    one = await asked(DEMO_GROUP)
    second = question(conversation=DEMO_GROUP, question="Second?", options=options, method="reply")
    await asked(DEMO_GROUP, behind=1)
    third = question(conversation=DEMO_GROUP, question="Third?", options=options, answer_from=[ECHO])
    poll = await asked(DEMO_GROUP, behind=2)
    await courier.speak(quote(one.timestamp), text="No", sender=POLLY, group_id=DEMO_GROUP_ID)
    await courier.deliver("Yes", sender=POLLY, group_id=DEMO_GROUP_ID)
    assert ((await first)["answer"], (await second)["answer"]) == ("No", "Yes")
    await courier.settled()
    assert not third.done()  # Polly has voted, but she was not asked
    await courier.speak(vote(poll.timestamp, 1), group_id=DEMO_GROUP_ID)
    assert ((await third)["answer"], (await third)["who"]) == ("No", "Echo Hill")


async def test_what_is_written_elsewhere_is_no_answer(question, courier, asked):
    waiting = question(conversation=ECHO, question="Close it?", options=["Yes", "No"], method="reply", timeout=1, default="No")
    await asked()
    await courier.deliver("Yes", sender=POLLY)
    await courier.deliver("Yes", group_id=DEMO_GROUP_ID)
    answer = await waiting
    assert (answer["answered"], answer["answer"], answer["index"], answer["who"]) == (False, "No", 1, None)


async def test_the_owners_phone_can_answer(question, courier, asked):
    waiting = question(conversation=DEMO_GROUP, question="Close it?", options=["Yes", "No"], method="reply")
    await asked(DEMO_GROUP)
    await courier.deliver_sent("Yes", group_id=DEMO_GROUP_ID)
    assert (await waiting)["who_id"] == uuid_of(HOME)


async def test_a_reminder_quotes_the_question_and_can_be_answered(question, courier, asked):
    waiting = question(conversation=ECHO, question="Close it?", options=["Yes", "No"], reminder=0.2, reminder_message="Please!", timeout=10)
    poll = await asked()
    reminder = await asked(behind=1)
    assert (reminder.message.text, reminder.message.quote.timestamp) == ("Please!", poll.timestamp)
    await courier.speak(quote(reminder.timestamp), text="Yes")
    assert (await waiting)["answer"] == "Yes"


async def test_a_script_that_is_stopped_closes_the_poll(question, asked, hass: HomeAssistant):
    waiting = question(conversation=ECHO, question="Close it?", options=["Yes", "No"])
    await asked()
    waiting.cancel()
    await wait_until(lambda: is_closed(asked()))
    assert not hass.data[f"{DOMAIN}_questions"]


async def test_a_question_that_cannot_be_sent_fails(act):
    with pytest.raises(HomeAssistantError) as error:
        await act("ask", conversation=LIMITED, question="Close it?", options=["Yes", "No"])
    assert error.value.translation_key == "problem_rate_limited"


@pytest.mark.parametrize("data", [{"options": [True, False]}, {"options": ["Yes", "No"], "default": False}])
async def test_words_that_yaml_took_for_true_and_false_are_refused_with_the_reason(act, data):
    with pytest.raises(probatio.Invalid, match="put it in quotes"):
        await act("ask", conversation=POLLY, question="Close it?", **data)


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"options": ["Only one"]}, "options_too_few"),
        ({"options": ["Yes", "No"], "default": "Perhaps"}, "default_unknown"),
        ({"method": "poll"}, "options_missing"),
        ({"method": "reactions", "options": [str(number) for number in range(11)]}, "options_too_many"),
    ],
)
async def test_questions_that_make_no_sense_are_refused(act, data, key):
    with pytest.raises(ServiceValidationError) as error:
        await act("ask", conversation=ECHO, question="?", **data)
    assert error.value.translation_key == key


async def test_a_poll_becomes_a_list_where_signal_cli_turns_out_to_know_no_polls(question, act, courier, asked):
    await courier.pretend("0.13.19")
    waiting = question(conversation=ECHO, question="Close it?", options=["Yes", "No"])
    assert (await asked()).message.text == "Close it?\n1. Yes\n2. No"
    await courier.deliver("1")
    answer = await waiting
    assert (answer["answer"], answer["method"]) == ("Yes", "reply")
    with pytest.raises(HomeAssistantError) as error:
        await act("ask", conversation=ECHO, question="Close it?", options=["Yes", "No"], method="poll")
    assert error.value.translation_key == "problem_unsupported"


async def test_many_options_are_a_list(question, courier, asked):
    waiting = question(conversation=ECHO, question="Which?", options=[f"Number {number}" for number in range(11)])
    await asked()
    await courier.deliver("11")
    assert (await waiting)["answer"] == "Number 10"


async def test_an_action_waits_for_the_message_that_fits(hass: HomeAssistant, act, courier):
    waiting = hass.async_create_task(
        act("wait_for_message", conversation="Demo", sender=ECHO, matches=r"^light (?P<state>on|off)$", has_attachment=False)
    )
    await wait_for(lambda: hass.data.get(f"{DOMAIN}_subscriptions"))
    await courier.deliver("light on")
    await courier.deliver("light on", sender=POLLY, group_id=DEMO_GROUP_ID)
    await courier.deliver("lights on", group_id=DEMO_GROUP_ID)
    await courier.deliver("light off", group_id=DEMO_GROUP_ID)
    answer = await waiting
    assert (answer["received"], answer["text"], answer["named_groups"]) == (True, "light off", {"state": "off"})
    assert answer["handle"].endswith(DEMO_GROUP)
    assert not hass.data[f"{DOMAIN}_subscriptions"]


async def test_waiting_for_a_message_ends(hass: HomeAssistant, act, courier):
    waiting = hass.async_create_task(act("wait_for_message", timeout=0.5))
    await courier.deliver("Not from a conversation that was added", sender=POLLY)
    assert await waiting == {"received": False}
