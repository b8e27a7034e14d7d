"""Server-sent events: one answer that never ends, to a client that may be slow or gone."""

import asyncio

from aiohttp import web
from multidict import CIMultiDict

from signal_courier.http.websocket import STALLED_AFTER, Sender, Stalled

KEEP_ALIVE = 15.0
"""Seconds between two signs of life; signal-cli's value."""
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy shall not wait for more
}


class EventStream:
    """The answer. Each method raises `Stalled` when the client does not read, `ConnectionResetError` when it has gone."""

    def __init__(self, response: web.StreamResponse, sender: Sender) -> None:
        self.response = response
        """What the handler returns."""
        self._sender = sender

    @classmethod
    async def open(cls, request: web.BaseRequest) -> "EventStream":
        """Send the head at once, so that the client knows that it is connected."""
        response = web.StreamResponse(headers=CIMultiDict(_HEADERS))
        await response.prepare(request)
        stream = cls(response, Sender(request))
        await stream.write(b":\n\n")
        return stream

    async def write(self, data: bytes) -> None:
        """Write, and wait until the client's side has taken it."""
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
