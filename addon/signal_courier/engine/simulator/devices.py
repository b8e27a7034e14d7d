"""The devices of an account, and what it settles with Signal's server: PIN, configuration, challenges, its number."""

import base64
import re
from urllib.parse import parse_qs, urlsplit

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import cast
from signal_courier.engine.simulator.dispatch import Integer, NoParams, single
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import CAPTCHA_REJECTED, INTERNAL_ERROR, IO_ERROR, Refusal, null_pointer, user_error
from signal_courier.engine.simulator.registration import captcha_fails, captcha_required, is_e164
from signal_courier.engine.simulator.state import Account, Device

_PRIMARY_ONLY = "This command doesn't work on linked devices."
_MOST_LINKED = 5


class AddDevice(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `addDevice`: the code that the new device shows."""

    uri: str


class RemoveDevice(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `removeDevice`."""

    device_id: Integer


class UpdateDevice(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `updateDevice`."""

    device_id: Integer
    device_name: str


class SetPin(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `setPin`."""

    pin: str


class UpdateConfiguration(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `updateConfiguration`."""

    read_receipts: bool | None = None
    unidentified_delivery_indicators: bool | None = None
    typing_indicators: bool | None = None
    link_previews: bool | None = None


class Challenge(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `submitRateLimitChallenge`."""

    challenge: str
    captcha: str


class StartChangeNumber(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `startChangeNumber`."""

    number: str
    voice: bool = False
    captcha: str | None = None


class FinishChangeNumber(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `finishChangeNumber`."""

    number: str
    verification_code: str
    pin: str | None = None


@single("listDevices", NoParams)
def list_devices(_network: Network, account: Account, _params: NoParams) -> Json:
    """All devices of the account."""
    return [
        {"id": device.id, "name": device.name, "createdTimestamp": device.created, "lastSeenTimestamp": device.last_seen}
        for device in account.devices
    ]


@single("addDevice", AddDevice)
def add_device(network: Network, account: Account, params: AddDevice) -> Json:
    """Link the device whose code this is. A code of this network's own is scanned by the phone that it waits for."""
    _primary(account)
    if re.search(r"\s", params.uri):
        raise user_error(f"Device link uri has invalid format: Illegal character in path: {params.uri}")
    _check_code(params.uri)
    if network.awaits_scan(params.uri):
        network.scan(params.uri)
        return {}
    if len(account.devices) > _MOST_LINKED:
        raise Refusal(IO_ERROR, "Add device link failed")
    now = network.now()
    number = max(device.id for device in account.devices) + 1
    account.devices.append(Device(id=number, name="Linked device", created=now, last_seen=now))
    return {}


@single("removeDevice", RemoveDevice)
def remove_device(network: Network, account: Account, params: RemoveDevice) -> Json:
    """Unlink a device."""
    _primary(account)
    account.devices.remove(_device(account, params.device_id, "Error while removing device"))
    network.changed()
    return {}


@single("updateDevice", UpdateDevice)
def update_device(network: Network, account: Account, params: UpdateDevice) -> Json:
    """Rename a device."""
    _device(account, params.device_id, "Error while updating device").name = params.device_name
    network.changed()
    return {}


@single("setPin", SetPin)
def set_pin(network: Network, account: Account, params: SetPin) -> Json:
    """Lock the registration with a PIN."""
    _primary(account)
    account.pin = params.pin
    network.changed()
    return {}


@single("removePin", NoParams)
def remove_pin(network: Network, account: Account, _params: NoParams) -> Json:
    """Unlock the registration."""
    _primary(account)
    account.pin = None
    network.changed()
    return {}


@single("updateConfiguration", UpdateConfiguration)
def update_configuration(network: Network, account: Account, params: UpdateConfiguration) -> Json:
    """Change settings that all devices share."""
    _primary(account)
    account.configuration.update({key: value for key, value in msgspec.structs.asdict(params).items() if value is not None})
    network.changed()
    return {}


@single("submitRateLimitChallenge", Challenge)
def submit_challenge(network: Network, account: Account, params: Challenge) -> Json:
    """Show that a person is behind the account: the rate limit ends."""
    if captcha_fails(params.captcha):
        raise Refusal(CAPTCHA_REJECTED, "Captcha rejected, it may be outdated, already used or solved from a different IP address.")
    if params.challenge not in account.challenges:
        raise Refusal(IO_ERROR, "Submit challenge error: [428] ")
    account.challenges.clear()
    account.challenge_solved = True
    network.changed()
    return {}


@single("startChangeNumber", StartChangeNumber)
def start_change_number(network: Network, account: Account, params: StartChangeNumber) -> Json:
    """Ask for a code for the new number."""
    _primary(account)
    if not is_e164(params.number):
        raise Refusal(IO_ERROR, "Failed to change number: StatusCode: 400 (NonSuccessfulResponseCodeException)")
    if params.captcha is None or captcha_fails(params.captcha):
        raise captcha_required(given=params.captcha is not None)
    network.world.number_changes[account.uuid] = params.number
    network.changed()
    return {}


@single("finishChangeNumber", FinishChangeNumber)
def finish_change_number(network: Network, account: Account, params: FinishChangeNumber) -> Json:
    """Move the account to the new number."""
    _primary(account)
    if network.world.number_changes.get(account.uuid) != params.number:
        raise null_pointer("sessionId")
    if params.verification_code.replace("-", "") != cast.CODE:
        raise Refusal(IO_ERROR, "Failed to change number: [403] Authorization failed! (AuthorizationFailedException)")
    del network.world.number_changes[account.uuid]
    person = network.owner(account)
    if person.has_avatar:
        picture = network.files.avatar("profile", person.address)
        network.files.remove_avatar("profile", person.address)
        network.files.put_avatar("profile", params.number, picture)
    account.number = person.number = params.number
    network.changed()
    return {}


def _primary(account: Account) -> None:
    if account.is_linked:
        raise user_error(_PRIMARY_ONLY)


def _check_code(uri: str) -> None:
    try:
        query = parse_qs(urlsplit(uri).query)
    except ValueError as error:
        raise user_error(f"Device link uri has invalid format: {error}: {uri}") from error
    if not query:
        raise Refusal(INTERNAL_ERROR, "Invalid device link uri (RuntimeException)")
    try:
        key = base64.b64decode(query["pub_key"][0] + "=" * (-len(query["pub_key"][0]) % 4), validate=True)
    except (KeyError, ValueError) as error:
        raise user_error("Invalid device link") from error
    if "uuid" not in query or len(key) != 33 or key[0] != 5:
        raise user_error("Invalid device link")


def _device(account: Account, number: int, complaint: str) -> Device:
    for device in account.devices:
        if device.id == number:
            return device
    raise Refusal(IO_ERROR, f"{complaint}: [404] ")
