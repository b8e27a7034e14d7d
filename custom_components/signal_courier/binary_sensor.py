"""Whether the service and Signal can be reached, and which conversations wait to be read."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import ExtraStoredData, RestoreEntity

from .client import CourierError
from .const import LOGGER, SUBENTRY_CONVERSATION
from .coordinator import SignalCourierConfigEntry
from .entity import ConversationEntity, SignalCourierEntity
from .happenings.feed import Happening, async_subscribe_happenings
from .happenings.happening import HappeningType
from .receiving.unread import async_on_read

PARALLEL_UPDATES = 0

_CONNECTIVITY: Final = BinarySensorEntityDescription(
    key="connectivity", device_class=BinarySensorDeviceClass.CONNECTIVITY, entity_category=EntityCategory.DIAGNOSTIC
)
_UNREAD: Final = BinarySensorEntityDescription(key="unread", translation_key="unread")
_MOST_UNREAD: Final = 1000
_MOST_ASKED: Final = 500
"""Messages that the service tells at a time."""


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the binary sensors of an account and of its conversations."""
    async_add_entities([ConnectivitySensor(entry, _CONNECTIVITY)])
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY_CONVERSATION:
            async_add_entities([Unread(entry, subentry, _UNREAD)], config_subentry_id=subentry.subentry_id)


class ConnectivitySensor(SignalCourierEntity, BinarySensorEntity):
    """On while messages can come and go: the stream flows, signal-cli runs, the account is loaded."""

    @property
    @override
    def available(self) -> bool:
        return True  # that nobody answers is what it tells

    @property
    @override
    def is_on(self) -> bool:
        return self.coordinator.is_connected


@dataclass
class _Waiting(ExtraStoredData):
    """The messages that nobody has read, by their timestamps; bounded."""

    timestamps: list[int] = field(default_factory=list)
    position: int = 0
    """Up to which event it is known."""

    @override
    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Read what was stored; what is none counts as empty."""
        found, position = stored.get("timestamps"), stored.get("position")
        return cls(
            [one for one in found if isinstance(one, int)] if isinstance(found, list) else [],
            position if isinstance(position, int) else 0,
        )


class Unread(ConversationEntity, BinarySensorEntity, RestoreEntity):
    """On while something waits to be read."""

    _waiting = _Waiting()

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        stored = await self.async_get_last_extra_data()
        self._waiting = _Waiting.from_dict(stored.as_dict()) if stored is not None else _Waiting()
        if self._waiting.position < self.data.events.position:  # it is new here, or Home Assistant was killed after it was stored
            await self._ask_service()
        kinds = (HappeningType.MESSAGE, HappeningType.SENT, HappeningType.DELETE)
        self.async_on_remove(async_subscribe_happenings(self.hass, self._happened, kinds, entry=self.entry))
        self.async_on_remove(async_on_read(self.hass, self.entry.entry_id, self._read))

    @property
    @override
    def is_on(self) -> bool:
        return bool(self._waiting.timestamps)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        return {"count": len(self._waiting.timestamps)}

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        self._waiting.position = self.data.events.position
        return self._waiting

    async def _ask_service(self) -> None:
        """Let the service say what waits; what comes from now on is told as an event."""
        found = self.conversation
        if found is None or found.unread is None:
            return
        timestamps: list[int] = []
        if count := min(found.unread, _MOST_ASKED):
            try:
                page = await self.data.client.messages.history(conversation=found.id, direction="received", limit=count)
            except CourierError as error:
                LOGGER.debug("What waits to be read could not be looked up: %s", error)
                return
            timestamps = sorted(one.timestamp for one in page.messages if one.timestamp is not None)
        self._waiting.timestamps = timestamps

    @callback
    def _happened(self, happening: Happening) -> None:
        event, waiting = happening.event, self._waiting.timestamps
        if happening.kind is HappeningType.SENT:
            if event.receipt is not None:  # read on the phone; told for the writer, wherever it was written
                read = {target.timestamp for target in event.receipt.targets}
                left = [one for one in waiting if one not in read]
            elif event.message is not None and self.is_here(event):  # whoever answers has read
                left = []
            else:
                return
        elif not self.is_here(event):
            return
        elif event.delete is not None:
            left = [one for one in waiting if one != event.delete.target.timestamp]
        elif event.message is not None and not event.message.story and event.message.timestamp not in waiting:
            left = [*waiting, event.message.timestamp][-_MOST_UNREAD:]
        else:
            return
        self._set(left)

    @callback
    def _read(self, conversation_id: str, upto: int | None) -> None:
        found = self.conversation
        if conversation_id in (self.conversation_id, found.id if found is not None else None):
            self._set([] if upto is None else [one for one in self._waiting.timestamps if one > upto])

    def _set(self, timestamps: list[int]) -> None:
        if timestamps != self._waiting.timestamps:
            self._waiting.timestamps = timestamps
            self.async_write_ha_state()
