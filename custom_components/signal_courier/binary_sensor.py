"""Whether the service and Signal can be reached."""

from typing import Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import SignalCourierConfigEntry
from .entity import SignalCourierEntity

PARALLEL_UPDATES = 0

_CONNECTIVITY: Final = BinarySensorEntityDescription(
    key="connectivity", device_class=BinarySensorDeviceClass.CONNECTIVITY, entity_category=EntityCategory.DIAGNOSTIC
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the binary sensors of an account."""
    async_add_entities([ConnectivitySensor(entry, _CONNECTIVITY)])


class ConnectivitySensor(SignalCourierEntity, BinarySensorEntity):
    """On while messages can come and go: the stream flows, signal-cli runs, the account is loaded."""

    @property
    @override
    def available(self) -> bool:
        return True  # that nobody answers is what it tells

    @property
    @override
    def is_on(self) -> bool:
        account = self.account
        return (
            self.coordinator.last_update_success
            and self.coordinator.data.engine.state in ("ready", "idle")
            and account is not None
            and account.state == "ready"
        )
