"""What polls ask: a vote only tells which options were chosen, by their places.

Polls are remembered as they come or are sent, the latest hundred; of others, such as those from before a restart, the service's history is
asked.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..client import CourierError, SignalCourierClient
from ..client.events import Event
from ..const import DOMAIN, LOGGER

_MOST: Final = 100
_PAGE: Final = 200
_PAGES: Final = 5
"""Messages of the history that are read at a time, and how often."""
_ASTRAY: Final = 86_400_000
"""Milliseconds by which the clock of who asked may be wrong."""
_PATIENCE: Final = 5.0
"""Seconds for which a vote is held back until it is known what was asked."""
_POLLS: HassKey[dict[tuple[str, int], AskedPoll]] = HassKey(f"{DOMAIN}_polls")


@dataclass(frozen=True, slots=True)
class AskedPoll:
    """A question and its options."""

    question: str | None = None
    options: Sequence[str] = ()
    """None where nobody knows any more."""


@callback
def async_remember_poll(hass: HomeAssistant, entry_id: str, timestamp: int, question: str | None, options: Sequence[str]) -> None:
    """Keep what a poll of an account asks; `timestamp` is its message's."""
    polls = hass.data.setdefault(_POLLS, {})
    polls.pop((entry_id, timestamp), None)
    polls[entry_id, timestamp] = AskedPoll(question, tuple(options))
    while len(polls) > _MOST:
        polls.pop(next(iter(polls)))


@callback
def async_asked_poll(hass: HomeAssistant, entry_id: str, timestamp: int) -> AskedPoll | None:
    """What a poll asks, if it is remembered."""
    return hass.data.get(_POLLS, {}).get((entry_id, timestamp))


async def async_look_up_poll(
    hass: HomeAssistant, entry_id: str, client: SignalCourierClient, conversation_id: str, timestamp: int
) -> AskedPoll:
    """What a poll of a conversation asks: as it is remembered, or as the service has kept it; without options where neither knows."""
    asked = async_asked_poll(hass, entry_id, timestamp)
    if asked is not None:
        return asked
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await _in_history(client, conversation_id, timestamp)
    except (CourierError, TimeoutError) as error:
        LOGGER.debug("What a poll asked could not be looked up: %s", error or "no answer in time")
        return AskedPoll()
    async_remember_poll(hass, entry_id, timestamp, found.question, found.options)
    return found


async def _in_history(client: SignalCourierClient, conversation_id: str, timestamp: int) -> AskedPoll:
    before: str | None = None
    for _ in range(_PAGES):
        page = await client.messages.history(conversation=conversation_id, before=before, limit=_PAGE)
        for one in page.messages:
            if one.poll is not None and one.timestamp == timestamp:
                return AskedPoll(one.poll.question, one.poll.options)
        before = page.next
        if before is None or (page.messages and page.messages[-1].time < timestamp - _ASTRAY):
            break
    return AskedPoll()


async def async_know_poll(hass: HomeAssistant, entry_id: str, client: SignalCourierClient, event: Event) -> None:
    """Look up what was asked before a vote, or a poll's end, is told."""
    poll, place = event.poll, event.conversation
    if poll is not None and poll.target is not None and not poll.options and place is not None:
        await async_look_up_poll(hass, entry_id, client, place.id, poll.target.timestamp)
