"""Who is registered, with which devices, keys and undelivered messages."""

import base64
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

type Kind = Literal["aci", "pni"]
type PublicKey = dict[str, object]
"""As its owner has put it up: key id, key and signature."""
type Push = Callable[[str, bytes], Awaitable[None]]

MAILBOX_LIMIT = 200_000
"""Messages that wait for one device; Signal keeps fewer."""


def now_ms() -> int:
    """Milliseconds since epoch."""
    return time.time_ns() // 1_000_000


def decode_base64(text: str) -> bytes:
    """Base64 in either alphabet, padded or not."""
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4))


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode()


@dataclass(slots=True)
class KeyStock:
    """The public keys a device has put up for one of its identities."""

    signed: PublicKey | None = None
    last_resort: PublicKey | None = None
    one_time: list[PublicKey] = field(default_factory=list)
    one_time_kyber: list[PublicKey] = field(default_factory=list)


@dataclass(slots=True)
class Mailbox:
    """Messages for one device in their order, each kept until it is acknowledged."""

    waiting: dict[str, bytes] = field(default_factory=dict)
    """Envelopes by their server guid."""
    push: Push | None = None
    """Hands an envelope to the connected device; None while it is away."""

    async def deliver(self, guid: str, envelope: bytes, *, only_if_connected: bool = False) -> None:
        """Keeps the envelope and pushes it when the device is there."""
        if only_if_connected and self.push is None:
            return
        if len(self.waiting) >= MAILBOX_LIMIT:
            raise OverflowError("a mailbox of the lab is full")
        self.waiting[guid] = envelope
        if self.push is not None:
            await self.push(guid, envelope)

    def acknowledge(self, guid: str) -> None:
        """The device has it."""
        self.waiting.pop(guid, None)


@dataclass(slots=True)
class Device:
    """One installation of an account; 1 is the phone."""

    id: int
    password: str
    registration_ids: dict[Kind, int]
    name: str | None = None
    created_ms: int = field(default_factory=now_ms)
    keys: dict[Kind, KeyStock] = field(default_factory=lambda: {"aci": KeyStock(), "pni": KeyStock()})
    mailbox: Mailbox = field(default_factory=Mailbox)
    disconnect: Callable[[], Awaitable[None]] | None = None
    """Closes its websocket; None while it has none."""


@dataclass(slots=True)
class Profile:
    """An encrypted profile: texts are base64 of what only friends can read."""

    name: str | None = None
    about: str | None = None
    about_emoji: str | None = None
    phone_number_sharing: str | None = None
    commitment: str | None = None
    avatar: str | None = None
    """Key of the picture in the content network."""


@dataclass(slots=True)
class Username:
    """A hashed username and its link."""

    hash: str
    encrypted: str | None
    handle: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(slots=True)
class Account:
    """A registered number."""

    number: str
    aci: str = field(default_factory=lambda: str(uuid.uuid4()))
    pni: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Without the prefix `PNI:`."""
    identity_keys: dict[Kind, str] = field(default_factory=dict)
    devices: dict[int, Device] = field(default_factory=dict)
    profile: Profile = field(default_factory=Profile)
    username: Username | None = None
    proof_wanted: str | None = None
    """The token of a challenge that must be solved before this account may send again; None when it may."""
    proof_given: str | None = None
    """The token of the challenge that was solved last: a client whose connection was lost asks again."""
    sends_before_proof: int = 0
    """How many messages it may send before that counts."""

    async def remove_device(self, device_id: int) -> None:
        """Shuts a device out; nothing when it is unknown."""
        device = self.devices.pop(device_id, None)
        if device is not None and device.disconnect is not None:
            await device.disconnect()

    async def remove_all_devices(self) -> None:
        """Shuts all devices out, as a new registration does."""
        for device_id in list(self.devices):
            await self.remove_device(device_id)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a device that has shown its password."""

    account: Account
    device: Device


class Network:
    """All accounts."""

    def __init__(self) -> None:
        self._by_aci: dict[str, Account] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_aci.values())

    def add(self, account: Account) -> Account:
        """Makes an account known."""
        self._by_aci[account.aci] = account
        return account

    def remove(self, account: Account) -> None:
        """Forgets an account. Connections of its devices stay open, so that the one who asked can be answered."""
        self._by_aci.pop(account.aci, None)

    def by_aci(self, aci: str) -> Account | None:
        """The account with this ACI."""
        return self._by_aci.get(aci)

    def by_number(self, number: str) -> Account | None:
        """The account with this E.164 number."""
        return next((account for account in self if account.number == number), None)

    def by_service_id(self, service_id: str) -> tuple[Account, Kind] | None:
        """The account an ACI or a `PNI:…` stands for, and which of the two it is."""
        if service_id.startswith("PNI:"):
            found = next((account for account in self if account.pni == service_id[4:]), None)
            return None if found is None else (found, "pni")
        found = self.by_aci(service_id)
        return None if found is None else (found, "aci")

    def authenticate(self, authorization: str) -> Caller | None:
        """Whose HTTP Basic header this is: user `<aci>.<device>` (device 1 may be left out); None when it opens nothing."""
        user, password = basic_credentials(authorization)
        aci, _, device_id = user.partition(".")
        account = self.by_aci(aci)
        if account is None or not (device_id or "1").isdecimal():
            return None
        device = account.devices.get(int(device_id or 1))
        if device is None or not secrets.compare_digest(device.password.encode(), password.encode()):
            return None
        return Caller(account, device)


def basic_credentials(authorization: str) -> tuple[str, str]:
    """User and password of an HTTP Basic header, two empty texts when it is none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return user, password
