"""The content networks: attachments (resumable upload), and the older one for avatars and stickers (form upload)."""

import secrets
from collections.abc import Mapping

from aiohttp import web

from tests.e2e.lab.server.requests import Answer, Request, Routes

UPLOAD_LIMIT = 256 * 1024 * 1024
"""Bytes of one file."""
_FORM_FIELDS = {"credential": "c", "acl": "private", "algorithm": "a", "date": "d", "policy": "p", "signature": "s"}


def upload_form(key: str, **more: int) -> Mapping[str, str | int]:
    """Leave to upload a file under `key` to the older network."""
    return {"key": key, **_FORM_FIELDS, **more}


class ContentNetwork:
    """Files by their key, in memory."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def install(self, routes: Routes) -> None:
        """Adds the route of the chat server that gives leave to upload."""
        routes.add("GET", "/v4/attachments/form/upload", self._allow)

    async def _allow(self, _request: Request) -> Answer:
        key = secrets.token_urlsafe(15)
        location = f"https://cdn3.signal.org/upload/{key}"
        return Answer(200, {"cdn": 3, "key": key, "headers": {}, "signedUploadLocation": location})

    async def serve_forms(self, request: web.Request) -> web.StreamResponse:
        """cdn.signal.org: avatars and stickers."""
        if request.method == "POST":
            form = await request.post()
            key, file = form["key"], form["file"]
            self._files[str(key)] = file.file.read() if isinstance(file, web.FileField) else _as_bytes(file)
            return web.Response(status=204)
        return self._download(request.path.removeprefix("/"))

    async def serve_resumable(self, request: web.Request) -> web.StreamResponse:
        """cdn2 and cdn3: attachments. Signal's clients create an upload, ask how far it is, and send the rest."""
        key = request.path.rsplit("/", 1)[-1]
        match request.method:
            case "POST":
                return web.Response(status=201, headers={"Location": f"https://{request.host}/put/{key}"})
            case "HEAD":
                return web.Response(status=200, headers={"Upload-Offset": "0", "Upload-Length": "0"})
            case "PATCH" | "PUT":
                body = await request.read()
                self._files[key] = body
                return web.Response(status=204, headers={"Upload-Offset": str(len(body))})
            case _:
                return self._download(key)

    def _download(self, key: str) -> web.Response:
        content = self._files.get(key)
        return web.Response(status=404) if content is None else web.Response(body=content)


def _as_bytes(value: str | bytes | bytearray) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)
