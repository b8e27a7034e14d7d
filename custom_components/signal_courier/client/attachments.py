"""Files: uploads that wait to be sent, and what was received."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

import aiohttp

from .models import Attachment
from .transport import Transport, read, read_all, segment

_PATH = "/api/v2/attachments"
DEADLINE: Final = 300.0
"""Seconds for a file."""


class Attachments:
    """`/api/v2/attachments`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def upload(self, data: bytes | AsyncIterator[bytes], name: str, *, type: str = "application/octet-stream") -> Attachment:
        """Keep a file at the service; its `id` stands for it in `attachments` of a message, once or more often.

        Raises `Problem` (`too-large`, `no-space`).
        """
        headers = {"Content-Type": type, "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
        return read(Attachment, await self._transport.send_data(_PATH, data, headers, DEADLINE))

    async def download(self, attachment: str) -> bytes:
        """A file. Raises `NotFound`."""
        async with self.open(attachment) as response:
            return await response.read()

    @asynccontextmanager
    async def open(self, attachment: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """A file to be read piece by piece: `response.content`, `response.content_type`. Raises `NotFound`."""
        async with self._transport.open("GET", f"{_PATH}/{segment(attachment)}", deadline=DEADLINE) as response:
            yield response

    async def all(self, *, limit: int = 100, offset: int = 0) -> list[Attachment]:
        """Received files and uploads, the newest first."""
        return read_all(Attachment, await self._transport.call("GET", _PATH, query={"limit": limit, "offset": offset}), "attachments")

    async def delete(self, attachment: str) -> None:
        """Delete a file. Raises `NotFound`."""
        await self._transport.call("DELETE", f"{_PATH}/{segment(attachment)}")
