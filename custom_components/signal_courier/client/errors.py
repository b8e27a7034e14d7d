"""What can go wrong: the service cannot be reached, answers what it never would, or tells a problem (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .decoding import decode

PREFIX: Final = "urn:signal-courier:problem:"


class CourierError(Exception):
    """Everything that a call can raise."""


class Unreachable(CourierError):
    """Nobody answers at the address, or not in time; the text says why."""


class InvalidAnswer(CourierError):
    """Somebody answers, but not as Signal Courier does: another program, or a proxy that is in the way."""


@dataclass(frozen=True, kw_only=True)
class ProblemDetails:
    """A problem as the service tells it; also in the answers to links and registrations, and in the status of an account."""

    type: str = ""
    title: str = ""
    status: int = 0
    detail: str = ""
    """What exactly is wrong, for people; English."""
    advice: str = ""
    field: str | None = None
    """The member of the request that is wrong."""
    account: str | None = None
    retry_after: int | None = None
    """Seconds."""
    captcha_url: str | None = None
    """Where a person solves the captcha."""
    challenge_tokens: tuple[str, ...] = ()
    """For `Accounts.solve_challenge`."""
    lock_hours: int | None = None
    """Hours until a PIN's lock ends by itself."""
    recipients: tuple[str, ...] = ()
    """Whom it is about."""

    @property
    def kind(self) -> str:
        """The stable name, such as `rate-limited`; empty for what is no problem of the service's own."""
        return self.type.removeprefix(PREFIX) if self.type.startswith(PREFIX) else ""


class Problem(CourierError):
    """The service says no. Decide by `kind`, which never changes; `str()` is for people."""

    def __init__(self, details: ProblemDetails) -> None:
        super().__init__(details.detail or details.title or f"HTTP {details.status}")
        self.details = details

    @property
    def kind(self) -> str:
        """The stable name, such as `not-on-signal`."""
        return self.details.kind


class Unauthorized(Problem):
    """The token is missing, wrong or has ended."""


class Forbidden(Problem):
    """The token is good, but not for this."""


class NotFound(Problem):
    """There is no such thing."""


class AccountUnknown(Problem):
    """The account is not (or no longer) at this service."""


class Unlinked(Problem):
    """The phone has removed this device from the account."""


class UntrustedIdentity(Problem):
    """A safety number has changed: `details.recipients` says whose."""


class RateLimited(Problem):
    """Signal wants fewer messages: `details.challenge_tokens` can be solved, or waited `details.retry_after` seconds."""


class Unsupported(Problem):
    """The service's signal-cli cannot do that."""


class Unavailable(Problem):
    """The service, signal-cli or Signal cannot do it now; later it may work."""


_BY_KIND: Final[Mapping[str, type[Problem]]] = {
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "not-found": NotFound,
    "account-unknown": AccountUnknown,
    "unlinked": Unlinked,
    "untrusted-identity": UntrustedIdentity,
    "rate-limited": RateLimited,
    "unsupported": Unsupported,
    "account-offline": Unavailable,
    "busy": Unavailable,
    "engine-timeout": Unavailable,
    "engine-unavailable": Unavailable,
    "no-space": Unavailable,
    "not-ready": Unavailable,
    "signal-unreachable": Unavailable,
    "throttled": Unavailable,
}
_BY_STATUS: Final[Mapping[int, type[Problem]]] = {401: Unauthorized, 403: Forbidden, 404: NotFound}


def problem_of(status: int, body: object) -> Problem:
    """The exception for a refusal with this status and decoded body (anything that is no object counts as empty)."""
    details = decode(ProblemDetails, {"status": status, **(body if isinstance(body, dict) else {})})
    return (_BY_KIND.get(details.kind) or _BY_STATUS.get(status, Problem))(details)
