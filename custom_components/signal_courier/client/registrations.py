"""Registering a number of one's own, step by step."""

from .models import Registration
from .transport import Transport, read, segment

_PATH = "/api/v2/registrations"


class Registrations:
    """`/api/v2/registrations`. `state` of the answer is the next step."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def begin(self, number: str, *, voice: bool = False, captcha: str | None = None) -> Registration:
        """Ask Signal for a code, or go on once the captcha is solved or a call is wanted.

        Raises `Problem`: `conflict` with `retry_after` (too early for a call), `rate-limited`, …
        """
        return read(Registration, await self._transport.call("POST", _PATH, {"number": number, "voice": voice, "captcha": captcha}))

    async def verify(self, number: str, code: str, *, pin: str | None = None) -> Registration:
        """Hand in the code. Raises `Problem` (`code-rejected`)."""
        answer = await self._transport.call("POST", f"{_PATH}/{segment(number)}/verify", {"code": code, "pin": pin})
        return read(Registration, answer)

    async def get(self, number: str) -> Registration:
        """Where it stands. Raises `NotFound`."""
        return read(Registration, await self._transport.call("GET", f"{_PATH}/{segment(number)}"))

    async def forget(self, number: str) -> None:
        """Forget it; an account that came of it stays."""
        await self._transport.call("DELETE", f"{_PATH}/{segment(number)}")
