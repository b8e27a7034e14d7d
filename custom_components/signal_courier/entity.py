"""Base of all entities: those of the account's device, and those of a conversation's, which is a subentry."""

from typing import override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_URL
from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .client.events import Event
from .client.models import Account, Conversation
from .const import CONF_APP, CONF_CONVERSATION_ID, DOMAIN, NAME
from .coordinator import SignalCourierConfigEntry, SignalCourierCoordinator


def account_device(entry: SignalCourierConfigEntry) -> DeviceInfo:
    """The device of the account; `__init__` makes it before the platforms, so that others can point to it."""
    data = entry.runtime_data
    status = data.coordinator.data
    return DeviceInfo(
        entry_type=DeviceEntryType.SERVICE,
        identifiers={(DOMAIN, data.account_id)},
        manufacturer=NAME,
        model="Signal account",
        name=entry.title,
        sw_version=status.version,
        hw_version=f"signal-cli {status.engine.version}" if status.engine.version else None,
        configuration_url=visit_url(entry),
    )


def visit_url(entry: SignalCourierConfigEntry) -> str:
    """Where a browser finds the service: the app's own page, as the address in the Supervisor's network leads nowhere from outside."""
    app: str | None = entry.data.get(CONF_APP)
    return f"homeassistant://app/{app}" if app else entry.data[CONF_URL]


class SignalCourierEntity(CoordinatorEntity[SignalCourierCoordinator]):
    """An entity of the account's device: `self.data`, `self.account`. Its unique id is `<account id>_<key of the description>`."""

    _attr_has_entity_name = True

    def __init__(self, entry: SignalCourierConfigEntry, description: EntityDescription) -> None:
        super().__init__(entry.runtime_data.coordinator)
        self.entry = entry
        self.data = entry.runtime_data
        self.entity_description = description
        self._attr_unique_id = f"{self.data.account_id}_{description.key}"
        self._attr_device_info = account_device(entry)

    @property
    def account(self) -> Account | None:
        """The account as the service sees it."""
        return self.coordinator.account


class ConversationEntity(CoordinatorEntity[SignalCourierCoordinator]):
    """An entity of a conversation's device: `self.data`, `self.conversation_id`, `self.conversation`.

    Its unique id is `<account id>_<conversation id>_<key>`. Add it with `async_add_entities([…], config_subentry_id=subentry.subentry_id)`.
    The device is renamed with the conversation; what belongs to a group that was left, or to somebody blocked, is not available.
    """

    _attr_has_entity_name = True

    def __init__(self, entry: SignalCourierConfigEntry, subentry: ConfigSubentry, description: EntityDescription) -> None:
        super().__init__(entry.runtime_data.coordinator)
        self.entry = entry
        self.subentry = subentry
        self.data = entry.runtime_data
        self.conversation_id: str = subentry.data[CONF_CONVERSATION_ID]
        self.entity_description = description
        identifier = f"{self.data.account_id}_{self.conversation_id}"
        self._attr_unique_id = f"{identifier}_{description.key}"
        known = self.conversation
        self._attr_device_info = DeviceInfo(
            entry_type=DeviceEntryType.SERVICE,
            identifiers={(DOMAIN, identifier)},
            manufacturer=NAME,
            model="Signal group" if known is not None and known.is_group else "Signal chat",
            name=known.name if known is not None else subentry.title,
            configuration_url=visit_url(entry),
            via_device_id=dr.async_get_device_id_by_identifier(
                self.coordinator.hass, (DOMAIN, self.data.account_id), config_entry_id=entry.entry_id
            ),
        )

    @property
    def conversation(self) -> Conversation | None:
        """The conversation as it is known now; `None` for a group that was left, and for somebody who was never met."""
        return self.data.conversations.at(self.conversation_id)

    def is_here(self, event: Event) -> bool:
        """Whether an event happened in this conversation; it may have been added by its number, when no UUID was known."""
        place = event.conversation
        return place is not None and self.conversation_id in (place.id, place.number)

    @property
    @override
    def available(self) -> bool:
        account = self.coordinator.account
        if not super().available or account is None or account.state == "unlinked":
            return False
        found = self.conversation
        if found is None:
            return not self.conversation_id.startswith("group.")  # whoever was never met can be written to all the same
        return not found.blocked and (found.group is None or found.group.member)

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.data.conversations.async_add_listener(self._conversation_changed))

    @callback
    def _conversation_changed(self) -> None:
        """The directory has changed."""
        found = self.conversation
        registry = dr.async_get(self.hass)
        if found is not None and self.device_entry is not None and self.device_entry.name != found.name:
            registry.async_update_device(self.device_entry.id, name=found.name)
        self.async_write_ha_state()
