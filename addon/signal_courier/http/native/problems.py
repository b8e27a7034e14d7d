"""ProblemDetails answers of the native API: RFC 9457, each kind with a `type` that never changes.

What is worth a program's decision, or a person's, has a kind of its own; `KINDS` is the whole list. The `detail` is for people and may
change, the `type` and the members beside it may not.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from signal_courier.engine import errors
from signal_courier.http.problems import (
    KEY_REUSED,
    Forbidden,
    LostBody,
    NoSpace,
    SlowBody,
    Throttled,
    UndecodableBody,
    refusal_headers,
)
from signal_courier.messaging.sending.outbox import KeyReused
from signal_courier.model.errors import InvalidValue, MissingThing, Overloaded, TooLarge
from signal_courier.store.errors import StoreBusy, StoreFull

_LOGGER = logging.getLogger(__name__)

PREFIX: Final = "urn:signal-courier:problem:"
MEDIA: Final = "application/problem+json"
CAPTCHA_PAGE: Final = "https://signalcaptchas.org/registration/generate.html"
CHALLENGE_PAGE: Final = "https://signalcaptchas.org/challenge/generate.html"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of problem."""

    name: str
    """The last part of its `type`."""
    title: str
    status: int
    """The HTTP status that goes with it (states that are reported and never answered have the one they would have)."""
    advice: str
    """What a person can do."""
    by_person: bool = False
    """Whether only a person can solve it."""

    @property
    def type(self) -> str:
        """The URI that names it."""
        return PREFIX + self.name


def _kinds(*kinds: Kind) -> Mapping[str, Kind]:
    return {kind.name: kind for kind in kinds}


KINDS: Final = _kinds(
    # -- the request
    Kind(name="invalid-body", title="The body cannot be understood", status=400, advice="Send JSON of the documented form."),
    Kind(name="invalid-value", title="A value cannot be taken", status=400, advice="Correct the value that `field` names."),
    Kind(name="unauthorized", title="Who are you?", status=401, advice="Send a valid token."),
    Kind(name="forbidden", title="Not allowed", status=403, advice="Use a token with the scope, account and recipient that this needs."),
    Kind(name="not-found", title="There is no such thing", status=404, advice="Check the address and the ids in it."),
    Kind(name="method-not-allowed", title="Not with this method", status=405, advice="Use one of the methods that `Allow` names."),
    Kind(name="slow-body", title="The body did not come in time", status=408, advice="Try again over a better connection."),
    Kind(name="conflict", title="It does not fit the state of things", status=409, advice="Look at the current state, then decide."),
    Kind(name="too-large", title="More than is taken", status=413, advice="Send less."),
    Kind(name="wrong-host", title="The host is not served", status=421, advice="Use an address of this service, or allow the name."),
    Kind(name="idempotency-conflict", title="The key was used for something else", status=422, advice="Use another Idempotency-Key."),
    Kind(name="throttled", title="Too many requests", status=429, advice="Wait as long as `retry_after` says."),
    # -- what only a person can solve
    Kind(
        name="captcha-required", title="Signal wants a captcha", status=428, by_person=True,
        advice="Solve the captcha on the page that `captcha_url` names, and send its `signalcaptcha://…` link as `captcha`.",
    ),
    Kind(
        name="captcha-rejected", title="The captcha was not accepted", status=422, by_person=True,
        advice="Solve a new captcha; each works once, for a few minutes, and from the same internet address only.",
    ),
    Kind(
        name="pin-required", title="The number is locked with a PIN", status=423, by_person=True,
        advice="Send the registration PIN as `pin`, or wait until the lock ends.",
    ),
    Kind(
        name="code-rejected", title="The code was not accepted", status=422, by_person=True,
        advice="Check the code, or ask for a new one.",
    ),
    Kind(
        name="voice-required", title="No code by SMS for this number", status=422, by_person=True,
        advice="Wait 60 seconds, then ask for a call: `voice: true`.",
    ),
    Kind(
        name="untrusted-identity", title="A safety number is new", status=409, by_person=True,
        advice="Compare the safety number with the person, then trust it.",
    ),
    Kind(
        name="group-approval", title="An admin has to let the account into the group", status=409, by_person=True,
        advice="Ask an admin of the group to accept the request to join.",
    ),
    Kind(
        name="unlinked", title="The phone has removed this device", status=409, by_person=True,
        advice="Link again, or delete the local data.",
    ),
    Kind(
        name="profile-name-missing", title="The account has no profile name", status=409, by_person=True,
        advice="Set a profile name: without one, others see message requests of nobody.",
    ),
    Kind(
        name="device-expiring", title="The linked device is about to expire", status=409, by_person=True,
        advice="Signal removes a linked device that was not used for 30 days: keep the service running, or link again.",
    ),
    Kind(
        name="rate-limited", title="Signal wants fewer messages", status=429, by_person=True,
        advice="Wait as long as `retry_after` says; or solve a captcha for each of `challenge_tokens`, which lifts the limit.",
    ),
    # -- Signal and signal-cli
    Kind(name="account-unknown", title="There is no such account here", status=404, advice="Link or register it first."),
    Kind(name="account-offline", title="The account is not loaded yet", status=503, advice="Wait until the network is back."),
    Kind(name="not-on-signal", title="The recipient is not on Signal", status=422, advice="Check the number."),
    Kind(name="refused", title="Signal refused", status=422, advice="`detail` tells what signal-cli says."),
    Kind(name="engine-fault", title="signal-cli failed", status=502, advice="The log of the service says more."),
    Kind(name="signal-unreachable", title="Signal cannot be reached", status=503, advice="Check the network; try again later."),
    Kind(name="engine-unavailable", title="signal-cli is not available", status=503, advice="Try again in a few seconds."),
    Kind(name="engine-timeout", title="signal-cli did not answer in time", status=504, advice="See whether it was done, then try again."),
    Kind(name="unsupported", title="This signal-cli cannot do that", status=501, advice="Run a later version of signal-cli."),
    Kind(name="link-expired", title="Nobody scanned the code", status=410, advice="Start a new link."),
    # -- the service
    Kind(name="not-ready", title="Not ready yet", status=503, advice="Wait; `detail` says what for."),
    Kind(name="busy", title="Too much at once", status=503, advice="Try again as `retry_after` says."),
    Kind(name="no-space", title="No space to store it", status=507, advice="Free some disk space."),
    Kind(name="internal", title="Something went wrong", status=500, advice="The log of the service says more."),
)  # fmt: skip
"""Every kind of problem, by name."""


class ProblemDetails(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A problem (RFC 9457)."""

    type: Annotated[str, msgspec.Meta(description="The kind; never changes. `GET /api/v2/problems` lists all.")]
    title: Annotated[str, msgspec.Meta(description="The kind in words.")]
    status: Annotated[int, msgspec.Meta(description="The HTTP status.")]
    detail: Annotated[str, msgspec.Meta(description="What exactly is wrong, for people.")] = ""
    advice: Annotated[str, msgspec.Meta(description="What can be done about it.")] = ""
    field: Annotated[str | None, msgspec.Meta(description="The member or parameter that is wrong.")] = None
    account: Annotated[str | None, msgspec.Meta(description="The account concerned.")] = None
    retry_after: Annotated[int | None, msgspec.Meta(description="Seconds after which the same may succeed.")] = None
    captcha_url: Annotated[str | None, msgspec.Meta(description="Where a person solves the captcha.")] = None
    challenge_tokens: Annotated[Sequence[str], msgspec.Meta(description="What `POST /api/v2/accounts/{number}/challenge` takes.")] = ()
    lock_hours: Annotated[int | None, msgspec.Meta(description="Hours until the PIN's lock ends by itself.")] = None
    recipients: Annotated[Sequence[str], msgspec.Meta(description="The recipients concerned.")] = ()
    message: Annotated[str | None, msgspec.Meta(description="The id of the message that was not sent; it can be tried again.")] = None


class ProblemFound(Exception):
    """Raised by a handler whose answer is a problem of one of the kinds."""

    def __init__(self, problem: ProblemDetails) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem


def problem(kind: str, detail: str = "", **members: object) -> ProblemDetails:
    """A problem of a kind; `members` are those of `ProblemDetails`."""
    known = KINDS[kind]
    return ProblemDetails(type=known.type, title=known.title, status=known.status, detail=detail, advice=known.advice, **members)  # type: ignore[arg-type]  # checked by name, and by the tests of each kind


_encode = msgspec.json.Encoder().encode


def answer(found: ProblemDetails) -> web.Response:
    """The HTTP answer that tells a problem."""
    headers = CIMultiDict({"Content-Type": MEDIA})
    if found.retry_after is not None:
        headers["Retry-After"] = str(found.retry_after)
    return web.Response(body=_encode(found), status=found.status, headers=headers)


def answer_to(error: Exception, account: str | None = None) -> web.Response:
    """The answer that an error becomes; `account` is whom the request was about."""
    told = answer(problem_of(error, account))
    if isinstance(error, Forbidden):
        told.headers.update(refusal_headers(error))
    return told


def problem_of(error: Exception, account: str | None = None) -> ProblemDetails:
    """The problem that an error is. One table, like `http.problems.answer_to` for the drop-in routes."""
    match error:
        case ProblemFound():
            return error.problem
        case UndecodableBody():
            return problem("invalid-body", error.detail or error.text, field=_field_in(error.detail))
        case MissingThing():
            return problem("not-found", _bare(error.message), field=error.field)
        case TooLarge():
            return problem("too-large", _bare(error.message), field=error.field)
        case InvalidValue():
            return problem("invalid-value", _bare(error.message), field=error.field)
        case LostBody():
            return problem("invalid-body", f"the body is incomplete: {error}")
        case SlowBody():
            return problem("slow-body")
        case NoSpace():
            _LOGGER.error("an upload could not be stored: %s", error)
            return problem("no-space")
        case Forbidden():
            seconds = error.seconds if isinstance(error, Throttled) else None
            return problem(_REFUSALS.get(error.status, "forbidden"), _bare(error.text), retry_after=seconds)
        case errors.EngineError():
            return _engine_problem(error, account)
        case KeyReused():
            return problem("idempotency-conflict", KEY_REUSED)
        case Overloaded():
            return problem("throttled", error.message, retry_after=60)
        case StoreFull():
            return problem("no-space", str(error), retry_after=5)
        case StoreBusy():
            return problem("busy", str(error), retry_after=5)
        case _:
            _LOGGER.error("a request failed", exc_info=error)
            return problem("internal")


_FIELD: Final = re.compile(r"at `\$\.([^`]+)`|missing required field `([A-Za-z0-9_]+)`$")
"""In what is wrong with a body: the member of it that is meant."""


def _field_in(detail: str) -> str | None:
    found = _FIELD.search(detail)
    return found[1] or found[2] if found is not None else None


_REFUSED_BY_SIGNAL: Final = re.compile(r"\[4\d\d\]|Illegal|invalid|InvalidKey", re.IGNORECASE)
"""In the text of a fault: Signal's server, or a check of signal-cli, refused a value, which signal-cli reports as its own failure."""
_REFUSALS: Final = {401: "unauthorized", 421: "wrong-host", 429: "throttled"}
_ENGINE: Final[Sequence[tuple[type[errors.EngineError], str]]] = (
    (errors.EngineTimeout, "engine-timeout"),
    (errors.Unsupported, "unsupported"),
    (errors.NotFound, "not-found"),
    (errors.TransportRefused, "voice-required"),
    (errors.AccountUnlinked, "unlinked"),
    (errors.AccountUnknown, "account-unknown"),
    (errors.EngineFault, "engine-fault"),
)


def _engine_problem(error: errors.EngineError, account: str | None) -> ProblemDetails:
    text = error.message
    match error:
        case errors.EngineUnavailable():
            return problem("engine-unavailable", text, retry_after=5)
        case errors.NetworkTrouble():
            return problem("signal-unreachable", text, account=account, retry_after=30)
        case errors.RateLimited():
            page = CHALLENGE_PAGE if error.tokens else None
            return problem(
                "rate-limited", text, account=account, retry_after=error.retry_after, challenge_tokens=error.tokens, captcha_url=page
            )
        case errors.CaptchaRequired():
            return problem("captcha-required", text, account=account, captcha_url=CAPTCHA_PAGE)
        case errors.CaptchaRejected():
            return problem("captcha-rejected", text, account=account)
        case errors.PinRequired():
            return problem("pin-required", text, account=account, lock_hours=error.hours)
        case errors.UntrustedIdentity():
            return problem("untrusted-identity", text, account=account, recipients=_recipients(error, "IDENTITY_FAILURE"))
    if isinstance(error, errors.EngineFault) and _REFUSED_BY_SIGNAL.search(text):
        return problem("refused", text, account=account)
    for kind, name in _ENGINE:
        if isinstance(error, kind):
            return problem(name, text, account=account)
    unregistered = _recipients(error, "UNREGISTERED_FAILURE")
    return problem("not-on-signal" if unregistered else "refused", text, account=account, recipients=unregistered)


def _recipients(error: errors.EngineError, kind: str) -> tuple[str, ...]:
    addresses = [result.recipient_address for result in errors.results_of(error) if result.type == kind]
    names = [address.uuid or address.number or address.username for address in addresses if address is not None]
    return tuple(dict.fromkeys(name for name in names if name))


def _bare(text: str) -> str:
    """Upstream's beginning of so many texts tells nothing in a problem that has a title."""
    return text.removeprefix("Couldn't process request - ")
