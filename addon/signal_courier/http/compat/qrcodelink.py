"""`/v1/qrcodelink`: link this server to a phone."""

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import content, json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import DEVICE_LINK, refusal
from signal_courier.http.decoding.query import Refusal
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.joining import qr
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Devices")

_VERSION = "The qrcode_version parameter needs to be an integer!"


class LinkQuery(msgspec.Struct):
    """How to link."""

    device_name: Annotated[str, msgspec.Meta(description="What the phone shows in its list of linked devices.", examples=["Home"])] = ""


class QrQuery(LinkQuery):
    """How to link and to draw."""

    qrcode_version: Annotated[int, Refusal(_VERSION, unless_empty=True), msgspec.Meta(description="Size of the code, 1 to 40.")] = 10


class LinkUri(msgspec.Struct):
    """What the phone has to scan."""

    device_link_uri: str


_TOO_MANY = refusal("Sixteen codes wait to be scanned.", "Too many devices wait to be linked, try again in two minutes", 429)
_NO_NAME = refusal("No name was given, or Signal refused.", "Please provide a name for the device")


@routes.add(
    "GET", "/v1/qrcodelink", scope=Scope.ACCOUNTS, query=QrQuery, failure_text="Couldn't create QR code: {}",
    answers=[Answer(200, "A picture to scan with the phone.", bytes, media="image/png"), _NO_NAME, _TOO_MANY],
)  # fmt: skip
async def get_qr_code_link(call: Call[None, QrQuery]) -> web.StreamResponse:
    """Link to a phone: a QR code as a picture.

    Scan it within about 100 seconds: Signal, Settings, Linked devices. The number then appears in `/v1/accounts`.
    """
    name, version = _name(call.query), call.query.qrcode_version
    if version not in qr.VERSIONS:
        raise InvalidValue("qrcode_version", f"Couldn't create QR code: Invalid version {version} (expected 1-40 inclusive)")
    uri = await call.services.linking.start()
    picture = await asyncio.to_thread(qr.draw, uri, version)
    call.services.linking.finish(uri, name)
    return content(picture, "image/png")


@routes.add(
    "GET", "/v1/qrcodelink/raw", scope=Scope.ACCOUNTS, query=LinkQuery, failure_text="Couldn't start link: {}",
    answers=[
        Answer(200, "What to show as a QR code.", LinkUri, example={"device_link_uri": DEVICE_LINK}),
        _NO_NAME,
        _TOO_MANY,
    ],
)  # fmt: skip
async def get_qr_code_link_uri(call: Call[None, LinkQuery]) -> web.StreamResponse:
    """Link to a phone: the text of the QR code.

    For clients that draw the code themselves. It counts for about a minute; a new call gives a new one.
    """
    name = _name(call.query)
    uri = await call.services.linking.start()
    call.services.linking.finish(uri, name)
    return json_answer(LinkUri(uri))


def _name(query: LinkQuery) -> str:
    if not query.device_name:
        raise InvalidValue("device_name", "Please provide a name for the device")
    return query.device_name
