"""`/v1/attachments`: files that were received, and files that wait to be sent."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

import aiohttp
import msgspec
from aiohttp import http_exceptions, web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http import bodies
from signal_courier.http.answers import content, empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.problems import NoSpace, Problem, SlowBody, UndecodableBody
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.uploads import KeptUpload
from signal_courier.model.attachments import HEAD, file_name
from signal_courier.model.errors import InvalidValue, TooLarge
from signal_courier.model.media import media_type

routes = RouteTable("Attachments")

_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
"""A file comes from a stranger: a browser must not run what it holds."""
_MISSING = Answer(404, "No such file.", Problem)


@routes.add(
    "GET", "/v1/attachments", scope=Scope.RECEIVE,
    answers=[Answer(200, "Names, in order.", list[str], example=["BxJIwmVr9zpmWIpZiLZ9.jpg"])],
)  # fmt: skip
async def list_attachments(call: Call[None, None]) -> web.StreamResponse:
    """List the attachments that were received."""
    return json_answer(await call.services.staging.received.names())


@routes.add(
    "GET", "/v1/attachments/{attachment}", scope=Scope.RECEIVE, accounts=Reach.FREE,
    answers=[Answer(200, "The file; its type is told from its content.", media="application/octet-stream"), _MISSING],
)  # fmt: skip
async def serve_attachment(call: Call[None, None]) -> web.StreamResponse:
    """Get an attachment: one that was received, or an upload."""
    name, staging = call.path["attachment"], call.services.staging
    if staging.uploads.is_id(name):
        return await _file(staging.uploads.path(name))
    if staging.received.is_remote:
        data = await staging.received.fetch(await call.services.accounts.meant(None, any_will_do=True), name)
        answer = content(data, media_type(data[:HEAD]))
        answer.headers.update(_SAFE)
        return answer
    return await _file(staging.received.path(name))


@routes.add(
    "DELETE", "/v1/attachments/{attachment}", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    answers=[Answer(204, "Deleted."), _MISSING],
)  # fmt: skip
async def remove_attachment(call: Call[None, None]) -> web.StreamResponse:
    """Delete an attachment."""
    name, staging = call.path["attachment"], call.services.staging
    if staging.uploads.is_id(name):
        await staging.uploads.remove(name)
    else:
        await staging.received.remove(name)
    return empty()


class UploadedFile(msgspec.Struct):
    """A file that waits to be sent."""

    id: Annotated[str, msgspec.Meta(description="For `attachments` of `/v2/send`.")]
    path: Annotated[str, msgspec.Meta(description="Where to get it; can be used like the id.")]
    filename: str
    content_type: str
    size: Annotated[int, msgspec.Meta(description="In bytes.")]


@routes.add(
    "POST", "/v1/attachments", scope=Scope.SEND, accounts=Reach.FREE, recipients=Reach.FREE, uploads=True,
    answers=[
        Answer(
            201, "Kept until it is deleted, or too old.", UploadedFile,
            example={
                "id": "upload-5f0c2bd0d4a14f9c8a4bb0d6b7c1a2e3", "path": "/v1/attachments/upload-5f0c2bd0d4a14f9c8a4bb0d6b7c1a2e3",
                "filename": "cat.jpg", "content_type": "image/jpeg", "size": 52341,
            },
        )
    ],
)  # fmt: skip
async def upload_attachment(call: Call[None, None]) -> web.StreamResponse:
    """Upload a file to be sent later.

    As the first file of a multipart form, or as the raw body (then `Content-Disposition` may tell its name).
    """
    settings = call.services.settings
    limit = settings.body_limit_mib * 1024 * 1024
    spooled = settings.spool_dir / uuid.uuid4().hex
    try:
        try:
            name, head = await _receive(call.request, spooled, limit)
            kept = await call.services.staging.uploads.keep(spooled, file_name(name, head))
        except OSError as error:
            raise NoSpace(error) from error
    finally:
        spooled.unlink(missing_ok=True)
    return json_answer(_told(kept, head), 201)


def _told(kept: KeptUpload, head: bytes) -> UploadedFile:
    return UploadedFile(
        id=kept.id, path=f"/v1/attachments/{kept.id}", filename=kept.path.name, content_type=media_type(head), size=kept.size
    )


async def _receive(request: web.BaseRequest, target: Path, limit: int) -> tuple[str, bytes]:
    """Write the file of a request; gives its name (maybe empty) and its first bytes."""
    if request.content_length is not None and request.content_length > limit + 65536:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(bodies.DEADLINE):
            if not request.content_type.startswith("multipart/"):
                return _header_name(request), await _write(_chunks(request), target, limit)
            async for part in await request.multipart():
                if isinstance(part, aiohttp.BodyPartReader) and (part.filename is not None or part.name in ("file", "attachment")):
                    return part.filename or "", await _write(_part_chunks(part), target, limit)
            raise InvalidValue("file", "file: the form holds no file")
    except TimeoutError:
        raise SlowBody("the upload took too long") from None
    except http_exceptions.InvalidHeader as error:
        raise _broken_form() from error
    except bodies.LOST as error:
        raise bodies.lost_body(error) from error
    except (ValueError, RuntimeError) as error:  # a part's content or encoding
        if isinstance(error, InvalidValue):
            raise
        raise _broken_form() from error


async def _chunks(request: web.BaseRequest) -> AsyncIterator[bytes]:
    while chunk := await asyncio.wait_for(request.content.readany(), bodies.STALL):
        yield chunk


async def _part_chunks(part: aiohttp.BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await asyncio.wait_for(part.read_chunk(256 * 1024), bodies.STALL):
        yield part.decode(chunk)


async def _write(chunks: AsyncIterator[bytes], target: Path, limit: int) -> bytes:
    size, head = 0, b""
    with target.open("xb", buffering=0) as file:
        async with contextlib.aclosing(chunks):  # type: ignore[type-var]  # an async generator
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                if len(head) < HEAD:
                    head += chunk[: HEAD - len(head)]
                file.write(chunk)
    if not size:
        raise InvalidValue("file", "file: it is empty")
    return head


def _broken_form() -> UndecodableBody:
    return UndecodableBody("Couldn't process request - invalid multipart form", plain=False)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("file", f"file: larger than {limit // 1024**2} MiB")


def _header_name(request: web.BaseRequest) -> str:
    _, parameters = aiohttp.parse_content_disposition(request.headers.get("Content-Disposition"))
    return aiohttp.content_disposition_filename(parameters) or unquote(request.headers.get("X-Filename", ""))


async def _file(path: Path) -> web.StreamResponse:
    def read_head() -> bytes:
        with path.open("rb") as file:
            return file.read(HEAD)

    return web.FileResponse(path, headers={"Content-Type": media_type(await asyncio.to_thread(read_head)), **_SAFE})
