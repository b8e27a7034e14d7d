"""Buttons of an account: a test message to oneself, and asking the phone for its lists."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_translations

from .const import CONF_ACCOUNT, DOMAIN, NAME
from .coordinator import SignalCourierConfigEntry
from .entity import SignalCourierEntity
from .errors import translated

PARALLEL_UPDATES = 1

_TEST_TEXT: Final = "test_message"
"""Key of what the test message says; it stands with the exceptions, the only texts that are no part of an entity or a dialog."""


@dataclass(frozen=True, kw_only=True)
class AccountButtonDescription(ButtonEntityDescription):
    """A button, and what it does."""

    press: Callable[[HomeAssistant, SignalCourierConfigEntry], Awaitable[None]]


async def _send_test_message(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    await entry.runtime_data.client.messages.send([entry.data[CONF_ACCOUNT]], text=await _test_text(hass))


async def _test_text(hass: HomeAssistant) -> str:
    texts = await async_get_translations(hass, hass.config.language, "exceptions", [DOMAIN])
    return texts.get(f"component.{DOMAIN}.exceptions.{_TEST_TEXT}.message") or NAME


async def _sync(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    data = entry.runtime_data
    await data.client.accounts.sync()
    await data.conversations.async_refresh()


_BUTTONS: Final = (
    AccountButtonDescription(
        key="send_test_message", translation_key="send_test_message", entity_category=EntityCategory.DIAGNOSTIC, press=_send_test_message
    ),
    AccountButtonDescription(key="sync_contacts", translation_key="sync_contacts", entity_category=EntityCategory.CONFIG, press=_sync),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SignalCourierConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the buttons of an account."""
    async_add_entities(AccountButton(entry, description) for description in _BUTTONS)


class AccountButton(SignalCourierEntity, ButtonEntity):
    """Does something with the account."""

    entity_description: AccountButtonDescription

    @property
    @override
    def available(self) -> bool:
        return super().available and self.account is not None and self.account.state == "ready"

    @override
    async def async_press(self) -> None:
        async with translated(self.hass, self.entry):
            await self.entity_description.press(self.hass, self.entry)
