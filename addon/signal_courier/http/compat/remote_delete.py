"""`/v1/remote-delete`: taking messages back."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.call import Call
from signal_courier.http.compat.dialects import Timestamp, timestamp_answer
from signal_courier.http.compat.targets import missing, one_recipient
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.integers import Int64
from signal_courier.model.messages import Deletion

routes = RouteTable("Messages")


class RemoteDelete(msgspec.Struct, kw_only=True):
    """Which message to take back."""

    recipient: Annotated[str | None, msgspec.Meta(description="The person or group it was sent to.")] = None
    group_id: str | None = None
    timestamp: Annotated[Int64 | None, msgspec.Meta(description="The message's timestamp.")] = None


@routes.add(
    "DELETE", "/v1/remote-delete/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=RemoteDelete,
    body_example={"recipient": "+4915100000002", "timestamp": 1700000000123},
    answers=[Answer(201, "Taken back.", Timestamp, example={"timestamp": "1700000000456"})],
)  # fmt: skip
async def remote_delete(call: Call[RemoteDelete, None]) -> web.StreamResponse:
    """Delete an own message for everybody.

    Phones take it away where they can, within a day of sending; that something was deleted stays visible. The message is named by its
    timestamp.
    """
    recipient = one_recipient(call.body.recipient, call.body.group_id)
    call.check_recipients([recipient])
    if call.body.timestamp is None:
        raise missing("timestamp")
    return timestamp_answer(await call.send(call.account, [recipient], Deletion(timestamp=call.body.timestamp)))
