"""Pinned messages."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import PERSON, refusal
from signal_courier.http.compat.groups.entries import named_group, persons
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue
from signal_courier.model.integers import Int64

routes = RouteTable("Groups")


class PinMessage(msgspec.Struct):
    """Which message, and for how long."""

    target_author: Annotated[str, msgspec.Meta(description="Who wrote it: number or UUID.", examples=[PERSON])] = ""
    timestamp: Annotated[Int64, msgspec.Meta(description="The message's timestamp.", examples=[1700000000123])] = 0
    duration: Annotated[int, msgspec.Meta(description="Seconds; -1 = for ever.", ge=-1, le=2**31 - 1)] | None = None


class UnpinMessage(msgspec.Struct):
    """Which message."""

    target_author: Annotated[str, msgspec.Meta(description="Who wrote it: number or UUID.", examples=[PERSON])] = ""
    timestamp: Annotated[Int64, msgspec.Meta(description="The message's timestamp.", examples=[1700000000123])] = 0


_MESSAGE = {"target_author": PERSON, "timestamp": 1700000000123}
_NO_AUTHOR = refusal("The message is not named.", "Couldn't process request - target author missing")


def _target(body: PinMessage | UnpinMessage) -> tuple[str, int]:
    if not body.target_author:
        raise InvalidValue("target_author", "Couldn't process request - target author missing")
    if body.timestamp <= 0:
        raise InvalidValue("timestamp", "Couldn't process request - timestamp missing")
    return persons([body.target_author], "target_author")[0], body.timestamp


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/pin-message", scope=Scope.GROUPS, body=PinMessage,
    body_example=_MESSAGE | {"duration": -1}, answers=[Answer(201, "Pinned."), _NO_AUTHOR],
)  # fmt: skip
async def pin_message(call: Call[PinMessage, None]) -> web.StreamResponse:
    """Pin a message in a group (signal-cli 0.14.0).

    All members see it at the top. The message is named by its author and its timestamp.
    """
    group_id = named_group(call).internal
    author, timestamp = _target(call.body)
    await call.services.commands.send_pin_message(
        call.account,
        group_id=[group_id],
        target_author=author,
        target_timestamp=timestamp,
        pin_duration=-1 if call.body.duration is None else call.body.duration,
    )
    return empty(201)


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}/pin-message", scope=Scope.GROUPS, body=UnpinMessage, body_example=_MESSAGE,
    answers=[Answer(201, "No longer pinned."), _NO_AUTHOR],
)  # fmt: skip
async def unpin_message(call: Call[UnpinMessage, None]) -> web.StreamResponse:
    """Take a message's pin away (signal-cli 0.14.0).

    The message itself stays where it is.
    """
    group_id = named_group(call).internal
    author, timestamp = _target(call.body)
    await call.services.commands.send_unpin_message(
        call.account, group_id=[group_id], target_author=author, target_timestamp=timestamp
    )  # fmt: skip
    return empty(201)
