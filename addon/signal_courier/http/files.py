"""Files in answers: a download that no browser runs."""

import asyncio
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from signal_courier.model.attachments import HEAD, safe_name
from signal_courier.model.media import media_type

SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
"""A file comes from a stranger: a browser must not run what it holds."""


async def file_answer(path: Path, name: str | None = None) -> web.StreamResponse:
    """A file, or the ranges of it that the request asks for; with `name` it is saved under that."""

    def read_head() -> bytes:
        with path.open("rb") as file:
            return file.read(HEAD)

    headers = {"Content-Type": media_type(await asyncio.to_thread(read_head)), **SAFE}
    if name is not None:
        headers["Content-Disposition"] = disposition(name)
    return web.FileResponse(path, headers=headers)


def disposition(name: str) -> str:
    """The header that tells a file's name, made safe (RFC 6266)."""
    safe = safe_name(name) or "file"
    plain = "".join(character if character.isascii() and character not in '"\\%' else "_" for character in safe)
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(safe, safe='')}"
