"""What the simulated Signal network knows, and keeping it in one file that survives a restart.

All times are milliseconds since the epoch, all expirations are seconds.
"""

import enum
import logging
import os
from pathlib import Path

import msgspec

_LOG = logging.getLogger(__name__)
_VERSION = 1


class Part(enum.StrEnum):
    """The part that a person plays."""

    QUIET = "quiet"
    """Confirms delivery and says nothing."""
    ECHO = "echo"
    """Reads every message and sends the same back."""
    POLLS = "polls"
    """Votes for the first option of every poll."""
    LIMITED = "limited"
    """Cannot be reached before a challenge is solved."""
    OWNER = "owner"
    """An own account: no automatic answers but delivery receipts."""


class Trust(enum.StrEnum):
    """How far an account trusts a safety number."""

    UNTRUSTED = "UNTRUSTED"
    TRUSTED_UNVERIFIED = "TRUSTED_UNVERIFIED"
    TRUSTED_VERIFIED = "TRUSTED_VERIFIED"


class Person(msgspec.Struct, kw_only=True):
    """Somebody on the network, own accounts included."""

    uuid: str
    number: str | None
    """What others see: `None` for those who hide it."""
    given_name: str | None = None
    family_name: str | None = None
    about: str | None = None
    about_emoji: str | None = None
    mobile_coin_address: str | None = None
    username: str | None = None
    has_avatar: bool = False
    profile_updated: int = 0
    part: Part = Part.QUIET
    registered: bool = True
    key: int = 1
    """Generation of the identity key: another one means another safety number."""

    @property
    def address(self) -> str:
        """The number, or the uuid of those who hide it: signal-cli's "legacy identifier"."""
        return self.number or self.uuid

    @property
    def name(self) -> str:
        """The profile's name, maybe empty."""
        return " ".join(part for part in (self.given_name, self.family_name) if part)


class Device(msgspec.Struct, kw_only=True):
    """One device of an account; 1 is the primary."""

    id: int
    name: str | None
    created: int
    last_seen: int


class Contact(msgspec.Struct, kw_only=True):
    """What one account noted about a person."""

    listed: bool = True
    """`False`: only known as a recipient, not as a contact."""
    given_name: str | None = None
    family_name: str | None = None
    nick_given_name: str | None = None
    nick_family_name: str | None = None
    note: str | None = None
    blocked: bool = False
    hidden: bool = False
    expiration: int = 0

    @property
    def name(self) -> str:
        """The name in the address book, maybe empty."""
        return " ".join(part for part in (self.given_name, self.family_name) if part)

    @property
    def nick_name(self) -> str | None:
        """The nickname, as signal-cli joins it."""
        return " ".join(part for part in (self.nick_given_name, self.nick_family_name) if part) or None


class Identity(msgspec.Struct, kw_only=True):
    """The safety number of a person, as one account knows it."""

    key: int
    trust: Trust
    added: int


class Account(msgspec.Struct, kw_only=True):
    """An account that signal-cli holds."""

    uuid: str
    number: str
    loaded: bool = True
    """`False`: being registered anew or unregistered; its data is kept, calls do not find it."""
    unlinked: bool = False
    """The phone has removed this device: it is not loaded, until the phone scans a code again."""
    device_id: int = 1
    devices: list[Device] = []
    contacts: dict[str, Contact] = {}
    """By uuid."""
    identities: dict[str, Identity] = {}
    """By uuid."""
    held: dict[str, list[str]] = {}
    """Messages (JSON frames) of people, by uuid, whose safety number is not trusted; delivered once it is."""
    blocked_groups: set[str] = set()
    packs: set[str] = set()
    """Ids of the installed sticker packs."""
    username_link: str | None = None
    pin: str | None = None
    challenges: list[str] = []
    """Tokens of rate limit challenges that wait to be solved."""
    challenge_solved: bool = False
    limited: bool = False
    """Signal wants fewer messages for a while, and no challenge helps."""
    configuration: dict[str, bool] = {}
    discoverable: bool = True
    number_sharing: bool = True

    @property
    def is_linked(self) -> bool:
        """Whether another device (a phone) is the primary one."""
        return self.device_id != 1


class Member(msgspec.Struct, kw_only=True):
    """A member of a group."""

    admin: bool = False
    label: str | None = None
    label_emoji: str | None = None


class Group(msgspec.Struct, kw_only=True):
    """A group, the same for all its members. People are uuids."""

    id: str
    """32 bytes in base64."""
    name: str | None = None
    description: str | None = None
    members: dict[str, Member] = {}
    pending: list[str] = []
    requesting: list[str] = []
    banned: list[str] = []
    permission_add_member: str = "EVERY_MEMBER"
    permission_edit_details: str = "EVERY_MEMBER"
    permission_send_message: str = "EVERY_MEMBER"
    link_password: str | None = None
    link_approval: bool = False
    expiration: int = 0
    has_avatar: bool = False
    revision: int = 0

    @property
    def admins(self) -> list[str]:
        """Who may do everything."""
        return [uuid for uuid, member in self.members.items() if member.admin]


class Sticker(msgspec.Struct, kw_only=True):
    """One sticker, its picture included."""

    id: int
    emoji: str
    content_type: str | None
    """`None` where the pack's author did not say."""
    data: bytes


class Pack(msgspec.Struct, kw_only=True):
    """A sticker pack on Signal's server."""

    id: str
    key: str
    title: str | None = None
    author: str | None = None
    stickers: list[Sticker] = []

    @property
    def url(self) -> str:
        """The address that people share."""
        return f"https://signal.art/addstickers/#pack_id={self.id}&pack_key={self.key}"


class Registration(msgspec.Struct, kw_only=True):
    """A number whose registration has begun."""

    captcha_solved: bool = False
    code_sent: bool = False


class Call(msgspec.Struct, kw_only=True):
    """One end of a telephone call; not part of the world, calls do not survive a restart."""

    id: int
    account: str
    """uuid of the account whose end this is."""
    other: Person
    outgoing: bool
    state: str


class World(msgspec.Struct, kw_only=True):
    """Everything, as it is on disk."""

    version: int = _VERSION
    people: dict[str, Person] = {}
    """By uuid."""
    accounts: dict[str, Account] = {}
    """By uuid."""
    groups: dict[str, Group] = {}
    """By id."""
    packs: dict[str, Pack] = {}
    """By id."""
    registrations: dict[str, Registration] = {}
    """By number."""
    number_changes: dict[str, str] = {}
    """The new number that an account (uuid) asked for."""
    last_timestamp: int = 0
    """The newest message timestamp that was given out, so that none is given twice."""


def load(path: Path) -> World | None:
    """The world in `path`; `None` if there is none, or one that this version cannot read (it is kept beside, as `.unreadable`).

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        world = msgspec.json.decode(raw, type=World)
    except msgspec.MsgspecError as error:
        reason = str(error)
    else:
        if world.version == _VERSION:
            return world
        reason = f"version {world.version}"
    _LOG.warning("The simulator's state cannot be read and begins anew: %s", reason)
    path.replace(path.with_suffix(".unreadable"))
    return None


def save(world: World, path: Path, *, durable: bool) -> None:
    """Write the world so that a crash leaves the old or the new one, never half of it; if `durable`, a loss of power too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(world))
        if durable:
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(path)
