"""Keeps received files among Home Assistant's media, where the option says so; only those of senders who may trigger something.

They are in `signal_courier/<conversation>/` of the media folder, each with the time at which it was sent in front of its name.
"""

import asyncio
import re
from pathlib import Path
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from homeassistant.util import slugify

from ..client.events import EventAttachment
from ..const import CONF_DOWNLOAD_ATTACHMENTS, DOMAIN, LOGGER
from ..coordinator import SignalCourierConfigEntry
from ..happenings.feed import Happening, async_subscribe_happenings
from ..happenings.happening import HappeningType
from ..moments import moment

_MOST_WAITING: Final = 200
"""Files that may wait; what comes beyond that stays at the service."""
_LONGEST_NAME: Final = 80
_UNSAFE: Final = re.compile(r"[^\w .()+-]|^[. ]+")


@callback
def async_setup_downloads(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    """Begin, if the option says so; ends with the entry."""
    if entry.options.get(CONF_DOWNLOAD_ATTACHMENTS, False) and (folders := hass.config.media_dirs):
        _Downloads(hass, entry, Path(folders.get("local") or next(iter(folders.values()))) / DOMAIN)


class _Downloads:
    def __init__(self, hass: HomeAssistant, entry: SignalCourierConfigEntry, folder: Path) -> None:
        self._hass = hass
        self._entry = entry
        self._folder = folder
        self._waiting: asyncio.Queue[tuple[str, Path]] = asyncio.Queue(_MOST_WAITING)
        entry.async_create_background_task(hass, self._run(), f"downloads of {entry.title}")
        entry.async_on_unload(async_subscribe_happenings(hass, self._came, (HappeningType.MESSAGE,), entry=entry))

    @callback
    def _came(self, happening: Happening) -> None:
        message, place = happening.event.message, happening.event.conversation
        if not happening.allowed or message is None or message.view_once or place is None:
            return
        folder = self._folder / (slugify(place.name) or slugify(place.id))
        for attachment in message.attachments:
            if attachment.id is None:
                continue
            try:
                self._waiting.put_nowait((attachment.id, folder / file_name(attachment, message.timestamp)))
            except asyncio.QueueFull:
                LOGGER.warning("Too many files came at once, one was left at the service: %s", attachment.id)

    async def _run(self) -> None:
        while True:
            attachment, path = await self._waiting.get()
            wanted = {"config_entry_id": self._entry.entry_id, "attachment": attachment, "path": str(path), "overwrite": True}
            try:
                await self._hass.services.async_call(DOMAIN, "download_attachment", wanted, blocking=True)
            except HomeAssistantError as error:
                LOGGER.warning("A received file was not kept: %s", error)


def file_name(attachment: EventAttachment, timestamp: int) -> str:
    """What a file is called: the time of its message (local), and its own name without what could lead anywhere else."""
    when = dt_util.as_local(moment(timestamp))
    name = _UNSAFE.sub("_", attachment.name or attachment.id or "file")
    return f"{when:%Y-%m-%d %H-%M-%S} {name[-_LONGEST_NAME:]}"
