"""What the gateway's routes share: the one platform, devices, times, and the answers that the documentation tells."""

import datetime as dt
import re
from typing import Annotated, Final

import msgspec

from signal_courier.http.call import Call
from signal_courier.http.gateway.problems import GatewayError
from signal_courier.http.routing import Answer
from signal_courier.model.errors import InvalidValue

SIGNAL: Final = "signal"
DEVICE: Final = "4915100000001"
_DEVICE: Final = re.compile(r"\+?([0-9]{5,20})")
_ACI: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Platform = Annotated[str, msgspec.Meta(description="`signal`; there is no other here.", examples=[SIGNAL])]
DeviceId = Annotated[str, msgspec.Meta(description="The account's number, with or without `+`, or its UUID.", examples=[DEVICE])]
Time = Annotated[str, msgspec.Meta(description="RFC 3339, in UTC.", examples=["2026-04-27T10:00:00Z"])]


class GatewayDone(msgspec.Struct):
    """It is done."""

    message: str


def trouble(status: int, text: str) -> Answer:
    """An error that a route can answer."""
    return Answer(status, text, GatewayError, example={"error": text})


def check_platform(platform: str) -> None:
    """Raises `InvalidValue` unless it is this one."""
    if not platform.strip():
        raise InvalidValue("platform", "Missing required field: platform")
    if platform.strip().lower() != SIGNAL:
        raise InvalidValue("platform", f"Unsupported platform '{platform[:50]}': this gateway carries 'signal' only")


async def account_of[B, Q](call: Call[B, Q], device_id: str) -> str:
    """The account that a device id stands for: a number, or an ACI. Raises `InvalidValue`, or `NotAllowed`."""
    device_id = device_id.strip()
    if not device_id:
        raise InvalidValue("device_id", "Missing required field: device_id")
    found = _DEVICE.fullmatch(device_id)
    if found is None:
        reports = await call.services.account_states.all() if _ACI.fullmatch(device_id) else ()
        number = next((report.number for report in reports if report.uuid == device_id.lower()), None)
        if number is not None:
            return call.check_account(number)
        raise InvalidValue("device_id", f"device_id: must be a number like {DEVICE}")
    return call.check_account("+" + found[1])


def rfc3339(time_ms: int) -> str:
    """A time (ms since the epoch) as text, to the second."""
    return dt.datetime.fromtimestamp(time_ms // 1000, dt.UTC).isoformat().replace("+00:00", "Z")
