"""Figures of an account, and the latest of each conversation."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .client import CourierError, Forbidden
from .client.models import Account, Figures
from .const import LOGGER, SUBENTRY_CONVERSATION
from .coordinator import SignalCourierConfigEntry
from .entity import ConversationEntity, SignalCourierEntity
from .happenings.feed import Happening, async_subscribe_happenings
from .happenings.happening import HappeningType
from .moments import moment

PARALLEL_UPDATES = 1
SCAN_INTERVAL = timedelta(hours=6)
"""Only for the linked devices: Signal itself is asked for them."""

_DAY: Final = 86400


@dataclass(frozen=True, kw_only=True)
class AccountSensorDescription(SensorEntityDescription):
    """A sensor that reads the account's state."""

    value: Callable[[Account], StateType | datetime]


def _figure(read: Callable[[Figures], StateType | datetime]) -> Callable[[Account], StateType | datetime]:
    return lambda account: read(account.figures) if account.figures is not None else None


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else moment(milliseconds)


def _days_left(account: Account) -> int | None:
    end = account.link_expires_at
    return None if end is None else max(0, int((end / 1000 - time.time()) / _DAY + 0.5))


_ACCOUNT: Final = (
    AccountSensorDescription(
        key="queued",
        translation_key="queued",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        value=_figure(lambda figures: figures.queued + figures.sending),
    ),
    AccountSensorDescription(
        key="parked",
        translation_key="parked",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        value=_figure(lambda figures: figures.parked),
    ),
    AccountSensorDescription(
        key="failed",
        translation_key="failed",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value=_figure(lambda figures: figures.failed_today),
    ),
    AccountSensorDescription(
        key="sent_today",
        translation_key="sent_today",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=_figure(lambda figures: figures.sent_today),
    ),
    AccountSensorDescription(
        key="last_received",
        translation_key="last_received",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=_figure(lambda figures: _moment(figures.last_received_at)),
    ),
    AccountSensorDescription(
        key="link_expires",
        translation_key="link_expires",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.DAYS,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=_days_left,
    ),
)
_DEVICES: Final = SensorEntityDescription(
    key="linked_devices",
    translation_key="linked_devices",
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    state_class=SensorStateClass.MEASUREMENT,
)
_LAST_MESSAGE: Final = SensorEntityDescription(key="last_message", translation_key="last_message", device_class=SensorDeviceClass.TIMESTAMP)
_MEMBERS: Final = SensorEntityDescription(
    key="members", translation_key="members", entity_category=EntityCategory.DIAGNOSTIC, entity_registry_enabled_default=False
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the sensors of an account and of its conversations."""
    async_add_entities(AccountSensor(entry, description) for description in _ACCOUNT)
    async_add_entities([LinkedDevices(entry, _DEVICES)], update_before_add=True)
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY_CONVERSATION:
            entities: list[SensorEntity] = [LastMessage(entry, subentry, _LAST_MESSAGE)]
            if subentry.data.get("kind") == "group":
                entities.append(Members(entry, subentry, _MEMBERS))
            async_add_entities(entities, config_subentry_id=subentry.subentry_id)


class AccountSensor(SignalCourierEntity, SensorEntity):
    """One figure of the account."""

    entity_description: AccountSensorDescription

    @property
    @override
    def available(self) -> bool:
        return super().available and self.account is not None

    @property
    @override
    def native_value(self) -> StateType | datetime:
        account = self.account
        return None if account is None else self.entity_description.value(account)


class LinkedDevices(SignalCourierEntity, SensorEntity):
    """How many devices are linked to the account, without the phone; their names are attributes."""

    _attr_should_poll = True
    _unrecorded_attributes = frozenset({"devices"})

    @override
    async def async_update(self) -> None:
        try:
            devices = await self.data.client.accounts.devices()
        except Forbidden:
            self._attr_native_value = None  # the token may not ask
            return
        except CourierError as error:
            LOGGER.debug("The linked devices could not be listed: %s", error)
            return
        linked = [device for device in devices if device.id != 1]
        self._attr_native_value = len(linked)
        self._attr_extra_state_attributes = {
            "devices": [{"id": device.id, "name": device.name, "last_seen": _day(device.last_seen)} for device in linked]
        }


def _day(milliseconds: int) -> str | None:
    seen = _moment(milliseconds or None)
    return None if seen is None else seen.date().isoformat()


class LastMessage(ConversationEntity, RestoreSensor):
    """When the last message came, or was sent from the account's own phone; what it says is an attribute that is not recorded."""

    _unrecorded_attributes = frozenset({"sender", "sender_id", "text", "handle"})

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        if (last := await self.async_get_last_sensor_data()) is not None and isinstance(last.native_value, datetime):
            self._attr_native_value = last.native_value
        kinds = (HappeningType.MESSAGE, HappeningType.SENT, HappeningType.EDIT, HappeningType.DELETE)
        self.async_on_remove(async_subscribe_happenings(self.hass, self._happened, kinds, entry=self.entry))

    @callback
    def _happened(self, happening: Happening) -> None:
        event = happening.event
        if not self.is_here(event):
            return
        shown = self._attr_extra_state_attributes if hasattr(self, "_attr_extra_state_attributes") else {}
        if event.delete is not None:
            if event.delete.target.timestamp != shown.get("timestamp"):
                return
            self._attr_extra_state_attributes = {}
        elif event.edit is not None:
            if event.edit.target.timestamp != shown.get("timestamp"):
                return
            self._attr_extra_state_attributes = {**shown, "text": happening.payload.get("text")}
        elif event.message is not None and not event.message.story:
            self._attr_native_value = _moment(event.time)
            self._attr_extra_state_attributes = _said(happening)
        else:
            return
        self.async_write_ha_state()


def _said(happening: Happening) -> dict[str, Any]:
    payload: Mapping[str, Any] = happening.payload
    names = ("text", "sender", "sender_id", "handle", "timestamp")
    attachments = payload.get("attachments") or ()
    return {name: payload.get(name) for name in names} | {"attachments": len(attachments), "own": happening.kind is HappeningType.SENT}


class Members(ConversationEntity, SensorEntity):
    """How many belong to a group; who they are is an attribute."""

    _unrecorded_attributes = frozenset({"members", "admins"})

    @property
    @override
    def native_value(self) -> int | None:
        found = self.conversation
        return len(found.group.members) if found is not None and found.group is not None else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        found = self.conversation
        if found is None or found.group is None:
            return None
        members = found.group.members
        return {
            "members": [{"name": one.name or one.number or one.uuid, "id": one.uuid or one.number} for one in members],
            "admins": [one.name or one.number or one.uuid for one in members if one.admin],
        }
