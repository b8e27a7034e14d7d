"""`/v1/calls`: ringing people up, without sound. Beyond upstream; needs signal-cli 0.14.2."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine import answers
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.targets import person
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import Username

routes = RouteTable("Calls")

_EXAMPLE = {"id": "1234567890123456789", "state": "RINGING", "number": "+4915100000002", "outgoing": True}


class VoiceCall(msgspec.Struct, kw_only=True):
    """A call that rings or runs."""

    id: Annotated[str, msgspec.Meta(description="The call's id: a 64-bit number, as text.")]
    state: str
    number: str | None = None
    uuid: str | None = None
    outgoing: bool = False


class StartCall(msgspec.Struct):
    """Whom to call."""

    recipient: str | None = None


@routes.add("GET", "/v1/calls/{number}", scope=Scope.SEND, answers=[Answer(200, "The calls.", list[VoiceCall], example=[_EXAMPLE])])
async def list_calls(call: Call[None, None]) -> web.StreamResponse:
    """List the calls that ring or run.

    None when nobody calls. Calls that are coming in are told as events, too.
    """
    return json_answer([_told(one) for one in await call.services.commands.list_calls(call.account)])


@routes.add(
    "POST", "/v1/calls/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=StartCall, body_example={"recipient": "+4915100000002"},
    answers=[Answer(201, "It rings.", VoiceCall, example=_EXAMPLE)],
)  # fmt: skip
async def start_call(call: Call[StartCall, None]) -> web.StreamResponse:
    """Call somebody.

    The other side's phone rings. There is no sound: it is good for waking somebody up.
    """
    recipient = person(call.body.recipient, "recipient")
    call.check_recipients([recipient])
    if isinstance(recipient, Username):
        raise InvalidValue("recipient", "recipient: a call needs a number or a UUID")
    return json_answer(_told(await call.services.commands.start_call(call.account, recipient=[str(recipient)]), outgoing=True), 201)


@routes.add(
    "POST", "/v1/calls/{number}/{call_id}/accept", scope=Scope.SEND,
    answers=[Answer(200, "Answered.", VoiceCall, example=_EXAMPLE)],
)  # fmt: skip
async def accept_call(call: Call[None, None]) -> web.StreamResponse:
    """Answer the phone.

    The call counts as taken, so that the account's other devices stop ringing. There is no sound.
    """
    return json_answer(_told(await call.services.commands.accept_call(call.account, call_id=_id(call))))


@routes.add("POST", "/v1/calls/{number}/{call_id}/reject", scope=Scope.SEND, answers=[Answer(204, "Rejected.")])
async def reject_call(call: Call[None, None]) -> web.StreamResponse:
    """Do not answer the phone.

    The other side is told that nobody wants to talk.
    """
    await call.services.commands.reject_call(call.account, call_id=_id(call))
    return empty()


@routes.add("DELETE", "/v1/calls/{number}/{call_id}", scope=Scope.SEND, answers=[Answer(204, "Ended.")])
async def hangup_call(call: Call[None, None]) -> web.StreamResponse:
    """Hang up.

    Ends a call that rings or runs, whoever has begun it.
    """
    await call.services.commands.hangup_call(call.account, call_id=_id(call))
    return empty()


def _id(call: Call[None, None]) -> int:
    text = call.path["call_id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < 2**64):
        raise InvalidValue("call_id", "call_id: needs to be a number")
    return int(text)


def _told(one: answers.Call, *, outgoing: bool = False) -> VoiceCall:
    return VoiceCall(id=str(one.call_id), state=one.state or "", number=one.number, uuid=one.uuid, outgoing=one.is_outgoing or outgoing)
