"""What signal-cli's error codes and texts mean, as exceptions. The only place that knows them.

Codes: signal-cli's JSON-RPC error objects. The same trouble comes under several codes (no network is -1 with results of
NETWORK_FAILURE, -3 with a text, or -32603 with an IOException), so the text and the partial results decide too.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec


class EngineError(Exception):
    """A call that did not succeed.

    `message` is signal-cli's own text where there is one, `code` its JSON-RPC code (`None`: it never answered),
    `response` the partial result (`data.response`), as JSON bytes.
    """

    uncertain = False
    """Whether it may have done what was asked all the same: the answer was lost, not the request."""

    def __init__(self, message: str, *, code: int | None = None, response: msgspec.Raw | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.response = response


class EngineUnavailable(EngineError):
    """signal-cli is not there: not started yet, restarting, stopped, or the connection dropped with the call in flight."""


class EngineTimeout(EngineError):
    """signal-cli did not answer within the deadline; whether it did what was asked is unknown."""

    uncertain = True


class Unsupported(EngineError):
    """The running signal-cli lacks this; the text names the version that has it."""


class Rejected(EngineError):
    """signal-cli refused the request as it is: wrong value, not a member, not registered (code -1 and others)."""


class TransportRefused(Rejected):
    """Signal does not send codes to this number that way now (by SMS, or by voice)."""


class LinkExpired(Rejected):
    """Nobody has scanned the code in time (only the text tells)."""


NO_ACCOUNT: Final = "Specified account does not exist"
"""What signal-cli says then: all that is left of it where only the text is kept."""


class AccountUnknown(Rejected):
    """No such account is loaded (code -32602)."""


class AccountUnlinked(AccountUnknown):
    """The account is not loaded any more, because its phone has removed this device."""


class JoinPending(Rejected):
    """The account has asked to be let into that group before, and no admin has answered yet (only the text tells)."""


class NotFound(Rejected):
    """The avatar, attachment, sticker or group asked for does not exist."""


class NetworkTrouble(EngineError):
    """Signal's servers could not be reached; the same call may succeed later."""


class UntrustedIdentity(EngineError):
    """Every recipient has a new safety number that nobody has trusted yet (code -4)."""


class RateLimited(EngineError):
    """Signal wants fewer messages (code -5, or [429] in the text).

    `tokens` are the challenge tokens that `submitRateLimitChallenge` takes, empty where Signal gave none;
    `retry_after` is in seconds, `None` if unknown.
    """

    tokens: tuple[str, ...] = ()
    retry_after: int | None = None


class CaptchaRequired(EngineError):
    """Registration wants a captcha (only the text tells)."""


class CaptchaRejected(EngineError):
    """The captcha was not accepted (code -6; [428] before signal-cli 0.14.3)."""


class PinRequired(EngineError):
    """The number is locked with a PIN; `hours` until the lock ends by itself, `None` if unknown."""

    hours: int | None = None


class EngineFault(EngineError):
    """signal-cli failed in a way nobody foresaw (code -32603, or an answer that cannot be read)."""


class Address(msgspec.Struct):
    """Whom a result is about; hidden numbers are `None`."""

    number: str | None = None
    uuid: str | None = None
    username: str | None = None


class SendResult(msgspec.Struct, rename="camel"):
    """One entry of `results` of any sending method: what became of the message for one recipient."""

    type: str = "SUCCESS"
    """SUCCESS, NETWORK_FAILURE, UNREGISTERED_FAILURE, IDENTITY_FAILURE, RATE_LIMIT_FAILURE, PROOF_REQUIRED_FAILURE …"""
    recipient_address: Address | None = None
    group_id: str | None = None
    token: str | None = None
    retry_after_seconds: int | None = None


class _Partial(msgspec.Struct):
    timestamp: int | None = None
    results: list[SendResult] | None = None


_NULL = msgspec.Raw(b"null")  # msgspec cannot decode into `Raw | None`


class _ErrorData(msgspec.Struct):
    response: msgspec.Raw = _NULL


class RpcError(msgspec.Struct):
    """The `error` member of a JSON-RPC answer."""

    code: int = 0
    message: str = ""
    data: msgspec.Raw = _NULL


_NETWORK = re.compile(
    r"No connection|Connection (closed|refused|reset|timed out)|IOException|UnknownHost|UnresolvedAddress|SocketTimeout|"
    r"timed? ?out|Network is unreachable|Unable to connect|StatusCode: 5\d\d|\[5\d\d\]",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(r"Could not find (avatar|attachment|sticker)|Group not found", re.IGNORECASE)
_PIN = re.compile(r"locked with a pin", re.IGNORECASE)
_PIN_HOURS = re.compile(r"Hours remaining until reset: (\d+)")
_JOIN_PENDING = re.compile(r"Pending admin approval", re.IGNORECASE)
_LINK_TIMEOUT = re.compile(r"Link request timed out", re.IGNORECASE)


def error_of(error: RpcError) -> EngineError:
    """The exception that one error object of signal-cli means."""
    response = _response_of(error)
    results = _results_of(response)
    kinds = {result.type for result in results}
    code, message = error.code, error.message
    if code == -5 or "[429]" in message or "RateLimitException" in message:
        return _rate_limited(message, code, response, results)
    if code == -4:
        return UntrustedIdentity(message, code=code, response=response)
    if _PIN.search(message):
        locked = PinRequired(message, code=code, response=response)
        if found := _PIN_HOURS.search(message):
            locked.hours = int(found[1])
        return locked
    if "Captcha required" in message:
        return CaptchaRequired(message, code=code, response=response)
    if code == -6 or message.startswith("Submit challenge error: [428]"):
        return CaptchaRejected(message, code=code, response=response)
    if "InvalidTransportModeException" in message:
        return TransportRefused(message, code=code, response=response)
    if code == -32601:
        return Unsupported(message, code=code, response=response)
    if code == -32602:
        return AccountUnknown(message, code=code, response=response)
    if _NOT_FOUND.search(message):
        return NotFound(message, code=code, response=response)
    if _JOIN_PENDING.search(message):
        return JoinPending(message, code=code, response=response)
    if _LINK_TIMEOUT.search(message):
        return LinkExpired(message, code=code, response=response)
    if kinds and kinds <= {"NETWORK_FAILURE", "SUCCESS"}:
        return NetworkTrouble(message, code=code, response=response)
    if kinds:
        return Rejected(message, code=code, response=response)
    if _NETWORK.search(message):
        return NetworkTrouble(message, code=code, response=response)
    if code == -32603:
        return EngineFault(message, code=code, response=response)
    return Rejected(message, code=code, response=response)


def _response_of(error: RpcError) -> msgspec.Raw | None:
    try:
        data = msgspec.json.decode(error.data, type=_ErrorData | None)
    except msgspec.MsgspecError:
        return None
    return None if data is None or data.response == _NULL else data.response


def _results_of(response: msgspec.Raw | None) -> list[SendResult]:
    if response is None:
        return []
    try:
        return msgspec.json.decode(response, type=_Partial).results or []
    except msgspec.MsgspecError:
        return []


def _rate_limited(message: str, code: int, response: msgspec.Raw | None, results: Iterable[SendResult]) -> RateLimited:
    limited = RateLimited(message, code=code, response=response)
    limited.tokens = tuple(dict.fromkeys(result.token for result in results if result.token))
    waits = [result.retry_after_seconds for result in results if result.retry_after_seconds and result.retry_after_seconds > 0]
    limited.retry_after = max(waits, default=None)
    return limited


def results_of(error: EngineError) -> list[SendResult]:
    """What a failed send tells about its recipients; empty where it tells nothing."""
    return _results_of(error.response)


def name_of(error: EngineError) -> int | None:
    """The timestamp under which a failed send was tried; `None` where it is not told."""
    if error.response is None:
        return None
    try:
        return msgspec.json.decode(error.response, type=_Partial).timestamp
    except msgspec.MsgspecError:
        return None


def lost_answer[E: EngineError](error: E) -> E:
    """The same error, marked as one after which nobody knows whether signal-cli did what was asked."""
    error.uncertain = True
    return error


def needs_version(what: str, since: str, running: str | None) -> Unsupported:
    """The refusal of something that only later versions of signal-cli can."""
    return Unsupported(f"{what} needs signal-cli {since} or later, this is {running or 'an unknown version'}")
