"""Conditions: an account is connected; something waits to be read."""

from collections.abc import Mapping
from typing import Any, Final, Unpack, override

import probatio
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_OPTIONS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.condition import Condition, ConditionCheckParams, ConditionConfig
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import SignalCourierConfigEntry
from .happenings.filter import CONF_CONFIG_ENTRY_ID, CONF_CONVERSATION, TEXTS, check_account, spelled

_CONNECTED: Final = probatio.Schema({probatio.Required(CONF_OPTIONS, default=dict): {probatio.Optional(CONF_CONFIG_ENTRY_ID): cv.string}})
_UNREAD: Final = probatio.Schema(
    {
        probatio.Required(CONF_OPTIONS, default=dict): {
            probatio.Optional(CONF_CONFIG_ENTRY_ID): cv.string,
            probatio.Optional(CONF_CONVERSATION): TEXTS,
        }
    }
)


class _AccountCondition(Condition):
    """What is asked of one account, or of all of them."""

    schema: probatio.Schema

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        checked: ConfigType = cls.schema(config)
        check_account(hass, checked[CONF_OPTIONS])
        return checked

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        super().__init__(hass, config)
        self._options: Mapping[str, Any] = config.options or {}

    def _accounts(self) -> list[SignalCourierConfigEntry]:
        chosen = self._options.get(CONF_CONFIG_ENTRY_ID)
        entries: list[SignalCourierConfigEntry] = self._hass.config_entries.async_entries(
            DOMAIN, include_ignore=False, include_disabled=False
        )
        return [entry for entry in entries if chosen in (None, entry.entry_id)]

    def _entity_ids(self, entry: SignalCourierConfigEntry, key: str, subentry_id: str | None) -> list[str]:
        registered = er.async_entries_for_config_entry(er.async_get(self._hass), entry.entry_id)
        return [one.entity_id for one in registered if one.config_subentry_id == subentry_id and one.unique_id.endswith(f"_{key}")]

    def _is_on(self, entity_id: str) -> bool:
        state = self._hass.states.get(entity_id)
        return state is not None and state.state == "on"


class IsConnected(_AccountCondition):
    """Messages can come and go: of the account, or of all where none is named."""

    schema = _CONNECTED

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        accounts = self._accounts()
        return bool(accounts) and all(_is_connected(entry) for entry in accounts)


def _is_connected(entry: SignalCourierConfigEntry) -> bool:
    return entry.state is ConfigEntryState.LOADED and entry.runtime_data.coordinator.is_connected


class HasUnread(_AccountCondition):
    """Something waits to be read: in one of the conversations, or in any of those that were added."""

    schema = _UNREAD

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        wanted = {spelled(one) for one in self._options.get(CONF_CONVERSATION, ())}
        for entry in self._accounts():
            for subentry in entry.subentries.values():
                names = {spelled(name) for name in (subentry.unique_id, subentry.title, *_current_names(entry, subentry.unique_id)) if name}
                if wanted and not wanted & names:
                    continue
                if any(self._is_on(entity_id) for entity_id in self._entity_ids(entry, "unread", subentry.subentry_id)):
                    return True
        return False


def _current_names(entry: SignalCourierConfigEntry, conversation_id: str | None) -> list[str]:
    if entry.state is not ConfigEntryState.LOADED or conversation_id is None:
        return []
    found = entry.runtime_data.conversations.get(conversation_id)
    return [] if found is None else [name for name in (found.name, found.number) if name]


CONDITIONS: Final[dict[str, type[Condition]]] = {"is_connected": IsConnected, "has_unread": HasUnread}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """The conditions of this integration."""
    return CONDITIONS
