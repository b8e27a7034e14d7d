"""Writes down what Home Assistant is told, the moment that it is told: a line in `witness.jsonl` that no kill takes back.

`by` says who was told: `bus` (the integration's event), an event entity, or the name of an automation that fires the event `witness_told`.
"""

import json
import os
import time

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

CONFIG_SCHEMA = cv.empty_config_schema("witness")


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Begin to write."""
    path = hass.config.path("witness.jsonl")
    file = await hass.async_add_executor_job(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(by: str, text: object, **more: object) -> None:
        os.write(file, json.dumps({"by": by, "text": str(text), "now": time.time(), **more}).encode() + b"\n")

    @callback
    def on_message(event: Event) -> None:
        data = event.data
        write("bus", data["text"], timestamp=data["timestamp"], late=data["late"], repeated=data.get("repeated", False))

    @callback
    def on_state(event: Event) -> None:
        state, entity_id = event.data["new_state"], event.data["entity_id"]
        if state is None or event.data["old_state"] is None or not entity_id.startswith("event."):
            return
        if state.state != event.data["old_state"].state and state.attributes.get("event_type") == "message" and "text" in state.attributes:
            write(entity_id, state.attributes["text"])

    @callback
    def on_automation(event: Event) -> None:
        write(event.data["by"], event.data["text"])

    hass.bus.async_listen("signal_courier_message", on_message)
    hass.bus.async_listen(EVENT_STATE_CHANGED, on_state)
    hass.bus.async_listen("witness_told", on_automation)
    return True
