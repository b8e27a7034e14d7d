"""`/v1/typing-indicator`: showing that somebody is writing."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.compat.targets import INVALID_GROUP, one_recipient
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.messages import Typing

routes = RouteTable("Messages")

_EXAMPLE = {"recipient": "+4915100000002"}


class TypingIndicator(msgspec.Struct, kw_only=True):
    """Where somebody is writing."""

    recipient: Annotated[str | None, msgspec.Meta(description="The person or group.")] = None
    group_id: str | None = None


@routes.add(
    "PUT", "/v1/typing-indicator/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=TypingIndicator, body_example=_EXAMPLE,
    answers=[Answer(204, "Shown, for 15 s.")],
)  # fmt: skip
async def start_typing(call: Call[TypingIndicator, None]) -> web.StreamResponse:
    """Show the typing indicator.

    It vanishes by itself after about 15 seconds, or when a message comes.
    """
    return await _show(call, Typing())


@routes.add(
    "DELETE", "/v1/typing-indicator/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=TypingIndicator, body_example=_EXAMPLE,
    answers=[Answer(204, "Hidden.")],
)  # fmt: skip
async def stop_typing(call: Call[TypingIndicator, None]) -> web.StreamResponse:
    """Hide the typing indicator.

    Without it the indicator goes by itself after about 15 seconds.
    """
    return await _show(call, Typing(stop=True))


async def _show(call: Call[TypingIndicator, None], what: Typing) -> web.StreamResponse:
    recipient = one_recipient(call.body.recipient, call.body.group_id, bad_group=INVALID_GROUP)
    call.check_recipients([recipient])
    await call.send(call.account, [recipient], what)
    return empty()
