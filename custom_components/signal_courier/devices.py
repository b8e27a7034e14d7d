"""Devices that are no longer needed."""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from .const import CONF_CONVERSATION_ID, DOMAIN
from .coordinator import SignalCourierConfigEntry


async def async_remove_device(hass: HomeAssistant, entry: SignalCourierConfigEntry, device: DeviceEntry) -> bool:
    """Whether a device may be deleted: that of a conversation, whose subentry goes with it; never that of the account."""
    subentry = _subentry_of(entry, device)
    if subentry is not None:
        hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
        return True
    return (DOMAIN, entry.runtime_data.account_id) not in device.identifiers


def _subentry_of(entry: SignalCourierConfigEntry, device: DeviceEntry) -> ConfigSubentry | None:
    account = entry.runtime_data.account_id
    for subentry in entry.subentries.values():
        if (DOMAIN, f"{account}_{subentry.data.get(CONF_CONVERSATION_ID)}") in device.identifiers:
            return subentry
    return None
