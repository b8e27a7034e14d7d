"""Notify entities, one for each conversation; the `notify` actions of earlier times are in `legacy`."""

from typing import Final, override

from homeassistant.components.notify import NotifyEntity, NotifyEntityDescription
from homeassistant.components.notify.const import NotifyEntityFeature
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_CONVERSATION
from .coordinator import SignalCourierConfigEntry
from .entity import ConversationEntity
from .errors import translated
from .legacy.notify import async_get_service
from .titles import with_title
from .written import async_hear_written

__all__ = ["async_get_service", "async_setup_entry"]

PARALLEL_UPDATES = 0  # the service puts what is sent at once in order, and keeps Signal's pace

_NOTIFY: Final = NotifyEntityDescription(key="notify", name=None)


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the notify entities of an account's conversations."""
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY_CONVERSATION:
            async_add_entities([ConversationNotify(entry, subentry, _NOTIFY)], config_subentry_id=subentry.subentry_id)


class ConversationNotify(ConversationEntity, NotifyEntity):
    """Writes to a person or a group. A title becomes the first line, in bold."""

    _attr_supported_features = NotifyEntityFeature.TITLE

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(async_hear_written(self.hass, self.entry.entry_id, self.conversation_id, self._async_record_notification))

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        text, styles = with_title(message, title)
        async with translated(self.hass, self.entry):
            await self.data.client.messages.send([self.conversation_id], text=text, styles=styles or None)
