"""The listener: takes a connection, finds the route, decodes, calls the handler, words the error."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable
from functools import partial

from aiohttp import web

from signal_courier.access.audit import AuditLog
from signal_courier.access.caller import Caller
from signal_courier.access.tokens import Tokens
from signal_courier.http import problems
from signal_courier.http.auth import Gate, split_path
from signal_courier.http.call import Call, Wishes
from signal_courier.http.decoding import bodies
from signal_courier.http.decoding.forms import is_form, read_form
from signal_courier.http.faces import Face, face_of
from signal_courier.http.gateway import problems as gateway_problems
from signal_courier.http.native import problems as native_problems
from signal_courier.http.once import Once, accepted_answer, wishes_of
from signal_courier.http.routing import Match, Route, Router
from signal_courier.http.services import Services
from signal_courier.http.serving.cross_origin import CrossOrigin
from signal_courier.http.serving.descriptors import connections_possible
from signal_courier.http.serving.listening import Listener
from signal_courier.http.serving.tls import Certificate
from signal_courier.http.streaming.websocket import is_upgrade
from signal_courier.messaging.sending.outbox import Accepted
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import parse_number

_ACCESS = logging.getLogger("signal_courier.access")
_RPC = ("/api/v1/rpc", "/api/v1/events", "/api/v1/check")
"""signal-cli's own addresses, where another method is 405 as with signal-cli; the drop-in routes say 404, as upstream does."""
_GRACE = 2.0
"""Seconds that a request in flight has after the stop began."""
_LAST_WORDS = 0.5
"""Seconds that requests in flight have after their token has ended."""


class HttpServer:
    """The HTTP face of the house.

    Built on aiohttp's low-level server: one route table, no middleware, so that a request costs what its handler costs.
    """

    def __init__(self, services: Services, tables: Iterable[Iterable[Route]], tokens: Tokens, audit: AuditLog) -> None:
        self.router = Router(tables)
        self._services = services
        self._gate = Gate(services.settings, tokens)
        self._near = self._gate.is_near
        self._audit = audit
        self._cross_origin = CrossOrigin(services.settings)
        self._listeners: list[Listener] = []
        self._by_token: dict[str, set[_Visit]] = {}
        tokens.on_end = self._hang_up
        self._default_dialect = services.settings.dialect
        self._spool = services.settings.spool_dir
        self._once = Once(services.outbox)
        self._limit = services.settings.body_limit_mib * 2**20

    @property
    def port(self) -> int:
        """The port in use (of interest when 0 was asked for)."""
        return self._listeners[0].port

    @property
    def ingress_port(self) -> int | None:
        """The same of the listener for Home Assistant's ingress, `None` where there is none."""
        return self._listeners[1].port if len(self._listeners) > 1 else None

    async def start(self) -> None:
        """Listen. Raises `OSError` when an address is in use, `SettingError` when the certificate is of no use."""
        settings = self._services.settings
        most = connections_possible(settings.max_connections)
        hook = self._cross_origin.dress if self._cross_origin.active else None
        main = Listener(self._handle, settings.host, settings.port, connections=most, grace=_GRACE, hook=hook)
        if settings.tls_certificate is not None:
            main.secure(Certificate(settings.tls_certificate, settings.tls_key))
        self._listeners.append(main)
        if settings.ingress_port is not None:
            self._listeners.append(
                Listener(self._handle_ingress, "0.0.0.0", settings.ingress_port, connections=most, grace=_GRACE)  # noqa: S104  # one peer is served there
            )
        for listener in self._listeners:
            await listener.start()

    async def stop(self) -> None:
        """Stop listening; what is being answered is answered (within the grace time)."""
        listeners, self._listeners = self._listeners, []
        await asyncio.gather(*(listener.stop() for listener in listeners))

    async def _handle_ingress(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._handle(request, ingress=True)

    async def _handle(self, request: web.BaseRequest, *, ingress: bool = False) -> web.StreamResponse:
        started = time.perf_counter() if _ACCESS.isEnabledFor(logging.DEBUG) else None
        token, target = split_path(request.raw_path)
        visit = _Visit(request)
        status = 499
        try:
            answer = await self._admit(request, token, target, visit, ingress=ingress)
            status = answer.status
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # the one place where whatever went wrong becomes an answer
            if request.transport is None:
                return web.Response(status=499)
            answer = _worded(error, visit.match, target, request, token)
            status = answer.status
        finally:
            self._note(request, visit, status, started)
        return answer

    async def _admit(
        self, request: web.BaseRequest, token: str | None, target: str, visit: "_Visit", *, ingress: bool
    ) -> web.StreamResponse:
        """Find out who is asking for what, and let them."""
        if request.method == "OPTIONS" and (preflight := self._cross_origin.preflight(request)) is not None:
            return preflight
        caller = self._gate.identify(request, token, target, ingress=ingress)
        if caller is None:
            caller = await self._gate.identify_again(request, token, target)
        visit.caller = caller
        match = self.router.match(request.method, target)
        if match is None:
            match = self.router.match_head(target) if request.method == "HEAD" else None
            if match is None:
                return self._no_route(target)
        visit.match = match
        self._gate.check(caller, match)
        if caller.token_id is None:
            return await self._serve(match, request, visit, caller)
        open_ones = self._by_token.setdefault(caller.token_id, set())
        open_ones.add(visit)
        try:
            return await self._serve(match, request, visit, caller)
        finally:
            open_ones.discard(visit)

    def _hang_up(self, token_id: str) -> None:
        """Close what is open with a token that has ended, but let short requests come to their end: one of them may have ended it."""
        if visits := self._by_token.pop(token_id, None):
            asyncio.get_running_loop().call_later(_LAST_WORDS, _abort, visits)

    def _note(self, request: web.BaseRequest, visit: "_Visit", status: int, started: float | None) -> None:
        """Tell the logs."""
        caller, match = visit.caller, visit.match
        if caller is None:
            self._audit.refuse(request.remote, status)
        elif not (match is not None and match.route.quiet) and (caller.kind != "loopback" or request.method not in ("GET", "HEAD")):
            call = visit.call
            route = match.route.path if match is not None else ""
            if call is not None and call.noted:
                for part in call.noted:
                    self._audit.record(caller, request.remote, request.method, f"{route} {part.what}", part.account, part.status)
            else:
                account = (call.checked_account if call is not None else None) or _account_in(match)
                self._audit.record(caller, request.remote, request.method, route, account, status)
        if started is not None and not (match is not None and match.route.quiet):
            route = match.route.path if match is not None else "(no route)"
            _ACCESS.debug("%s %s %d %.1f ms", request.method, route, status, (time.perf_counter() - started) * 1000)

    def _serve(self, match: Match, request: web.BaseRequest, visit: "_Visit", caller: Caller) -> Awaitable[web.StreamResponse]:
        """Have the route's handler answer. A small body that is there already is read without more ado."""
        route = match.route
        query = None
        if route.reader is not None and (route.query_upgraded or not is_upgrade(request)):
            query = route.reader.read(request.query)
        call: Call[object, object] = Call(
            request, self._services, match.path, match.dialect or caller.dialect or self._default_dialect, None, query, caller, self._near
        )
        if route.body is None:
            call.once = partial(self._once.serve, caller)
            visit.call = call
            return route.handler(call)
        wishes = wishes_of(request, match) if route.sends else None
        if wishes is None and not route.bodiless_upstream and not (route.form and is_form(request)):
            call.body = bodies.body_at_hand(request, route.body)
            if call.body is not None:
                visit.call = call
                return route.handler(call)
        return self._serve_reading(match, visit, call, wishes)

    async def _serve_reading(self, match: Match, visit: "_Visit", call: Call[object, object], wishes: Wishes | None) -> web.StreamResponse:
        """Read the body, then have the handler answer, once for all requests with the same key."""
        route, request = match.route, call.request
        assert route.body is not None
        digest, call.terms = (wishes.digest, wishes.terms) if wishes is not None else (None, None)
        async with (
            read_form(request, route.body, spool=self._spool, limit=self._limit, digest=digest)
            if route.form and is_form(request)
            else bodies.read_body(
                request,
                route.body,
                optional=route.body_optional,
                only_objects=route.bodiless_upstream,
                spool=self._spool,
                limit=self._limit,
                digest=digest,
            )
        ) as call.body:
            visit.call = call
            if wishes is None or wishes.key is None:
                return await route.handler(call)
            return await self._once.serve(call.caller, wishes, lambda: _answered(call, match))

    def _no_route(self, target: str) -> web.Response:
        path = target.partition("?")[0]
        face = face_of(path)
        if face is Face.COMPAT and not path.startswith(_RPC):
            return problems.not_found()
        allowed = self.router.allowed(path)
        if face is Face.COMPAT:
            return web.Response(status=405, headers={"Allow": ", ".join(allowed)}) if allowed else problems.not_found()
        if face is Face.GATEWAY:
            answer = gateway_problems.refusal("Method not allowed", 405) if allowed else gateway_problems.refusal("Not found", 404)
            answer.headers.update({"Allow": ", ".join(allowed)} if allowed else {})
            return answer
        if not allowed:
            return native_problems.answer(native_problems.problem("not-found", "There is no such address."))
        answer = native_problems.answer(native_problems.problem("method-not-allowed"))
        answer.headers["Allow"] = ", ".join(allowed)
        return answer


class _Visit:
    """What is known of a request so far."""

    __slots__ = ("call", "caller", "match", "request")

    def __init__(self, request: web.BaseRequest) -> None:
        self.request = request
        self.caller: Caller | None = None
        self.match: Match | None = None
        self.call: Call[object, object] | None = None


def _abort(visits: Iterable[_Visit]) -> None:
    for visit in visits:
        if visit.request.transport is not None:
            visit.request.transport.abort()


async def _answered(call: Call[object, object], match: Match) -> web.Response:
    """The answer of a handler, whatever happens: an error's words too can be what is remembered."""
    try:
        answer = await match.route.handler(call)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001  # as in `_handle`
        return _worded(error, match, call.request.raw_path, call.request)
    assert isinstance(answer, web.Response)
    return answer


def _worded(error: Exception, match: Match | None, target: str, request: web.BaseRequest, token: str | None = None) -> web.Response:
    """The answer that an error becomes, in the words of the face that the request speaks to."""
    if isinstance(error, Accepted):
        return accepted_answer(error)
    face = match.route.face if match is not None else face_of(target)
    if face is Face.NATIVE:
        return native_problems.answer_to(error, _account_in(match))
    if face is Face.GATEWAY:
        return gateway_problems.answer_to(error, request, token)
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
