"""A WebSocket client of its own, over a bare socket: it sees each frame as it is, and can stop reading."""

import asyncio
import base64
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


def frame_of(account: str, number: int) -> bytes:
    """A small frame as signal-cli reports it, told apart by its timestamp."""
    return b'{"envelope":{"source":"+4915100000011","timestamp":%d,"typingMessage":{"action":"STARTED"}},"account":"%s"}' % (
        number,
        account.encode(),
    )


class Listener:
    """Listens at `/v1/receive/{account}`. Every wait ends after 20 s."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def connect(cls, port: int, account: str, *, buffer: int = 1 << 20) -> AsyncIterator["Listener"]:
        """Connect and shake hands; `buffer` bounds what is taken without `frames` being called."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=buffer)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /v1/receive/{account} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        async with asyncio.timeout(30):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        listener = cls(reader, writer)
        try:
            yield listener
        finally:
            writer.close()

    async def next_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        async with asyncio.timeout(30):
            first, size = await self._reader.readexactly(2)
            assert first & 0x80, "every message is one whole frame"
            assert not size & 0x80, "a server does not mask"
            if size == 126:
                (size,) = struct.unpack("!H", await self._reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
            return first & 0x0F, await self._reader.readexactly(size)

    async def frames(self, count: int) -> list[bytes]:
        """The payloads of the next text frames."""
        payloads: list[bytes] = []
        while len(payloads) < count:
            opcode, payload = await self.next_frame()
            if opcode == 1:
                payloads.append(payload)
        return payloads

    async def until_gone(self) -> list[bytes]:
        """The payloads of all text frames up to the end of the connection, however it ends."""
        payloads: list[bytes] = []
        try:
            while True:
                payloads += await self.frames(1)
        except (ConnectionError, asyncio.IncompleteReadError):
            return payloads

    async def close_code(self) -> int:
        """The code with which the server closes."""
        while True:
            opcode, payload = await self.next_frame()
            if opcode == 8:
                (code,) = struct.unpack("!H", payload[:2])
                return int(code)

    async def send_text(self, text: bytes) -> None:
        """Say something, masked as a client must."""
        head = bytes((0x81, 0x80 | len(text))) if len(text) < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, len(text))
        self._writer.write(head + b"\0\0\0\0" + text)
        await self._writer.drain()

    def close(self) -> None:
        """Drop the connection without a word."""
        self._writer.transport.abort()
