"""What a request asks for beside its body: not to be sent twice (`Idempotency-Key`), not to wait (`Prefer: respond-async`).

The same key with the same request (method, route, body, byte for byte) gets the same answer and sends one message, for 24 h, through
restarts; another request under that key gets 422. Keys belong to their caller. An answer is remembered once something was (or may have
been) sent, or Signal refused for good; where nothing was sent and the same may succeed later, the same key tries anew. A request that is
not valid sends nothing, and leaves no trace.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

import msgspec
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy, istr

from signal_courier.access.caller import Caller
from signal_courier.engine.errors import EngineTimeout
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Wishes
from signal_courier.http.routing import Match
from signal_courier.messaging.sending.outbox import LONGEST, Accepted, KeyReused, Outbox, Terms
from signal_courier.model.errors import InvalidValue
from signal_courier.model.outbox import DAY
from signal_courier.store.outbox import NewKey

KEY: Final = "Idempotency-Key"
EXPIRES: Final = "Courier-Expires-In"
REPLAYED: Final = "Idempotent-Replayed"
_PATIENCE: Final = 120.0
"""Seconds for which a request waits for an equal one that is being worked on."""
_LONGEST_WAIT: Final = 600.0
_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
_ASYNC: Final = re.compile(r"(?:^|,)\s*respond-async\s*(?:[,;=]|$)", re.IGNORECASE)
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,5})\"?", re.IGNORECASE)
HEADERS: Final[Mapping[str, tuple[str, Mapping[str, object]]]] = {
    KEY: (
        "The same key with the same body gets the same answer and sends one message, for 24 hours and through restarts.",
        {"type": "string", "pattern": r"^[\x20-\x7e]{1,255}$"},
    ),
    "Prefer": (
        "`respond-async`: answer 202 as soon as the message is on disk; `respond-async, wait=10`: but wait 10 s for the usual answer.",
        {"type": "string"},
    ),
    EXPIRES: (
        "With `respond-async`: seconds for which it is tried, a day unless given; 0 = once.",
        {"type": "string", "pattern": "^[0-9]{1,7}$"},
    ),
}
"""What can be said in headers, for the documentation."""
_FOLDED_KEY: Final = istr(KEY)
_FOLDED_PREFER: Final = istr("Prefer")
"""Folded once: every request is asked for both."""
_KEPT_HEADERS: Final = ("Content-Type", "Retry-After", "Location", "Preference-Applied")


class MessageAccepted(msgspec.Struct):
    """The message is on disk and will be sent."""

    id: str
    """`GET /api/v2/messages/{id}` tells what becomes of it."""
    state: Literal["queued", "parked"] = "queued"
    """`parked`: somebody has to act first."""


def wishes_of(request: web.BaseRequest, match: Match) -> Wishes | None:
    """The wishes in a request's headers, `None` where there are none. Raises `InvalidValue`."""
    headers = request.headers
    key = headers.get(_FOLDED_KEY)
    if key is None and _FOLDED_PREFER not in headers:
        return None
    terms = terms_in(headers)
    if key is None and not terms.respond_async:
        return None
    if key is not None:
        checked_key(key)
    parts = (request.method, match.route.path, *(text for pair in sorted(match.path.items()) for text in pair), match.dialect or "")
    return Wishes(terms, key, hashlib.sha256("\n".join([*parts, ""]).encode(errors="surrogateescape")))


def terms_in(headers: CIMultiDictProxy[str]) -> Terms:
    """How a request is to be sent, as its headers prefer. Raises `InvalidValue`."""
    terms = Terms()
    preferred = ",".join(headers.getall(_FOLDED_PREFER, ()))
    if _ASYNC.search(preferred):
        terms.respond_async = True
        if wait := _WAIT.search(preferred):
            terms.wait = min(float(wait[1]), _LONGEST_WAIT)
        terms.expires_in = _expires_in(headers)
    return terms


def checked_key(key: str) -> str:
    """A key that can be one. Raises `InvalidValue`."""
    if not _KEY.fullmatch(key):
        raise InvalidValue(KEY, f"{KEY}: must have 1 to 255 printable ASCII characters")
    return key


def accepted_answer(accepted: Accepted) -> web.Response:
    """202 with the message's id."""
    return as_accepted(json_answer(told(accepted), 202), accepted)


def told(accepted: Accepted) -> MessageAccepted:
    """What is said of a message that waits."""
    return MessageAccepted(accepted.id, "parked" if accepted.parked else "queued")


def as_accepted(answer: web.Response, accepted: Accepted) -> web.Response:
    """An answer with the headers that say that the message waits, and where."""
    answer.headers["Location"] = f"/api/v2/messages/{accepted.id}"
    answer.headers["Preference-Applied"] = "respond-async"
    return answer


class Once:
    """Sees to it that a request with a key is served once."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._running: dict[tuple[str, str], tuple[bytes, asyncio.Future[None]]] = {}

    async def serve(self, caller: Caller, wishes: Wishes, serve: Callable[[], Awaitable[web.Response]]) -> web.Response:
        """The answer that was given before, or that `serve` gives now. Raises `KeyReused`."""
        assert wishes.key is not None
        owner = caller.token_id or caller.kind
        fingerprint = wishes.digest.digest()
        place = (owner, wishes.key)
        while (running := self._running.get(place)) is not None:
            if running[0] != fingerprint:
                raise KeyReused
            await asyncio.wait([running[1]], timeout=_PATIENCE)
            if not running[1].done():
                raise EngineTimeout("The first request with this key has not come to its end yet")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running[place] = (fingerprint, future)
        try:
            return await self._serve(NewKey(owner, wishes.key, fingerprint), wishes.terms, serve)
        finally:
            del self._running[place]
            future.set_result(None)

    async def _serve(self, key: NewKey, terms: Terms, serve: Callable[[], Awaitable[web.Response]]) -> web.Response:
        table = self._outbox.keys
        known = await table.key(key.caller, key.key, self._outbox.key_horizon())
        if known is not None:
            if known.fingerprint != key.fingerprint:
                raise KeyReused
            if known.status is not None:
                headers = CIMultiDict[str](msgspec.json.decode(known.headers or b"[]", type=list[tuple[str, str]]))
                headers[REPLAYED] = "true"
                return web.Response(status=known.status, headers=headers, body=known.body)
        terms.key = key
        answer = await serve()
        if terms.message is not None and not terms.uncertain:
            headers_kept = [(name, answer.headers[name]) for name in _KEPT_HEADERS if name in answer.headers]
            body = answer.body if isinstance(answer.body, bytes) else b""
            await table.answer_key(key.caller, key.key, answer.status, msgspec.json.encode(headers_kept), body)
        if known is not None:
            answer.headers[REPLAYED] = "true"
        return answer


def _expires_in(headers: CIMultiDictProxy[str]) -> int:
    given = headers.get(EXPIRES)
    if given is None:
        return DAY
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given) <= LONGEST):
        raise InvalidValue(EXPIRES, f"{EXPIRES}: must be a number of seconds, {LONGEST} at most")
    return int(given)
