"""`/v1/devices`: an account's devices, and what this one has on disk."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import ACCOUNT, DEVICE_LINK, refusal
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Devices")


class DeviceEntry(msgspec.Struct):
    """A device. Times in milliseconds since 1970."""

    id: int
    """1 is the phone."""
    name: str
    last_seen_timestamp: int
    """To the day."""
    creation_timestamp: int
    created: int
    """The same as `creation_timestamp`."""
    last_seen: int
    """The same as `last_seen_timestamp`."""


@routes.add(
    "GET", "/v1/devices/{number}", scope=Scope.ACCOUNTS,
    answers=[
        Answer(
            200, "The devices.", list[DeviceEntry],
            example=[
                {"id": 1, "name": "", "last_seen_timestamp": 1700000000001, "creation_timestamp": 1700000000000,
                 "created": 1700000000000, "last_seen": 1700000000001}
            ],
        )
    ],
)  # fmt: skip
async def list_devices(call: Call[None, None]) -> web.StreamResponse:
    """List an account's devices.

    The phone and every computer that is linked to it, as Signal knows them.
    """
    return json_answer(
        [
            DeviceEntry(
                id=device.id,
                name=device.name or "",
                last_seen_timestamp=device.last_seen_timestamp,
                creation_timestamp=device.created_timestamp,
                created=device.created_timestamp,
                last_seen=device.last_seen_timestamp,
            )
            for device in await call.services.commands.list_devices(call.account)
        ]
    )


class AddDevice(msgspec.Struct):
    """Which device."""

    uri: Annotated[str, msgspec.Meta(description="What the other device's QR code holds.", examples=[DEVICE_LINK])] = ""


@routes.add(
    "POST", "/v1/devices/{number}", scope=Scope.ACCOUNTS, body=AddDevice, body_example={"uri": DEVICE_LINK},
    answers=[Answer(204, "The device is linked."), refusal("The uri is none.", "Invalid device link")],
)  # fmt: skip
async def add_device(call: Call[AddDevice, None]) -> web.StreamResponse:
    """Link another device to an account that is registered here.

    What its QR code holds is the `uri`. The other device can then read and write as this account. Only the main device may do that, not a
    linked one.
    """
    if not call.body.uri:
        raise InvalidValue("uri", "Couldn't process request - uri missing")
    await call.services.commands.add_device(call.account, uri=call.body.uri)
    return empty()


class DeleteLocalData(msgspec.Struct):
    """Whether to be careful."""

    ignore_registered: Annotated[bool, msgspec.Meta(description="Delete even when the account is still registered.")] = False


@routes.add(
    "DELETE", "/v1/devices/{number}/local-data", scope=Scope.ACCOUNTS, body=DeleteLocalData, body_optional=True,
    body_example={"ignore_registered": False}, answers=[Answer(204, "Deleted.")],
)  # fmt: skip
async def delete_local_account_data(call: Call[DeleteLocalData, None]) -> web.StreamResponse:
    """Delete what is on disk of an account that is not registered (any more).

    Keys, contacts and groups go; there is no way back. Of an account that is still registered only with `ignore_registered`.
    """
    await call.services.registration.delete_local_data(call.account, ignore_registered=call.body.ignore_registered)
    return empty()


@routes.add(
    "DELETE", "/v1/devices/{number}/{deviceId}", scope=Scope.ACCOUNTS,
    answers=[
        Answer(204, f"The device is no longer linked to {ACCOUNT}."),
        refusal("The id is none.", "deviceId must be numeric"),
    ],
)  # fmt: skip
async def remove_device(call: Call[None, None]) -> web.StreamResponse:
    """Unlink a device.

    It can no longer read or write as this account. Only the main device may do that.
    """
    text = call.path["deviceId"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidValue("deviceId", "deviceId must be numeric")
    await call.services.commands.remove_device(call.account, device_id=int(text))
    return empty()
