"""What cannot be sent now is sent later: not only messages."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from homeassistant.const import EVENT_HOMEASSISTANT_STOP, STATE_UNKNOWN
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from custom_components.signal_courier.actions import delivery
from custom_components.signal_courier.const import DOMAIN
from tests.integration.courier import ECHO, LIMITED, NEWKEY, POLLY
from tests.integration.waiting import wait_for, wait_until

type Act = Callable[..., Coroutine[Any, Any, Any]]
ACTIONS: dict[str, dict[str, Any]] = {
    "edit_message": {"message": "Hello"},
    "react": {"emoji": "👍"},
    "delete_message": {},
    "close_poll": {},
    "vote": {"options": ["No"]},
    "send_poll": {"conversation": ECHO, "question": "Coffee?", "options": ["Yes", "No"]},
}


@pytest.fixture
async def latest(client):
    """The newest of what was sent to ECHO."""

    async def look() -> Any:
        return (await client.messages.history(conversation=ECHO, direction="sent", limit=1)).messages[0]

    return look


def was_done(name: str, found: Any) -> bool:
    """Whether an action of `ACTIONS` is seen in the history."""
    match name:
        case "edit_message":
            return found.edited_at is not None
        case "react":
            return [one.emoji for one in found.reactions] == ["👍"]
        case "delete_message":
            return found.deleted_at is not None
        case "close_poll":
            return bool(found.closed)
        case "vote":
            return [one.options for one in found.votes] == [(1,)]
        case _:
            return found.poll is not None and found.poll.question == "Coffee?"


@pytest.mark.parametrize("name", ACTIONS)
async def test_while_signal_cli_is_away_the_service_keeps_it_and_sends_it_later(act: Act, courier, latest, monkeypatch, name):
    monkeypatch.setattr(delivery, "PATIENCE", 0.6)  # nobody comes back within that
    data = ACTIONS[name]
    if name in ("close_poll", "vote"):
        data |= {"handle": (await act("send_poll", conversation=ECHO, question="Tea?", options=["Yes", "No"]))["handle"]}
    elif name != "send_poll":
        data |= {"handle": (await act("send_message", conversation=ECHO, message="Helo"))["handle"]}
    await courier.run_signal_cli(False)
    assert (await act(name, **data))["state"] == "queued"
    await courier.run_signal_cli(True)

    async def done() -> bool:
        return was_done(name, await latest())

    await wait_until(done)


async def test_a_short_absence_of_signal_cli_is_waited_out(act: Act, courier, latest, hass: HomeAssistant):
    handle = (await act("send_message", conversation=ECHO, message="Hello"))["handle"]
    await courier.run_signal_cli(False)
    reacting = hass.async_create_task(act("react", handle=handle, emoji="👍"))
    await asyncio.sleep(0)
    await courier.run_signal_cli(True)
    assert (await reacting)["state"] in ("sent", "delivered", "read")
    assert was_done("react", await latest())


async def test_a_short_absence_of_the_service_is_waited_out_and_nothing_is_done_twice(act: Act, courier, client):
    await courier.stop()
    asking = asyncio.ensure_future(act("send_poll", conversation=POLLY, question="Tea?", options=["Yes", "No"]))
    await asyncio.sleep(0)
    await courier.again()
    assert (await asking)["state"] in ("sent", "delivered", "read")
    assert len((await client.messages.history(conversation=POLLY, direction="sent")).messages) == 1


@pytest.mark.parametrize(("whom", "key"), [(LIMITED, "problem_rate_limited"), (NEWKEY, "problem_untrusted_identity")])
async def test_what_signal_refuses_is_told_in_its_words(act: Act, whom, key):
    with pytest.raises(HomeAssistantError) as error:
        await act("send_poll", conversation=whom, question="Tea?", options=["Yes", "No"])
    assert error.value.translation_key == key


@pytest.mark.parametrize(("whom", "key"), [(LIMITED, "parked_captcha"), (NEWKEY, "parked_identity")])
async def test_what_signal_refuses_later_is_told_too(act: Act, courier, client, hass: HomeAssistant, whom, key):
    await courier.run_signal_cli(False)
    asking = hass.async_create_task(act("send_poll", conversation=whom, question="Tea?", options=["Yes", "No"]))
    await wait_until(lambda: client.messages.outbox(open_only=True))
    await courier.run_signal_cli(True)
    with pytest.raises(HomeAssistantError) as error:
        await asking
    assert error.value.translation_key == key


async def test_a_question_goes_out_when_signal_cli_is_back(act: Act, courier, hass: HomeAssistant):
    await courier.run_signal_cli(False)
    asking = hass.async_create_task(act("ask", conversation=POLLY, question="Close it?", options=["Yes", "No"], timeout=30))
    await asyncio.sleep(0)
    await courier.run_signal_cli(True)
    assert (await asking)["answer"] == "Yes"


async def test_a_question_that_could_not_be_asked_in_time_is_told_and_not_asked_later(act: Act, courier, client):
    await courier.run_signal_cli(False)
    with pytest.raises(HomeAssistantError) as error:
        await act("ask", conversation=POLLY, question="Close it?", options=["Yes", "No"], timeout=1, default="No")
    assert error.value.translation_key == "not_sent"
    await courier.run_signal_cli(True)
    assert [one.state for one in await client.messages.outbox(open_only=True)] == []


async def test_a_question_that_the_end_of_home_assistant_interrupts_leaves_no_open_poll(
    hass: HomeAssistant, act: Act, courier, client, latest
):
    question = {"conversation": ECHO, "question": "Close it?", "options": ["Yes", "No"]}
    assert await async_setup_component(hass, "script", {"script": {"ask": {"sequence": [{"action": f"{DOMAIN}.ask", "data": question}]}}})
    await hass.services.async_call("script", "turn_on", {"entity_id": "script.ask"}, blocking=False)

    async def asked() -> bool:
        return bool((await client.messages.history(conversation=ECHO, direction="sent")).messages)

    await wait_until(asked)
    assert not (await latest()).closed
    hass.set_state(CoreState.stopping)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)  # as when it ends; it waits for what is begun then
    await hass.async_block_till_done()

    async def closed() -> bool:
        return bool((await latest()).closed)

    await wait_until(closed)
    hass.set_state(CoreState.running)


async def test_a_question_over_the_api_leaves_no_open_poll_either_when_home_assistant_ends(hass: HomeAssistant, act: Act, latest):
    asking = asyncio.create_task(act("ask", conversation=ECHO, question="Close it?", options=["Yes", "No"]))

    async def closed() -> bool:
        return bool((await latest()).closed)

    await wait_for(lambda: (state := hass.states.get("notify.echo_hill")) is not None and state.state != STATE_UNKNOWN)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)  # nobody ends the call yet
    await wait_until(closed)
    assert not asking.done()
    asking.cancel()
    await asyncio.wait([asking])
