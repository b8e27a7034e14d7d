"""The body of a request: read within limits, long contents decoded into files while they come in, then typed.

async with read_body(request, SendMessage, spool=folder) as body:
    ...  # what was spooled and not moved away is gone afterwards
"""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

import aiohttp
from aiohttp import http_exceptions, web
from aiohttp.web_protocol import RequestPayloadError

from signal_courier.http.decoding.json_stream import JsonStream
from signal_courier.http.decoding.lenient import decode, invalid
from signal_courier.http.problems import LostBody, SlowBody
from signal_courier.model.errors import TooLarge

SMALL: Final = 64 * 1024
"""Bytes up to which a body is decoded in one go."""
LIMIT: Final = 150 * 1024 * 1024
"""Bytes that a body may have: the largest attachment of Signal (100 MiB), as base64, and some more."""
STALL: Final = 30.0
"""Seconds without a byte after which a body is given up."""
DEADLINE: Final = 600.0
"""Seconds that a body may take in all."""

_EMPTY: Final = b"{}"
LOST: Final = (ConnectionError, aiohttp.ClientError, RequestPayloadError, http_exceptions.HttpProcessingError, asyncio.IncompleteReadError)
"""What reading a body raises when the connection ends, or does not keep HTTP's rules."""


def lost_body(error: Exception) -> LostBody:
    """What one of `LOST` is told as."""
    return LostBody(" ".join(str(error).split()) or type(error).__name__)


class Digest(Protocol):
    """Something of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""


def body_at_hand[T](request: web.BaseRequest, type_: type[T]) -> T | None:
    """Decode a small body that came along with its head, as most do; `None` where `read_body` has work to do.

    Raises what decoding it there raises. Nothing is spooled.
    """
    content = request.content
    if not content.is_eof() or not 0 < content.total_bytes <= SMALL:
        return None
    try:
        raw = content.read_nowait(-1)
    except LOST as error:
        raise lost_body(error) from error
    return decode(raw, type_)


class read_body[T]:  # noqa: N801  # used like a function
    """Read and decode the body of a request, for the time of a `with` block.

    Args:
        request: Its body must not have been touched.
        type_: A msgspec struct; fields of the type `Content` take files.
        spool: The folder for long contents; made when needed. What is still there when the block ends is removed.
        optional: An empty body counts as `{}`.
        only_objects: So does one that is no JSON object.
        limit: Bytes (after decompression).
        stall: Seconds without a byte.
        deadline: Seconds in all.
        digest: Takes the bytes as they come.

    Raises:
        UndecodableBody: It is no JSON, not of this type, or empty.
        InvalidValue: A long content is no base64.
        TooLarge: More than `limit`, or a text longer than any text is.
        SlowBody: It did not come in time.
        LostBody: The client went away.
        NoSpace: The spool folder does not take it.
    """

    __slots__ = ("_deadline", "_digest", "_limit", "_only_objects", "_optional", "_request", "_spool", "_stall", "_stream", "_type")

    def __init__(
        self,
        request: web.BaseRequest,
        type_: type[T],
        *,
        spool: Path,
        optional: bool = False,
        only_objects: bool = False,
        limit: int = LIMIT,
        stall: float = STALL,
        deadline: float = DEADLINE,
        digest: Digest | None = None,
    ) -> None:
        self._request = request
        self._type = type_
        self._spool = spool
        self._optional = optional
        self._only_objects = only_objects
        self._limit = limit
        self._stall = stall
        self._deadline = deadline
        self._digest = digest
        self._stream: JsonStream | None = None

    async def __aenter__(self) -> T:
        content = self._request.content
        try:
            if content.is_eof():  # the usual case: it came along with the head
                raw = content.read_nowait(-1)
                if self._digest is not None:
                    self._digest.update(raw)
                return self._decode(raw)
            return self._decode(await self._read())
        except LOST as error:
            self._discard()
            raise lost_body(error) from error
        except BaseException:
            self._discard()
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._discard()

    def _decode(self, raw: bytes) -> T:
        stream = self._stream
        if stream is None and len(raw) > SMALL:
            stream = self._stream = JsonStream(self._spool)
            self._check(len(raw))
            stream.feed(raw)
        if stream is not None:
            return decode(stream.finish(), self._type, stream.uploads)
        if not raw:
            if not self._optional:
                raise invalid("the body is empty")
            raw = _EMPTY
        if self._only_objects and not raw.lstrip().startswith(b"{"):
            raw = _EMPTY
        return decode(raw, self._type)

    async def _read(self) -> bytes:
        """Take the body as it comes; gives it when it is small, else it is in the stream."""
        request = self._request
        if request.content_length is not None:
            self._check(request.content_length)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.writer is not None:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        clock = asyncio.get_running_loop().time
        end = clock() + self._deadline
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout_at(clock() + self._stall) as patience:
                while piece := await request.content.readany():
                    patience.reschedule(min(clock() + self._stall, end))
                    size += len(piece)
                    self._check(size)
                    if self._digest is not None:
                        self._digest.update(piece)
                    if self._stream is not None:
                        self._stream.feed(piece)
                        continue
                    pieces.append(piece)
                    if size > SMALL:
                        self._stream = JsonStream(self._spool)
                        self._stream.feed(b"".join(pieces))
                        pieces.clear()
        except TimeoutError:
            raise SlowBody(f"{size} bytes came") from None
        return b"".join(pieces)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise TooLarge("body", f"Couldn't process request - the body is larger than {self._limit / 1024 / 1024:.4g} MiB")

    def _discard(self) -> None:
        if self._stream is not None:
            self._stream.discard()
