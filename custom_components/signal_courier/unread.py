"""Which conversations wait to be read: what came, less what was read on the phone or marked as read from here."""

from collections.abc import Callable

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.util.signal_type import SignalTypeFormat

from .const import DOMAIN

_READ: SignalTypeFormat[str] = SignalTypeFormat(f"{DOMAIN}_read_{{}}")


@callback
def async_tell_read(hass: HomeAssistant, entry_id: str, conversation_id: str) -> None:
    """Say that a conversation of an account was marked as read."""
    async_dispatcher_send(hass, _READ.format(entry_id), conversation_id)


@callback
def async_on_read(hass: HomeAssistant, entry_id: str, run: Callable[[str], None]) -> CALLBACK_TYPE:
    """Have `run` called with the id of each conversation that was marked as read."""
    return async_dispatcher_connect(hass, _READ.format(entry_id), run)
