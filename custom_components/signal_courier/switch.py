"""The switch for read receipts: whether those who write are told that Home Assistant has read it."""

from typing import Any, Final, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_READ_RECEIPTS
from .coordinator import SignalCourierConfigEntry
from .entity import SignalCourierEntity

PARALLEL_UPDATES = 0

_READ_RECEIPTS: Final = SwitchEntityDescription(key="read_receipts", translation_key="read_receipts", entity_category=EntityCategory.CONFIG)


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the switch of an account."""
    async_add_entities([ReadReceipts(entry, _READ_RECEIPTS)])


class ReadReceipts(SignalCourierEntity, SwitchEntity):
    """The option of the same name; `read_receipts` sends them."""

    @property
    @override
    def available(self) -> bool:
        return True  # it is kept here

    @property
    @override
    def is_on(self) -> bool:
        return bool(self.entry.options.get(CONF_READ_RECEIPTS, False))

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self._set(on=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self._set(on=False)

    def _set(self, *, on: bool) -> None:
        self.hass.config_entries.async_update_entry(self.entry, options={**self.entry.options, CONF_READ_RECEIPTS: on})
        self.async_write_ha_state()
