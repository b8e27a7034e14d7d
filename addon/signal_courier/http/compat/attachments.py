"""`/v1/attachments`: files that were received, and files that wait to be sent."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import content, empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.decoding.uploads import keep_upload
from signal_courier.http.files import SAFE, file_answer
from signal_courier.http.problems import Problem
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.files.uploads import KeptUpload
from signal_courier.model.attachments import HEAD
from signal_courier.model.media import media_type

routes = RouteTable("Attachments")

_MISSING = Answer(404, "No such file.", Problem)


@routes.add(
    "GET", "/v1/attachments", scope=Scope.RECEIVE,
    answers=[Answer(200, "Names, in order.", list[str], example=["BxJIwmVr9zpmWIpZiLZ9.jpg"])],
)  # fmt: skip
async def list_attachments(call: Call[None, None]) -> web.StreamResponse:
    """List the attachments that were received.

    By their ids, as messages name them. They are kept for `COURIER_ATTACHMENT_DAYS`.
    """
    return json_answer(await call.services.staging.received.names())


@routes.add(
    "GET", "/v1/attachments/{attachment}", scope=Scope.RECEIVE, accounts=Reach.FREE,
    answers=[Answer(200, "The file; its type is told from its content.", media="application/octet-stream"), _MISSING],
)  # fmt: skip
async def serve_attachment(call: Call[None, None]) -> web.StreamResponse:
    """Get an attachment: one that was received, or an upload.

    Its bytes, with the type that they have.
    """
    name, staging = call.path["attachment"], call.services.staging
    if staging.uploads.is_id(name):
        return await file_answer(staging.uploads.path(name))
    if staging.received.is_remote:
        data = await staging.received.fetch(await call.services.accounts.meant(None, any_will_do=True), name)
        answer = content(data, media_type(data[:HEAD]))
        answer.headers.update(SAFE)
        return answer
    return await file_answer(staging.received.path(name))


@routes.add(
    "DELETE", "/v1/attachments/{attachment}", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    answers=[Answer(204, "Deleted."), _MISSING],
)  # fmt: skip
async def remove_attachment(call: Call[None, None]) -> web.StreamResponse:
    """Delete an attachment.

    From this service's disk; Signal and the phones have their own copies.
    """
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
    settings, staging = call.services.settings, call.services.staging
    kept, media = await keep_upload(call.request, staging.uploads, settings.spool_dir, settings.body_limit_mib * 1024 * 1024)
    return json_answer(_told(kept, media), 201)


def _told(kept: KeptUpload, media: str) -> UploadedFile:
    return UploadedFile(id=kept.id, path=f"/v1/attachments/{kept.id}", filename=kept.path.name, content_type=media, size=kept.size)
