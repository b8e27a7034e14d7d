"""Who is asking, and whether the route is for them: decided before anything of the request's body is read.

A token counts wherever it comes from: in the path (`/t/<token>/…`), as Bearer, as the password of Basic, as `X-Api-Key`; never in a query
string, which ends up in logs and histories. Whoever shows one is judged by it, also on this machine. Without one a program on this machine
is trusted, and Home Assistant's ingress on its own listener. Everybody else is refused. Credentials of somebody else's (many clients are
set up to send a user and a password, which upstream never looked at) mean nothing on the drop-in routes where no token is needed, and are
wrong elsewhere.
"""

import base64
import binascii
import ipaddress
import logging
import re
import socket
from collections.abc import Collection, Mapping
from itertools import chain
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import HttpVersion11, web
from multidict import istr

from signal_courier.access.caller import INGRESS, LOOPBACK, OPEN, PROMETHEUS, Caller
from signal_courier.access.reach import Reach
from signal_courier.access.throttle import BURST, Throttle
from signal_courier.access.tokens import LONGEST, PREFIXES, Tokens
from signal_courier.http.call import decode_again
from signal_courier.http.problems import Forbidden, NotAllowed, Throttled, Unauthorized
from signal_courier.http.routing import ACCOUNT_PARAMETERS, Match, Route
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import parse_number
from signal_courier.settings import Settings

_LOGGER = logging.getLogger(__name__)

_PATH_PREFIX = "/t/"
_QR_CODE = "/api/v1/devices/qr-code?"
"""A WebSocket that the gateway's clients cannot give a header to; its address is good for nothing else and in no log."""
_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
"""A request target that names the host too: the host, and the rest."""
_METRICS = "/metrics"
_OPEN_PREFIXES = ("/v1/", "/v2/", "/swagger", "/docs", "/openapi.json")
"""What `COURIER_AUTH=open` opens: the drop-in routes and their documentation."""
# Names of headers, folded once: looking them up in a request costs half.
_HOST_HEADER, _ORIGIN, _SITE, _MODE = istr("Host"), istr("Origin"), istr("Sec-Fetch-Site"), istr("Sec-Fetch-Mode")
_AUTHORIZATION, _API_KEY, _CONNECTION = istr("Authorization"), istr("X-Api-Key"), istr("Connection")
_PROXY_HEADERS = tuple(
    istr(name)
    for name in (
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip", "X-Client-Ip", "Cf-Connecting-Ip", "Via",
    )
)  # fmt: skip
"""A request with one of these comes from somewhere else, although a proxy on this machine handed it over."""
_PAGES = ("/swagger", "/docs")
"""What links on other pages may lead to: looking at it changes nothing."""
_LOCAL_SUFFIXES = (".localhost", ".local", ".lan", ".internal", ".home", ".home.arpa", ".localdomain")
"""No public name ends so: whoever can make one up is in the network already."""
_HOST = re.compile(r"(?P<name>[^\s\[\]:/?#@\\]+|\[[0-9A-Fa-f:.]+(%[^\s\]]+)?\])(:\d*)?")
_CACHE = 1024
_MOST_USUAL, _LONGEST_USUAL = 256, 1024
"""How many different headers of requests are known again, and their bytes."""
_SAMPLE = 8
"""Of so many requests whose headers had to be read, one is remembered."""

type _RawHeaders = tuple[tuple[bytes, bytes], ...]


def split_path(raw: str) -> tuple[str | None, str]:
    """The token in a request target, and the target without it. In a query string it counts in one place only; a dialect may come first.

    A target that names the host too, as some clients send it to any server, means its path (RFC 9112, section 3.2.2).
    """
    if not raw.startswith("/") and (absolute := _ABSOLUTE.fullmatch(raw)):
        raw = absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"
    if raw.startswith(_QR_CODE):
        return parse_qs(raw[len(_QR_CODE) :], errors="replace").get("token", [None])[-1], raw
    dialect = ""
    if raw.startswith("/d/"):
        before, sign, behind = raw.partition(_PATH_PREFIX)
        if sign and before.count("/") == 2:  # "/d/0.100"
            dialect, raw = before, sign + behind
    if not raw.startswith(_PATH_PREFIX):
        return None, raw
    token, slash, rest = raw[len(_PATH_PREFIX) :].partition("/")
    return unquote(token, errors="replace"), dialect + slash + rest or "/"


def _named_in(raw: str) -> str | None:
    """The host in a request target that names one."""
    if raw.startswith("/") or (absolute := _ABSOLUTE.fullmatch(raw)) is None:
        return None
    return absolute[1]


def token_in(headers: Mapping[str, str]) -> str | None:
    """The token that the headers carry; an empty text where they carry something that can be none."""
    given = headers.get(_AUTHORIZATION)
    if given is None:
        return headers.get(_API_KEY)
    kind, _, rest = given.strip().partition(" ")
    match kind.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""


class _Usual(NamedTuple):
    """What the headers of an ordinary request say: its Host is served, and no web page has sent it."""

    token: str | None
    direct: bool
    """Whether they show that the request was made on this machine, where it comes from here."""


class Gate:
    """Lets callers in, and keeps them to their routes."""

    def __init__(self, settings: Settings, tokens: Tokens) -> None:
        self._tokens = tokens
        self._throttle = Throttle()
        self._open = settings.auth == "open"
        self._metrics_open = settings.metrics == "open"
        self._trust_loopback = settings.trust_loopback
        self._ingress_peer = settings.ingress_peer
        self._origins = frozenset(settings.cors_origins)
        self._hosts = Hosts(settings.allowed_hosts)
        self._local: dict[str | None, bool] = {None: True, "127.0.0.1": True, "::1": True}
        self._usual: dict[_RawHeaders, _Usual] = {}
        """By all headers of a request as they came: a client says the same each time, and reading it costs more than knowing it again."""
        self._read = 0
        """How many requests had their headers read."""

    # --- who -----------------------------------------------------------------------------------------------------------------

    def identify(self, request: web.BaseRequest, path_token: str | None, target: str, *, ingress: bool) -> Caller | None:
        """The caller; `None` where a token was shown that is not known: `identify_again` decides. Raises `Forbidden`."""
        # Nobody is let in here whom `_identify` would not let in: it has seen the same headers, and what else counts is looked at.
        if (
            path_token is None
            and not ingress
            and (usual := self._usual.get(request.raw_headers)) is not None
            and request.raw_path is target
        ):
            if usual.token is None:
                if usual.direct and self._trust_loopback and self._local.get(request.remote):
                    return LOOPBACK
            elif (known := self._tokens.find(usual.token)) is not None:
                return known
        return self._identify(request, path_token, target, ingress=ingress)

    def _identify(self, request: web.BaseRequest, path_token: str | None, target: str, *, ingress: bool) -> Caller | None:
        headers = request.headers
        if ingress:
            if request.remote != self._ingress_peer:
                raise Forbidden("Only Home Assistant's ingress is served here")
            return INGRESS
        host = headers.get(_HOST_HEADER)
        if not self._hosts.serves(host) or not self._hosts.serves(_named_in(request.raw_path)):
            raise Forbidden("The Host header names a host that is not served (COURIER_ALLOWED_HOSTS)", 421)
        origin = headers.get(_ORIGIN)
        if origin is not None:
            self._check_origin(origin, host)
        elif headers.get(_SITE) in ("cross-site", "same-site") and (headers.get(_MODE) != "navigate" or not target.startswith(_PAGES)):
            raise Forbidden("Requests from web pages of other origins are refused; their links may lead to the documentation only")
        token = path_token if path_token is not None else token_in(headers)
        if token is None:
            if (caller := self._without_token(request, target)) is None:
                raise Unauthorized
        else:
            caller = self._tokens.find(token) if 0 < len(token) <= LONGEST else None
            # Whoever has the right token is let in, whatever others have tried from the same address.
            if caller is None and (wait := self._throttle.wait(request.remote)):
                raise Throttled(wait)
        if caller is not None and path_token is None and origin is None and _SITE not in headers:
            self._remember(request, token)
        return caller

    def _remember(self, request: web.BaseRequest, token: str | None) -> None:
        self._read += 1
        if self._read % _SAMPLE:  # where no two requests are alike, there is nothing to be gained
            return
        raw = request.raw_headers
        closes = request.headers.get(_CONNECTION, "").lower() == "close"  # what that means depends on the version
        if not closes and sum(map(len, chain.from_iterable(raw))) <= _LONGEST_USUAL:
            if len(self._usual) >= _MOST_USUAL:
                self._usual.clear()
            self._usual[raw] = _Usual(token, self._is_direct(request))

    async def identify_again(self, request: web.BaseRequest, path_token: str | None, target: str) -> Caller:
        """The caller behind a token that the command line may have made just now. Raises `Unauthorized`."""
        token = path_token if path_token is not None else token_in(request.headers)
        if token and len(token) <= LONGEST:
            await self._tokens.refresh()
            if (caller := self._tokens.find(token)) is not None:  # or somebody else has just looked
                return caller
        if path_token is None and token is not None and not token.startswith(PREFIXES) and _is_open(target):
            trusted = self._without_token(request, target)
            if trusted is not None:
                return trusted
        count = self._throttle.failed(request.remote)
        if count <= BURST:
            more = "; what it tries is not looked at for a while" if count == BURST else ""
            _LOGGER.warning("A wrong token came from %s (number %d)%s", request.remote, count, more)
        raise Unauthorized

    def is_near(self, request: web.BaseRequest) -> bool:
        """Whether a request comes from a trusted program on this machine, whatever token it shows."""
        return self._trust_loopback and self._is_loopback(request.remote) and self._is_direct(request)

    def _without_token(self, request: web.BaseRequest, target: str) -> Caller | None:
        """Who is trusted all the same."""
        if self.is_near(request):
            return LOOPBACK
        if self._open and _is_open(target):
            return OPEN
        if self._metrics_open and target.partition("?")[0] == _METRICS:
            return PROMETHEUS
        return None

    def _is_direct(self, request: web.BaseRequest) -> bool:
        """Whether a request from this machine was made on it, as far as can be told: no proxy or tunnel has handed it over.

        Proxies say so in a header; those that say nothing, and tunnels, keep the name under which the service is known to others. Older
        releases of nginx do neither unless told to, but speak HTTP/1.0 and close after each request.
        """
        headers = request.headers
        for name in _PROXY_HEADERS:
            if name in headers:
                return False
        if not self._hosts.is_own(headers.get(_HOST_HEADER)) or not self._hosts.is_own(_named_in(request.raw_path)):
            return False
        return request.version >= HttpVersion11 or headers.get(_CONNECTION, "").lower() != "close"

    def _is_loopback(self, remote: str | None) -> bool:
        known = self._local.get(remote)
        if known is None:
            known = (address := _address_of(remote or "")) is not None and address.is_loopback
            if len(self._local) < _CACHE:
                self._local[remote] = known
        return known

    def _check_origin(self, origin: str, host: str | None) -> None:
        if origin in self._origins or "*" in self._origins:
            return
        if host is None or _host_of(origin) != host.lower():
            raise Forbidden("Requests from web pages of other origins are refused")

    # --- what ----------------------------------------------------------------------------------------------------------------

    def check(self, caller: Caller, match: Match) -> None:
        """Whether the caller may use a route, for the account in its path. Raises `NotAllowed`."""
        route = match.route
        if self._metrics_open and route.path == _METRICS:
            return
        if caller is PROMETHEUS or (caller is OPEN and not _is_open(route.path)):  # by the route's spelling; `identify` by the request's
            raise Unauthorized
        if route.scope is not None and route.scope not in caller.scopes:
            raise NotAllowed
        if caller.accounts is not None:
            _check_account(caller, route, match)
        if caller.recipients is not None and route.recipients is Reach.UNLIMITED:
            raise NotAllowed


def _check_account(caller: Caller, route: Route, match: Match) -> None:
    named = next((match.path[name] for name in ACCOUNT_PARAMETERS if name in match.path), None)
    if named is None:
        if route.accounts is Reach.UNLIMITED:
            raise NotAllowed
        return
    if caller.may_use(named):  # the usual spelling
        return
    try:
        account = parse_number(decode_again(named)).e164
    except InvalidValue:
        raise NotAllowed from None
    if not caller.may_use(account):
        raise NotAllowed


def _is_open(target: str) -> bool:
    if target.startswith("/d/"):
        target = "/" + target[3:].partition("/")[2]
    return target.startswith(_OPEN_PREFIXES)


class Hosts:
    """Under which names the service may be called.

    A web page of somebody else can make a name of its own point to this service, and read what it answers as its own (DNS rebinding). Such
    a name is always a public one: addresses, single words and names that only a local network gives are served, others by setting.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._any = "*" in allowed
        self._names = {name.lower().rstrip(".") for name in allowed} | {socket.gethostname().lower()}
        self._known: dict[str | None, bool] = {None: True}
        self._own: dict[str | None, bool] = {None: True}

    def is_own(self, host: str | None) -> bool:
        """Whether a Host header names this machine as only programs on it do: `localhost`, a loopback address, a single word."""
        own = self._own.get(host)
        if own is None:
            name = _name_in(host or "")
            if (address := _address_of(name)) is not None:
                own = address.is_loopback or address.is_unspecified
            else:
                own = name == socket.gethostname().lower() or name.endswith(".localhost") or _is_word(name)
            if len(self._own) < _CACHE:
                self._own[host] = own
        return own

    def serves(self, host: str | None) -> bool:
        """Whether a Host header is one of ours."""
        known = self._known.get(host)
        if known is None:
            known = self._any or self._is_ours(host or "")
            if len(self._known) < _CACHE:
                self._known[host] = known
        return known

    def _is_ours(self, host: str) -> bool:
        name = _name_in(host)
        return name in self._names or name.endswith(_LOCAL_SUFFIXES) or _address_of(name) is not None or _is_word(name)


def _name_in(host: str) -> str:
    """The name or address in a Host header, in lower case; empty where it holds anything else."""
    found = _HOST.fullmatch(host)
    return found["name"].strip("[]").rstrip(".").lower() if found is not None else ""


def _address_of(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, without its zone; one of IPv4 that is wrapped in one of IPv6 unwrapped."""
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_word(name: str) -> bool:
    return name.replace("-", "").replace("_", "").isalnum()


def _host_of(origin: str) -> str | None:
    """Host and port of an origin, in lower case; `None` where it has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
