"""`/api/v2/attachments`: files that were received, and files that wait to be sent."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import content, empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.decoding.uploads import keep_upload
from signal_courier.http.faces import Face
from signal_courier.http.files import SAFE, disposition, file_answer
from signal_courier.http.native.common import MISSING, trouble
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.files.received import is_plain_file
from signal_courier.messaging.files.staging import Staging
from signal_courier.model.attachments import HEAD
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.media import media_type

routes = RouteTable("Attachments", face=Face.NATIVE)

_UPLOAD = "upload-5f0c2bd0d4a14f9c8a4bb0d6b7c1a2e3"
_MOST = 1000


class AttachmentItem(msgspec.Struct):
    """A file."""

    id: Annotated[str, msgspec.Meta(description="For `attachments` of a message.")]
    kind: Literal["received", "upload"]
    url: Annotated[str, msgspec.Meta(description="Where to get it.")]
    name: Annotated[str, msgspec.Meta(description="The file's name; a received one is called as its id, its own name stands in its event.")]
    type: Annotated[str, msgspec.Meta(description="Media type, told from the content.")]
    size: Annotated[int, msgspec.Meta(description="In bytes.")]
    changed: Annotated[int, msgspec.Meta(description="When it came: ms since 1970.")]


class AttachmentList(msgspec.Struct):
    """Files, the newest first."""

    attachments: list[AttachmentItem]
    total: Annotated[int, msgspec.Meta(description="How many there are.")]


_EXAMPLE = {
    "id": _UPLOAD, "kind": "upload", "url": f"/api/v2/attachments/{_UPLOAD}", "name": "cat.jpg", "type": "image/jpeg", "size": 52341,
    "changed": 1763700000000,
}  # fmt: skip


class ListQuery(msgspec.Struct):
    """Which part of the list."""

    limit: Annotated[int, msgspec.Meta(description="At most 1000.", ge=1)] = 100
    offset: Annotated[int, msgspec.Meta(description="How many to leave out.", ge=0)] = 0


@routes.add(
    "GET", "/api/v2/attachments", scope=Scope.RECEIVE, query=ListQuery,
    answers=[
        Answer(200, "The newest first.", AttachmentList, example={"attachments": [_EXAMPLE], "total": 1}),
        trouble("invalid-value", "limit: between 1 and 1000", field="limit"),
    ],
)  # fmt: skip
async def list_all_attachments(call: Call[None, ListQuery]) -> web.StreamResponse:
    """List the files that were received, and the uploads.

    The newest first, in pages by `limit` and `offset`. Received ones are kept for `COURIER_ATTACHMENT_DAYS`.
    """
    query = call.query
    if not 1 <= query.limit <= _MOST:
        raise InvalidValue("limit", f"limit: between 1 and {_MOST}")
    if query.offset < 0:
        raise InvalidValue("offset", "offset: 0 or more")
    settings = call.services.settings
    found, total = await asyncio.to_thread(_listed, settings.attachments_dir, settings.uploads_dir, query.offset, query.limit)
    return json_answer(AttachmentList(found, total))


class DownloadQuery(msgspec.Struct):
    """How to save it."""

    name: Annotated[str, msgspec.Meta(description="The name to save it under.", examples=["cat.jpg"])] = ""


@routes.add(
    "GET", "/api/v2/attachments/{file}", scope=Scope.RECEIVE, accounts=Reach.FREE, query=DownloadQuery,
    answers=[
        Answer(200, "The file; its type is told from its content.", media="application/octet-stream"),
        Answer(206, "The part that `Range` asks for.", media="application/octet-stream"),
        MISSING,
        trouble("invalid-value", "Please provide a valid attachment name", field="attachment"),
        Answer(416, "The file is shorter than `Range` asks for."),
    ],
)  # fmt: skip
async def download_attachment(call: Call[None, DownloadQuery]) -> web.StreamResponse:
    """Get a file, or a part of it (`Range`).

    Sent with its own type and name; what a browser could run is only ever downloaded.
    """
    identifier, staging = call.path["file"], call.services.staging
    name = call.query.name or identifier
    if staging.uploads.is_id(identifier):
        path = staging.uploads.path(identifier)
        return await file_answer(path, call.query.name or path.name)
    if staging.received.is_remote:
        data = await staging.received.fetch(await call.services.accounts.meant(None, any_will_do=True), identifier)
        answer = content(data, media_type(data[:HEAD]))
        answer.headers.update(SAFE | {"Content-Disposition": disposition(name)})
        return answer
    return await file_answer(staging.received.path(identifier), name)


@routes.add(
    "DELETE", "/api/v2/attachments/{file}", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    answers=[Answer(204, "Deleted."), MISSING, trouble("invalid-value", "Please provide a valid attachment name", field="attachment")],
)  # fmt: skip
async def delete_attachment(call: Call[None, None]) -> web.StreamResponse:
    """Delete a file.

    From this service's disk; Signal and the phones have their own copies.
    """
    staging: Staging = call.services.staging
    if staging.uploads.is_id(call.path["file"]):
        await staging.uploads.remove(call.path["file"])
    else:
        await staging.received.remove(call.path["file"])
    return empty()


@routes.add(
    "POST", "/api/v2/attachments", scope=Scope.SEND, accounts=Reach.FREE, recipients=Reach.FREE, uploads=True,
    answers=[
        Answer(201, "Kept until it is deleted, or too old.", AttachmentItem, example=_EXAMPLE),
        trouble("invalid-value", "file: it is empty", field="file"),
        trouble("too-large", "file: larger than 150 MiB", field="file"),
        trouble("no-space"),
    ],
)  # fmt: skip
async def keep_attachment(call: Call[None, None]) -> web.StreamResponse:
    """Upload a file to be sent later.

    As the first file of a multipart form, or as the raw body (then `Content-Disposition` may tell its name).
    """
    settings, uploads = call.services.settings, call.services.staging.uploads
    kept, _ = await keep_upload(call.request, uploads, settings.spool_dir, settings.body_limit_mib * 1024 * 1024)
    item = await asyncio.to_thread(_item, kept.path, kept.id, "upload")
    if item is None:
        raise MissingThing("id", "The upload was deleted meanwhile.")
    return json_answer(item, 201)


def _listed(received: Path, uploads: Path, offset: int, limit: int) -> tuple[list[AttachmentItem], int]:
    found: list[tuple[float, Path, str, Literal["received", "upload"]]] = [
        (_changed(path), path, path.name, "received") for path in _files(received)
    ]
    for folder in uploads.glob("upload-*"):
        found += [(_changed(path), path, folder.name, "upload") for path in _files(folder)[:1]]
    found.sort(key=lambda one: one[0], reverse=True)
    items = [_item(path, identifier, kind) for _, path, identifier, kind in found[offset : offset + limit]]
    return [item for item in items if item is not None], len(found)


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".") and is_plain_file(path)]
    except OSError:
        return []


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _item(path: Path, identifier: str, kind: Literal["received", "upload"]) -> AttachmentItem | None:
    try:
        facts = path.stat()
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:  # gone meanwhile
        return None
    return AttachmentItem(
        id=identifier,
        kind=kind,
        url=f"/api/v2/attachments/{identifier}",
        name=path.name,
        type=media_type(head),
        size=facts.st_size,
        changed=int(facts.st_mtime * 1000),
    )
