"""One listener: aiohttp's low-level server, with bounds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import override

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from signal_courier.http.serving.tls import Certificate
from signal_courier.http.streaming.leaving import ends_with_client

_LOGGER = logging.getLogger(__name__)
_PROTOCOL = logging.getLogger("signal_courier.http.protocol")

type Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
type Hook = Callable[[web.BaseRequest, web.StreamResponse], None]
"""Called for every answer before its first byte."""

_KEEP_ALIVE = 75
"""Seconds that a connection may be without a request, or take for the head of one."""
_LONGEST_LINE = 16_384
"""Bytes of the request line, and of a header."""
_HEADERS = 100
"""Headers of a request."""


class _Connection(web.RequestHandler):
    """Answers what is no HTTP without repeating it, as the line that could not be read may hold a token; ends what waits for nobody."""

    __slots__ = ()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        request = self._current_request
        super().connection_lost(exc)
        if request is not None and ends_with_client(request):
            request.task.cancel()

    @override
    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        return super().handle_error(request, status, exc, f"{status} {HTTPStatus(status).phrase}")


class _Bounded(web.Server):
    """Keeps connections to a number: a new one takes the place of the oldest that has no request, if there is one.

    So nobody keeps others out by opening connections and saying nothing.
    """

    def __init__(self, handler: Handle, connections: int, hook: Hook | None) -> None:
        super().__init__(
            handler,
            request_factory=self._make_hooked if hook is not None else None,
            access_log=None,
            logger=_PROTOCOL,
            keepalive_timeout=_KEEP_ALIVE,
            read_bufsize=256 * 1024,  # a long upload comes in a third less time than with 64 KiB
            lingering_time=2.0,  # a refused upload is read on for so long, so that the client comes to see the answer
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=_HEADERS,
        )
        self._most = connections
        self._open = 0
        """Connections; the server itself also counts those whose client has gone, until they have been answered."""
        self._hook = hook
        self._full = False

    @override
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    @override
    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open += 1
        full = self._open > self._most
        if full:
            (self._idle(handler) or transport).abort()
        if full and not self._full:
            _LOGGER.warning("More than %d connections are open at once: idle ones are closed (COURIER_MAX_CONNECTIONS)", self._most)
        self._full = full

    @override
    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open -= 1

    def _idle(self, new: web.RequestHandler) -> asyncio.Transport | None:
        """The transport of the oldest connection that has no request."""
        for handler, transport in self._connections.items():
            if handler is not new and handler._current_request is None and not transport.is_closing():  # noqa: SLF001  # it has no other name
                return transport
        return None

    def _make_hooked(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        request = _Hooked(message, payload, protocol, writer, task, self._loop)
        request.hook = self._hook
        return request


class _Hooked(web.BaseRequest):
    """A request whose answer is dressed before its head is written, also where a handler streams it."""

    ATTRS = web.BaseRequest.ATTRS | {"hook"}
    hook: Hook | None = None

    @override
    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        if self.hook is not None:
            self.hook(self, response)


class Listener:
    """Listens at one address."""

    def __init__(self, handler: Handle, host: str, port: int, *, connections: int, grace: float, hook: Hook | None = None) -> None:
        """`grace`: seconds that a request in flight has after the stop began."""
        self._handler = handler
        self._host = host
        self._port = port
        self._connections = connections
        self._grace = grace
        self._hook = hook
        self._certificate: Certificate | None = None
        self._watch: asyncio.Task[None] | None = None
        self._runner: web.ServerRunner | None = None

    def secure(self, certificate: Certificate) -> None:
        """Serve https."""
        self._certificate = certificate

    @property
    def port(self) -> int:
        """The port in use."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen. Raises `OSError`."""
        context = None
        if self._certificate is not None:
            context = self._certificate.context
            self._watch = asyncio.create_task(self._certificate.keep_watch())
        self._runner = web.ServerRunner(_Bounded(self._handler, self._connections, self._hook), shutdown_timeout=self._grace)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=context, backlog=1024).start()

    async def stop(self) -> None:
        """Stop; what is being answered is answered within the grace time."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
