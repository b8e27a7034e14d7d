"""Getting an own number onto Signal, and off it again.

A registration wants a captcha first ("bad", or one with "fail" in it, is refused), then sends the code 123456; a call instead of an
SMS is possible once an SMS was asked for, and the only way to +4915100000097. +4915100000099 is locked with the PIN 1234,
+4915100000098 is refused for its rate.
"""

import re

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import cast
from signal_courier.engine.simulator.dispatch import registration, single
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import IO_ERROR, RATE_LIMIT, Refusal, null_pointer, user_error
from signal_courier.engine.simulator.state import Account, Registration

_TRIES = 9
_LOCKED_HOURS = 168


class Register(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Parameters of `register`."""

    voice: bool = False
    captcha: str | None = None
    reregister: bool = False


class Verify(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Parameters of `verify`."""

    verification_code: str
    pin: str | None = None


class DeleteLocalData(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `deleteLocalAccountData`."""

    ignore_registered: bool = False


class Unregister(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `unregister`."""

    delete_account: bool = False


@registration("register", Register)
def register(network: Network, number: str, params: Register) -> Json:
    """Ask for a code by SMS or by a call."""
    for account in network.world.accounts.values():
        if account.number == number:
            account.loaded = False
    begun = network.world.registrations.setdefault(number, Registration())
    network.changed()
    if not is_e164(number):
        raise Refusal(IO_ERROR, "Failed to register: StatusCode: 400 (NonSuccessfulResponseCodeException)")
    if number == cast.REGISTRATION_LIMITED:
        raise Refusal(RATE_LIMIT, "Rate limit reached")
    if params.captcha is not None:
        if captcha_fails(params.captcha):
            raise captcha_required(given=True)
        begun.captcha_solved = True
    if not begun.captcha_solved:
        raise captcha_required(given=False)
    if params.voice and not begun.code_sent:
        raise user_error(
            "Failed to register: Invalid verification method: Before requesting voice verification you need to request SMS verification "
            "and wait a minute."
        )
    begun.code_sent = True
    if number == cast.LANDLINE and not params.voice:
        raise Refusal(IO_ERROR, "Failed to register: Transport not supported (InvalidTransportModeException)")
    return {}


@registration("verify", Verify)
def verify(network: Network, number: str, params: Verify) -> Json:
    """Hand in the code: the number becomes an account."""
    begun = network.world.registrations.get(number)
    if begun is None or not begun.code_sent:
        raise null_pointer("sessionId")
    if params.verification_code.replace("-", "") != cast.CODE:
        raise Refusal(IO_ERROR, "Verify error: [401] Authorization failed!")
    known = next((account for account in network.world.accounts.values() if account.number == number), None)
    pin = known.pin if known is not None else (cast.PIN if number == cast.PIN_LOCKED else None)
    if pin is not None and params.pin is None:
        raise user_error(
            f"Verification failed! This number is locked with a pin. Hours remaining until reset: {_LOCKED_HOURS}\n"
            "Use '--pin PIN_CODE' to specify the registration lock PIN"
        )
    if pin is not None and params.pin != pin:
        raise user_error(f"Verification failed! Invalid pin, tries remaining: {_TRIES}")
    del network.world.registrations[number]
    if known is None:
        cast.new_account(network.world, number, now=network.now())
    else:
        known.loaded = True
        network.owner(known).registered = True
    network.changed()
    return {}


@registration("deleteLocalAccountData", DeleteLocalData)
def delete_local_data(network: Network, number: str, params: DeleteLocalData) -> Json:
    """Forget the account on this machine."""
    account = next((account for account in network.world.accounts.values() if account.number == number), None)
    if account is not None:
        if network.owner(account).registered and not params.ignore_registered:
            raise user_error("Not deleting account, it is still registered. Use --ignore-registered to delete it anyway.")
        del network.world.accounts[account.uuid]
    network.world.registrations.pop(number, None)
    network.changed()
    return {}


@single("unregister", Unregister)
def unregister(network: Network, account: Account, params: Unregister) -> Json:
    """Leave Signal with this number."""
    account.loaded = False
    network.owner(account).registered = False
    if params.delete_account:
        for group in network.world.groups.values():
            group.members.pop(account.uuid, None)
    network.changed()
    return {}


def is_e164(number: str) -> bool:
    """Whether Signal's server takes the number."""
    return re.fullmatch(r"\+[1-9][0-9]{6,14}", number) is not None


def captcha_fails(captcha: str) -> bool:
    """Whether the simulated server refuses a captcha: an empty one, "bad", or one with "fail" in it."""
    return captcha.strip() in {"", "bad"} or "fail" in captcha.lower()


def captcha_required(*, given: bool) -> Refusal:
    """The refusal without a captcha, or with one that was not accepted."""
    if given:
        return user_error("Invalid captcha given.")
    return user_error(
        "Captcha required for verification, use --captcha CAPTCHA\n"
        "To get the token, go to https://signalcaptchas.org/registration/generate.html\n"
        'After solving the captcha, right-click on the "Open Signal" link and copy the link.'
    )
