"""What `configuration.yaml` has of the built-in integration Signal Messenger, and offering to take it over.

The offer is a repair (`flows.take_over`). Once it is accepted, `notify.<name>` is ours, at once and after every restart, with the same
recipients; a second repair says that the lines can be deleted, and goes when they have gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homeassistant.config import config_per_platform
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import slugify
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_NOTIFY_SERVICES, CONF_RECIPIENTS, DOMAIN

ISSUE_TAKE_OVER: Final = "signal_messenger_take_over"
ISSUE_DELETE: Final = "signal_messenger_delete"
_PLATFORM: Final = "signal_messenger"
_CONFIGURED: HassKey[Sequence[ConfiguredNotifier]] = HassKey(f"{DOMAIN}_configured_notifiers")


@dataclass(frozen=True, slots=True)
class ConfiguredNotifier:
    """An entry of the YAML configuration."""

    name: str
    """As in `notify.<name>`."""
    number: str
    recipients: Sequence[str]


@callback
def async_find_notifiers(hass: HomeAssistant, config: ConfigType) -> None:
    """Look what is configured; for `async_setup`."""
    found = []
    for platform, settings in config_per_platform(config, "notify"):
        if platform != _PLATFORM or not isinstance(settings, dict):
            continue
        recipients = settings.get("recipients") or ()
        listed = [recipients] if isinstance(recipients, str | int) else list(recipients)
        name = slugify(settings.get(CONF_NAME) or "notify")
        found.append(ConfiguredNotifier(name, str(settings.get("number", "")), [str(one) for one in listed]))
    hass.data[_CONFIGURED] = found


@callback
def async_configured_notifiers(hass: HomeAssistant) -> Sequence[ConfiguredNotifier]:
    """What is configured."""
    return hass.data.get(_CONFIGURED, ())


@callback
def async_not_taken_over(hass: HomeAssistant) -> list[ConfiguredNotifier]:
    """Those that no account has taken over."""
    entries = hass.config_entries.async_entries(DOMAIN)
    taken = {service[CONF_NAME] for entry in entries for service in entry.options.get(CONF_NOTIFY_SERVICES, ())}
    return [one for one in async_configured_notifiers(hass) if one.name not in taken]


@callback
def async_tell_of_notifiers(hass: HomeAssistant) -> None:
    """Offer what can be taken over, and say what can be deleted; nothing where there is no account."""
    there = async_configured_notifiers(hass) if hass.config_entries.async_entries(DOMAIN) else ()
    not_taken = async_not_taken_over(hass)
    left = [one for one in there if one in not_taken]
    taken = [one for one in there if one not in not_taken]
    _tell(hass, ISSUE_TAKE_OVER, left, fixable=True)
    _tell(hass, ISSUE_DELETE, taken, fixable=False)


def _tell(hass: HomeAssistant, issue_id: str, notifiers: Sequence[ConfiguredNotifier], *, fixable: bool) -> None:
    if not notifiers:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=fixable,
        severity=ir.IssueSeverity.WARNING,
        translation_key=issue_id,
        translation_placeholders={"names": names_of(notifiers)},
    )


def names_of(notifiers: Sequence[ConfiguredNotifier]) -> str:
    """Their actions, for people."""
    return ", ".join(f"notify.{one.name}" for one in notifiers)


def services_of(notifiers: Sequence[ConfiguredNotifier]) -> list[dict[str, object]]:
    """As the option `notify_services` keeps them."""
    return [{CONF_NAME: one.name, CONF_RECIPIENTS: list(one.recipients)} for one in notifiers]
