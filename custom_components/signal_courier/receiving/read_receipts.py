"""Tells those who write that Home Assistant has read it, where the option says so; only those who may trigger something."""

import asyncio
from typing import Final

from homeassistant.core import HomeAssistant, callback

from ..client import CourierError
from ..const import CONF_READ_RECEIPTS, LOGGER
from ..coordinator import SignalCourierConfigEntry
from ..happenings.feed import Happening, async_subscribe_happenings
from ..happenings.happening import HappeningType
from .unread import async_tell_read

_COLLECT: Final = 0.5
"""Seconds for which receipts are collected: one for many messages."""


@callback
def async_setup_read_receipts(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    """Begin, if the option says so; ends with the entry."""
    if entry.options.get(CONF_READ_RECEIPTS, False):
        _ReadReceipts(hass, entry)


class _ReadReceipts:
    def __init__(self, hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._read: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        entry.async_on_unload(async_subscribe_happenings(hass, self._came, (HappeningType.MESSAGE, HappeningType.EDIT), entry=entry))

    @callback
    def _came(self, happening: Happening) -> None:
        message, place = happening.event.message, happening.event.conversation
        if not happening.allowed or message is None or message.story or place is None:
            return
        self._read.add(place.id)
        if self._task is None or self._task.done():
            self._task = self._entry.async_create_background_task(self._hass, self._send(), f"read receipts of {self._entry.title}")
        async_tell_read(self._hass, self._entry.entry_id, place.id)

    async def _send(self) -> None:
        while self._read:
            await asyncio.sleep(_COLLECT)
            read, self._read = self._read, set()
            for conversation_id in read:
                try:
                    await self._entry.runtime_data.client.conversations.mark_read(conversation_id)
                except CourierError as error:
                    LOGGER.debug("A conversation could not be marked as read: %s", error)
