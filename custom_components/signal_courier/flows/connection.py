"""Reaching a service from a flow: the address as people paste it, and what is wrong in words for the field that is wrong."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import ClientSession
from awesomeversion import AwesomeVersion
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from yarl import URL

from ..client import CourierError, Forbidden, InvalidAnswer, Problem, SignalCourierClient, Unauthorized, Unreachable
from ..client.models import Account, Caller, Status
from ..const import CONF_ACCOUNT, CONF_APP, CONF_INSTANCE

MINIMUM_VERSION: Final = "0.1.0"
"""The oldest service that tells everything this integration needs."""
DEFAULT_PORT: Final = 8080
SCOPES: Final = ("send", "receive", "contacts", "groups", "accounts")
"""What the token must allow."""

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[!-~]+")
_TOKEN_IN_PATH: Final = re.compile(r"/t/([^/]+)(?=/|$)")
_OURS: Final = re.compile(r"/(?:api/v[12]|v1|v2|swagger|docs)(?:/.*)?$")


class ConnectionFailed(Exception):
    """The service cannot be used as given.

    Args:
        field: of the form, or `base`.
        key: of the text.
        placeholders: for the text.
    """

    def __init__(self, field: str, key: str, **placeholders: str) -> None:
        super().__init__(key)
        self.field = field
        self.key = key
        self.placeholders = placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A service that answered, and what it told."""

    url: str
    token: str | None
    verify_ssl: bool
    session: ClientSession
    status: Status
    caller: Caller
    app: str | None = None
    """Slug of the app that it is, if it is one."""

    @property
    def client(self) -> SignalCourierClient:
        """A client without an account."""
        return self.client_of(None)

    def client_of(self, number: str | None) -> SignalCourierClient:
        """A client for an account."""
        return SignalCourierClient(self.session, self.url, token=self.token, account=number)

    @property
    def may_add(self) -> bool:
        """Whether the token is not bound to certain accounts: new ones can be linked and registered."""
        return self.caller.accounts is None

    def account(self, number: str) -> Account | None:
        """One of the accounts."""
        return self.status.account(number)

    def data(self, number: str) -> dict[str, Any]:
        """What a config entry keeps of it."""
        return {**self.address(), CONF_ACCOUNT: number}

    def address(self) -> dict[str, Any]:
        """The part of that which is the same for all accounts of the service."""
        return {
            CONF_URL: self.url,
            CONF_TOKEN: self.token,
            CONF_VERIFY_SSL: self.verify_ssl,
            CONF_INSTANCE: self.status.id,
            CONF_APP: self.app,
        }


def parse_url(text: str) -> tuple[str, str | None]:
    """The address in what somebody pasted, and the token if the address held one (`…/t/<token>`).

    `courier.lan` → `http://courier.lan:8080`; paths of the API and the documentation, queries and slashes at the end go; the path of a
    proxy stays. Raises `ValueError`.
    """
    text = text.strip().strip("\"'<>").strip()
    bare = _SCHEME.match(text) is None
    url = URL(f"http://{text}" if bare else text)
    if url.scheme not in ("http", "https") or not url.host or re.search(r"\s", text):
        raise ValueError(f"{text!r} is no address")
    if bare and url.explicit_port is None:
        url = url.with_port(DEFAULT_PORT)
    path, token = url.path, None
    if found := _TOKEN_IN_PATH.search(path):
        token, path = found[1], path[: found.start()]
    path = _OURS.sub("", path).rstrip("/")
    return str(url.with_user(None).with_path(path or "/").with_query(None).with_fragment(None)).rstrip("/"), token


async def async_connect(hass: HomeAssistant, given: Mapping[str, Any], *, app: str | None = None) -> Connection:
    """Ask a service who it is and what we may. `given` has `url`, perhaps `token` and `verify_ssl`.

    Raises `ConnectionFailed`.
    """
    try:
        url, pasted = parse_url(given[CONF_URL])
    except ValueError as error:
        raise ConnectionFailed(CONF_URL, "invalid_url") from error
    token = (given.get(CONF_TOKEN) or "").strip() or pasted
    if token is not None and not _TOKEN.fullmatch(token):  # no header can hold it
        raise ConnectionFailed(CONF_TOKEN, "invalid_auth")
    verify_ssl: bool = given.get(CONF_VERIFY_SSL, True)
    session = async_get_clientsession(hass, verify_ssl=verify_ssl)
    client = SignalCourierClient(session, url, token=token)
    try:
        caller = await client.caller()
        if missing := [scope for scope in SCOPES if not {scope, "admin"} & set(caller.scopes)]:
            raise ConnectionFailed(CONF_TOKEN, "missing_scopes", scopes=", ".join(missing))
        status = await client.status()
    except CourierError as error:
        raise _failure(error, has_token=token is not None) from error
    if is_older(status.version, MINIMUM_VERSION):
        raise ConnectionFailed(CONF_URL, "service_too_old", version=status.version, minimum=MINIMUM_VERSION)
    return Connection(url=url, token=token, verify_ssl=verify_ssl, session=session, status=status, caller=caller, app=app)


def is_older(version: str, minimum: str) -> bool:
    """Whether a version lacks what the integration needs; one that cannot be read counts as new."""
    found = AwesomeVersion(version)
    return found.valid and found < AwesomeVersion(minimum)


def _failure(error: CourierError, *, has_token: bool) -> ConnectionFailed:
    match error:
        case Unreachable():
            return _unreachable(error)
        case InvalidAnswer():
            return ConnectionFailed(CONF_URL, "not_signal_courier")
        case Problem(kind=""):
            proxy = error.details.status in (502, 503, 504)
            return ConnectionFailed(CONF_URL, "cannot_connect" if proxy else "not_signal_courier")
        case Unauthorized():
            return ConnectionFailed(CONF_TOKEN, "invalid_auth" if has_token else "token_needed")
        case Forbidden():
            return ConnectionFailed(CONF_TOKEN, "missing_scopes", scopes=", ".join(SCOPES))
        case Problem(kind="wrong-host"):
            return ConnectionFailed(CONF_URL, "wrong_host")
        case Problem(kind="throttled"):
            return ConnectionFailed("base", "throttled")
    return ConnectionFailed("base", "problem", error=str(error))


def _unreachable(error: Unreachable) -> ConnectionFailed:
    cause = error.__cause__
    if isinstance(cause, TimeoutError):
        return ConnectionFailed(CONF_URL, "timeout_connect")
    if isinstance(cause, ssl.SSLError | ssl.CertificateError):  # aiohttp's errors of TLS are these too
        return ConnectionFailed(CONF_URL, "ssl_error")
    return ConnectionFailed(CONF_URL, "cannot_connect")
