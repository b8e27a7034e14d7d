"""What polls ask: a vote only tells which options were chosen, by their places.

Polls are remembered as they come or are sent, the latest hundred, until Home Assistant ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

_MOST: Final = 100
_POLLS: HassKey[dict[tuple[str, int], AskedPoll]] = HassKey(f"{DOMAIN}_polls")


@dataclass(frozen=True, slots=True)
class AskedPoll:
    """A question and its options."""

    question: str | None
    options: Sequence[str]


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
