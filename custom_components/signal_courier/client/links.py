"""Joining as a second device of a phone, by a code that the phone scans."""

from .models import Link
from .transport import SHORT_DEADLINE, Transport, read, segment

_PATH = "/api/v2/links"


class Links:
    """`/api/v2/links`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def start(self, device_name: str) -> Link:
        """Begin. The code renews itself about every minute, for ten minutes: follow it with `wait`."""
        return read(Link, await self._transport.call("POST", _PATH, {"device_name": device_name}))

    async def get(self, link: str) -> Link:
        """How it is now. Raises `NotFound`."""
        return await self.wait(link, seconds=0)

    async def wait(self, link: str, *, after: int | None = None, seconds: int = 50) -> Link:
        """How it is once its `version` is beyond `after` (without: at the next change), or when `seconds` (60 at most) are over."""
        query = {"wait": seconds or None, "after": after if seconds else None}
        answer = await self._transport.call("GET", f"{_PATH}/{segment(link)}", query=query, deadline=seconds + SHORT_DEADLINE)
        return read(Link, answer)

    async def svg(self, link: str) -> str:
        """The code as it is now, as a picture. Raises `Problem` (`link-expired`) when it is over."""
        async with self._transport.open("GET", f"{_PATH}/{segment(link)}/qr.svg", deadline=SHORT_DEADLINE) as response:
            return await response.text()

    async def png(self, link: str) -> bytes:
        """The same as PNG."""
        async with self._transport.open("GET", f"{_PATH}/{segment(link)}/qr.png", deadline=SHORT_DEADLINE) as response:
            return await response.read()

    async def end(self, link: str) -> None:
        """End a link that nobody has scanned."""
        await self._transport.call("DELETE", f"{_PATH}/{segment(link)}", deadline=SHORT_DEADLINE)
