"""Sends through Home Assistant core's `signal_messenger`. Arguments: URL, account, recipients (comma list), picture."""

import asyncio
import json
import sys

from homeassistant.components.signal_messenger.notify import get_service
from homeassistant.core import HomeAssistant

url, account, recipients, picture = sys.argv[1:]


async def main():
    hass = HomeAssistant("/nonexistent")
    folder = picture.rpartition("/")[0]
    hass.config.allowlist_external_dirs = {folder}
    try:
        service = await hass.async_add_executor_job(get_service, hass, {"url": url, "number": account, "recipients": recipients.split(",")})
        outcome = []
        for message in ("plain", "**styled**"):
            data = {"text_mode": "styled" if "*" in message else "normal", "attachments": [picture]}
            await hass.async_add_executor_job(lambda text=message, more=data: service.send_message(text, data=more))
            outcome.append(message)
        try:
            await hass.async_add_executor_job(lambda: service.send_message("refused", target=["nobody at all"]))
        except Exception as error:
            outcome.append(str(error))
        print(json.dumps(outcome))
    finally:
        await hass.async_stop(force=True)


asyncio.run(main())
