"""`/api/v2/accounts/{number}/devices`: the phone, and what else is linked to an account."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.accounts import UNKNOWN
from signal_courier.http.native.common import REFUSED, number_in
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import MissingThing

routes = RouteTable("Accounts", face=Face.NATIVE)


class DeviceItem(msgspec.Struct):
    """A device. Times in milliseconds since 1970."""

    id: Annotated[int, msgspec.Meta(description="1 is the phone.")]
    name: str | None
    created: int
    last_seen: Annotated[int, msgspec.Meta(description="To the day.")]


class Devices(msgspec.Struct):
    """An account's devices."""

    devices: list[DeviceItem]


@routes.add(
    "GET", "/api/v2/accounts/{number}/devices", scope=Scope.ACCOUNTS,
    answers=[
        Answer(
            200, "The devices.", Devices,
            example={"devices": [{"id": 1, "name": None, "created": 1700000000000, "last_seen": 1763683200000}]},
        ),
        UNKNOWN,
    ],
)  # fmt: skip
async def list_account_devices(call: Call[None, None]) -> web.StreamResponse:
    """List an account's devices.

    The phone and every computer that is linked to it, as Signal knows them.
    """
    found = await call.services.commands.list_devices(number_in(call))
    return json_answer(Devices([DeviceItem(one.id, one.name, one.created_timestamp, one.last_seen_timestamp) for one in found]))


class NewDevice(msgspec.Struct):
    """Which device."""

    uri: Annotated[str, msgspec.Meta(description="What the other device's QR code holds.", min_length=1)]


@routes.add(
    "POST", "/api/v2/accounts/{number}/devices", scope=Scope.ACCOUNTS, body=NewDevice,
    body_example={"uri": "sgnl://linkdevice?uuid=…&pub_key=…"},
    answers=[Answer(204, "The device is linked."), UNKNOWN, REFUSED],
)  # fmt: skip
async def add_account_device(call: Call[NewDevice, None]) -> web.StreamResponse:
    """Link another device to an account that is registered here.

    What its QR code holds is the `uri`. The other device can then read and write as this account. Only the main device may do that.
    """
    await call.services.commands.add_device(number_in(call), uri=call.body.uri)
    return empty()


class DeviceChange(msgspec.Struct):
    """What to change."""

    name: Annotated[str, msgspec.Meta(min_length=1)]


@routes.add(
    "PATCH", "/api/v2/accounts/{number}/devices/{device}", scope=Scope.ACCOUNTS, body=DeviceChange, body_example={"name": "Kitchen"},
    answers=[Answer(204, "Renamed."), UNKNOWN, REFUSED],
)  # fmt: skip
async def rename_account_device(call: Call[DeviceChange, None]) -> web.StreamResponse:
    """Rename a device.

    The name is what the phone shows under its linked devices.
    """
    await call.services.commands.update_device(number_in(call), device_id=_device(call), device_name=call.body.name)
    return empty()


@routes.add(
    "DELETE", "/api/v2/accounts/{number}/devices/{device}", scope=Scope.ACCOUNTS,
    answers=[Answer(204, "No longer linked."), UNKNOWN, REFUSED],
)  # fmt: skip
async def remove_account_device(call: Call[None, None]) -> web.StreamResponse:
    """Unlink a device.

    It can no longer read or write as this account. Only the main device may do that.
    """
    await call.services.commands.remove_device(number_in(call), device_id=_device(call))
    return empty()


def _device[B, Q](call: Call[B, Q]) -> int:
    text = call.path["device"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MissingThing("device", "There is no such device: its id is a number.")
    return int(text)
