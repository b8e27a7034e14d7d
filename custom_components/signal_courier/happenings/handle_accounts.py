"""Which account a handle came from: of several that know the same people, the one that was written to shall answer.

The latest handles are remembered until Home Assistant ends; after that the account is found by who knows the conversation.
"""

from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

_MOST: Final = 500
_ACCOUNTS: HassKey[dict[str, str]] = HassKey(f"{DOMAIN}_handle_accounts")


@callback
def async_remember_account(hass: HomeAssistant, handle: str, entry_id: str) -> None:
    """Keep from which account a handle is; where several have heard the same, the latest counts."""
    accounts = hass.data.setdefault(_ACCOUNTS, {})
    accounts.pop(handle, None)
    accounts[handle] = entry_id
    while len(accounts) > _MOST:
        accounts.pop(next(iter(accounts)))


@callback
def async_account_of(hass: HomeAssistant, handle: str) -> str | None:
    """The config entry that a handle came from, if it is remembered."""
    return hass.data.get(_ACCOUNTS, {}).get(handle)
