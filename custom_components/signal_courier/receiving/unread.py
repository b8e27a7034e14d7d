"""Which conversations wait to be read: what came, less what was read on the phone or marked as read from here."""

from collections.abc import Callable

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.util.signal_type import SignalTypeFormat

from ..const import DOMAIN

_READ: SignalTypeFormat[str, int | None] = SignalTypeFormat(f"{DOMAIN}_read_{{}}")


@callback
def async_tell_read(hass: HomeAssistant, entry_id: str, conversation_id: str, upto: int | None = None) -> None:
    """Say that a conversation of an account was marked as read, up to the message with this timestamp or altogether."""
    async_dispatcher_send(hass, _READ.format(entry_id), conversation_id, upto)


@callback
def async_on_read(hass: HomeAssistant, entry_id: str, run: Callable[[str, int | None], None]) -> CALLBACK_TYPE:
    """Have `run` called for each conversation that was marked as read: its id, and up to which message (`None` = all)."""
    return async_dispatcher_connect(hass, _READ.format(entry_id), run)
