"""`/v1/accounts`: which there are, and their settings at Signal."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import ACCOUNT, refusal
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Accounts")


@routes.add(
    "GET", "/v1/accounts", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, failure=500, failure_text="Couldn't get list of accounts: {}",
    answers=[Answer(200, "The numbers.", list[str], example=[ACCOUNT])],
)  # fmt: skip
async def get_accounts(call: Call[None, None]) -> web.StreamResponse:
    """List the numbers that are registered or linked here.

    Only those that the token may use.
    """
    return json_answer([account for account in await call.services.accounts.loaded() if call.caller.may_use(account)])


class Settings(msgspec.Struct):
    """Who may see the number; what is left out stays as it is."""

    discoverable_by_number: Annotated[bool | None, msgspec.Meta(description="Whether people who know the number find the account.")] = None
    share_number: Annotated[bool | None, msgspec.Meta(description="Whether people who are written to see the number.")] = None


@routes.add(
    "PUT", "/v1/accounts/{number}/settings", scope=Scope.ACCOUNTS, body=Settings, body_example={"share_number": False},
    answers=[Answer(201, "Changed.")],
)  # fmt: skip
async def update_account_settings(call: Call[Settings, None]) -> web.StreamResponse:
    """Change who may see an account's number.

    Whether it is found by its number, and whether people who are written to see that.
    """
    await call.services.commands.update_account(
        call.account, discoverable_by_number=call.body.discoverable_by_number, number_sharing=call.body.share_number
    )
    return empty(201)


class SetUsername(msgspec.Struct):
    """A username."""

    username: Annotated[str, msgspec.Meta(description="With or without its digits; Signal adds some.", examples=["test.42"])] = ""


class Username(msgspec.Struct):
    """The username as it is now."""

    username: str
    username_link: str


@routes.add(
    "POST", "/v1/accounts/{number}/username", scope=Scope.ACCOUNTS, body=SetUsername, body_example={"username": "test"},
    answers=[
        Answer(201, "Set.", Username, example={"username": "test.42", "username_link": "https://signal.me/#eu/…"}),
        refusal("Signal refused it.", "Couldn't process request - username missing"),
    ],
)  # fmt: skip
async def set_username(call: Call[SetUsername, None]) -> web.StreamResponse:
    """Give an account a username.

    People can write to it without knowing the number. Signal adds digits where none are given, and refuses names that are taken.
    """
    if not call.body.username:
        raise InvalidValue("username", "Couldn't process request - username missing")
    answer = await call.services.commands.update_account(call.account, username=call.body.username)
    return json_answer(Username(answer.username or "", answer.username_link or ""), 201)


@routes.add("DELETE", "/v1/accounts/{number}/username", scope=Scope.ACCOUNTS, answers=[Answer(204, "Removed.")])
async def remove_username(call: Call[None, None]) -> web.StreamResponse:
    """Take an account's username away.

    Its link stops working, and others may take the name.
    """
    await call.services.commands.update_account(call.account, delete_username=True)
    return empty()


class Pin(msgspec.Struct):
    """A PIN."""

    pin: Annotated[str, msgspec.Meta(description="At least four digits, or a longer text.", examples=["1234"])] = ""


@routes.add(
    "POST", "/v1/accounts/{number}/pin", scope=Scope.ACCOUNTS, body=Pin, body_example={"pin": "1234"},
    answers=[
        Answer(201, "Set."),
        refusal("No PIN was given, or Signal refused it.", "Couldn't process request - pin missing"),
    ],
)  # fmt: skip
async def set_pin(call: Call[Pin, None]) -> web.StreamResponse:
    """Lock the number, so that nobody else registers it without the PIN.

    Signal asks for it when the number is registered anew, and may ask for it now and then. A lost PIN locks the number for seven days.
    """
    if not call.body.pin:
        raise InvalidValue("pin", "Couldn't process request - pin missing")
    await call.services.commands.set_pin(call.account, pin=call.body.pin)
    return empty(201)


@routes.add("DELETE", "/v1/accounts/{number}/pin", scope=Scope.ACCOUNTS, answers=[Answer(204, "Removed.")])
async def remove_pin(call: Call[None, None]) -> web.StreamResponse:
    """Take the lock away.

    The number can be registered by whoever gets its SMS.
    """
    await call.services.commands.remove_pin(call.account)
    return empty()


class Challenge(msgspec.Struct):
    """A solved challenge."""

    challenge_token: Annotated[str, msgspec.Meta(description="One of `challenge_tokens` of the send that failed.")] = ""
    captcha: Annotated[
        str,
        msgspec.Meta(
            description="The solved captcha, with or without `signalcaptcha://`; from https://signalcaptchas.org/challenge/generate.html"
        ),
    ] = ""


@routes.add(
    "POST", "/v1/accounts/{number}/rate-limit-challenge", scope=Scope.ACCOUNTS, body=Challenge,
    body_example={"challenge_token": "2f5d8a7e-…", "captcha": "signalcaptcha://signal-hcaptcha.…"},
    answers=[
        Answer(204, "The rate limit is lifted."),
        refusal("The captcha was rejected.", "Captcha rejected"),
    ],
)  # fmt: skip
async def submit_rate_limit_challenge(call: Call[Challenge, None]) -> web.StreamResponse:
    """Lift a rate limit that `/v2/send` met, with a solved captcha.

    A person solves it on https://signalcaptchas.org/challenge/generate.html. Messages that wait for it go out at once.
    """
    if not call.body.challenge_token:
        raise InvalidValue("challenge_token", "Couldn't process request - challenge token missing")
    captcha = call.body.captcha.strip()
    if not captcha:
        raise InvalidValue("captcha", "Couldn't process request - captcha missing")
    await call.services.commands.submit_rate_limit_challenge(call.account, challenge=call.body.challenge_token, captcha=captcha)
    call.services.outbox.challenge_solved(call.account)
    return empty()
