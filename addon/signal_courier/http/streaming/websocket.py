"""Sending to a WebSocket that only listens: frames are made once and shared by all who get them.

aiohttp's own sending makes a frame for every client and message. A server's frames carry no mask (RFC 6455, section 5.1), so the bytes are
the same for everybody and many frames may go out in one write.
"""

import asyncio
import socket
import struct
from collections.abc import Iterable

from aiohttp import web

PING_INTERVAL = 54.0
"""Seconds between pings, and before the first; upstream's value."""
STALLED_AFTER = 30.0
"""Seconds for which a client may leave what was written to it in our hands before it is dropped."""
INPUT_LIMIT = 512
"""Largest frame that a client may send, in bytes; a larger one closes with 1009."""

_PING = b"\x89\x00"
_CLOSE_DEADLINE = 1.0
_NORMAL = 1000


class Stalled(Exception):
    """The client does not read."""


def is_upgrade(request: web.BaseRequest) -> bool:
    """Whether the client asks for a WebSocket."""
    return request.headers.get("Upgrade", "").strip().lower() == "websocket"


def text_frames(texts: Iterable[bytes]) -> bytes:
    """The WebSocket frames of many texts (UTF-8), one behind the other."""
    parts: list[bytes] = []
    for text in texts:
        size = len(text)
        if size < 126:
            parts.append(bytes((0x81, size)))
        elif size < 65536:
            parts.append(struct.pack("!BBH", 0x81, 126, size))
        else:
            parts.append(struct.pack("!BBQ", 0x81, 127, size))
        parts.append(text)
    return b"".join(parts)


class Sender:
    """Writes bytes to a connection and knows when the kernel has taken them all."""

    def __init__(self, request: web.BaseRequest) -> None:
        """Raises `ConnectionResetError` when the client has gone."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport = transport
        self._protocol = request.protocol
        transport.set_write_buffer_limits(high=0)  # "drained" then means: nothing is left in this process

    @property
    def idle(self) -> bool:
        """Whether the kernel has taken everything."""
        return self._transport.get_write_buffer_size() == 0

    def write(self, data: bytes) -> None:
        """Hand bytes over; never blocks."""
        self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the kernel has taken everything.

        Raises `Stalled` when the client does not read for too long, `ConnectionResetError` when it goes away.
        """
        try:
            if self._transport.get_write_buffer_size():
                async with asyncio.timeout(STALLED_AFTER):
                    await self._protocol._drain_helper()  # noqa: SLF001  # aiohttp shows its flow control only to its own writers
        except TimeoutError:
            raise Stalled("the client does not read") from None
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")

    async def answer(self, request: web.BaseRequest, response: web.Response) -> None:
        """Write a whole answer, down to its last byte; raises as `drained` does."""
        try:
            async with asyncio.timeout(STALLED_AFTER):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            raise Stalled("the client does not read") from None
        await self.drained()

    def abort(self) -> None:
        """Drop the connection at once, with what was not sent: neither we nor the kernel keep it for a client that does not read."""
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


class ListeningSocket:
    """A WebSocket whose client has nothing to say: what it sends is read and ignored."""

    def __init__(self, response: web.WebSocketResponse, sender: Sender) -> None:
        self.response = response
        """What the handler returns."""
        self.sender = sender

    @classmethod
    async def accept(cls, request: web.BaseRequest) -> "ListeningSocket":
        """Answer the handshake; raises `aiohttp.web.HTTPBadRequest` when it is none."""
        response = web.WebSocketResponse(timeout=_CLOSE_DEADLINE, compress=False, max_msg_size=INPUT_LIMIT + 1, autoclose=False)
        await response.prepare(request)
        return cls(response, Sender(request))

    async def gone(self) -> None:
        """Read and ignore until the client closes, breaks the rules or disappears."""
        async for _ in self.response:
            pass
        if not self.response.closed:  # a client's close is answered with its own code (RFC 6455, section 5.5.1)
            await self.response.close(code=self.response.close_code or _NORMAL, drain=False)

    async def keep_alive(self) -> None:
        """Ping for ever; an answer is not insisted on. A client that does not read gets none on top."""
        while True:
            await asyncio.sleep(PING_INTERVAL)
            if self.sender.idle:
                self.sender.write(_PING)

    async def close(self) -> None:
        """Say that the service goes away."""
        await self.response.close(code=1001, message=b"the service stops")
