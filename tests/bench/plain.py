"""The service as it was before access, outbox and audit: the same HTTP server, routes and delivery, and nothing between them.

A request is routed, its body read and checked, its handler called; what is sent goes straight to signal-cli. What this costs less than the
service as it is, is what those three cost.
"""

import asyncio
import dataclasses
import gc
import signal
from collections.abc import Sequence
from typing import cast, override

from aiohttp import web

from signal_courier import settings
from signal_courier.access.caller import LOOPBACK
from signal_courier.courier import Courier
from signal_courier.http import tables
from signal_courier.http.call import Call
from signal_courier.http.decoding import bodies
from signal_courier.http.serving.server import HttpServer, _Visit
from signal_courier.messaging.sending.delivery import Delivery, Outcome
from signal_courier.messaging.sending.outbox import Outbox, Terms
from signal_courier.model.messages import Sendable
from signal_courier.model.recipients import Recipient


class Straight:
    """In place of the outbox: sends, and remembers nothing."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    async def send(self, account: str, recipients: Sequence[Recipient], what: Sendable, _terms: Terms | None = None) -> Outcome:
        """See `Outbox.send`."""
        return await self._delivery.send(account, recipients, what)


class OpenServer(HttpServer):
    """Serves everybody, and writes nothing down."""

    @override
    async def _admit(self, request: web.BaseRequest, token: str | None, target: str, visit: _Visit, *, ingress: bool) -> web.StreamResponse:
        match = visit.match = self.router.match(request.method, target)
        if match is None:
            return self._no_route(target)
        route = match.route
        query = route.reader.read(request.query) if route.reader is not None else None
        dialect = match.dialect or self._default_dialect
        if route.body is None:
            return await route.handler(Call(request, self._services, match.path, dialect, None, query, LOOPBACK))
        call: Call[object, object]
        if (at_hand := bodies.body_at_hand(request, route.body)) is not None:
            call = Call(request, self._services, match.path, dialect, at_hand, query, LOOPBACK)
            return await route.handler(call)
        async with bodies.read_body(request, route.body, optional=route.body_optional, spool=self._spool, limit=self._limit) as body:
            call = Call(request, self._services, match.path, dialect, body, query, LOOPBACK)
            return await route.handler(call)

    @override
    def _note(self, request: web.BaseRequest, visit: _Visit, status: int, started: float | None) -> None:
        """Say nothing."""


class PlainCourier(Courier):
    """The service without them."""

    def __init__(self, chosen: settings.Settings) -> None:
        super().__init__(chosen)
        straight = cast("Outbox", Straight(Delivery(self.commands, self.trust)))
        self.services = dataclasses.replace(self.services, outbox=straight)
        self.server = OpenServer(self.services, tables.TABLES, self.tokens, self.audit)


async def _serve(chosen: settings.Settings) -> None:
    courier, stop = PlainCourier(chosen), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await courier.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as `courier.serve` does
    await stop.wait()
    await courier.stop()


if __name__ == "__main__":
    loaded, _ = settings.load({})
    asyncio.run(_serve(loaded))
