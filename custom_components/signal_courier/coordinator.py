"""What runs for one config entry, and the coordinator of the service's status.

`entry.runtime_data` is a `SignalCourierData`:

* `client` (`client.SignalCourierClient`): the API, bound to the entry's account. Wrap calls for users in `errors.translated(hass, entry)`.
* `coordinator.data` (`client.models.Status`): service, signal-cli, queues; `coordinator.account` is the entry's own `Account`, or `None`
  where the service no longer has it. Refreshed every five minutes, and two seconds after events that concern it. Entities are available
  while `coordinator.last_update_success`: it is False from the moment in which the event stream is lost.
* `conversations` (`conversations.ConversationDirectory`): people and groups, `resolve`, `async_resolve`, `async_add_listener`.
* `events` (`events.EventHub`): `async_subscribe(callback, types=…, conversation_id=…)`.
* `account_id`: first part of every unique id and device identifier (the account's UUID).

A change of the entry (data, options, subentries, title; not the names of conversations) reloads it, by the update listener in
`__init__`: flows use `async_update_and_abort`, never `async_update_reload_and_abort`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .client import CourierError, SignalCourierClient, Unauthorized
from .client.events import Event
from .client.models import Account, Status
from .const import CONF_ACCOUNT, CONF_ALLOWED_SENDERS, DOMAIN, LOGGER, SUBENTRY_CONVERSATION
from .conversations import ConversationDirectory
from .receiving.events import EventHub

type SignalCourierConfigEntry = ConfigEntry[SignalCourierData]

_INTERVAL: Final = timedelta(minutes=5)
_COOLDOWN: Final = 2.0
"""Seconds for which events that concern the status are collected."""
EVERYBODY: Final = "*"
"""In the allow-list: whoever writes."""


@dataclass(slots=True)
class SignalCourierData:
    """What runs for one config entry; see the module."""

    client: SignalCourierClient
    coordinator: SignalCourierCoordinator
    conversations: ConversationDirectory
    events: EventHub
    account_id: str


class SignalCourierCoordinator(DataUpdateCoordinator[Status]):
    """The status of the service, polled slowly and refreshed by events."""

    config_entry: SignalCourierConfigEntry

    def __init__(self, hass: HomeAssistant, entry: SignalCourierConfigEntry, client: SignalCourierClient) -> None:
        super().__init__(hass, LOGGER, config_entry=entry, name=DOMAIN, update_interval=_INTERVAL, always_update=False)
        self._client = client
        self._number: str = entry.data[CONF_ACCOUNT]
        self._stream_error: CourierError | None = None
        self._soon = Debouncer(hass, LOGGER, cooldown=_COOLDOWN, immediate=False, function=self.async_refresh)

    @property
    def account(self) -> Account | None:
        """The entry's account as the service sees it; `None` where it no longer has it."""
        return self.data.account(self._number)

    @property
    def is_connected(self) -> bool:
        """Whether messages can come and go: the stream flows, signal-cli runs (or starts when needed), the account is loaded."""
        account = self.account
        return self.last_update_success and self.data.engine.state in ("ready", "idle") and account is not None and account.state == "ready"

    @override
    async def _async_update_data(self) -> Status:
        try:
            status = await self._client.status()
        except Unauthorized as error:
            raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="problem_unauthorized") from error
        except CourierError as error:
            self._async_lost(error)
            raise self._failure(error) from error
        self._follow_number(status)
        if self._stream_error is not None:  # it answers, but events do not come yet, or cannot: a proxy may refuse WebSockets
            raise self._failure(self._stream_error)
        self._async_returned()
        return status

    @callback
    def _follow_number(self, status: Status) -> None:
        """An account whose owner has taken another number is known by its UUID; what is loaded is loaded again with the new one."""
        entry = self.config_entry
        moved = next((one for one in status.accounts if one.uuid is not None and one.uuid == entry.unique_id), None)
        if status.account(self._number) is None and moved is not None:
            LOGGER.info("The account %s has another number now", entry.title)
            self._number = moved.number
            self.hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_ACCOUNT: moved.number})

    @staticmethod
    def _failure(error: CourierError) -> UpdateFailed:
        return UpdateFailed(translation_domain=DOMAIN, translation_key="cannot_connect", translation_placeholders={"error": str(error)})

    @callback
    def async_lost(self, error: CourierError) -> None:
        """The stream has ended, or cannot be made: say so once."""
        self._stream_error = error
        self._async_lost(error)

    @callback
    def _async_lost(self, error: CourierError) -> None:
        self.last_exception = error
        if isinstance(error, Unauthorized):
            self.config_entry.async_start_reauth(self.hass)
        if self.last_update_success and self.data is not None:
            LOGGER.info("The connection to Signal Courier for %s is lost: %s", self.config_entry.title, error)
            self.last_update_success = False
            self.async_update_listeners()

    @callback
    def async_connected(self) -> None:
        """The stream flows: what happened meanwhile may have changed everything."""
        self._stream_error = None
        if not self.last_update_success:
            self._async_returned()
            self.async_update_listeners()
            self._soon.async_schedule_call()

    @callback
    def _async_returned(self) -> None:
        if not self.last_update_success and self.data is not None:
            LOGGER.info("The connection to Signal Courier for %s is back", self.config_entry.title)
        self.last_update_success = True

    @callback
    def async_notice(self, event: Event) -> None:
        """Refresh soon where an event says that something has changed."""
        if event.type in ("account", "engine", "status"):
            self._soon.async_schedule_call()

    @override
    async def async_shutdown(self) -> None:
        self._soon.async_shutdown()
        await super().async_shutdown()


class AllowList:
    """Who may trigger something: the senders of the option, the people who were added as subentries, and everybody in groups that were.

    `*` in the option lets everybody. What the account itself and the service do is always allowed.
    """

    def __init__(self, entry: SignalCourierConfigEntry, directory: ConversationDirectory) -> None:
        listed = {str(one).strip() for one in entry.options.get(CONF_ALLOWED_SENDERS) or ()}
        self._everybody = EVERYBODY in listed
        self._people = {one.lower() if "-" in one else one for one in listed}
        self._places = {one.unique_id for one in entry.subentries.values() if one.subentry_type == SUBENTRY_CONVERSATION}
        self._people |= {place for place in self._places if place is not None}
        self._directory = directory

    def __call__(self, event: Event) -> bool:
        """Whether the sender of this event may trigger something."""
        sender, place = event.sender, event.conversation
        if self._everybody or sender is None or event.type == "sent":
            return True
        if {sender.uuid, sender.number} & self._people or (place is not None and place.id in self._places | self._people):
            return True
        known = self._directory.get(sender.uuid) if sender.uuid else None
        return known is not None and (known.kind == "self" or known.number in self._people)
