"""Files in requests: an upload, as a form or as the raw body."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import aiohttp
from aiohttp import http_exceptions, web

from signal_courier.http.decoding import bodies
from signal_courier.http.decoding.space import check_space
from signal_courier.http.problems import NoSpace, SlowBody, UndecodableBody
from signal_courier.messaging.files.uploads import KeptUpload, Uploads
from signal_courier.model.attachments import HEAD, file_name
from signal_courier.model.errors import InvalidValue, TooLarge
from signal_courier.model.media import media_type


async def keep_upload(request: web.BaseRequest, uploads: Uploads, spool: Path, limit: int) -> tuple[KeptUpload, str]:
    """Take the file of a request, as the first of a multipart form or as the raw body; gives it and its media type.

    Raises:
        InvalidValue: There is no file, or it is empty.
        TooLarge: It has more than `limit` bytes.
        SlowBody, LostBody, UndecodableBody: It did not come whole.
        NoSpace: It cannot be stored.
    """
    spooled = spool / uuid.uuid4().hex
    try:
        try:
            name, head = await _receive(request, spooled, limit)
            return await uploads.keep(spooled, file_name(name, head)), media_type(head)
        except OSError as error:
            raise NoSpace(error) from error
    finally:
        spooled.unlink(missing_ok=True)


async def _receive(request: web.BaseRequest, target: Path, limit: int) -> tuple[str, bytes]:
    """Write the file of a request; gives its name (maybe empty) and its first bytes."""
    if request.content_length is not None and request.content_length > limit + 65536:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(bodies.DEADLINE):
            if not request.content_type.startswith("multipart/"):
                return _header_name(request), await write_chunks(_chunks(request), target, limit)
            async for part in await request.multipart():
                if isinstance(part, aiohttp.BodyPartReader) and (part.filename is not None or part.name in ("file", "attachment")):
                    return part.filename or "", await write_chunks(part_chunks(part), target, limit)
            raise InvalidValue("file", "file: the form holds no file")
    except TimeoutError:
        raise SlowBody("the upload took too long") from None
    except http_exceptions.InvalidHeader as error:
        raise broken_form() from error
    except bodies.LOST as error:
        raise bodies.lost_body(error) from error
    except (ValueError, RuntimeError) as error:  # a part's content or encoding
        if isinstance(error, InvalidValue):
            raise
        raise broken_form() from error


async def _chunks(request: web.BaseRequest) -> AsyncIterator[bytes]:
    while chunk := await asyncio.wait_for(request.content.readany(), bodies.STALL):
        yield chunk


async def part_chunks(part: aiohttp.BodyPartReader) -> AsyncIterator[bytes]:
    """The content of a part of a form, decoded; raises `TimeoutError` when it stalls."""
    while chunk := await asyncio.wait_for(part.read_chunk(256 * 1024), bodies.STALL):
        yield part.decode(chunk)


async def write_chunks(chunks: AsyncIterator[bytes], target: Path, limit: int) -> bytes:
    """Write a new file; gives its first bytes. Raises `TooLarge`, `InvalidValue` (it is empty), or `OSError`."""
    size, head = 0, b""
    with target.open("xb", buffering=0) as file:
        async with contextlib.aclosing(chunks):  # type: ignore[type-var]  # an async generator
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                if len(head) < HEAD:
                    head += chunk[: HEAD - len(head)]
                check_space(target.parent)
                file.write(chunk)
    if not size:
        raise InvalidValue("file", "file: it is empty")
    return head


def broken_form() -> UndecodableBody:
    """The error for what keeps none of the rules of a multipart form."""
    return UndecodableBody("Couldn't process request - invalid multipart form", plain=False)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("file", f"file: larger than {limit // 1024**2} MiB")


def _header_name(request: web.BaseRequest) -> str:
    _, parameters = aiohttp.parse_content_disposition(request.headers.get("Content-Disposition"))
    return aiohttp.content_disposition_filename(parameters) or unquote(request.headers.get("X-Filename", ""))
