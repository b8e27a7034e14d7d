"""One attempt: a signed POST to an address that is allowed, within a deadline; what came of it."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from signal_courier import __version__
from signal_courier.messaging.certificates import certificates_for
from signal_courier.messaging.targets import Guard, Lookup, is_harmless, is_neighbour, is_refusal
from signal_courier.messaging.webhooks.schedule import read_retry_after
from signal_courier.messaging.webhooks.signing import headers
from signal_courier.model.errors import InvalidValue
from signal_courier.model.webhooks import Webhook

DEADLINE: Final = 20.0
"""Seconds that a receiver has to answer; the specification says 15 to 30."""
LONGEST_URL: Final = 2000
_READ: Final = 64 * 1024
"""Bytes of an answer that are read, so that the connection can be used again; what is longer ends it."""
_KEEP_ALIVE: Final = 1.5
"""Seconds; shorter than any server's, as a POST to a connection that the server just closes would count as failed."""
_ABOUT_THE_BODY: Final = frozenset({400, 413, 415, 422})
_HALF_AN_ADDRESS: Final = re.compile("[0-9.]+")
_FORBIDDEN: Final = "the address is one that webhooks may not have"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a post."""

    status: int | None
    error: str | None
    """`None` when it was taken."""
    duration_ms: int
    retry_after: float | None = None
    """Seconds that the receiver asks for."""

    @property
    def taken(self) -> bool:
        """Whether the receiver has it (2xx)."""
        return self.error is None

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing more (410)."""
        return self.status == 410

    @property
    def refused(self) -> bool:
        """Whether the answer speaks about this very body rather than about the receiver."""
        return self.status in _ABOUT_THE_BODY


class Poster:
    """Posts to endpoints. `wall` gives seconds since the epoch; `lookup` resolves names (the system's, unless a test says otherwise)."""

    def __init__(self, *, wall: Callable[[], float] = time.time, lookup: Lookup | None = None, deadline: float = DEADLINE) -> None:
        self._wall = wall
        self._deadline = deadline
        self._guards = {False: Guard(is_neighbour, lookup), True: Guard(is_harmless, lookup)}
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # apart, so that one never uses a connection that only the other may have

    async def close(self) -> None:
        """Close every connection."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def check(self, url: str, *, local: bool, field: str = "url") -> str:
        """Give back an address that can be an endpoint's; raises `InvalidValue`. Names are looked at when they are resolved."""
        parts = _split(url, field)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidValue(field, f"{field}: must be an address that begins with https:// or http://")
        if parts.username is not None or parts.password is not None:
            raise InvalidValue(field, f"{field}: must not hold a password; the signature tells the receiver who posts")
        host = parts.hostname.rstrip(".")
        if _HALF_AN_ADDRESS.fullmatch(host) and host.count(".") != 3:
            raise InvalidValue(field, f"{field}: '{host}' is half an address")
        if not self._guards[local].allows(host) or (not local and (host == "localhost" or host.endswith(".localhost"))):
            raise InvalidValue(field, f"{field}: {_FORBIDDEN}")
        return url

    async def post(self, webhook: Webhook, message: str, body: bytes) -> Attempt:
        """Post once."""
        started = time.monotonic()
        now = self._wall()
        keys = [secret.key for secret in webhook.secrets if secret.until is None or secret.until > now * 1000]
        sent = {
            "Content-Type": "application/json",
            "User-Agent": f"Signal-Courier/{__version__}",
            **headers(keys, message, int(now), body),
        }
        status = retry_after = None
        try:
            async with asyncio.timeout(self._deadline):
                session, trust = self._session(local=webhook.local), await certificates_for(webhook.url)
                async with session.post(URL(webhook.url), data=body, headers=sent, allow_redirects=False, ssl=trust) as answer:
                    status = answer.status
                    retry_after = read_retry_after(answer.headers.get("Retry-After"), self._wall()) if status >= 400 else None
                    await answer.content.read(_READ)
            error = _trouble(status)
        except TimeoutError:
            error = f"no answer within {self._deadline:.0f} s" if status is None else _trouble(status)
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            if status is not None:  # the answer counts, whatever became of the rest
                error = _trouble(status)
            elif is_refusal(fault):
                error = _FORBIDDEN
            else:
                error = _words(fault)
        return Attempt(status, error, round((time.monotonic() - started) * 1000), retry_after)

    def _session(self, *, local: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(local)
        if session is None:
            session = self._sessions[local] = aiohttp.ClientSession(
                connector=self._guards[local].connector(keep_alive=_KEEP_ALIVE),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=10),
                auto_decompress=False,
            )
        return session


def _split(url: str, field: str) -> "_Parts":
    if len(url) > LONGEST_URL or not url.isprintable() or any(letter.isspace() for letter in url):
        raise InvalidValue(field, f"{field}: must be an address without spaces, of {LONGEST_URL} characters at most")
    try:
        URL(url)
        parts = urlsplit(url)
        return _Parts(parts.scheme, parts.hostname, parts.username, parts.password, parts.port)
    except ValueError:
        raise InvalidValue(field, f"{field}: is no address") from None


@dataclass(frozen=True, slots=True)
class _Parts:
    scheme: str
    hostname: str | None
    username: str | None
    password: str | None
    port: int | None


def _trouble(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"status {status}: redirects are not followed"
    return f"status {status}"


def _words(fault: Exception) -> str:
    """What a connection failed with, without the address, which may hold a secret."""
    inner = getattr(fault, "os_error", None)
    text = getattr(inner, "strerror", None) or getattr(fault, "strerror", None) or ""
    return f"no connection ({text or type(fault).__name__})"
