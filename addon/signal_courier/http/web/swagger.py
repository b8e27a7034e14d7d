"""The API's documentation: `/openapi.json`, upstream's `/swagger/…`, morph027's `/docs`.

Everything is made when it is first asked for: most services run for months without anybody looking. All addresses are relative, so that
the pages work below any prefix of a reverse proxy. Swagger UI's files come with a package; nobody else's server is asked.
"""

import asyncio
import importlib.util
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from signal_courier.http.answers import json_answer, json_bytes
from signal_courier.http.call import Call
from signal_courier.http.problems import not_found
from signal_courier.http.routing import Route, RouteTable
from signal_courier.settings import Settings

_PACKAGE: Final = "swagger_ui"
"""Only its files are used; importing it would load a template engine."""

_FILES: Final[Mapping[str, str]] = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "index.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui-standalone-preset.js": "text/javascript; charset=utf-8",
    "oauth2-redirect.html": "text/html; charset=utf-8",
    "favicon-16x16.png": "image/png",
    "favicon-32x32.png": "image/png",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' http: https:; "
    "img-src 'self' data: blob:; media-src blob:; "  # pictures and voice notes that were asked for are shown as blobs
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_PAGE: Final = b"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signal Courier: API</title>
<link rel="icon" type="image/png" sizes="32x32" href="favicon-32x32.png">
<link rel="stylesheet" href="swagger-ui.css">
</head>
<body style="margin: 0">
<main id="swagger-ui"></main>
<noscript>This page needs JavaScript. The same as a file: <a href="../openapi.json">openapi.json</a></noscript>
<script src="swagger-ui-bundle.js"></script>
<script src="swagger-initializer.js"></script>
</body>
</html>
"""
_SCRIPT: Final = b"""\
window.ui = SwaggerUIBundle({
  url: new URL("../openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""


class _Library:
    """The documents, made once each."""

    def __init__(self, tables: Sequence[Iterable[Route]]) -> None:
        self._tables = tables
        self._openapi: dict[str, object] | None = None
        self._swagger2: dict[str, object] | None = None
        self._lock = asyncio.Lock()

    async def openapi(self, server: str) -> bytes:
        """OpenAPI 3.1, its one server being this address."""
        await self._prepare()
        return msgspec.json.encode({**(self._openapi or {}), "servers": [{"url": server}]})

    async def swagger2(self, host: str, schemes: Sequence[str], base: str) -> bytes:
        """Swagger 2.0."""
        await self._prepare()
        return msgspec.json.encode({**(self._swagger2 or {}), "host": host, "schemes": schemes, "basePath": base})

    async def _prepare(self) -> None:
        async with self._lock:
            if self._swagger2 is None:
                self._openapi, self._swagger2 = await asyncio.to_thread(_make, self._tables)


def _make(tables: Sequence[Iterable[Route]]) -> tuple[dict[str, object], dict[str, object]]:
    from signal_courier.http.description.openapi import document  # noqa: PLC0415  # who never looks never loads it
    from signal_courier.http.description.swagger2 import converted  # noqa: PLC0415  # as above

    openapi = document(route for table in tables for route in table)
    return _encoded(openapi), _encoded(converted(openapi))


def _encoded(document: Mapping[str, object]) -> dict[str, object]:
    """A copy whose parts are JSON already: small to keep, quick to send."""
    return {key: msgspec.Raw(msgspec.json.encode(part)) for key, part in document.items()}


def documentation(tables: Sequence[Iterable[Route]]) -> RouteTable:
    """The routes that document these."""
    routes = RouteTable("Documentation")
    library = _Library(tables)

    @routes.add("GET", "/openapi.json", scope=None, documented=False)
    async def get_openapi(call: Call[None, None]) -> web.StreamResponse:
        """Describe the API as OpenAPI 3.1."""
        return json_bytes(await library.openapi(_server(call, "./")))

    @routes.add("GET", "/docs/openapi.json", scope=None, documented=False)
    async def get_openapi_of_docs(call: Call[None, None]) -> web.StreamResponse:
        """Describe the API as OpenAPI 3.1, where python-signal-cli-rest-api has it."""
        return json_bytes(await library.openapi(_server(call, "../")))

    @routes.add("GET", "/swagger/doc.json", scope=None, documented=False)
    async def get_swagger(call: Call[None, None]) -> web.StreamResponse:
        """Describe the API as Swagger 2.0, where upstream has it."""
        settings = call.services.settings
        host = _named_host(settings) or call.request.headers.get("Host") or f"{settings.host}:{settings.port}"
        schemes = ("https", "http") if settings.swagger_https else ("http", "https")
        return json_bytes(await library.swagger2(host, schemes, _ingress_prefix(call) or "/"))

    return routes


def _server(call: Call[None, None], relative: str) -> str:
    if prefix := _ingress_prefix(call):
        return prefix
    settings = call.services.settings
    host = _named_host(settings)
    return f"{'https' if settings.swagger_https else 'http'}://{host}/" if host else relative


def _ingress_prefix(call: Call[None, None]) -> str:
    """Under which path of Home Assistant's the service is reached by this caller; empty where it is reached otherwise."""
    prefix = call.request.headers.get("X-Ingress-Path", "") if call.caller.kind == "ingress" else ""
    return prefix if re.fullmatch(r"(/[A-Za-z0-9_-]+)+", prefix) else ""


def _named_host(settings: Settings) -> str | None:
    """What SWAGGER_HOST says; a bare address, as SWAGGER_IP gives it, means our port on it."""
    host = settings.swagger_host
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return host
    return f"[{address}]:{settings.port}" if address.version == 6 else f"{address}:{settings.port}"


pages = RouteTable("Documentation")


@pages.add("GET", "/swagger/{file}", scope=None, documented=False)
async def get_page(call: Call[None, None]) -> web.StreamResponse:
    """Show the documentation."""
    name = call.path["file"]
    if name == "index.html":
        return _own(_PAGE, "text/html; charset=utf-8")
    if name == "swagger-initializer.js":
        return _own(_SCRIPT, "text/javascript; charset=utf-8")
    if name not in _FILES:
        return not_found()
    folder = _static_folder()
    if folder is None:
        return json_answer({"error": "Swagger UI is not installed; the description is at /openapi.json"}, 404)
    headers = {"Content-Type": _FILES[name], "Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(folder / name, headers=headers)


@pages.add("GET", "/docs", scope=None, documented=False)
@pages.add("GET", "/swagger", scope=None, documented=False)
async def show_page(call: Call[None, None]) -> web.StreamResponse:
    """Lead to the documentation."""
    up = "../" if call.request.path.endswith("/") else ""
    return web.Response(status=302, headers={"Location": f"{up}swagger/index.html"})


def _own(body: bytes, content_type: str) -> web.Response:
    headers = {"Content-Type": content_type, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, headers=headers | {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"})


def _static_folder() -> Path | None:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "static"
