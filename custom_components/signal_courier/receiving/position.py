"""How far the stream has come, noted event by event, so that it is known even after Home Assistant was killed.

The service is told too, but only now and then: whoever is killed before that would hear again what it had heard. So there is a file of one
short line in `.storage`, overwritten in place:

    {"position":          4711, "telling":          4712}

`telling` is the event that was being handed on; greater than `position` where that did not come to its end. Writing the line is one
`pwrite` of a few microseconds into the page cache, which outlives a killed process; after a power cut the line may be an older one, and
the service's own position counts.
"""

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import STORAGE_DIR

from ..const import DOMAIN, LOGGER

_LINE: Final = '{{"position": {:>19}, "telling": {:>19}}}\n'
"""As long for every position, so that one line always covers the one before."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What a file says; 0 where it says nothing."""

    position: int = 0
    """Id of the last event that was handed on."""
    interrupted: int = 0
    """Id of the event that was being handed on when everything ended: some may have heard of it, and some not."""


class PositionFile:
    """The file, open for writing. Opening blocks, `note` is for the event loop."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._failed = False

    def note(self, position: int, telling: int) -> None:
        """Keep how far everything was handed on, and what is being handed on now (`position` itself: nothing)."""
        try:
            os.pwrite(self._file, _LINE.format(position, telling).encode(), 0)
        except OSError as error:
            if not self._failed:
                _warn(self._path, error)
            self._failed = True
        else:
            self._failed = False

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


async def async_open_position(hass: HomeAssistant, consumer: str) -> PositionFile | None:
    """The file of a consumer; `None` where there cannot be one."""
    path = position_path(hass, consumer)
    try:
        return await hass.async_add_executor_job(PositionFile, path)
    except OSError as error:
        _warn(path, error)
        return None


async def async_noted_position(hass: HomeAssistant, consumer: str) -> Noted:
    """What the file of a consumer says."""
    return await hass.async_add_executor_job(_read, position_path(hass, consumer))


def _read(path: Path) -> Noted:
    try:
        found = json.loads(path.read_bytes())
        position, telling = int(found["position"]), int(found["telling"])
    except OSError, ValueError, KeyError, TypeError:
        return Noted()  # new, or spoilt by a power cut
    return Noted(position, telling if telling > position else 0)


async def async_forget_position(hass: HomeAssistant, consumer: str) -> None:
    """Delete the file of a consumer."""
    await hass.async_add_executor_job(partial(position_path(hass, consumer).unlink, missing_ok=True))


def _warn(path: Path, error: OSError) -> None:
    LOGGER.warning("%s cannot be written; should Home Assistant be killed, events may come twice: %s", path, error)


def position_path(hass: HomeAssistant, consumer: str) -> Path:
    """Where the position of a consumer is kept."""
    return Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.{consumer}.position"))
