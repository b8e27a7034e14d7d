"""Diagnostics: how everything is, without who and what."""

import json
from dataclasses import asdict
from typing import Any, Final

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant

from .client.models import Status
from .const import CONF_ACCOUNT, CONF_ALLOWED_SENDERS, CONF_CONVERSATION_ID, CONF_INSTANCE, CONF_NOTIFY_SERVICES
from .coordinator import SignalCourierConfigEntry

_TO_REDACT: Final = {
    CONF_ACCOUNT, CONF_ALLOWED_SENDERS, CONF_CONVERSATION_ID, CONF_INSTANCE, CONF_NOTIFY_SERVICES, CONF_TOKEN, CONF_URL, "challenge_tokens",
    "detail", "id", "name", "number", "recipients", "title", "unique_id", "uuid",
}  # fmt: skip


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> dict[str, Any]:
    """What helps to find a fault: states, versions, counts. No names, numbers, texts, tokens or addresses."""
    data = entry.runtime_data
    known = data.conversations.all.values()
    return {
        "entry": async_redact_data(
            {
                "data": dict(entry.data),
                "options": dict(entry.options),
                "subentries": [dict(subentry.data) for subentry in entry.subentries.values()],
            },
            _TO_REDACT,
        ),
        "connected": data.events.connected,
        "position": data.events.position,
        "last_update_success": data.coordinator.last_update_success,
        "status": _status(data.coordinator.data),
        "conversations": {kind: sum(one.kind == kind for one in known) for kind in ("person", "group", "self")},
    }


def _status(status: Status) -> dict[str, Any]:
    plain = json.loads(json.dumps(asdict(status)))  # tuples as lists: others are not looked into
    told: dict[str, Any] = async_redact_data(plain, _TO_REDACT)
    told["queues"]["sending"] = list((status.queues.sending or {}).values())  # its keys are numbers
    return told
