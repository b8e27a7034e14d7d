"""`/v1/receipts`: telling people that their messages were read."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.compat.targets import missing, person
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue
from signal_courier.model.integers import Int64
from signal_courier.model.messages import Receipt, ReceiptKind

routes = RouteTable("Receipts")


class ReceiptBody(msgspec.Struct, kw_only=True):
    """What was read, and of whom."""

    recipient: Annotated[str | None, msgspec.Meta(description="The author of the message.")] = None
    receipt_type: Annotated[str | None, msgspec.Meta(description="`read` or `viewed`.")] = None
    timestamp: Annotated[Int64 | None, msgspec.Meta(description="The message's timestamp.")] = None
    timestamps: Annotated[list[Int64] | None, msgspec.Meta(description="More of the same author's.")] = None


@routes.add(
    "POST", "/v1/receipts/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=ReceiptBody,
    body_example={"recipient": "+4915100000002", "receipt_type": "read", "timestamp": 1700000000123},
    answers=[Answer(204, "Sent.")],
)  # fmt: skip
async def send_receipt(call: Call[ReceiptBody, None]) -> web.StreamResponse:
    """Send a read or viewed receipt.

    The sender sees that the message was read; `viewed` is for what was played or opened once. Messages are named by their timestamps.
    """
    body = call.body
    recipient = person(body.recipient, "recipient")
    call.check_recipients([recipient])
    if body.receipt_type not in tuple(ReceiptKind):
        raise InvalidValue("receipt_type", "Couldn't process request - receipt type must be read or viewed")
    timestamps = [timestamp for timestamp in (body.timestamp, *(body.timestamps or ())) if timestamp]
    if not timestamps:
        raise missing("timestamp")
    await call.send(call.account, [recipient], Receipt(kind=ReceiptKind(body.receipt_type), timestamps=timestamps))
    return empty()
