"""A stand-in for the Supervisor: the part of its API that the app uses, and ingress as it comes from 172.30.32.2."""

import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web

ADDRESS = "172.30.32.2"


class Supervisor:
    """Answers on port 80 of its address. Token and messages are there to be looked at."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(28)
        self.messages: dict[str, dict[str, Any]] = {}
        """Discovery: uuid → message."""
        self.asked: list[str] = []
        """Method and path of every request that was let in."""
        self.failing = 0
        """How many requests are yet to be answered with 502."""
        self.ingress_path = f"/api/hassio_ingress/{secrets.token_urlsafe(16)}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Supervisor"]:
        """Serve while this lasts."""
        application = web.Application(middlewares=[self._admit])
        application.router.add_get("/supervisor/ping", self._ping)
        application.router.add_get("/discovery", self._list)
        application.router.add_post("/discovery", self._discover)
        application.router.add_delete("/discovery/{uuid}", self._forget)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, ADDRESS, 80).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def ingress(self, host: str, port: int, path: str, **headers: str) -> tuple[int, bytes, str]:
        """What a person gets who opens the app's page: status, body, content type."""
        more = {"X-Ingress-Path": self.ingress_path, "X-Remote-User-Id": "1", "X-Remote-User-Name": "ann", **headers}
        connector = aiohttp.TCPConnector(local_addr=(ADDRESS, 0))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://{host}:{port}{path}", headers=more) as answer,
        ):
            return answer.status, await answer.read(), answer.content_type

    @web.middleware
    async def _admit(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"result": "error", "message": "unauthorized"}, status=401)
        self.asked.append(f"{request.method} {request.path}")
        if self.failing:
            self.failing -= 1
            return web.Response(status=502)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _ping(self, request: web.Request) -> web.Response:
        return _ok({})

    async def _list(self, request: web.Request) -> web.Response:
        return _ok({"discovery": [{"uuid": uuid, **message} for uuid, message in self.messages.items()]})

    async def _discover(self, request: web.Request) -> web.Response:
        message = json.loads(await request.read())
        if set(message) != {"service", "config"} or message["service"] != "signal_courier":
            return web.json_response({"result": "error", "message": "Service not listed under discovery"}, status=403)
        for uuid, known in self.messages.items():
            if known["service"] == message["service"]:
                self.messages[uuid] = message
                return _ok({"uuid": uuid})
        uuid = secrets.token_hex(16)
        self.messages[uuid] = message
        return _ok({"uuid": uuid})

    async def _forget(self, request: web.Request) -> web.Response:
        if self.messages.pop(request.match_info["uuid"], None) is None:
            return web.json_response({"result": "error", "message": "Unknown discovery message"}, status=404)
        return _ok({})


def _ok(data: object) -> web.Response:
    return web.json_response({"result": "ok", "data": data})
