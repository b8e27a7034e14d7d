"""Tells notify entities that something was written to their conversations by an action: their state is the time of the last message."""

from collections.abc import Callable
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.util.signal_type import SignalType

from .const import DOMAIN

_WRITTEN: Final[SignalType[str, str]] = SignalType(f"{DOMAIN}_written")


@callback
def async_tell_written(hass: HomeAssistant, entry_id: str, conversation_id: str) -> None:
    """Something was written to a conversation of an account."""
    async_dispatcher_send(hass, _WRITTEN, entry_id, conversation_id)


@callback
def async_hear_written(hass: HomeAssistant, entry_id: str, conversation_id: str, run: Callable[[], None]) -> CALLBACK_TYPE:
    """Have `run` called for one conversation; gives what ends it."""

    @callback
    def told(account: str, conversation: str) -> None:
        if (account, conversation) == (entry_id, conversation_id):
            run()

    return async_dispatcher_connect(hass, _WRITTEN, told)
