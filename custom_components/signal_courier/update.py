"""Whether the service is as new as this integration.

Both are released together, with the same version; nobody else is asked. A service that is newer is not called old. It is updated where it
runs: as an app by the Supervisor (which shows an update of its own), as a container by its image.
"""

from typing import Final, override

from awesomeversion import AwesomeVersion, AwesomeVersionException
from homeassistant.components.update import UpdateDeviceClass, UpdateEntity, UpdateEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.loader import async_get_integration

from .const import DOMAIN, NAME
from .coordinator import SignalCourierConfigEntry
from .entity import SignalCourierEntity

PARALLEL_UPDATES = 0

_SERVICE: Final = UpdateEntityDescription(
    key="service", translation_key="service", device_class=UpdateDeviceClass.FIRMWARE, entity_category=EntityCategory.DIAGNOSTIC
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the update entity of an account's service."""
    integration = await async_get_integration(hass, DOMAIN)
    async_add_entities([ServiceUpdate(entry, _SERVICE, str(integration.version or ""), integration.documentation)])


class ServiceUpdate(SignalCourierEntity, UpdateEntity):
    """The version of the service, beside the one that this integration was released with."""

    _attr_title = NAME

    def __init__(
        self, entry: SignalCourierConfigEntry, description: UpdateEntityDescription, released_with: str, documentation: str | None
    ) -> None:
        super().__init__(entry, description)
        self._released_with = released_with
        self._attr_release_url = documentation

    @property
    @override
    def installed_version(self) -> str:
        return self.coordinator.data.version

    @property
    @override
    def latest_version(self) -> str:
        return newer(self.coordinator.data.version, self._released_with)


def newer(one: str, other: str) -> str:
    """The newer of two versions; the first where they cannot be compared."""
    try:
        return other if AwesomeVersion(other) > AwesomeVersion(one) else one
    except AwesomeVersionException:
        return one
