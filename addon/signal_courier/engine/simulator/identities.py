"""Safety numbers: which there are, which are trusted."""

import base64
import hashlib
import re

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator.dispatch import single
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import user_error
from signal_courier.engine.simulator.state import Account, Identity, Person, Trust


class ListIdentities(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `listIdentities`."""

    number: str | None = None


class TrustParams(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `trust`."""

    recipient: str
    trust_all_known_keys: bool = False
    verified_safety_number: str | None = None


@single("listIdentities", ListIdentities)
def list_identities(network: Network, account: Account, params: ListIdentities) -> Json:
    """The safety numbers that the account knows."""
    only = network.recipient(account, params.number).uuid if params.number is not None else None
    return [_json(account, network.person(uuid), identity) for uuid, identity in account.identities.items() if only is None or uuid == only]


@single("trust", TrustParams)
def trust(network: Network, account: Account, params: TrustParams) -> Json:
    """Trust a safety number, compared or not."""
    if params.trust_all_known_keys:
        person = network.known(account, params.recipient)
        identity = account.identities.get(person.uuid)
        if identity is None:
            raise user_error("Failed to set the trust for this number, make sure the number is correct.")
        return _trusted(network, account, person, identity, Trust.TRUSTED_UNVERIFIED)
    if params.verified_safety_number is None:
        raise user_error("You need to specify the fingerprint/safety number you have verified with -v SAFETY_NUMBER")
    given = params.verified_safety_number.replace(" ", "")
    if not _is_code(given):
        raise user_error("Safety number has invalid format, either specify the old hex fingerprint or the new safety number")
    person = network.known(account, params.recipient)
    identity = account.identities.get(person.uuid)
    if identity is None or given.lower() not in _codes(account, person, identity):
        raise user_error("Failed to set the trust for this number, make sure the number and the fingerprint/safety number are correct.")
    return _trusted(network, account, person, identity, Trust.TRUSTED_VERIFIED)


def _is_code(text: str) -> bool:
    """Whether it can be a fingerprint (66 hex digits), a safety number (60 digits) or the base64 of a scanned one."""
    if len(text) == 66:
        return re.fullmatch(r"[0-9a-fA-F]+", text) is not None
    return re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text) is not None


def _codes(account: Account, person: Person, identity: Identity) -> set[str]:
    digits = safety_number(account, person, identity)
    return {digits, fingerprint(person, identity).hex(), _scannable(digits).lower()}


def _scannable(digits: str) -> str:
    return base64.b64encode(digits.encode()).decode()


def fingerprint(person: Person, identity: Identity) -> bytes:
    """The 33 bytes of an identity key."""
    return b"\x05" + hashlib.sha256(f"{person.uuid}/{identity.key}".encode()).digest()


def safety_number(account: Account, person: Person, identity: Identity) -> str:
    """60 digits, the same for both sides."""
    halves = sorted((hashlib.sha512(account.uuid.encode()).digest(), hashlib.sha512(fingerprint(person, identity)).digest()))
    return "".join(str(int.from_bytes(half, "big"))[:30] for half in halves)


def _trusted(network: Network, account: Account, person: Person, identity: Identity, level: Trust) -> Json:
    identity.trust = level
    network.release(account, person.uuid)
    network.changed()
    return {}


def _json(account: Account, person: Person, identity: Identity) -> dict[str, Json]:
    digits = safety_number(account, person, identity)
    return {
        "number": person.number,
        "uuid": person.uuid,
        "fingerprint": fingerprint(person, identity).hex(" "),
        "safetyNumber": " ".join(digits[start : start + 5] for start in range(0, 60, 5)),
        "scannableSafetyNumber": _scannable(digits),
        "trustLevel": identity.trust.value,
        "addedTimestamp": identity.added,
    }
