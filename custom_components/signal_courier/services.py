"""Registers the actions with Home Assistant, once for all accounts."""

from typing import Final

from homeassistant.core import HomeAssistant, callback

from .actions import ACTIONS
from .const import DOMAIN

_PLACEHOLDERS: Final = {
    "captcha_url": "https://signalcaptchas.org/challenge/generate.html",
    "example_number": "+4915100000011",
    "example_link": "https://signal.group/#…",
}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register what is declared in `actions`."""
    for action in ACTIONS:
        hass.services.async_register(
            DOMAIN,
            action.name,
            action.handle,
            schema=action.schema,
            supports_response=action.response,
            description_placeholders=_PLACEHOLDERS,
        )
