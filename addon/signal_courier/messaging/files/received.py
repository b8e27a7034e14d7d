"""The files that signal-cli has received: `<config>/attachments/<id>`, shared by all accounts."""

import asyncio
import binascii
import os
import re
import stat
from pathlib import Path

from signal_courier.engine.commands import Commands
from signal_courier.engine.errors import NotFound
from signal_courier.model.errors import InvalidValue, MissingThing

_LONGEST = 255
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9]{1,16})?")
"""What signal-cli itself calls an attachment; nothing else is asked of it, because older versions read any path."""


class ReceivedFiles:
    """Reads the folder itself. Only where it cannot (signal-cli runs on another machine) it asks signal-cli."""

    def __init__(self, folder: Path, commands: Commands, *, attached: bool) -> None:
        self._folder = folder
        self._commands = commands
        self._attached = attached

    @property
    def is_remote(self) -> bool:
        """Whether the files are out of reach, so that only signal-cli can give them."""
        nearest = self._folder if self._folder.exists() else self._folder.parent
        return self._attached and not os.access(nearest, os.R_OK | os.X_OK)

    async def names(self) -> list[str]:
        """Every attachment's name, in order; empty when there is no folder."""
        return await asyncio.to_thread(_names, self._folder)

    def path(self, name: str) -> Path:
        """Where the file is. Raises `InvalidValue` for what is no name, `MissingThing` when there is no such file."""
        path = self._folder / check_name(name)
        if not is_plain_file(path):
            raise MissingThing("attachment", "No attachment with that name found")
        return path

    async def fetch(self, account: str, name: str) -> bytes:
        """A file's bytes from signal-cli. Raises as `path` does, and `EngineError`."""
        if not _PLAIN_ID.fullmatch(check_name(name)):
            raise MissingThing("attachment", "No attachment with that name found")
        try:
            found = await self._commands.get_attachment(account, id=name)
        except NotFound:
            raise MissingThing("attachment", "No attachment with that name found") from None
        return await asyncio.to_thread(binascii.a2b_base64, found.data)

    async def remove(self, name: str) -> None:
        """Delete a file. Raises as `path` does."""
        await asyncio.to_thread(self.path(name).unlink, missing_ok=True)


def check_name(name: str) -> str:
    """Give back what may be a file's name in one folder; raises `InvalidValue` for paths, hidden files and control characters."""
    if not name or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable() or len(name.encode()) > _LONGEST:
        raise InvalidValue("attachment", "Please provide a valid attachment name")
    return name


def is_plain_file(path: Path) -> bool:
    """Whether there is a file and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False))
    except FileNotFoundError:
        return []
