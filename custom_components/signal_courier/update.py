"""Whether the service is as new as it can be.

An app is asked for at the Supervisor, and can be updated there. For a service that runs elsewhere, what this integration was released with
counts: both are released together, with the same version. Nobody else is asked, and a service that is newer is not called old.
"""

from datetime import timedelta
from typing import Any, Final, override

from awesomeversion import AwesomeVersion, AwesomeVersionException
from homeassistant.components.update import UpdateEntity, UpdateEntityDescription
from homeassistant.components.update.const import UpdateEntityFeature
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.hassio import is_hassio
from homeassistant.loader import async_get_integration

from .const import CONF_APP, DOMAIN, LOGGER, NAME
from .coordinator import SignalCourierConfigEntry
from .entity import SignalCourierEntity

PARALLEL_UPDATES = 1
SCAN_INTERVAL = timedelta(hours=1)
"""Between two questions to the Supervisor."""

_SERVICE: Final = UpdateEntityDescription(key="service", translation_key="service", entity_category=EntityCategory.DIAGNOSTIC)


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the update entity of an account's service."""
    integration = await async_get_integration(hass, DOMAIN)
    if entry.data.get(CONF_APP) and is_hassio(hass):
        async_add_entities([AppUpdate(entry, _SERVICE, integration.documentation)], update_before_add=True)
    else:
        async_add_entities([ServiceUpdate(entry, _SERVICE, integration.documentation, str(integration.version or ""))])


class _Update(SignalCourierEntity, UpdateEntity):
    """The version of the service."""

    _attr_title = NAME

    def __init__(self, entry: SignalCourierConfigEntry, description: UpdateEntityDescription, documentation: str | None) -> None:
        super().__init__(entry, description)
        self._attr_release_url = documentation

    @property
    @override
    def installed_version(self) -> str:
        return self.coordinator.data.version


class ServiceUpdate(_Update):
    """A service that somebody runs: beside its version the one that this integration was released with."""

    def __init__(
        self, entry: SignalCourierConfigEntry, description: UpdateEntityDescription, documentation: str | None, released_with: str
    ) -> None:
        super().__init__(entry, description, documentation)
        self._released_with = released_with

    @property
    @override
    def latest_version(self) -> str:
        return newer(self.coordinator.data.version, self._released_with)


class AppUpdate(_Update):
    """The app: the Supervisor knows whether there is a newer one, and installs it."""

    _attr_supported_features = UpdateEntityFeature.INSTALL
    _attr_should_poll = True
    _latest: str | None = None

    @property
    @override
    def latest_version(self) -> str:
        return newer(self.coordinator.data.version, self._latest or "")

    @override
    async def async_update(self) -> None:
        from .app import AppError, async_latest_version  # noqa: PLC0415  # only where there is a Supervisor

        try:
            self._latest = await async_latest_version(self.hass, self.entry.data[CONF_APP])
        except AppError as error:
            LOGGER.debug("The Supervisor does not tell of the app: %s", error)

    @override
    async def async_install(self, version: str | None, backup: bool, **kwargs: Any) -> None:
        from .app import AppError, async_update  # noqa: PLC0415  # the same

        self._attr_in_progress = True
        self.async_write_ha_state()
        try:
            await async_update(self.hass, self.entry.data[CONF_APP])
        except AppError as error:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="update_failed", translation_placeholders={"error": str(error)}
            ) from error
        finally:
            self._attr_in_progress = False
        await self.coordinator.async_request_refresh()


def newer(one: str, other: str) -> str:
    """The newer of two versions; the first where they cannot be compared."""
    try:
        return other if AwesomeVersion(other) > AwesomeVersion(one) else one
    except AwesomeVersionException:
        return one
