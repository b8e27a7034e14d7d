"""Server-sent events: one answer that never ends, to a client that may be slow or gone."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import CIMultiDict

from signal_courier.http.streaming.websocket import STALLED_AFTER, Sender, Stalled

KEEP_ALIVE = 15.0
"""Seconds between two signs of life; signal-cli's value."""
_LAST_CHANCE = 0.2
"""Seconds that a client has to take the rest when the service ends."""
_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy shall not wait for more
}


class EventStream:
    """The answer. Each method raises `Stalled` when the client does not read, `ConnectionResetError` when it has gone."""

    def __init__(self, response: web.StreamResponse, sender: Sender, closing: Callable[[], Awaitable[None]]) -> None:
        self.response = response
        """What the handler returns."""
        self._sender = sender
        self._closing = closing

    @classmethod
    async def open(cls, request: web.BaseRequest, closing: Callable[[], Awaitable[None]]) -> "EventStream":
        """Send the head at once, so that the client knows that it is connected. `closing` waits for the end of the service."""
        response = web.StreamResponse(headers=CIMultiDict(_HEADERS))
        await response.prepare(request)
        stream = cls(response, Sender(request), closing)
        await stream.write(b":\n\n")
        return stream

    async def write(self, data: bytes) -> None:
        """Write, and wait until the client's side has taken it; a client that is behind when the service ends counts as stalled."""
        writing = asyncio.ensure_future(self._write(data))
        ending = asyncio.ensure_future(self._closing())
        try:
            await asyncio.wait((writing, ending), return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                await asyncio.wait((writing,), timeout=_LAST_CHANCE)
            if not writing.done():
                raise Stalled("the service ends, and the client does not read")
            writing.result()
        finally:
            ending.cancel()
            writing.cancel()

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(STALLED_AFTER):
                await self.response.write(data)
        except TimeoutError:
            raise Stalled("the client does not read") from None
        await self._sender.drained()

    async def keep_alive(self) -> None:
        """A line that says nothing."""
        await self.write(b":\n\n")

    def abort(self) -> None:
        """Drop the client at once."""
        self._sender.abort()
