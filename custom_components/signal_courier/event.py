"""What happens, as event entities: one for each conversation, one for everything.

Types and attributes are told in `happenings`. What people wrote is neither recorded in the history nor kept over a restart.
"""

from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription, EventExtraStoredData
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_CONVERSATION
from .coordinator import SignalCourierConfigEntry
from .entity import ConversationEntity, SignalCourierEntity
from .happenings.feed import Happening, async_subscribe_happenings
from .happenings.happening import IN_ACCOUNT, IN_CONVERSATION

PARALLEL_UPDATES = 0

PRIVATE: Final = frozenset(
    {
        "attachments",
        "chosen",
        "contacts",
        "links",
        "mentions",
        "options",
        "question",
        "quote",
        "recipients",
        "sender_number",
        "text",
    }
)
"""Attributes that say what was written, and to whom."""

_CONVERSATION: Final = EventEntityDescription(
    key="events", translation_key="events", name=None, event_types=[kind.value for kind in IN_CONVERSATION]
)
_ACCOUNT: Final = EventEntityDescription(key="events", translation_key="events", name=None, event_types=[kind.value for kind in IN_ACCOUNT])


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the event entities of an account and of its conversations."""
    async_add_entities([AccountEvents(entry, _ACCOUNT)])
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY_CONVERSATION:
            async_add_entities([ConversationEvents(entry, subentry, _CONVERSATION)], config_subentry_id=subentry.subentry_id)


class _Events(EventEntity):
    """What both have in common."""

    _unrecorded_attributes = PRIVATE

    @callback
    def _happened(self, happening: Happening) -> None:
        self._trigger_event(happening.kind.value, {key: value for key, value in happening.payload.items() if key != "config_entry_id"})
        self.async_set_context(happening.context)
        self.async_write_ha_state()

    @property
    @override
    def extra_restore_state_data(self) -> EventExtraStoredData:
        stored = super().extra_restore_state_data
        attributes = stored.last_event_attributes
        if attributes is None:
            return stored
        return EventExtraStoredData(stored.last_event_type, {key: value for key, value in attributes.items() if key not in PRIVATE})


class AccountEvents(SignalCourierEntity, _Events):
    """Everything that happens to the account."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(async_subscribe_happenings(self.hass, self._happened, IN_ACCOUNT, entry=self.entry))


class ConversationEvents(ConversationEntity, _Events):
    """What happens in one conversation."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(async_subscribe_happenings(self.hass, self._happened_somewhere, IN_CONVERSATION, entry=self.entry))

    @callback
    def _happened_somewhere(self, happening: Happening) -> None:
        if self.is_here(happening.event):
            self._happened(happening)
