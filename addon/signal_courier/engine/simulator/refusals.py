"""What signal-cli answers instead of a result: JSON-RPC error codes and its own, and the exception that carries them."""

from signal_courier.engine.base import Json

USER_ERROR = -1
IO_ERROR = -3
UNTRUSTED_KEY = -4
RATE_LIMIT = -5
CAPTCHA_REJECTED = -6
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


class Refusal(Exception):
    """signal-cli's answer is an error: its code, its text, and the partial result if there is one."""

    def __init__(self, code: int, message: str, response: Json = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.response = response


def user_error(message: str) -> Refusal:
    """The refusal of something that the user got wrong."""
    return Refusal(USER_ERROR, message)


def null_pointer(name: str) -> Refusal:
    """What a missing required parameter ends in."""
    return Refusal(INTERNAL_ERROR, f'Cannot use the parameter "{name}" because it is null (NullPointerException)')
