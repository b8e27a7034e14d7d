"""Which happenings an automation waits for: of which account, where, from whom, and whether unknown or late ones count."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import probatio
from homeassistant.const import CONF_ENTITY_ID, CONF_TARGET
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids

from ..client.events import Person, Place
from ..const import DOMAIN, SUBENTRY_CONVERSATION
from .feed import Happening

CONF_CONFIG_ENTRY_ID: Final = "config_entry_id"
CONF_CONVERSATION: Final = "conversation"
CONF_SENDER: Final = "sender"
CONF_INCLUDE_UNKNOWN: Final = "include_unknown_senders"
CONF_INCLUDE_LATE: Final = "include_late"


def plain_text(value: object) -> str:
    """A text. Words that YAML has taken for true or false are refused: which they were is lost."""
    if isinstance(value, bool):
        raise probatio.Invalid("put it in quotes: YAML reads Yes, No, On and Off without quotes as true and false")
    return cv.string(value)


TEXTS: Final = probatio.All(probatio.EnsureList(), [plain_text])
"""One or several texts; numbers that a template has made of phone numbers become texts again."""
TO: Final[dict[probatio.Marker, Any]] = {
    probatio.Optional(CONF_CONFIG_ENTRY_ID): cv.string,
    probatio.Optional(CONF_CONVERSATION): TEXTS,
}
WHERE: Final[dict[probatio.Marker, Any]] = {**TO, probatio.Optional(CONF_ENTITY_ID): cv.entity_ids}
WHO: Final[dict[probatio.Marker, Any]] = {
    probatio.Optional(CONF_SENDER): TEXTS,
    probatio.Optional(CONF_INCLUDE_UNKNOWN, default=False): cv.boolean,
    probatio.Optional(CONF_INCLUDE_LATE, default=False): cv.boolean,
}
TARGET: Final[dict[probatio.Marker, Any]] = {probatio.Optional(CONF_TARGET): cv.TARGET_FIELDS}
"""In YAML a target may say where, with areas and labels too. The editor is not told of it: to it a trigger without one looks unfinished."""

_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()/.-]{4,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HappeningFilter:
    """What an automation says about account, conversation, sender and time."""

    entry_id: str | None = None
    places: frozenset[str] | None = None
    """Ids, numbers and names of conversations, as `_spelled` writes them; `None` = all."""
    people: frozenset[str] | None = None
    target: TargetSelection | None = None
    unknown: bool = False
    late: bool = False

    @classmethod
    def of(cls, target: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Self:
        """What a validated configuration means."""
        entities = options.get(CONF_ENTITY_ID)
        selection = TargetSelection(dict(target or {}) | ({CONF_ENTITY_ID: entities} if entities else {}))
        return cls(
            entry_id=options.get(CONF_CONFIG_ENTRY_ID),
            places=_spelled(options.get(CONF_CONVERSATION)),
            people=_spelled(options.get(CONF_SENDER)),
            target=selection if selection.has_any_target else None,
            unknown=options.get(CONF_INCLUDE_UNKNOWN, False),
            late=options.get(CONF_INCLUDE_LATE, False),
        )

    @callback
    def concerns(self, hass: HomeAssistant, happening: Happening) -> bool:
        """Whether it happened where, and by whom, the automation waits for it."""
        event = happening.event
        if self.entry_id is not None and self.entry_id != happening.entry_id:
            return False
        if self.places is not None and (event.conversation is None or not self.places & _names(event.conversation)):
            return False
        if self.people is not None and (event.sender is None or not self.people & _names(event.sender)):
            return False
        return self.target is None or _is_targeted(hass, self.target, happening)

    def why_not(self, happening: Happening) -> str | None:
        """Why something that concerns the automation shall cause nothing; a word for its trace."""
        if not (happening.allowed or self.unknown):
            return "sender_not_allowed"
        if happening.late and not self.late:
            return "late"
        return None


def _spelled(names: Sequence[str] | None) -> frozenset[str] | None:
    if not names:
        return None
    return frozenset(spelled(name) for name in names)


def spelled(name: str) -> str:
    """A name, id or number as it is compared: without case; numbers with their plus, which templates take away, and nothing between."""
    text = name.strip()
    if _NUMBER.fullmatch(text):
        return "+" + re.sub(r"[^0-9]", "", text)
    return text.casefold()


def _names(one: Place | Person) -> frozenset[str]:
    identifier = one.id if isinstance(one, Place) else one.uuid
    return frozenset(spelled(name) for name in (identifier, one.number, one.name) if name)


@callback
def _is_targeted(hass: HomeAssistant, target: TargetSelection, happening: Happening) -> bool:
    """Whether an entity or device of the conversation, or of the account, is among the targets."""
    selected = async_extract_referenced_entity_ids(hass, target, primary_entities_only=False)
    entities, devices = er.async_get(hass), dr.async_get(hass)
    for entity_id in selected.referenced | selected.indirectly_referenced:
        entity = entities.async_get(entity_id)
        if entity is not None and _is_part(hass, happening, entity.config_entry_id, entity.config_subentry_id):
            return True
    for device_id in selected.referenced_devices:
        device = devices.async_get(device_id)
        if isinstance(device, dr.DeviceEntry) and _is_part(hass, happening, device.config_entry_id, device.config_subentry_id):
            return True
    return False


def _is_part(hass: HomeAssistant, happening: Happening, entry_id: str | None, subentry_id: str | None) -> bool:
    if entry_id != happening.entry_id:
        return False
    if subentry_id is None:
        return True  # the account: everything that happens to it
    entry = hass.config_entries.async_get_entry(entry_id)
    subentry = entry.subentries.get(subentry_id) if entry is not None else None
    place = happening.event.conversation
    return (
        subentry is not None
        and subentry.subentry_type == SUBENTRY_CONVERSATION
        and place is not None
        and subentry.unique_id in (place.id, place.number)
    )


def check_account(hass: HomeAssistant, options: Mapping[str, Any]) -> None:
    """Raise `probatio.Invalid` where the account that is named is none of ours."""
    entry_id = options.get(CONF_CONFIG_ENTRY_ID)
    if entry_id is None:
        return
    entry = hass.config_entries.async_get_entry(entry_id)
    if entry is None or entry.domain != DOMAIN:
        raise probatio.Invalid(f"{entry_id} is no account of Signal Courier", path=[CONF_CONFIG_ENTRY_ID])
