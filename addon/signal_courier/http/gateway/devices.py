"""`/api/v1/devices`: Signal accounts as the gateway's devices; adding one by a QR code over a WebSocket."""

import asyncio
import contextlib
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.errors import EngineError, NetworkTrouble
from signal_courier.http.answers import json_answer
from signal_courier.http.auth import split_path, token_in
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.gateway.common import DEVICE, SIGNAL, DeviceId, GatewayDone, Platform, account_of, check_platform, trouble
from signal_courier.http.gateway.problems import QR_PATH, Refusal
from signal_courier.http.problems import NotAllowed
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.streaming.websocket import ListeningSocket
from signal_courier.messaging.joining.device_links import LinkFailed
from signal_courier.model.errors import InvalidValue, MissingThing

routes = RouteTable("Gateway", face=Face.GATEWAY)

LINKED: Final = 1000
EXPIRED: Final = 4408
FAILED: Final = 4500
"""Why the WebSocket was closed; before the latter two a frame `Error: …` tells the same."""


class NewGatewayDevice(msgspec.Struct):
    """A device to add."""

    platform: Platform = ""


class QrCodeUrl(msgspec.Struct):
    """Where to get the code."""

    message: str
    qr_code_url: Annotated[str, Meta(description="A WebSocket. It holds the token: a secret.")]


class GatewayDevice(msgspec.Struct):
    """An account."""

    platform: Platform
    device_id: DeviceId


class DeviceToDelete(msgspec.Struct):
    """Which device."""

    device_id: DeviceId = ""
    platform: Platform = ""
    force: Annotated[
        bool, Meta(description="Delete a number's data too that was registered here and is linked to no phone: it is lost then.")
    ] = False


@routes.add(
    "POST", "/api/v1/devices", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, recipients=Reach.FREE,
    body=NewGatewayDevice, body_example={"platform": SIGNAL},
    answers=[
        Answer(
            201, "Connect to the address, and show what it sends.", QrCodeUrl,
            example={
                "message": "Scan the QR code to link your device",
                "qr_code_url": "ws://localhost:8080/api/v1/devices/qr-code?token=mt_…",
            },
        )
    ],
)  # fmt: skip
async def add_gateway_device(call: Call[NewGatewayDevice, None]) -> web.StreamResponse:
    """Add a device: link this service to a phone.

    While a code waits to be scanned, asking again gives the same one.
    """
    owner = _owner(call)
    check_platform(call.body.platform)
    await call.services.device_links.start(owner)
    answer = json_answer(QrCodeUrl("Scan the QR code to link your device", _qr_code_url(call.request)), 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@routes.add(
    "GET", QR_PATH, scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, websocket=True,
    answers=[trouble(400, "No WebSocket was asked for"), trouble(401, "missing token query parameter")],
)  # fmt: skip
async def follow_gateway_qr_code(call: Call[None, None]) -> web.StreamResponse:
    """Follow the code that waits to be scanned (WebSocket).

    The token may stand in the query (`?token=`), here and nowhere else. Each text frame is what the QR code has to hold; a newer frame
    replaces the one before. Closed with 1000 once a phone has scanned it. When that fails, a frame `Error: …` tells why, and it is closed
    with 4408 (nobody has scanned in time) or 4500.
    """
    owner = _owner(call)
    try:
        socket = await ListeningSocket.accept(call.request)
    except web.HTTPException:
        raise InvalidValue("Upgrade", "No WebSocket was asked for") from None
    tasks = [asyncio.create_task(work) for work in (_show(call, owner, socket), socket.gone(), socket.keep_alive())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return socket.response


async def _show(call: Call[None, None], owner: str, socket: ListeningSocket) -> None:
    with contextlib.suppress(ConnectionError):
        try:
            async with contextlib.aclosing(call.services.device_links.follow(owner)) as codes:
                async for uri in codes:
                    await socket.response.send_str(uri)
        except LinkFailed as error:
            await socket.response.send_str(f"Error: {error}")
            await socket.response.close(code=EXPIRED if error.expired else FAILED)
        else:
            await socket.response.close(code=LINKED)


@routes.add(
    "GET", "/api/v1/devices", scope=Scope.SEND, accounts=Reach.CHECKED,
    answers=[Answer(200, "The devices.", list[GatewayDevice], example=[{"platform": SIGNAL, "device_id": DEVICE}])],
)  # fmt: skip
async def list_gateway_devices(call: Call[None, None]) -> web.StreamResponse:
    """List the devices that the token may use.

    Each is an account of this service; its id is the number without the plus.
    """
    numbers = await call.services.accounts.loaded()
    return json_answer([GatewayDevice(SIGNAL, number.removeprefix("+")) for number in numbers if call.caller.may_use(number)])


@routes.add(
    "DELETE", "/api/v1/devices", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, recipients=Reach.FREE,
    body=DeviceToDelete, body_example={"device_id": DEVICE, "platform": SIGNAL},
    answers=[
        Answer(200, "It is no longer here.", GatewayDone, example={"message": "Device deleted successfully"}),
        trouble(404, "Device not found"),
        trouble(409, "The number is not known to be linked to a phone: with \"force\": true it may be lost"),
    ],
)  # fmt: skip
async def delete_gateway_device(call: Call[DeviceToDelete, None]) -> web.StreamResponse:
    """Delete a device.

    The account's data here is deleted; the phone goes on listing the device until it is removed there.
    """
    services, body = call.services, call.body
    account = await account_of(call, body.device_id)
    check_platform(body.platform)
    report = await services.account_states.one(account)
    if report is None:
        raise MissingThing("device_id", "Device not found")
    if report.linked is not True and not body.force:
        raise Refusal('The number is not known to be linked to a phone: with "force": true it may be lost', 409)
    try:
        await services.commands.unregister(account)
    except NetworkTrouble:
        raise
    except EngineError:
        pass  # what matters is that the data goes
    await services.registration.delete_local_data(account, ignore_registered=True)
    for token, left in (await services.credentials.withdraw(account)).items():
        await services.webhooks.follow(token, left)
    return json_answer(GatewayDone("Device deleted successfully"))


def _owner[B, Q](call: Call[B, Q]) -> str:
    """Whose link it is. Raises `NotAllowed` for a token that could not use what is linked with it."""
    caller = call.caller
    if caller.accounts is not None and not call.services.credentials.is_gateway_token(caller.token_id):
        raise NotAllowed
    return caller.token_id or ""


def _qr_code_url(request: web.BaseRequest) -> str:
    secure = request.secure or request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower() == "https"
    token = split_path(request.raw_path)[0] or token_in(request.headers)
    return f"{'wss' if secure else 'ws'}://{request.host}{QR_PATH}" + (f"?token={token}" if token else "")
