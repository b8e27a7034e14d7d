"""Subentries are called as their conversations are, until somebody gives one another title."""

from typing import Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant, callback

from .const import CONF_CONVERSATION_ID, SUBENTRY_CONVERSATION
from .coordinator import SignalCourierConfigEntry

NAMES: Final = frozenset({CONF_NAME})
"""In a subentry's data: what changes with the conversation's name, and needs no reload."""


@callback
def async_setup_names(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    """Follow the names, those that have changed while nobody looked too, until the entry is unloaded."""
    directory = entry.runtime_data.conversations

    def follow(subentry: ConfigSubentry) -> None:
        found, known = directory.at(subentry.data[CONF_CONVERSATION_ID]), subentry.data.get(CONF_NAME)
        if found is None or found.name in (known, found.id, found.number):  # who has no name keeps the one that is known
            return
        title = found.name if subentry.title == known else subentry.title
        hass.config_entries.async_update_subentry(entry, subentry, title=title, data={**subentry.data, CONF_NAME: found.name})

    @callback
    def changed() -> None:
        for subentry in tuple(entry.subentries.values()):
            if subentry.subentry_type == SUBENTRY_CONVERSATION:
                follow(subentry)

    changed()
    entry.async_on_unload(directory.async_add_listener(changed))
