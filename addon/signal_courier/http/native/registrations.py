"""`/api/v2/registrations`: a number of one's own, step by step."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import ACCOUNT, MISSING, number_in, trouble
from signal_courier.http.native.problems import CAPTCHA_PAGE, ProblemDetails, ProblemFound, problem
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.joining.registrations import CodeRejected, RegistrationState, RegistrationStatus, TooEarly
from signal_courier.model.recipients import parse_number

routes = RouteTable("Registrations", face=Face.NATIVE)


class NewRegistration(msgspec.Struct):
    """Which number, and how."""

    number: Annotated[str, msgspec.Meta(description="With country code.", examples=[ACCOUNT])]
    voice: Annotated[bool, msgspec.Meta(description="Have the code told by a call; 60 seconds after an SMS was asked for.")] = False
    captcha: Annotated[
        str, msgspec.Meta(description="The solved captcha, with or without `signalcaptcha://`, once the state wants one.")
    ] = ""


class RegistrationEntry(msgspec.Struct):
    """Where a registration stands."""

    number: str
    state: RegistrationState
    captcha_url: Annotated[str | None, msgspec.Meta(description="Where a person solves the captcha, while one is wanted.")]
    voice_after: Annotated[int | None, msgspec.Meta(description="From when on a call can be asked for: ms since 1970.")]
    lock_hours: Annotated[int | None, msgspec.Meta(description="Hours until the PIN's lock ends by itself.")]
    problem: Annotated[ProblemDetails | None, msgspec.Meta(description="What a person has to do next, or what did not count.")]


class RegistrationList(msgspec.Struct):
    """The registrations of late."""

    registrations: list[RegistrationEntry]


_SENT = {
    "number": ACCOUNT, "state": "code_sent", "captcha_url": None, "voice_after": 1763700060000, "lock_hours": None, "problem": None,
}  # fmt: skip
_DONE = _SENT | {"state": "registered", "voice_after": None}
_REFUSED = trouble("rate-limited", "Rate limit reached", account=ACCOUNT, retry_after=3600)


def _entry(status: RegistrationStatus) -> RegistrationEntry:
    wants_captcha = status.state is RegistrationState.CAPTCHA_REQUIRED
    return RegistrationEntry(
        number=status.number,
        state=status.state,
        captcha_url=CAPTCHA_PAGE if wants_captcha else None,
        voice_after=None if status.voice_after is None else int(status.voice_after * 1000),
        lock_hours=status.lock_hours,
        problem=_problem(status),
    )


def _problem(status: RegistrationStatus) -> ProblemDetails | None:
    number = status.number
    match status.state:
        case RegistrationState.CAPTCHA_REQUIRED if status.captcha_rejected:
            return problem("captcha-rejected", account=number, captcha_url=CAPTCHA_PAGE)
        case RegistrationState.CAPTCHA_REQUIRED:
            return problem("captcha-required", account=number, captcha_url=CAPTCHA_PAGE)
        case RegistrationState.VOICE_REQUIRED:
            return problem("voice-required", account=number)
        case RegistrationState.PIN_REQUIRED:
            tries = f" {status.pin_tries} tries are left." if status.pin_tries is not None else ""
            words = f"The PIN is wrong.{tries}" if status.pin_rejected else ""
            return problem("pin-required", words, account=number, lock_hours=status.lock_hours)
    return None


@routes.add(
    "POST", "/api/v2/registrations", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, body=NewRegistration,
    body_example={"number": ACCOUNT, "voice": False, "captcha": "signalcaptcha://signal-hcaptcha.…"},
    answers=[
        Answer(200, "Where it stands: `state` says what is to be done next.", RegistrationEntry, example=_SENT),
        trouble("conflict", "A call can be asked for in 42 seconds", retry_after=42),
        _REFUSED,
    ],
)  # fmt: skip
async def begin_registration(call: Call[NewRegistration, None]) -> web.StreamResponse:
    """Ask Signal for a code, or go on once the captcha is solved or a call is wanted.

    `captcha_required`: solve it, and ask again with `captcha`. `voice_required`: ask again with `voice` after `voice_after`.
    `code_sent`: hand the code in with `…/verify`. `pin_required`: verify again, with the PIN.
    """
    number = call.check_account(parse_number(call.body.number).e164)
    try:
        status = await call.services.registrations.begin(number, voice=call.body.voice, captcha=call.body.captcha.strip() or None)
    except TooEarly as early:
        raise ProblemFound(problem("conflict", str(early), account=number, retry_after=early.seconds)) from early
    return json_answer(_entry(status))


@routes.add(
    "GET", "/api/v2/registrations", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED,
    answers=[Answer(200, "Those of late, since the service was started.", RegistrationList, example={"registrations": [_SENT]})],
)  # fmt: skip
async def list_registrations(call: Call[None, None]) -> web.StreamResponse:
    """List where registrations stand.

    Those that were begun since the service was started.
    """
    return json_answer(RegistrationList([_entry(one) for one in call.services.registrations.all() if call.caller.may_use(one.number)]))


@routes.add(
    "GET", "/api/v2/registrations/{number}", scope=Scope.ACCOUNTS,
    answers=[Answer(200, "Where it stands.", RegistrationEntry, example=_SENT), MISSING],
)  # fmt: skip
async def get_registration(call: Call[None, None]) -> web.StreamResponse:
    """Show where a registration stands.

    `state` is the next step: `captcha_required`, `voice_required`, `code_sent`, `pin_required` or `registered`.
    """
    return json_answer(_entry(call.services.registrations.get(number_in(call))))


@routes.add("DELETE", "/api/v2/registrations/{number}", scope=Scope.ACCOUNTS, answers=[Answer(204, "Forgotten."), MISSING])
async def forget_registration(call: Call[None, None]) -> web.StreamResponse:
    """Forget a registration; an account that came of it stays.

    What is known of its steps goes; Signal is not told, and an SMS that is under way still comes.
    """
    call.services.registrations.forget(number_in(call))
    return empty()


class VerifyCode(msgspec.Struct):
    """What came."""

    code: Annotated[str, msgspec.Meta(description="The code; a dash in it does not matter.", min_length=1, examples=["123-456"])]
    pin: Annotated[str, msgspec.Meta(description="The PIN, where the number is locked with one.")] = ""


@routes.add(
    "POST", "/api/v2/registrations/{number}/verify", scope=Scope.ACCOUNTS, body=VerifyCode, body_example={"code": "123-456"},
    answers=[
        Answer(200, "Registered, or `pin_required`.", RegistrationEntry, example=_DONE),
        trouble("code-rejected", "Verify error: [401] Authorization failed!", account=ACCOUNT),
    ],
)  # fmt: skip
async def verify_registration(call: Call[VerifyCode, None]) -> web.StreamResponse:
    """Hand in the code that Signal sent.

    With `pin` where the number is locked with one (`pin_required`). Then the account is there; give it a profile name before it writes to
    anybody.
    """
    number = number_in(call)
    try:
        status = await call.services.registrations.verify(number, call.body.code.strip(), pin=call.body.pin or None)
    except CodeRejected as error:
        raise ProblemFound(problem("code-rejected", str(error), account=number)) from error
    return json_answer(_entry(status))
