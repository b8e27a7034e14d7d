"""Polls: ask, vote, close."""

from collections.abc import Sequence

import probatio
from homeassistant.core import ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv

from ..const import DOMAIN
from ..happenings.polls import async_look_up_poll, async_remember_poll
from .action import Aim, Call, action
from .answers import sent_answer, state_of
from .delivery import async_send_soon
from .fields import TEXTS

_OPTIONS = probatio.All(TEXTS, probatio.Length(min=2, max=100))


@action(
    "send_poll",
    {
        probatio.Required("question"): cv.string,
        probatio.Required("options"): _OPTIONS,
        probatio.Optional("multiple", default=False): cv.boolean,
    },
    aim=Aim.ONE,
)
async def send_poll(call: Call) -> ServiceResponse:
    """Send a poll. Votes come as events; `ask` waits for them."""
    data = call.data
    messages, where = call.client.messages, call.conversation.id
    sent = await async_send_soon(
        call, lambda terms: messages.send_poll(where, data["question"], data["options"], multiple=data["multiple"], terms=terms)
    )
    call.wrote()
    if sent.timestamp is not None:
        async_remember_poll(call.hass, call.entry.entry_id, sent.timestamp, data["question"], data["options"])
    return sent_answer(call, sent)


@action("close_poll", {}, aim=Aim.MESSAGE)
async def close_poll(call: Call) -> ServiceResponse:
    """Close an own poll."""
    messages, where, timestamp = call.client.messages, call.conversation.id, call.message.timestamp
    sent = await async_send_soon(call, lambda terms: messages.close_poll(where, timestamp, terms=terms))
    return {"handle": str(call.message), "timestamp": timestamp, "state": state_of(sent)}


@action("vote", {probatio.Required("options"): probatio.All(cv.ensure_list, [probatio.Any(int, str)])}, aim=Aim.MESSAGE)
async def vote(call: Call) -> ServiceResponse:
    """Vote in a poll, change the vote, or take it back with no option at all."""
    messages, where, message = call.client.messages, call.conversation.id, call.message
    asked = await async_look_up_poll(call.hass, call.entry.entry_id, call.client, where, message.timestamp)
    options = [_place(option, asked.options) for option in call.data["options"]]
    sent = await async_send_soon(
        call, lambda terms: messages.vote(where, author=message.author, timestamp=message.timestamp, options=options, terms=terms)
    )
    return {"handle": str(message), "options": list(options), "state": state_of(sent)}


def _place(option: str | int, known: Sequence[str]) -> int:
    """The place of an option, from 0: given as a number, or in the words of the poll. Raises `ServiceValidationError`."""
    text = str(option).strip()
    folded = [one.strip().casefold() for one in known]
    if isinstance(option, str) and text.casefold() in folded:
        return folded.index(text.casefold())
    if text.isascii() and text.isdigit():
        return int(text)
    raise ServiceValidationError(translation_domain=DOMAIN, translation_key="option_unknown", translation_placeholders={"option": text})
