"""Signal Courier: Signal messages in Home Assistant, over the service of the same name."""

from functools import partial
from typing import Final

from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.typing import ConfigType

from .assist.chats import async_setup_assist
from .client import CourierError, SignalCourierClient, Unauthorized
from .client.events import Event
from .const import CONF_ACCOUNT, CONF_INSTANCE, CONF_LATE_AFTER, DEFAULT_LATE_AFTER, DOMAIN, LOGGER
from .conversations import ConversationDirectory
from .coordinator import AllowList, SignalCourierConfigEntry, SignalCourierCoordinator, SignalCourierData
from .devices import async_remove_device
from .entity import account_device
from .files.downloads import async_setup_downloads
from .files.received import async_received_files
from .happenings.bus import async_setup_bus
from .happenings.polls import async_know_poll
from .issues import async_clear_issues, async_raise_unlinked, async_setup_issues
from .legacy.notify import async_prepare_legacy_notify, async_setup_legacy_notify
from .legacy.yaml import async_find_notifiers, async_tell_of_notifiers
from .names import NAMES, async_setup_names
from .receiving.events import EventHub
from .receiving.read_receipts import async_setup_read_receipts
from .services import async_setup_services

PLATFORMS: Final = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NOTIFY,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
]
CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up what all config entries share."""
    async_setup_services(hass)
    async_prepare_legacy_notify(hass, config)
    async_find_notifiers(hass, config)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> bool:
    """Set up an account."""
    client = client_of(hass, entry)
    coordinator = SignalCourierCoordinator(hass, entry, client)
    await coordinator.async_config_entry_first_refresh()
    if entry.data[CONF_ACCOUNT] != client.account:  # another number since
        client = client_of(hass, entry)
    if coordinator.account is None:
        async_raise_unlinked(hass, entry)
        raise ConfigEntryError(
            translation_domain=DOMAIN, translation_key="account_missing", translation_placeholders={"account": entry.data[CONF_ACCOUNT]}
        )
    if coordinator.account.state == "unlinked":
        async_raise_unlinked(hass, entry)
        raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="problem_unlinked")
    if (instance := coordinator.data.id) is not None and entry.data.get(CONF_INSTANCE) != instance:  # so that it is found where it moves
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_INSTANCE: instance})
    conversations = ConversationDirectory(hass, client)
    events = EventHub(
        hass,
        client,
        entry.entry_id,
        consumer_of(entry),
        late_after=entry.options.get(CONF_LATE_AFTER, DEFAULT_LATE_AFTER),
        is_allowed=AllowList(entry, conversations),
        on_connected=coordinator.async_connected,
        on_lost=coordinator.async_lost,
        prepare=partial(async_know_poll, hass, entry.entry_id, client),
    )
    try:
        await conversations.async_refresh()
        await events.async_prepare()
    except Unauthorized as error:
        raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="problem_unauthorized") from error
    except CourierError as error:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN, translation_key="cannot_connect", translation_placeholders={"error": str(error)}
        ) from error
    entry.runtime_data = SignalCourierData(client, coordinator, conversations, events, entry.unique_id or entry.data[CONF_ACCOUNT])
    dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, **account_device(entry))

    @callback
    def notice(event: Event) -> None:
        conversations.async_notice(event)
        coordinator.async_notice(event)

    entry.async_on_unload(events.async_subscribe(notice))
    entry.async_on_unload(conversations.async_shutdown)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    async_setup_bus(hass, entry)
    async_setup_issues(hass, entry)
    async_setup_read_receipts(hass, entry)
    async_setup_downloads(hass, entry)
    async_setup_assist(hass, entry)
    async_setup_legacy_notify(hass, entry)
    async_tell_of_notifiers(hass)
    async_setup_names(hass, entry)
    entry.async_on_unload(events.async_start())
    kept = _kept(entry)

    async def reload(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
        if _kept(entry) != kept:
            await hass.config_entries.async_reload(entry.entry_id)

    entry.async_on_unload(entry.add_update_listener(reload))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> bool:
    """Unload an account: the stream ends, what was handed on is acknowledged."""
    events = entry.runtime_data.events
    await events.async_stop()  # first: nothing shall be acknowledged that the entities no longer hear
    if await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return True
    events.async_start()
    return False


async def async_remove_config_entry_device(hass: HomeAssistant, entry: SignalCourierConfigEntry, device: dr.DeviceEntry) -> bool:
    """Delete a device that is no longer wanted: a conversation's."""
    return await async_remove_device(hass, entry, device)


async def async_remove_entry(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    """Leave nothing behind: the service shall keep nothing for us, nor shall we. The account stays at the service."""
    async_tell_of_notifiers(hass)
    async_clear_issues(hass, entry)
    await EventHub.async_forget(hass, consumer_of(entry))
    await async_received_files(hass).async_forget(entry.entry_id)
    try:
        await client_of(hass, entry).events.delete_consumer(consumer_of(entry))
    except CourierError as error:
        LOGGER.debug("The consumer %s could not be deleted: %s", consumer_of(entry), error)


def client_of(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> SignalCourierClient:
    """A client for the entry's account."""
    session = async_get_clientsession(hass, verify_ssl=entry.data.get(CONF_VERIFY_SSL, True))
    return SignalCourierClient(session, entry.data[CONF_URL], token=entry.data.get(CONF_TOKEN), account=entry.data[CONF_ACCOUNT])


def consumer_of(entry: SignalCourierConfigEntry) -> str:
    """The name under which the service keeps how far the entry has come."""
    return f"home-assistant-{entry.entry_id}"


def _kept(entry: SignalCourierConfigEntry) -> object:
    """What of an entry only takes effect when it is loaded again; names of conversations are followed without that."""
    conversations = [
        {key: value for key, value in subentry.data.items() if key not in NAMES} | {"id": subentry.subentry_id}
        for subentry in entry.subentries.values()
    ]
    return entry.title, entry.unique_id, dict(entry.data), dict(entry.options), conversations
