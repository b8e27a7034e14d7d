"""Which answer an error becomes. One table; no handler words its own."""

import errno
import http
import logging

import msgspec
from aiohttp import web

from signal_courier.engine import errors
from signal_courier.http.answers import json_answer, text_answer
from signal_courier.messaging.sending.outbox import KeyReused
from signal_courier.model.errors import InvalidValue, MissingThing, Overloaded, TooLarge
from signal_courier.store.errors import StoreBusy, StoreFull

_LOGGER = logging.getLogger(__name__)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class UndecodableBody(Exception):
    """The body is no JSON, or has other types than the route takes. `text` is told to the caller, `detail` beside it: where and why."""

    def __init__(self, text: str, *, detail: str = "", plain: bool = True) -> None:
        super().__init__(text)
        self.text = text
        self.detail = detail
        self.plain = plain


class SlowBody(Exception):
    """The body did not come in time."""


class LostBody(Exception):
    """The connection ended, or broke the rules of HTTP, before the body was complete."""


class NoSpace(Exception):
    """An upload could not be written to disk."""


class Forbidden(Exception):
    """The caller may not: `text` says why."""

    def __init__(self, text: str, status: int = 403) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class NotAllowed(Forbidden):
    """The token is good, but not for this: not for the route's scope, not for this account, or not for this recipient.

    It tells no more than that, so that nobody learns which accounts and routes there are.
    """

    def __init__(self) -> None:
        super().__init__("Couldn't process request - this token does not allow it")


class Unauthorized(Forbidden):
    """Nobody knows who is asking. One text for no token, a wrong one and one that has ended."""

    def __init__(self) -> None:
        super().__init__("Couldn't process request - a valid token is needed", 401)


class Throttled(Forbidden):
    """This address has tried wrong tokens too often; what it tries now is not even looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Couldn't process request - too many wrong tokens: wait {seconds} s", 429)
        self.seconds = seconds


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The error body of the drop-in routes: upstream's key and morph027's three."""

    error: str
    message: str
    description: str
    status: int
    challenge_tokens: tuple[str, ...] = ()
    account: str | None = None


KEY_REUSED = "the Idempotency-Key was used for another request"
UNTRUSTED = "Unable to complete request due to untrusted recipient keys"
UNREACHABLE = "signal-cli is not available: {reason}"
RATE_LIMIT_ADVICE = (
    "{text}. Use the attached challenge tokens to lift the rate limit restrictions via the "
    "'/v1/accounts/{{number}}/rate-limit-challenge' endpoint."
)


def problem(
    text: str, status: int, *, detail: str = "", challenge_tokens: tuple[str, ...] = (), account: str | None = None
) -> web.Response:
    """The drop-in error answer; `detail` is for people and not part of upstream's text."""
    body = Problem(
        error=text,
        message=f"{text}: {detail}" if detail else text,
        description=http.HTTPStatus(status).phrase,
        status=status,
        challenge_tokens=challenge_tokens,
        account=account,
    )
    return json_answer(body, status)


def refusal_headers(error: Forbidden) -> dict[str, str]:
    """What a refusal tells beside its text."""
    match error:
        case Unauthorized():
            return {"WWW-Authenticate": 'Basic realm="Signal Courier", charset="UTF-8", Bearer'}
        case Throttled():
            return {"Retry-After": str(error.seconds)}
        case _:
            return {}


def rate_limited(error: errors.RateLimited, account: str) -> web.Response:
    """The answer of `/v2/send` to Signal's rate limit; every other route has its usual status for what signal-cli refuses."""
    text = RATE_LIMIT_ADVICE.format(text=error.message)
    answer = problem(text, 429, challenge_tokens=error.tokens, account=account)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def answer_to(
    error: Exception, failure: int = 400, failure_text: str = "{}", undecodable_text: str | None = None, *, quiet: bool = False
) -> web.Response:
    """The answer that an error becomes.

    What follows `error` is the route's own: status and words for what signal-cli refuses; the text for a body that cannot be decoded,
    which makes that answer JSON by name, too. `quiet`: the log is not told (for documentation).
    """
    match error:
        case UndecodableBody():
            answer = problem(undecodable_text or error.text, 400, detail=error.detail)
            if error.plain and undecodable_text is None:
                answer.headers["Content-Type"] = "text/plain; charset=utf-8"
            return answer
        case MissingThing():
            return problem(error.message, 404)
        case TooLarge():
            return problem(error.message, 413)
        case InvalidValue():
            return problem(error.message, 400)
        case LostBody():
            return problem(f"Couldn't process request - the body did not come whole: {error}", 400)
        case SlowBody():
            return problem("Couldn't process request - the body did not come in time", 408)
        case NoSpace():
            if not quiet:
                _LOGGER.error("an upload could not be stored: %s", error)
            return problem("Couldn't process request - no space to store the attachment", 507)
        case OSError() if error.errno in _FULL:
            return answer_to(NoSpace(error))
        case Forbidden():
            answer = problem(error.text, error.status)
            answer.headers.update(refusal_headers(error))
            return answer
        case errors.EngineUnavailable():
            answer = problem(UNREACHABLE.format(reason=error.message), 503)
            answer.headers["Retry-After"] = "5"
            return answer
        case errors.EngineTimeout():
            return problem(error.message, 504)
        case errors.Unsupported():
            return problem(error.message, 501)
        case errors.UntrustedIdentity():
            return problem(failure_text.format(UNTRUSTED), failure)
        case errors.EngineError():
            return problem(failure_text.format(error.message), failure)
        case Overloaded():
            answer = problem(error.message, 429)
            answer.headers["Retry-After"] = "60"
            return answer
        case KeyReused():
            return problem(f"Couldn't process request - {KEY_REUSED}", 422)
        case StoreBusy():
            answer = problem(str(error), 507 if isinstance(error, StoreFull) else 503)
            answer.headers["Retry-After"] = "5"
            return answer
        case _:
            if not quiet:
                _LOGGER.error("a request failed", exc_info=error)
            return problem("Oops! something went wrong. The log of the service says more.", 500)


def not_found() -> web.Response:
    """No such route, in upstream's words."""
    return text_answer("404 page not found", 404)
