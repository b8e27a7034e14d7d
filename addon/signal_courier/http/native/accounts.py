"""`/api/v2/accounts`: the numbers that are linked or registered here, with everything about them."""

import time
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.caller import Caller
from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.base import AccountState, Configuration, Configured
from signal_courier.engine.errors import EngineError, NetworkTrouble
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import ACCOUNT, PICTURE, REFUSED, number_in, trouble
from signal_courier.http.native.pictures import Picture, staged_picture
from signal_courier.http.native.problems import CHALLENGE_PAGE, ProblemDetails, ProblemFound, problem
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.services import Services
from signal_courier.messaging.account_states import AccountReport, Concern
from signal_courier.messaging.figures import AccountFigures
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.outbox import GROUP_APPROVAL, UNTRUSTED, Parked

routes = RouteTable("Accounts", face=Face.NATIVE)

UNKNOWN = trouble("account-unknown", "Specified account does not exist", account=ACCOUNT)

type StateName = Literal["ready", "offline", "unlinked"]
Text = Annotated[str, msgspec.Meta(min_length=1)]
type TrustMode = Literal["on-first-use", "always", "never"]


class AccountEntry(msgspec.Struct):
    """An account."""

    number: str
    state: Annotated[StateName, msgspec.Meta(description="`offline`: not loaded now; `unlinked`: the phone has removed this device.")]
    linked: Annotated[bool | None, msgspec.Meta(description="Whether a phone is its master; null if unknown.")]
    name: Annotated[str | None, msgspec.Meta(description="Of its profile; null if unknown.")]
    trust: Annotated[TrustMode, msgspec.Meta(description="What happens when a safety number is new.")]
    problems: Annotated[list[ProblemDetails], msgspec.Meta(description="What a person should do something about.")]
    uuid: Annotated[str | None, msgspec.Meta(description="Its ACI, which stays when the number changes; null if unknown.")] = None

    link_expires_at: Annotated[
        int | None, msgspec.Meta(description="When Signal removes this linked device unless it is used before; ms since 1970.")
    ] = None
    figures: AccountFigures = AccountFigures()


class Accounts(msgspec.Struct):
    """All accounts."""

    accounts: list[AccountEntry]


ACCOUNT_EXAMPLE = {
    "number": ACCOUNT, "state": "ready", "linked": True, "name": "Home", "trust": "on-first-use", "problems": [],
    "uuid": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "link_expires_at": 1766275200000,
    "figures": {"queued": 0, "sending": 0, "parked": 0, "sent_today": 12, "failed_today": 0, "last_received_at": 1763683200000},
}  # fmt: skip
_STATES: dict[AccountState, StateName] = {
    AccountState.READY: "ready",
    AccountState.LOADING: "offline",
    AccountState.UNLINKED: "unlinked",
}
_WORDS = {
    Concern.UNLINKED: "The phone has removed this device.",
    Concern.OFFLINE: "signal-cli could not load it: there was no network.",
    Concern.PROFILE_NAME_MISSING: "Nobody sees who writes to them.",
}


def _problem_of(parked: Parked, account: str) -> ProblemDetails:
    """What somebody has to do, so that messages go on."""
    if parked.reason == UNTRUSTED:
        return problem("untrusted-identity", "Messages wait until it is trusted.", account=account, recipients=parked.recipients)
    if parked.reason == GROUP_APPROVAL:
        return problem("group-approval", "Messages wait until an admin agrees.", account=account, recipients=parked.recipients)
    return problem(
        "rate-limited",
        "Messages wait until the limit is over.",
        account=account,
        recipients=parked.recipients,
        challenge_tokens=parked.tokens,
        captcha_url=CHALLENGE_PAGE if parked.tokens else None,
        retry_after=max(0, int(parked.until / 1000 - time.time())) if parked.until is not None else None,
    )


async def account_entry(services: Services, report: AccountReport, caller: Caller) -> AccountEntry:
    """An account as the API tells it. Who may reach only some people is not told for whom messages wait."""
    problems = []
    for concern in report.concerns:
        words = _WORDS.get(concern, "")
        if concern is Concern.DEVICE_EXPIRING and report.expires is not None:
            left = max(0, int((report.expires - time.time()) // 86400))
            words = f"Signal removes it in {left} days unless it is used."
        problems.append(problem(concern.value, words, account=report.number))
    for parked in services.outbox.parked(report.number):
        shown = parked if caller.recipients is None else msgspec.structs.replace(parked, recipients=())
        problems.append(_problem_of(shown, report.number))
    return AccountEntry(
        number=report.number,
        state=_STATES[report.state],
        linked=report.linked,
        name=report.name,
        trust=await services.trust.mode(report.number),
        problems=problems,
        uuid=report.uuid,
        link_expires_at=int(report.link_end * 1000) if report.link_end is not None else None,
        figures=await services.figures.of(report.number),
    )


@routes.add(
    "GET", "/api/v2/accounts", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED,
    answers=[Answer(200, "The accounts that the caller may use.", Accounts, example={"accounts": [ACCOUNT_EXAMPLE]})],
)  # fmt: skip
async def list_own_accounts(call: Call[None, None]) -> web.StreamResponse:
    """List the accounts.

    With their state, what a person has to do, and how much waits. Only those that the token may use.
    """
    reports = [report for report in await call.services.account_states.all() if call.caller.may_use(report.number)]
    return json_answer(Accounts([await account_entry(call.services, report, call.caller) for report in reports]))


@routes.add(
    "GET", "/api/v2/accounts/{number}", scope=Scope.ACCOUNTS,
    answers=[Answer(200, "The account.", AccountEntry, example=ACCOUNT_EXAMPLE), UNKNOWN],
)  # fmt: skip
async def get_account(call: Call[None, None]) -> web.StreamResponse:
    """Show one account.

    Its state, what a person has to do about it (`problems`), and how much waits.
    """
    number = number_in(call)
    if (report := await call.services.account_states.one(number)) is None:
        raise ProblemFound(problem("account-unknown", account=number))
    return json_answer(await account_entry(call.services, report, call.caller))


class DeleteQuery(msgspec.Struct):
    """Whether to be careful."""

    ignore_registered: Annotated[bool, msgspec.Meta(description="Delete even when the account is still registered or linked.")] = False


@routes.add(
    "DELETE", "/api/v2/accounts/{number}", scope=Scope.ACCOUNTS, query=DeleteQuery,
    answers=[Answer(204, "Deleted."), trouble("refused", "Not deleting account, it is still registered.", account=ACCOUNT)],
)  # fmt: skip
async def delete_account_data(call: Call[None, DeleteQuery]) -> web.StreamResponse:
    """Delete what is on disk of an account: keys, contacts, groups.

    Received messages that are stored already stay until they are too old.
    """
    await call.services.registration.delete_local_data(number_in(call), ignore_registered=call.query.ignore_registered)
    return empty()


@routes.add(
    "POST", "/api/v2/accounts/{number}/unlink", scope=Scope.ACCOUNTS,
    answers=[Answer(204, "The account is no longer here."), UNKNOWN],
)  # fmt: skip
async def unlink_account(call: Call[None, None]) -> web.StreamResponse:
    """Give a linked account up: take no more messages, and delete what is on disk.

    The phone goes on listing the device until it is removed there, or 30 days are over. A number that was registered here is refused:
    it would be lost; `unregister` is for that.
    """
    number = number_in(call)
    report = await call.services.account_states.one(number)
    if report is None:
        raise ProblemFound(problem("account-unknown", account=number))
    if report.linked is False:
        raise ProblemFound(problem("conflict", "The number was registered here and is linked to no phone: unregister it.", account=number))
    await _leave(call.services, number)
    await call.services.registration.delete_local_data(number, ignore_registered=True)
    return empty()


async def _leave(services: Services, number: str) -> None:
    """Say goodbye, if anybody listens: what matters is that the data goes."""
    try:
        await services.commands.unregister(number)
    except NetworkTrouble:
        raise
    except EngineError:
        return


class Unregistering(msgspec.Struct):
    """What else to delete."""

    delete_account: Annotated[bool, msgspec.Meta(description="Delete the account from Signal's servers too. There is no way back.")] = False
    delete_local_data: Annotated[bool, msgspec.Meta(description="Delete the account's keys and contacts here too.")] = False


@routes.add(
    "POST", "/api/v2/accounts/{number}/unregister", scope=Scope.ACCOUNTS, body=Unregistering, body_optional=True,
    body_example={"delete_account": False, "delete_local_data": True},
    answers=[Answer(204, "The number takes no more messages."), UNKNOWN],
)  # fmt: skip
async def unregister_account(call: Call[Unregistering, None]) -> web.StreamResponse:
    """Unregister a number that was registered here.

    Signal sends no more messages to it. `delete_account` deletes the account at Signal for good, `delete_local_data` its keys and contacts
    here too.
    """
    await call.services.registration.unregister(
        number_in(call), delete_account=call.body.delete_account, delete_local_data=call.body.delete_local_data
    )
    return empty()


# -- profile and settings


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


# -- devices


class DeviceItem(msgspec.Struct):
    """A device. Times in milliseconds since 1970."""

    id: Annotated[int, msgspec.Meta(description="1 is the phone.")]
    name: str | None
    created: int
    last_seen: Annotated[int, msgspec.Meta(description="To the day.")]


class Devices(msgspec.Struct):
    """An account's devices."""

    devices: list[DeviceItem]


@routes.add(
    "GET", "/api/v2/accounts/{number}/devices", scope=Scope.ACCOUNTS,
    answers=[
        Answer(
            200, "The devices.", Devices,
            example={"devices": [{"id": 1, "name": None, "created": 1700000000000, "last_seen": 1763683200000}]},
        ),
        UNKNOWN,
    ],
)  # fmt: skip
async def list_account_devices(call: Call[None, None]) -> web.StreamResponse:
    """List an account's devices.

    The phone and every computer that is linked to it, as Signal knows them.
    """
    found = await call.services.commands.list_devices(number_in(call))
    return json_answer(Devices([DeviceItem(one.id, one.name, one.created_timestamp, one.last_seen_timestamp) for one in found]))


class NewDevice(msgspec.Struct):
    """Which device."""

    uri: Annotated[str, msgspec.Meta(description="What the other device's QR code holds.", min_length=1)]


@routes.add(
    "POST", "/api/v2/accounts/{number}/devices", scope=Scope.ACCOUNTS, body=NewDevice,
    body_example={"uri": "sgnl://linkdevice?uuid=…&pub_key=…"},
    answers=[Answer(204, "The device is linked."), UNKNOWN, REFUSED],
)  # fmt: skip
async def add_account_device(call: Call[NewDevice, None]) -> web.StreamResponse:
    """Link another device to an account that is registered here.

    What its QR code holds is the `uri`. The other device can then read and write as this account. Only the main device may do that.
    """
    await call.services.commands.add_device(number_in(call), uri=call.body.uri)
    return empty()


class DeviceChange(msgspec.Struct):
    """What to change."""

    name: Annotated[str, msgspec.Meta(min_length=1)]


@routes.add(
    "PATCH", "/api/v2/accounts/{number}/devices/{device}", scope=Scope.ACCOUNTS, body=DeviceChange, body_example={"name": "Kitchen"},
    answers=[Answer(204, "Renamed."), UNKNOWN, REFUSED],
)  # fmt: skip
async def rename_account_device(call: Call[DeviceChange, None]) -> web.StreamResponse:
    """Rename a device.

    The name is what the phone shows under its linked devices.
    """
    await call.services.commands.update_device(number_in(call), device_id=_device(call), device_name=call.body.name)
    return empty()


@routes.add(
    "DELETE", "/api/v2/accounts/{number}/devices/{device}", scope=Scope.ACCOUNTS,
    answers=[Answer(204, "No longer linked."), UNKNOWN, REFUSED],
)  # fmt: skip
async def remove_account_device(call: Call[None, None]) -> web.StreamResponse:
    """Unlink a device.

    It can no longer read or write as this account. Only the main device may do that.
    """
    await call.services.commands.remove_device(number_in(call), device_id=_device(call))
    return empty()


def _device[B, Q](call: Call[B, Q]) -> int:
    text = call.path["device"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MissingThing("device", "There is no such device: its id is a number.")
    return int(text)


# -- what Signal asks of an account


class ChallengeAnswer(msgspec.Struct):
    """A solved challenge."""

    token: Annotated[str, msgspec.Meta(description="One of `challenge_tokens` of the problem `rate-limited`.", min_length=1)]
    captcha: Annotated[str, msgspec.Meta(description="The solved captcha, with or without `signalcaptcha://`.", min_length=1)]


@routes.add(
    "POST", "/api/v2/accounts/{number}/challenge", scope=Scope.ACCOUNTS, body=ChallengeAnswer,
    body_example={"token": "2f5d8a7e-…", "captcha": "signalcaptcha://signal-hcaptcha.…"},
    answers=[Answer(204, "The rate limit is lifted."), UNKNOWN, trouble("captcha-rejected", "Captcha rejected", account=ACCOUNT)],
)  # fmt: skip
async def solve_challenge(call: Call[ChallengeAnswer, None]) -> web.StreamResponse:
    """Lift a rate limit with a solved captcha.

    A person solves it on https://signalcaptchas.org/challenge/generate.html.
    """
    captcha = call.body.captcha.strip()
    if not captcha:
        raise InvalidValue("captcha", "captcha: must not be empty")
    await call.services.commands.submit_rate_limit_challenge(number_in(call), challenge=call.body.token, captcha=captcha)
    call.services.outbox.challenge_solved(number_in(call))
    return empty()


@routes.add(
    "POST", "/api/v2/accounts/{number}/sync", scope=Scope.ACCOUNTS, answers=[Answer(204, "Asked."), UNKNOWN],
)  # fmt: skip
async def sync_account(call: Call[None, None]) -> web.StreamResponse:
    """Ask the phone for contacts, groups and settings.

    A linked device gets them once when it is linked; this asks again. What comes is told as events, and in the lists, seconds later.
    """
    number = number_in(call)
    await call.services.commands.send_sync_request(number)
    call.services.conversations.forget(number)
    return empty()
