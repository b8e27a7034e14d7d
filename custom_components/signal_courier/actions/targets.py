"""From the common fields of an action to the account, the conversations and the message that they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import service

from ..client.models import Conversation
from ..const import CONF_CONVERSATION_ID, DOMAIN
from ..coordinator import SignalCourierConfigEntry
from ..happenings.handle_accounts import async_account_of
from ..happenings.handles import MessageHandle


@dataclass(frozen=True, slots=True)
class Found:
    """What was meant. A handle brings its conversation with it."""

    entry: SignalCourierConfigEntry
    conversations: tuple[Conversation, ...]
    message: MessageHandle | None = None


async def async_find(hass: HomeAssistant, data: Mapping[str, Any]) -> Found:
    """Read the common fields.

    Raises:
        ServiceValidationError: something is not known, not loaded, or does not fit together.
        HomeAssistantError: the service had to be asked, and cannot be reached.
    """
    handle = _handle_in(data)
    entity_ids: list[str] = data.get("entity_id", [])
    targets: list[str | int] = data.get("conversation", [])
    places = [_conversation_of(hass, entity_id) for entity_id in entity_ids]
    entry = _entry_of(hass, data.get("config_entry_id"), {entry_id for entry_id, _ in places}, handle)
    directory = entry.runtime_data.conversations
    wanted = [conversation_id for _, conversation_id in places if conversation_id is not None]
    conversations = {one.id: one for one in [await directory.async_resolve(target) for target in (*wanted, *targets)]}
    if handle is not None:
        if not conversations:
            conversations[handle.conversation] = directory.resolve(handle.conversation)
    elif len(conversations) == 1 and (timestamp := data.get("timestamp")) is not None:
        author = data.get("author")
        who = (await directory.async_resolve(author)).id if author is not None else entry.runtime_data.account_id
        handle = MessageHandle(timestamp, who, next(iter(conversations)))
    return Found(entry, tuple(conversations.values()), handle)


def parse_handle(text: str) -> MessageHandle:
    """A message's handle. Raises `ServiceValidationError`."""
    try:
        return MessageHandle.parse(text)
    except ValueError as error:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="handle_invalid", translation_placeholders={"handle": text}
        ) from error


def _handle_in(data: Mapping[str, Any]) -> MessageHandle | None:
    text = data.get("handle") or data.get("reply_to")
    return parse_handle(text) if text is not None else None


def _conversation_of(hass: HomeAssistant, entity_id: str) -> tuple[str, str | None]:
    """The entry of an entity, and its conversation; an entity of the account has none."""
    found = er.async_get(hass).async_get(entity_id)
    entry = hass.config_entries.async_get_entry(found.config_entry_id) if found is not None and found.config_entry_id else None
    if found is None or entry is None or entry.domain != DOMAIN:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="entity_unknown", translation_placeholders={"entity_id": entity_id}
        )
    subentry = entry.subentries.get(found.config_subentry_id or "")
    return entry.entry_id, subentry.data[CONF_CONVERSATION_ID] if subentry is not None else None


def _entry_of(hass: HomeAssistant, entry_id: str | None, by_entity: set[str], handle: MessageHandle | None) -> SignalCourierConfigEntry:
    """The account: named, or that of the entities, or the one that knows the message, or the only one."""
    named = by_entity | ({entry_id} if entry_id is not None else set())
    if len(named) > 1:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="several_accounts")
    if not named and handle is not None and (knowing := _entry_that_knows(hass, handle)) is not None:
        return knowing
    return service.async_get_config_entry(hass, DOMAIN, next(iter(named), None))


def _entry_that_knows(hass: HomeAssistant, handle: MessageHandle) -> SignalCourierConfigEntry | None:
    entries: list[SignalCourierConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    loaded = [one for one in entries if one.state is ConfigEntryState.LOADED]
    own = [one for one in loaded if one.runtime_data.account_id == handle.author]
    origin = async_account_of(hass, str(handle))
    heard = [one for one in loaded if one.entry_id == origin]
    knowing = own or heard or [one for one in loaded if one.runtime_data.conversations.get(handle.conversation) is not None]
    return knowing[0] if len(knowing) == 1 else None
