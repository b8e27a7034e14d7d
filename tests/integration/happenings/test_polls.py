"""Votes are told in words, whoever asked and however long ago."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.signal_courier.client import SignalCourierClient, Unreachable
from custom_components.signal_courier.const import DOMAIN
from custom_components.signal_courier.happenings import polls
from tests.integration.courier import DEMO_GROUP, ECHO, HOME, POLLY, uuid_of
from tests.integration.waiting import wait_for


def vote(poll: int, *options: int) -> dict:
    return {
        "pollVote": {
            "author": HOME, "authorNumber": HOME, "authorUuid": uuid_of(HOME), "targetSentTimestamp": poll, "optionIndexes": list(options),
            "voteCount": 1,
        }
    }  # fmt: skip


@pytest.fixture
async def votes(hass: HomeAssistant, setup_integration):
    """The votes that the bus is told of."""
    await setup_integration()
    return async_capture_events(hass, f"{DOMAIN}_poll_vote")


async def test_a_vote_in_a_poll_of_before_a_restart_is_told_in_words(courier, client, votes):
    poll = await client.messages.send_poll(ECHO, "Tea?", ["Yes", "No"])  # Home Assistant has not seen it
    await courier.speak(vote(poll.timestamp, 1))
    await courier.speak(vote(poll.timestamp, 0))
    await wait_for(lambda: len(votes) == 2)
    assert [(told.data["question"], told.data["chosen"]) for told in votes] == [("Tea?", ["No"]), ("Tea?", ["Yes"])]


async def test_an_old_poll_is_found_behind_much_that_was_said_since(courier, client, votes, monkeypatch):
    monkeypatch.setattr(polls, "_PAGE", 2)
    poll = await client.messages.send_poll(ECHO, "Tea?", ["Yes", "No"])
    await courier.deliver("{n}", count=5)
    await courier.settled()
    await courier.speak(vote(poll.timestamp, 1))
    await wait_for(lambda: votes)
    assert votes[0].data["chosen"] == ["No"]


@pytest.mark.parametrize("timestamp", [4711, 1_900_000_000_000])
async def test_a_vote_in_a_poll_that_nobody_knows_is_told_by_its_places(courier, votes, timestamp):
    await courier.deliver("{n}", count=3)
    await courier.settled()
    await courier.speak(vote(timestamp, 1))
    await wait_for(lambda: votes)
    assert (votes[0].data["votes"], "chosen" in votes[0].data) == ([1], False)


async def test_a_vote_is_told_although_nobody_says_what_was_asked(courier, client, votes, monkeypatch):
    async def nothing(*args: object) -> None:
        raise Unreachable("gone")

    monkeypatch.setattr(polls, "_in_history", nothing)
    await courier.speak(vote(4711, 1))
    await wait_for(lambda: votes)
    assert votes[0].data["votes"] == [1]


async def test_a_poll_of_before_a_restart_is_voted_in_by_words(act, client: SignalCourierClient):
    poll = await client.messages.send_poll(DEMO_GROUP, "Tea?", ["Yes", "No"])
    answer = await act("vote", conversation=DEMO_GROUP, timestamp=poll.timestamp, options=["no"])
    assert answer["options"] == [1]
    with pytest.raises(ServiceValidationError) as error:
        await act("vote", conversation=POLLY, timestamp=4711, options=["no"])
    assert error.value.translation_key == "option_unknown"
