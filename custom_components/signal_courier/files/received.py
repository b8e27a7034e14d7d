"""Received files on this machine's disk, fetched from the service when somebody wants them.

Home Assistant's AI tasks and players read files. They are a cache: kept below `.cache`, the longest unused first to go, deleted with
the account.
"""

import asyncio
import hashlib
import mimetypes
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

if TYPE_CHECKING:
    from ..coordinator import SignalCourierConfigEntry

_MOST: Final = 256 * 1024 * 1024
"""Bytes that are kept, of all accounts."""
_PIECE: Final = 256 * 1024
_BINARY: Final = "application/octet-stream"
_FILES: HassKey[ReceivedFiles] = HassKey(f"{DOMAIN}_received_files")


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that can be read."""

    path: Path
    type: str
    """Media type, told by the service from the content."""


@callback
def async_received_files(hass: HomeAssistant) -> ReceivedFiles:
    """The files of this Home Assistant."""
    return hass.data.setdefault(_FILES, ReceivedFiles(hass))


class ReceivedFiles:
    """Fetches each file once, however many ask for it at the same time."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._folder = Path(hass.config.cache_path(DOMAIN))
        self._fetching: dict[tuple[str, str], asyncio.Lock] = {}

    async def async_get(self, entry: SignalCourierConfigEntry, attachment: str) -> ReceivedFile:
        """A file of an account. Raises `CourierError`; `OSError` where the disk is full or not writable."""
        key = (entry.entry_id, attachment)
        lock = self._fetching.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                stem = hashlib.sha256(attachment.encode()).hexdigest()
                folder = self._folder / entry.entry_id
                kept = await self._hass.async_add_executor_job(_kept, folder, stem)
                return kept if kept is not None else await self._fetch(entry, attachment, folder / stem)
        finally:
            if not lock.locked():
                self._fetching.pop(key, None)

    async def async_forget(self, entry_id: str) -> None:
        """Delete the files of an account."""
        await self._hass.async_add_executor_job(shutil.rmtree, self._folder / entry_id, True)

    async def _fetch(self, entry: SignalCourierConfigEntry, attachment: str, target: Path) -> ReceivedFile:
        async with entry.runtime_data.client.attachments.open(attachment) as response:
            kind = response.content_type
            path = target.with_suffix(mimetypes.guess_extension(kind) or ".bin")
            await self._save(path, response.content.iter_chunked(_PIECE))
        await self._hass.async_add_executor_job(_make_room, self._folder, path)
        return ReceivedFile(path, kind)

    async def _save(self, path: Path, pieces: AsyncIterator[bytes]) -> None:
        partial = path.with_suffix(".part")
        file = await self._hass.async_add_executor_job(_create, partial)
        try:
            async for piece in pieces:
                await self._hass.async_add_executor_job(file.write, piece)
        finally:
            await self._hass.async_add_executor_job(file.close)
        await self._hass.async_add_executor_job(partial.replace, path)


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")


def _kept(folder: Path, stem: str) -> ReceivedFile | None:
    for path in folder.glob(f"{stem}.*"):
        if path.suffix != ".part":
            os.utime(path)
            return ReceivedFile(path, mimetypes.guess_type(path.name)[0] or _BINARY)
    return None


def _make_room(folder: Path, newest: Path) -> None:
    """Delete what was not used for the longest time, until the rest fits."""
    files = sorted(((path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*/*") if path != newest), reverse=True)
    size = newest.stat().st_size
    for _, length, path in files:
        size += length
        if size > _MOST:
            path.unlink(missing_ok=True)
