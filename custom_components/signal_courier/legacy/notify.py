"""`notify.<name>`, as the built-in integration Signal Messenger has it: for automations that were written for that.

Each account has `notify.signal_courier_<title>`, which needs a `target`; and one for each that was taken over (see `legacy.yaml`), with its
recipients. `data` is what Signal Messenger takes: nothing, or `text_mode`, with `attachments` (paths) or with `urls` and `verify_ssl`.
Beside that, a title is shown, and targets can be names.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, override

import probatio
from homeassistant.components.notify.const import ATTR_DATA, ATTR_TARGET, ATTR_TITLE
from homeassistant.components.notify.const import DOMAIN as NOTIFY
from homeassistant.components.notify.legacy import NOTIFY_SERVICES, BaseNotificationService
from homeassistant.const import CONF_NAME, Platform
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import discovery
from homeassistant.helpers.typing import ConfigType, DiscoveryInfoType
from homeassistant.util import slugify
from homeassistant.util.hass_dict import HassKey

from ..client.messages import MessageOptions
from ..const import CONF_NOTIFY_SERVICES, CONF_RECIPIENTS, DOMAIN, LOGGER
from ..coordinator import SignalCourierConfigEntry
from ..errors import translated
from ..files.outgoing import MediaUploader, UrlAccess
from ..titles import with_title

ATTR_ATTACHMENTS: Final = "attachments"
ATTR_TEXT_MODE: Final = "text_mode"
ATTR_URLS: Final = "urls"
ATTR_VERIFY_SSL: Final = "verify_ssl"
STYLED: Final = "styled"

_CONF_ENTRY: Final = "entry"
_SET_UP_WITH: HassKey[ConfigType] = HassKey(f"{DOMAIN}_hass_config")

_MODE: Final[dict[probatio.Marker, Any]] = {probatio.Optional(ATTR_TEXT_MODE, default="normal"): probatio.In(["normal", STYLED])}
DATA_SCHEMA: Final = probatio.Any(
    None,
    probatio.Schema(_MODE),
    probatio.Schema({probatio.Required(ATTR_ATTACHMENTS): [cv.string], **_MODE}),
    probatio.Schema({probatio.Required(ATTR_URLS): [cv.url], probatio.Optional(ATTR_VERIFY_SSL, default=True): cv.boolean, **_MODE}),
)


@callback
def async_prepare_legacy_notify(hass: HomeAssistant, config: ConfigType) -> None:
    """Keep the configuration that the loading of platforms wants; for `async_setup`."""
    hass.data[_SET_UP_WITH] = config


@callback
def async_setup_legacy_notify(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    """Have the actions of an account registered; they go with the entry."""
    services: list[dict[str, Any]] = [{CONF_NAME: f"{DOMAIN}_{slugify(entry.title)}", CONF_RECIPIENTS: []}]
    services += entry.options.get(CONF_NOTIFY_SERVICES, ())
    for service in services:
        loading = discovery.async_load_platform(hass, Platform.NOTIFY, DOMAIN, {**service, _CONF_ENTRY: entry}, hass.data[_SET_UP_WITH])
        entry.async_create_task(hass, loading, f"{NOTIFY}.{service[CONF_NAME]}")


async def async_get_service(
    hass: HomeAssistant, config: ConfigType, discovery_info: DiscoveryInfoType | None = None
) -> BaseNotificationService | None:
    """One of them, for the component `notify`; `None` where somebody wrote the platform into YAML, which is not how this is set up."""
    if discovery_info is None:
        return None
    entry: SignalCourierConfigEntry = discovery_info[_CONF_ENTRY]
    service = CourierNotificationService(entry, discovery_info[CONF_RECIPIENTS])
    entry.async_on_unload(service.async_unregister_services)
    return service


class CourierNotificationService(BaseNotificationService):
    """A `notify` action of an account.

    Args:
        entry: the account.
        recipients: who gets what names no `target`.
    """

    def __init__(self, entry: SignalCourierConfigEntry, recipients: Sequence[str]) -> None:
        self._entry = entry
        self._recipients = recipients
        self._registered = False

    @override
    async def async_register_services(self) -> None:
        """Register the action; one of the same name, which the built-in integration has registered, makes way."""
        if self._recipients and not self._registered:
            self.hass.services.async_remove(NOTIFY, self._service_name)
        if not self.hass.services.has_service(NOTIFY, self._service_name):
            await super().async_register_services()
            self._registered = True

    @override
    async def async_unregister_services(self) -> None:
        """Take the action back, if it is ours."""
        kept = self.hass.data.get(NOTIFY_SERVICES, {}).get(DOMAIN, [])
        if self in kept:
            kept.remove(self)
        if self._registered:
            self._registered = False
            await super().async_unregister_services()

    @override
    async def _async_notify_message_service(self, service: ServiceCall) -> None:
        await self._check_right_to_files(service)
        await super()._async_notify_message_service(service)

    async def _check_right_to_files(self, service: ServiceCall) -> None:
        """Signal Messenger reads any file, so automations rely on it; who is no administrator shall not get hold of all of them."""
        user = await self.hass.auth.async_get_user(service.context.user_id) if service.context.user_id else None
        if user is None or user.is_admin:
            return
        for path in _checked(service.data.get(ATTR_DATA)).get(ATTR_ATTACHMENTS, ()):
            if not await self.hass.async_add_executor_job(self.hass.config.is_allowed_path, path):
                raise ServiceValidationError(
                    translation_domain=DOMAIN, translation_key="path_not_allowed", translation_placeholders={"path": path}
                )

    @override
    async def async_send_message(self, message: str = "", **kwargs: Any) -> None:
        """Send to the targets, else to the recipients."""
        data = _checked(kwargs.get(ATTR_DATA))
        named: Sequence[str] = kwargs.get(ATTR_TARGET) or self._recipients
        if not named:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="target_missing")
        running = self._entry.runtime_data
        recipients = [(await running.conversations.async_resolve(name)).id for name in named]
        async with translated(self.hass, self._entry):
            options: MessageOptions = {"attachments": await self._uploads(data) or None}
            title = kwargs.get(ATTR_TITLE)
            if data[ATTR_TEXT_MODE] == STYLED:
                text = f"**{title}**\n{message}" if title else message
                options["text_mode"] = STYLED
            else:
                text, styles = with_title(message, title)
                options["styles"] = styles or None
                options["text_mode"] = "normal"
            await running.client.messages.send(recipients, text=text, **options)

    async def _uploads(self, data: dict[str, Any]) -> list[str]:
        """What shall be attached, at the service. An address that is not on the allow-list is left out, as Signal Messenger does."""
        uploader = MediaUploader(self.hass, self._entry)
        sent = [uploader.async_file(path, anywhere=True) for path in data.get(ATTR_ATTACHMENTS, ())]
        access = UrlAccess(verify_ssl=data.get(ATTR_VERIFY_SSL, True))
        for url in data.get(ATTR_URLS, ()):
            if self.hass.config.is_allowed_external_url(url):
                sent.append(uploader.async_url(url, access))
            else:
                LOGGER.warning("%s is not sent: it is not in allowlist_external_urls", url)
        return [one.id for one in await asyncio.gather(*sent)]


def _checked(data: object) -> dict[str, Any]:
    """What stands in `data`. Raises a translated `ServiceValidationError`."""
    try:
        checked: dict[str, Any] | None = DATA_SCHEMA(data)
    except probatio.Invalid as error:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="notify_data_invalid", translation_placeholders={"error": str(error)}
        ) from error
    return checked or {ATTR_TEXT_MODE: "normal"}
