"""One request, decoded: what a handler gets."""

import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from aiohttp import web

from signal_courier.access.caller import Caller
from signal_courier.access.scopes import Scope
from signal_courier.http.problems import NotAllowed
from signal_courier.http.services import Services
from signal_courier.messaging.sending.delivery import Outcome
from signal_courier.messaging.sending.outbox import Terms
from signal_courier.model.dialects import Dialect
from signal_courier.model.errors import InvalidValue
from signal_courier.model.messages import Sendable
from signal_courier.model.recipients import Recipient, parse_number


class Noted(NamedTuple):
    """A part of a request that the audit log tells for itself: one call of several that a body holds."""

    what: str
    """Stands behind the route's path."""
    account: str | None
    status: int


@dataclass(slots=True)
class Wishes:
    """What the headers of one request ask for."""

    terms: Terms
    key: str | None
    digest: "hashlib._Hash"
    """Takes the body as it comes."""


class Call[B, Q]:
    """A request on its way through a handler. `body` and `query` are what the route declared, `None` otherwise."""

    __slots__ = (
        "_nearness", "body", "caller", "checked_account", "dialect", "noted", "once", "path", "query", "request", "services", "terms",
    )  # fmt: skip

    def __init__(
        self,
        request: web.BaseRequest,
        services: Services,
        path: Mapping[str, str],
        dialect: Dialect,
        body: B,
        query: Q,
        caller: Caller,
        nearness: Callable[[web.BaseRequest], bool] = lambda _: False,
    ) -> None:
        self.request = request
        self.services = services
        self.path = path
        self.dialect = dialect
        self.body = body
        self.query = query
        self.caller = caller
        """Who is asking; what the route declares was checked."""
        self.checked_account: str | None = None
        """The account that only the body or the query named, for the audit log."""
        self.noted: list[Noted] | None = None
        """What the audit log tells in place of the request as a whole."""
        self.once: Callable[[Wishes, Callable[[], Awaitable[web.Response]]], Awaitable[web.Response]] | None = None
        """Serves a request with an idempotency key once, for a handler that reads the body itself."""
        self._nearness = nearness
        self.terms: Terms | None = None
        """How what it sends is to be sent; `None` = at once, while the caller waits."""

    def send(self, account: str, recipients: Sequence[Recipient], what: Sendable) -> Coroutine[None, None, Outcome]:
        """Send as the caller wants it to be sent; see `Outbox.send`. Raises `NotAllowed`, too."""
        self.check_account(account)
        self.check_recipients(recipients)
        return self.services.outbox.send(account, recipients, what, self.terms)

    @property
    def account(self) -> str:
        """The account named by `{number}` in the path, as signal-cli spells it."""
        return parse_number(decode_again(self.path["number"])).e164

    @property
    def may_name_this_machine(self) -> bool:
        """Whether it may let the service call this very machine: programs on it, which can do so themselves, and administrators."""
        return self.caller.may(Scope.ADMIN) or self.is_near

    @property
    def is_near(self) -> bool:
        """Whether a program on this machine is asking that is trusted as such, whatever token it shows."""
        return self._nearness(self.request)

    async def account_meant(self, named: str | None) -> str:
        """The account that a body or a query means: the one named; else the only one that the caller may use; else the default.

        Raises `InvalidValue` where it is no number, or where none was named and there are several, and `NotAllowed`.
        """
        allowed = self.caller.accounts
        if not named and allowed is not None and len(allowed) == 1:
            named = next(iter(allowed))
        return self.check_account(await self.services.accounts.meant(named))

    def check_account(self, account: str) -> str:
        """Give an account back that only the body or the query named; raises `NotAllowed` where the caller may not use it."""
        if not self.caller.may_use(account):
            raise NotAllowed
        self.checked_account = account
        return account

    def check_scope(self, scope: Scope) -> None:
        """Raises `NotAllowed` where what the body names asks for more than the route does."""
        if not self.caller.may(scope):
            raise NotAllowed

    def check_everybody(self) -> None:
        """Raises `NotAllowed` where the caller may reach only some people."""
        if self.caller.recipients is not None:
            raise NotAllowed

    def check_recipients(self, recipients: Iterable[Recipient]) -> None:
        """Raises `NotAllowed` where one of them is none whom the caller may reach."""
        if self.caller.recipients is not None and not all(map(self.caller.may_reach, recipients)):
            raise NotAllowed


def decode_again(value: str) -> str:
    """Undo a second percent-encoding, which some clients put on numbers; raises `InvalidValue` where it is broken."""
    if "%" not in value:
        return value
    for at, part in enumerate(value.split("%")):
        if at and not (len(part) >= 2 and all(digit in "0123456789abcdefABCDEF" for digit in part[:2])):
            raise InvalidValue("number", "Couldn't process request - malformed number")
    return unquote_to_bytes(value).decode(errors="replace")
