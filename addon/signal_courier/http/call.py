"""One request, decoded: what a handler gets."""

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from aiohttp import web

from signal_courier.http.services import Services
from signal_courier.model.dialects import Dialect
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import parse_number


class Call[B, Q]:
    """A request on its way through a handler. `body` and `query` are what the route declared, `None` otherwise."""

    __slots__ = ("body", "dialect", "path", "query", "request", "services")

    def __init__(
        self,
        request: web.BaseRequest,
        services: Services,
        path: Mapping[str, str],
        dialect: Dialect,
        body: B,
        query: Q,
    ) -> None:
        self.request = request
        self.services = services
        self.path = path
        self.dialect = dialect
        self.body = body
        self.query = query

    @property
    def account(self) -> str:
        """The account named by `{number}` in the path, as signal-cli spells it."""
        return parse_number(decode_again(self.path["number"])).e164


def decode_again(value: str) -> str:
    """Undo a second percent-encoding, which some clients put on numbers; raises `InvalidValue` where it is broken."""
    if "%" not in value:
        return value
    for at, part in enumerate(value.split("%")):
        if at and not (len(part) >= 2 and all(digit in "0123456789abcdefABCDEF" for digit in part[:2])):
            raise InvalidValue("number", "Couldn't process request - malformed number")
    return unquote_to_bytes(value).decode(errors="replace")
