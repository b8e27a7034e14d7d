"""`/v1/register` and `/v1/unregister`: a number of one's own."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call, decode_again
from signal_courier.http.compat.examples import refusal
from signal_courier.http.routing import Answer, RouteTable

routes = RouteTable("Devices")

_UNDECODABLE = "Couldn't process request - invalid request."


class Register(msgspec.Struct):
    """How to register."""

    use_voice: Annotated[bool, msgspec.Meta(description="Have the code told by a call instead of an SMS.")] = False
    captcha: Annotated[
        str,
        msgspec.Meta(
            description="The solved captcha, with or without `signalcaptcha://`; from https://signalcaptchas.org/registration/generate.html"
        ),
    ] = ""


class RegistrationStatus(msgspec.Struct):
    """How far the registration is."""

    status: Annotated[str, msgspec.Meta(description="verification_required or verified.")]


@routes.add(
    "POST", "/v1/register/{number}", scope=Scope.ACCOUNTS, body=Register, body_optional=True,
    body_example={"use_voice": False, "captcha": "signalcaptcha://signal-hcaptcha.…"},
    undecodable_text=_UNDECODABLE,
    answers=[
        Answer(201, "A code is on its way.", RegistrationStatus, example={"status": "verification_required"}),
        refusal("Signal refused, or the number is none.", "Captcha required for verification, use --captcha CAPTCHA"),
    ],
)  # fmt: skip
async def register_number(call: Call[Register, None]) -> web.StreamResponse:
    """Register a number.

    Signal sends a code by SMS or voice, which `…/verify/{token}` takes. When it wants a captcha first, the error says so.
    """
    await call.services.registration.register(call.account, voice=call.body.use_voice, captcha=call.body.captcha.strip() or None)
    return json_answer(RegistrationStatus("verification_required"), 201)


class Verify(msgspec.Struct):
    """What is needed besides the code."""

    pin: Annotated[str, msgspec.Meta(description="The PIN, where the number is locked with one.")] = ""


@routes.add(
    "POST", "/v1/register/{number}/verify/{token}", scope=Scope.ACCOUNTS, body=Verify, body_optional=True, body_example={"pin": "1234"},
    undecodable_text=_UNDECODABLE,
    answers=[
        Answer(201, "The number is registered.", RegistrationStatus, example={"status": "verified"}),
        refusal("The code or the PIN is wrong.", "Verify error: [403] Authorization failed!"),
    ],
)  # fmt: skip
async def verify_registered_number(call: Call[Verify, None]) -> web.StreamResponse:
    """Finish the registration with the code that Signal sent.

    The last step of a registration. Where the number has a PIN, it comes in the body; without it Signal refuses.
    """
    await call.services.registration.verify(call.account, decode_again(call.path["token"]), pin=call.body.pin or None)
    return json_answer(RegistrationStatus("verified"), 201)


class Unregister(msgspec.Struct):
    """What else to delete."""

    delete_account: Annotated[bool, msgspec.Meta(description="Delete the account from Signal's servers too.")] = False
    delete_local_data: Annotated[bool, msgspec.Meta(description="Delete the account's keys and messages here too.")] = False


@routes.add(
    "POST", "/v1/unregister/{number}", scope=Scope.ACCOUNTS, body=Unregister, body_optional=True,
    body_example={"delete_account": False, "delete_local_data": False}, undecodable_text=_UNDECODABLE,
    answers=[Answer(204, "The number takes no more messages.")],
)  # fmt: skip
async def unregister_number(call: Call[Unregister, None]) -> web.StreamResponse:
    """Unregister a number.

    Signal sends no more messages to it. With `delete_account` the account is deleted at Signal for good, with `delete_local_data` its keys
    and contacts here too.
    """
    await call.services.registration.unregister(
        call.account, delete_account=call.body.delete_account, delete_local_data=call.body.delete_local_data
    )
    return empty()
