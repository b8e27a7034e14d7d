"""Files that a caller has uploaded to send them later: `<data>/uploads/<id>/<name>`."""

import asyncio
import re
import secrets
import shutil
from pathlib import Path

import msgspec

from signal_courier.messaging.files.received import is_plain_file
from signal_courier.model.errors import MissingThing

_ID = re.compile(r"upload-[0-9a-f]{32}")
"""Never valid base64, so that an id cannot be taken for a file's content."""


class KeptUpload(msgspec.Struct, frozen=True):
    """A file that waits to be sent."""

    id: str
    path: Path
    size: int


class Uploads:
    """Keeps uploads until they are deleted, or too old."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def is_id(text: str) -> bool:
        """Whether a text is the id of an upload, there or not."""
        return _ID.fullmatch(text) is not None

    async def keep(self, file: Path, name: str) -> KeptUpload:
        """Take a file over under a safe name. Raises `OSError`."""
        number = f"upload-{secrets.token_hex(16)}"

        def move() -> KeptUpload:
            folder = self._folder / number
            folder.mkdir(mode=0o700, parents=True)
            kept = folder / name
            shutil.move(file, kept)
            return KeptUpload(number, kept, kept.stat().st_size)

        return await asyncio.to_thread(move)

    def path(self, number: str) -> Path:
        """Where an upload lies. Raises `MissingThing`."""
        if self.is_id(number):
            try:
                for file in (self._folder / number).iterdir():
                    if is_plain_file(file):
                        return file
            except OSError:
                pass
        raise MissingThing("attachment", "No attachment with that name found")

    async def remove(self, number: str) -> None:
        """Delete an upload. Raises `MissingThing`."""
        await asyncio.to_thread(shutil.rmtree, self.path(number).parent, ignore_errors=True)

    async def remove_older(self, cutoff: float) -> int:
        """Delete what was uploaded before a time (in s since the epoch); gives how many."""

        def sweep() -> int:
            count = 0
            for folder in self._folder.glob("upload-*"):
                if self.is_id(folder.name) and folder.stat().st_mtime < cutoff:
                    shutil.rmtree(folder, ignore_errors=True)
                    count += 1
            return count

        return await asyncio.to_thread(sweep)
