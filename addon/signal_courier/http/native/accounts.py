"""`/api/v2/accounts`: the numbers that are linked or registered here, with everything about them."""

import time
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.caller import Caller
from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.base import AccountState
from signal_courier.engine.errors import EngineError, NetworkTrouble
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import ACCOUNT, number_in, trouble
from signal_courier.http.native.problems import CHALLENGE_PAGE, ProblemDetails, ProblemFound, problem
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.services import Services
from signal_courier.messaging.account_states import AccountReport, Concern
from signal_courier.messaging.figures import AccountFigures
from signal_courier.model.errors import InvalidValue
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
