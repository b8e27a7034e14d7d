"""How the gateway words what goes wrong: `{"error": "…"}` and nothing else."""

from typing import Final

import msgspec
from aiohttp import web

from signal_courier.access.credentials import Denied, Taken
from signal_courier.access.tokens import GATEWAY_PREFIX
from signal_courier.http import problems
from signal_courier.http.answers import json_answer
from signal_courier.http.problems import NotAllowed, Throttled, Unauthorized, UndecodableBody, refusal_headers

OOPS: Final = "Oops! something went wrong. Please try again later."
QR_PATH: Final = "/api/v1/devices/qr-code"


class GatewayError(msgspec.Struct):
    """What is wrong."""

    error: str


class Refusal(Exception):
    """An answer with a status of its own."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def refusal(text: str, status: int) -> web.Response:
    """The one form of every error."""
    return json_answer(GatewayError(text), status)


def answer_to(error: Exception, request: web.BaseRequest, token: str | None) -> web.Response:
    """The answer that an error becomes. `token`: what the request's path or query has shown."""
    match error:
        case Refusal():
            return refusal(str(error), error.status)
        case Denied():
            return refusal(str(error), 403)
        case Taken():
            return refusal(str(error), 409)
        case Unauthorized():
            answer = refusal(*_unauthorized(request, token))
        case NotAllowed():
            return refusal("insufficient permissions", 403)
        case Throttled():
            answer = refusal(f"too many failed attempts: wait {error.seconds} s", 429)
        case UndecodableBody():
            detail = f" ({error.detail})" if error.detail else ""
            if request.content_type.startswith("multipart/"):
                return refusal(f"Invalid multipart form data{detail}", 400)
            return refusal(f"Invalid request body. Must be a JSON object.{detail}", 400)
        case _:
            told = problems.answer_to(error)
            assert isinstance(told.body, bytes)
            text = msgspec.json.decode(told.body, type=GatewayError).error if told.status != 500 else OOPS
            answer = refusal(text.removeprefix("Couldn't process request - "), told.status)
            if "Retry-After" in told.headers:
                answer.headers["Retry-After"] = told.headers["Retry-After"]
            return answer
    answer.headers.update(refusal_headers(error))
    return answer


def _unauthorized(request: web.BaseRequest, token: str | None) -> tuple[str, int]:
    if request.path == QR_PATH and token is None:
        return "missing token query parameter", 401
    given = request.headers.get("Authorization")
    if token is None and given is None:
        return ("missing authorization header", 401) if "X-Api-Key" not in request.headers else ("invalid token format", 401)
    kind, _, shown = (given or "").partition(" ")
    if token is None and kind.lower() == "basic":
        return "invalid credentials", 401
    if token is None and kind.lower() != "bearer":
        return "unsupported authorization scheme", 401
    if (token if token is not None else shown.strip()).startswith(GATEWAY_PREFIX):
        return "invalid or expired token", 403
    return "invalid token format", 401
