"""`/api/v1/rpc`: JSON-RPC 2.0 over HTTP, as signal-cli's daemon speaks it."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

import aiohttp
import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.engine import errors
from signal_courier.engine.base import Params
from signal_courier.http.answers import empty, json_bytes, text_answer
from signal_courier.http.call import Call, Noted, Wishes
from signal_courier.http.decoding import bodies
from signal_courier.http.once import KEY, as_accepted, checked_key, terms_in, told
from signal_courier.http.problems import LostBody, NotAllowed, SlowBody
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.rpc import methods
from signal_courier.http.rpc.sending import answer_of, sending_of
from signal_courier.messaging.sending.content import files_of
from signal_courier.messaging.sending.outbox import Accepted
from signal_courier.model.errors import InvalidValue, TooLarge
from signal_courier.model.messages import Sendable
from signal_courier.model.recipients import parse_number

_LOGGER = logging.getLogger(__name__)

routes = RouteTable("signal-cli")

LIMIT = 64 << 20
"""Bytes of a body. signal-cli itself takes strings of 20 million characters."""
LONGEST_BATCH = 100
NOT_ALLOWED: Final = -32001
"""Code of a refusal by this service."""
UNAVAILABLE: Final = -32000
"""Code when signal-cli is not there or does not answer."""

_NULL = msgspec.Raw(b"null")
_encode = msgspec.json.Encoder().encode


class RpcFault(msgspec.Struct):
    """Why a call did not succeed."""

    code: int
    message: str
    data: dict[str, object] | None = None


class RpcAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An answer; one of `result` and `error` is there."""

    jsonrpc: str
    result: object = None
    error: RpcFault | None = None
    id: str | int | None = None


class _Fault(Exception):
    """Becomes the `error` member."""

    def __init__(self, code: int, message: str, data: msgspec.Raw | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class _Queued(Exception):
    """The answer to a request whose message waits."""

    def __init__(self, accepted: Accepted, answer: bytes) -> None:
        super().__init__(accepted.id)
        self.accepted = accepted
        self.answer = answer


@routes.add(
    "POST", "/api/v1/rpc", scope=None, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    answers=[
        Answer(
            200, "The answer, or the answers of a batch; errors are in it.", RpcAnswer,
            example={"jsonrpc": "2.0", "result": {"version": "0.14.6"}, "id": "1"},
        ),
        Answer(201, "Nothing but notifications: there is no answer."),
        Answer(
            202, "With `Prefer: respond-async`: the message is on disk, and the result names it.", RpcAnswer,
            example={"jsonrpc": "2.0", "result": {"id": "msg_42", "state": "queued"}, "id": "1"},
        ),
        Answer(415, "Not `application/json`.", media="text/plain"),
    ],
)  # fmt: skip
async def call_method(call: Call[None, None]) -> web.StreamResponse:
    """Call methods of signal-cli.

    The body is JSON-RPC 2.0: `{"jsonrpc": "2.0", "method": "send", "params": {…}, "id": "1"}`, or a list of such, which is worked off in
    order. Each method asks for the scope that the other routes of its kind ask for; what is not known to this service asks for `admin`.
    Files can be named by their path only by programs on the same machine; others send `data:` URIs. What is sent is noted in the
    outbox; a single request may have the headers `Idempotency-Key` and `Prefer: respond-async` (a call with parameters that this service
    does not know is made at once all the same).
    """
    if not call.request.content_type.startswith("application/json"):  # with signal-cli `application/json-rpc` passes, too
        return text_answer("", 415)
    raw = await _body(call.request)
    try:
        batch = msgspec.json.decode(raw, type=list[msgspec.Raw]) if raw.lstrip()[:1] == b"[" else None
        if batch is None:
            msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _answer(_error(_NULL, _Fault(-32700, str(error))))
    key = call.request.headers.get(KEY)
    if batch is None:
        call.terms = terms_in(call.request.headers)
        if key is None or call.once is None:
            return await _single(call, raw)
        wishes = Wishes(call.terms, checked_key(key), hashlib.sha256(b"POST\n/api/v1/rpc\n" + raw))
        return await call.once(wishes, lambda: _single(call, raw))
    if key is not None:
        return _answer(_error(_NULL, _Fault(-32600, f"{KEY} is for a single request, not for a batch")))
    if not 0 < len(batch) <= LONGEST_BATCH:
        return _answer(_error(_NULL, _Fault(-32600, f"a batch holds 1 to {LONGEST_BATCH} requests")))
    answers = [answer for request in batch if (answer := await _one(call, request)) is not None]
    return _answer(b"[" + b",".join(answers) + b"]") if answers else empty(201)


async def _single(call: Call[None, None], raw: bytes) -> web.Response:
    try:
        answer = await _one(call, msgspec.Raw(raw))
    except _Queued as queued:
        return as_accepted(json_bytes(queued.answer, 202), queued.accepted)
    return _answer(answer) if answer is not None else empty(201)


def _answer(body: bytes) -> web.Response:
    return json_bytes(body)


async def _body(request: web.BaseRequest) -> bytes:
    """The whole body; raises `TooLarge`, `SlowBody`, `LostBody`."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(bodies.DEADLINE):
            while piece := await asyncio.wait_for(request.content.readany(), bodies.STALL):
                size += len(piece)
                if size > LIMIT:
                    raise TooLarge("body", f"the body is larger than {LIMIT >> 20} MiB")
                pieces.append(piece)
    except TimeoutError:
        raise SlowBody(f"{size} bytes came") from None
    except (ConnectionError, aiohttp.ClientError, asyncio.IncompleteReadError) as error:
        raise LostBody(str(error)) from error
    return b"".join(pieces)


_MEMBERS: Final = frozenset({"jsonrpc", "method", "params", "id"})


async def _one(call: Call[None, None], raw: msgspec.Raw) -> bytes | None:
    """Work off one request; `None` for a notification."""
    identity, fault = _NULL, None
    try:
        members = _members(raw)
        identity = _identity(members)
        method, params = _wanted(members)
    except _Fault as wrong:
        return _error(identity, wrong)
    result, status = _NULL, 200
    try:
        result = await _perform(call, method, params)
    except _Fault as wrong:
        fault, status = wrong, 400
    except NotAllowed as refusal:
        fault, status = _Fault(NOT_ALLOWED, refusal.text), 403
    except InvalidValue as wrong:
        fault, status = _Fault(-32602, wrong.message), 400
    except errors.EngineError as error:
        fault = _fault_of(error)
        status = 503 if fault.code == UNAVAILABLE else 400
    except Accepted as accepted:
        _note(call, method, params, 202)
        raise _Queued(accepted, _result(identity, _encode(told(accepted)))) from None
    _note(call, method, params, status)
    if "id" not in members:
        return None
    if fault is not None:
        return _error(identity, fault)
    return _result(identity, bytes(result))


def _note(call: Call[None, None], method: str, params: Mapping[str, object], status: int) -> None:
    """Have the audit log tell of one call: of a body that holds several, and answers 200 whatever became of them, it would tell little."""
    try:
        account = parse_number(str(params.get("account") or "")).e164
    except InvalidValue:
        account = None
    call.noted = call.noted or []
    call.noted.append(Noted(method if method in methods.KNOWN else "(unknown)", account, status))


def _members(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        raise _Fault(-32600, "a request is an object") from None
    if not members.keys() <= _MEMBERS:
        raise _Fault(-32600, f"unknown member: {', '.join(sorted(members.keys() - _MEMBERS))}")
    return members


def _identity(members: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    """The id as it was spelled."""
    identity = members.get("id", _NULL)
    if bytes(identity)[:1] not in b'"-0123456789n':
        raise _Fault(-32600, "id: a text, a number or null")
    return identity


def _wanted(members: Mapping[str, msgspec.Raw]) -> tuple[str, dict[str, object]]:
    try:
        version = msgspec.json.decode(members.get("jsonrpc", _NULL), type=str | None)
        method = msgspec.json.decode(members.get("method", _NULL), type=str | None)
        params = msgspec.json.decode(members.get("params", _NULL), type=dict[str, object] | None)
    except msgspec.MsgspecError as error:
        raise _Fault(-32600, f"jsonrpc and method are texts, params is an object: {error}") from None
    if version != "2.0":
        raise _Fault(-32600, "only jsonrpc version 2.0 is supported")
    if method is None:
        raise _Fault(-32600, "method field must be set")
    return method, params or {}


async def _perform(call: Call[None, None], method: str, given: dict[str, object]) -> msgspec.Raw:
    params = cast("dict[str, msgspec.Raw]", given)
    services = call.services
    if method in methods.SUBSCRIPTIONS:
        raise _Fault(-32601, "Method not implemented")
    if method not in methods.WITHOUT_ACCOUNT and "account" not in given:
        try:
            given["account"] = await call.account_meant(None)
        except InvalidValue:
            _LOGGER.debug("%s names no account, and there is not exactly one", method)
    match given.get("recipient"):
        case [only] if method in methods.ONE_RECIPIENT:
            given["recipient"] = only
    methods.check(call, method, cast("Params", params))
    if isinstance(account := given.get("account"), str) and account.startswith("+"):
        given["account"] = parse_number(account).e164  # what was checked is what is asked for
    sending = sending_of(method, given)
    if sending is None:
        result = await services.engine.call(method, cast("Params", params))
    elif call.terms is not None and call.terms.respond_async and sending.is_whole and await asyncio.to_thread(_are_here, sending.what):
        result = answer_of(await services.outbox.send(sending.account, sending.recipients, sending.what, call.terms))
    else:
        outcome, answer = await services.outbox.relay(
            sending.account, sending.recipients, sending.what, lambda: services.engine.call(method, cast("Params", params)), call.terms
        )
        result = answer if answer is not None else answer_of(outcome)
    if method in methods.CHANGING_ACCOUNTS:
        services.accounts.forget()
    if isinstance(sender := given.get("account"), str):
        if method == "submitRateLimitChallenge":
            services.outbox.challenge_solved(sender)
        elif method == "trust":
            services.outbox.trusted(sender)
    if method == "listAccounts" and call.caller.accounts is not None:
        known = msgspec.json.decode(result, type=list[dict[str, object]])
        return msgspec.Raw(_encode([entry for entry in known if entry.get("number") in call.caller.accounts]))
    return result


def _are_here(what: Sendable) -> bool:
    """Whether the files of a message can be kept until it is sent; signal-cli may run where this service sees none."""
    return all(file.startswith("data:") or Path(file).is_file() for file in files_of(what))


def _fault_of(error: errors.EngineError) -> _Fault:
    if isinstance(error, errors.EngineUnavailable | errors.EngineTimeout) or error.code is None:
        return _Fault(UNAVAILABLE, error.message)
    data = msgspec.Raw(b'{"response":' + bytes(error.response) + b"}") if error.response is not None else None
    return _Fault(error.code, error.message, data)


def _result(identity: msgspec.Raw, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","result":' + result + b',"id":' + bytes(identity) + b"}"


def _error(identity: msgspec.Raw, fault: _Fault) -> bytes:
    content = _encode({"code": fault.code, "message": fault.message, "data": fault.data})
    return b'{"jsonrpc":"2.0","error":' + content + b',"id":' + bytes(identity) + b"}"
