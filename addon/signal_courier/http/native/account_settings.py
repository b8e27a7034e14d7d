"""`/api/v2/accounts/{number}/profile`, `settings`, `username`, `pin`: what an account is like."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.engine.base import Configuration, Configured
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.accounts import UNKNOWN, Text, TrustMode
from signal_courier.http.native.common import ACCOUNT, PICTURE, REFUSED, number_in, trouble
from signal_courier.http.native.pictures import Picture, staged_picture
from signal_courier.http.native.problems import ProblemFound, problem
from signal_courier.http.routing import Answer, RouteTable

routes = RouteTable("Accounts", face=Face.NATIVE)


class ProfileChange(msgspec.Struct):
    """What to change; what is left out stays as it is."""

    given_name: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    family_name: Annotated[str | None, msgspec.Meta(description="Empty removes it.")] = None
    about: Annotated[str | None, msgspec.Meta(description="A line about oneself; empty removes it.")] = None
    about_emoji: Annotated[str | None, msgspec.Meta(description="The emoji before that line; empty removes it.")] = None
    avatar: Annotated[Picture | None, msgspec.Meta(description="The picture, as base64, or the id of an upload.")] = None
    remove_avatar: bool = False


@routes.add(
    "PATCH", "/api/v2/accounts/{number}/profile", scope=Scope.ACCOUNTS, body=ProfileChange,
    body_example={"given_name": "Home", "about": "I am a house.", "about_emoji": "🏠", "avatar": PICTURE},
    answers=[Answer(204, "Changed."), UNKNOWN, REFUSED],
)  # fmt: skip
async def change_profile(call: Call[ProfileChange, None]) -> web.StreamResponse:
    """Change what others see of an account.

    Everybody who is written to sees it. Without a name others see message requests of nobody.
    """
    number, body = number_in(call), call.body
    async with staged_picture(call.services, number, body.avatar) as avatar:
        await call.services.commands.update_profile(
            number,
            given_name=body.given_name,
            family_name=body.family_name,
            about=body.about,
            about_emoji=body.about_emoji,
            avatar=avatar,
            remove_avatar=avatar is None and body.remove_avatar,
        )
    call.services.account_states.forget(number)
    call.services.conversations.forget(number)
    return empty()


class SettingsChange(msgspec.Struct):
    """What to change; what is left out stays as it is."""

    trust: Annotated[TrustMode | None, msgspec.Meta(description="What happens when a safety number is new.")] = None
    device_name: Annotated[Text | None, msgspec.Meta(description="What this device is called on the phone.")] = None
    discoverable_by_number: Annotated[bool | None, msgspec.Meta(description="Whether people who know the number find the account.")] = None
    share_number: Annotated[bool | None, msgspec.Meta(description="Whether people who are written to see the number.")] = None
    unrestricted_unidentified_sender: Annotated[bool | None, msgspec.Meta(description="Whether anybody may send without a name.")] = None
    read_receipts: Annotated[bool | None, msgspec.Meta(description="Only on the main device, as the next three.")] = None
    typing_indicators: bool | None = None
    link_previews: bool | None = None
    unidentified_delivery_indicators: bool | None = None


@routes.add(
    "PATCH", "/api/v2/accounts/{number}/settings", scope=Scope.ACCOUNTS, body=SettingsChange,
    body_example={"share_number": False, "trust": "always"},
    answers=[Answer(204, "Changed."), UNKNOWN, REFUSED],
)  # fmt: skip
async def change_settings(call: Call[SettingsChange, None]) -> web.StreamResponse:
    """Change the settings of an account.

    Those that Signal keeps are the same on all devices. On a linked device some can only be changed on the phone (`shared_writable` of
    `GET`).
    """
    number, body, commands = number_in(call), call.body, call.services.commands
    at_signal = (body.device_name, body.discoverable_by_number, body.share_number, body.unrestricted_unidentified_sender)
    shared = (body.read_receipts, body.typing_indicators, body.link_previews, body.unidentified_delivery_indicators)
    if any(value is not None for value in at_signal):
        await commands.update_account(
            number,
            device_name=body.device_name,
            discoverable_by_number=body.discoverable_by_number,
            number_sharing=body.share_number,
            unrestricted_unidentified_sender=body.unrestricted_unidentified_sender,
        )
    if any(value is not None for value in shared):
        await commands.update_configuration(
            number,
            read_receipts=body.read_receipts,
            typing_indicators=body.typing_indicators,
            link_previews=body.link_previews,
            unidentified_delivery_indicators=body.unidentified_delivery_indicators,
        )
    if body.trust is not None:
        await call.services.trust.set_mode(number, body.trust)
        call.services.outbox.trusted(number)
    return empty()


class SettingsEntry(msgspec.Struct, kw_only=True):
    """The settings of an account; null where they are not known."""

    trust: TrustMode
    discoverable_by_number: bool | None = None
    share_number: bool | None = None
    read_receipts: bool | None = None
    typing_indicators: bool | None = None
    link_previews: bool | None = None
    unidentified_delivery_indicators: bool | None = None
    shared_writable: Annotated[
        bool | None, msgspec.Meta(description="Whether the last four can be changed here: on a linked device only the phone can.")
    ] = None


@routes.add(
    "GET", "/api/v2/accounts/{number}/settings", scope=Scope.ACCOUNTS,
    answers=[
        Answer(
            200, "The settings.", SettingsEntry,
            example={
                "trust": "on-first-use", "discoverable_by_number": True, "share_number": False, "read_receipts": True,
                "typing_indicators": True, "link_previews": True, "unidentified_delivery_indicators": False, "shared_writable": True,
            },
        ),
        UNKNOWN,
    ],
)  # fmt: skip
async def get_settings(call: Call[None, None]) -> web.StreamResponse:
    """Show the settings of an account.

    signal-cli does not tell them, so they are read where it keeps them: of one that runs on another machine only `trust` is known.
    """
    number, services = number_in(call), call.services
    report = await services.account_states.one(number)
    if report is None:
        raise ProblemFound(problem("account-unknown", account=number))
    known = await services.engine.configuration(number) if isinstance(services.engine, Configured) else Configuration()
    return json_answer(
        SettingsEntry(
            trust=await services.trust.mode(number),
            **msgspec.structs.asdict(known),
            shared_writable=None if report.linked is None else not report.linked,
        )
    )


class UsernameChange(msgspec.Struct):
    """A username."""

    username: Annotated[str, msgspec.Meta(description="With or without its digits; Signal adds some.", min_length=1, examples=["test.42"])]


class UsernameEntry(msgspec.Struct):
    """The username as it is now."""

    username: str | None
    link: str | None


@routes.add(
    "PUT", "/api/v2/accounts/{number}/username", scope=Scope.ACCOUNTS, body=UsernameChange, body_example={"username": "test"},
    answers=[
        Answer(200, "Set.", UsernameEntry, example={"username": "test.42", "link": "https://signal.me/#eu/…"}),
        UNKNOWN,
        trouble("refused", "Failed to set username: already taken", account=ACCOUNT),
    ],
)  # fmt: skip
async def change_username(call: Call[UsernameChange, None]) -> web.StreamResponse:
    """Give an account a username.

    People can write to it without knowing the number. Signal adds digits where none are given, and refuses names that are taken.
    """
    answer = await call.services.commands.update_account(number_in(call), username=call.body.username)
    return json_answer(UsernameEntry(answer.username, answer.username_link))


@routes.add("DELETE", "/api/v2/accounts/{number}/username", scope=Scope.ACCOUNTS, answers=[Answer(204, "Removed."), UNKNOWN])
async def delete_username(call: Call[None, None]) -> web.StreamResponse:
    """Take an account's username away.

    Its link stops working, and others may take the name.
    """
    await call.services.commands.update_account(number_in(call), delete_username=True)
    return empty()


class PinChange(msgspec.Struct):
    """A PIN."""

    pin: Annotated[str, msgspec.Meta(description="At least four digits, or a longer text.", min_length=4)]


@routes.add(
    "PUT", "/api/v2/accounts/{number}/pin", scope=Scope.ACCOUNTS, body=PinChange, body_example={"pin": "1234"},
    answers=[Answer(204, "Set."), UNKNOWN, REFUSED],
)  # fmt: skip
async def change_pin(call: Call[PinChange, None]) -> web.StreamResponse:
    """Lock the number, so that nobody else registers it without the PIN.

    Signal asks for it when the number is registered anew. A lost PIN locks the number for seven days.
    """
    await call.services.commands.set_pin(number_in(call), pin=call.body.pin)
    return empty()


@routes.add("DELETE", "/api/v2/accounts/{number}/pin", scope=Scope.ACCOUNTS, answers=[Answer(204, "Removed."), UNKNOWN])
async def delete_pin(call: Call[None, None]) -> web.StreamResponse:
    """Take the lock away.

    The number can be registered by whoever gets its SMS.
    """
    await call.services.commands.remove_pin(number_in(call))
    return empty()
