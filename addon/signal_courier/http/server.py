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
from signal_courier.http.faces import Face, face_of
from signal_courier.http.native import problems as native_problems
from signal_courier.http.routing import Match, Route, Router
from signal_courier.http.services import Services
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import parse_number

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
                return self._no_route(request)
            answer = await self._serve(match, request)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # the one place where whatever went wrong becomes an answer
            if request.transport is None:
                return web.Response(status=499)
            answer = _worded(error, match, request)
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

    def _no_route(self, request: web.BaseRequest) -> web.Response:
        path = request.raw_path.partition("?")[0]
        if face_of(path) is not Face.NATIVE:
            return problems.not_found()
        if not (allowed := self.router.allowed(path)):
            return native_problems.answer(native_problems.problem("not-found", "There is no such address."))
        answer = native_problems.answer(native_problems.problem("method-not-allowed"))
        answer.headers["Allow"] = ", ".join(allowed)
        return answer


def _worded(error: Exception, match: Match | None, request: web.BaseRequest) -> web.Response:
    """The answer that an error becomes, in the words of the face that the request speaks to."""
    face = match.route.face if match is not None else face_of(request.raw_path)
    if face is Face.NATIVE:
        return native_problems.answer_to(error, _account_in(match))
    if match is None:
        return problems.answer_to(error)
    return problems.answer_to(error, match.route.failure, match.route.failure_text, match.route.undecodable_text)


def _account_in(match: Match | None) -> str | None:
    """The account that a path names, if it names one."""
    if match is None or "number" not in match.path:
        return None
    try:
        return parse_number(match.path["number"]).e164
    except InvalidValue:
        return None
