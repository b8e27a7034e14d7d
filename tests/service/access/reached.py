"""The service's own listener and checks before handlers that only say that they were reached."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web

from signal_courier.http import tables
from signal_courier.http.call import Call
from signal_courier.http.description.openapi import _PATH_PARAMETERS
from signal_courier.http.routing import Route
from signal_courier.http.serving.server import HttpServer
from signal_courier.http.web import swagger
from tests.fakes.served import ACCOUNT, Service, simulated

ROUTES: list[Route] = [
    route for table in (*tables.TABLES, swagger.documentation(tables.TABLES), swagger.pages) for route in table
]  # fmt: skip
EXAMPLES = {name: example for name, (_, _, example) in _PATH_PARAMETERS.items()} | {
    "number": ACCOUNT, "account": ACCOUNT, "file": "index.html",
}  # fmt: skip


def path_of(route: Route, **values: str) -> str:
    """A path of the route, with an example for each parameter."""
    path = route.path.replace(":path}", "}")
    for name, example in (EXAMPLES | values).items():
        path = path.replace(f"{{{name}}}", example)
    assert "{" not in path, f"{route.path} has a parameter without example"
    return path


class Marked(Service):
    """Like the service; each handler answers 200 and is remembered."""

    reached: list[str]


@contextlib.asynccontextmanager
async def marked(folder: Path, **settings: Any) -> AsyncIterator[Marked]:
    """The service whose handlers do nothing; nobody is trusted without a token."""
    reached: list[str] = []

    async def mark(call: Call[object, object]) -> web.StreamResponse:
        reached.append(call.request.raw_path)
        return web.Response()

    async with simulated(folder, trust_loopback=False, **settings) as service:
        routes = [dataclasses.replace(route, handler=mark) for route in ROUTES]
        courier = service.courier
        await courier.server.stop()
        courier.server = HttpServer(courier.services, [routes], courier.tokens, courier.audit)
        await courier.server.start()
        found = Marked(courier, None, service._session)
        found.reached = reached
        yield found
