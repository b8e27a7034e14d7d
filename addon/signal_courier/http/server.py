"""The listener: takes a connection, finds the route, decodes, calls the handler, words the error."""

import asyncio
import logging
import time
from collections.abc import Iterable

from aiohttp import web

from signal_courier.access.caller import LOOPBACK
from signal_courier.http import bodies, problems
from signal_courier.http.access import Door
from signal_courier.http.call import Call
from signal_courier.http.routing import Match, Route, Router
from signal_courier.http.services import Services

_LOGGER = logging.getLogger(__name__)
_ACCESS = logging.getLogger("signal_courier.access")
_GRACE = 2.0
"""Seconds that a request in flight has after the stop began."""


class HttpServer:
    """The HTTP face of the house.

    Built on aiohttp's low-level server: one route table, no middleware, so that a request costs what its handler costs.
    """

    def __init__(self, services: Services, tables: Iterable[Iterable[Route]], *, host: str, port: int, open_to_all: bool) -> None:
        self.router = Router(tables)
        self._services = services
        self._host = host
        self._port = port
        self._door = Door(open_to_all=open_to_all)
        self._runner: web.ServerRunner | None = None
        self._default_dialect = services.settings.dialect
        self._spool = services.settings.spool_dir
        self._limit = services.settings.body_limit_mib * 2**20

    @property
    def port(self) -> int:
        """The port in use (of interest when 0 was asked for)."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen. Raises `OSError` when the address is in use."""
        server = web.Server(
            self._handle,
            access_log=None,
            keepalive_timeout=75,
            read_bufsize=256 * 1024,  # a long upload comes in a third less time than with 64 KiB
            lingering_time=_GRACE,  # a refused upload is read on for so long, so that the client comes to see the answer
            max_line_size=16384,
            max_field_size=16384,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_GRACE)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=1024).start()

    async def stop(self) -> None:
        """Stop listening; what is being answered is answered (within the grace time)."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        match = self.router.match(request.method, request.raw_path)
        try:
            self._door.check(request)
            if match is None:
                return problems.not_found()
            answer = await self._serve(match, request)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # the one place where whatever went wrong becomes an answer
            if request.transport is None:
                return web.Response(status=499)
            if match is None:
                answer = problems.answer_to(error)
            else:
                answer = problems.answer_to(error, match.route.failure, match.route.failure_text, match.route.undecodable_text)
        if _ACCESS.isEnabledFor(logging.DEBUG) and not (match is not None and match.route.quiet):
            route = match.route.path if match is not None else "(no route)"
            _ACCESS.debug("%s %s %d %.1f ms", request.method, route, answer.status, (time.perf_counter() - started) * 1000)
        return answer

    async def _serve(self, match: Match, request: web.BaseRequest) -> web.StreamResponse:
        route = match.route
        query = route.reader.read(request.query) if route.reader is not None else None
        dialect = match.dialect or self._default_dialect
        if route.body is None:
            return await route.handler(Call(request, self._services, match.path, dialect, None, query, LOOPBACK))
        async with bodies.read_body(request, route.body, optional=route.body_optional, spool=self._spool, limit=self._limit) as body:
            return await route.handler(Call(request, self._services, match.path, dialect, body, query, LOOPBACK))
