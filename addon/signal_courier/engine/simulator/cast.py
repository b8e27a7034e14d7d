"""The people of the simulated network: who they are and what they are there to show.

| who | address | what happens |
| --- | --- | --- |
| Home | +4915100000001 | own account, primary device, administrator of the group "Demo" |
| Second | +4915100000002 | own account, primary device, member of "Demo" |
| Echo | +4915100000011 | delivers, reads, sends the same back |
| Polly | +4915100000012 | votes for the first option of every poll |
| Newkey | +4915100000013 | has a new safety number: IDENTITY_FAILURE until it is trusted |
| nobody | +4915100000014 | is not registered |
| Limited | +4915100000015 | rate limit until `submitRateLimitChallenge` |
| Shade | only a uuid, username `shade.01` | as Echo, but hides the number |
"""

import base64
import hashlib
import uuid
from collections.abc import Mapping

from signal_courier.engine.simulator.state import (
    Account,
    Contact,
    Device,
    Group,
    Identity,
    Member,
    Pack,
    Part,
    Person,
    Sticker,
    Trust,
    World,
)

HOME = "+4915100000001"
SECOND = "+4915100000002"
LINKED = "+4915100000003"
"""The account that the first scanned code brings; later ones get numbers from +4915100000101 on."""
ECHO = "+4915100000011"
POLLY = "+4915100000012"
NEWKEY = "+4915100000013"
UNREGISTERED = "+4915100000014"
LIMITED = "+4915100000015"
LANDLINE = "+4915100000097"
"""A number that takes no SMS: its code is told by a call."""
REGISTRATION_LIMITED = "+4915100000098"
"""A number whose registration is refused for its rate."""
PIN_LOCKED = "+4915100000099"
"""A number that is locked with a PIN."""

CODE = "123456"
"""The verification code, always."""
PIN = "1234"
"""The PIN of `PIN_LOCKED`."""

_NAMES = uuid.UUID("5a6f1c1e-7d0b-4f0e-9a52-51b1c0de0001")
_BIRTH = 1_790_000_000_000
"""When the seeded things happened, ms."""
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII=")
"""A PNG of one pixel: avatars and stickers."""


def uuid_of(address: str) -> str:
    """The uuid that an address has in every simulated network."""
    return str(uuid.uuid5(_NAMES, address))


SHADE = uuid_of("shade")
DEMO_GROUP = base64.b64encode(hashlib.sha256(b"Demo").digest()).decode()
INSTALLED_PACK = hashlib.md5(b"installed", usedforsecurity=False).hexdigest()
OTHER_PACK = hashlib.md5(b"other", usedforsecurity=False).hexdigest()


def new_account(world: World, number: str, *, device_id: int = 1, device_name: str | None = None, now: int = _BIRTH) -> Account:
    """Put an own account on the network, with everybody of the cast among its contacts."""
    person = world.people.setdefault(uuid_of(number), Person(uuid=uuid_of(number), number=number))
    person.part, person.registered = Part.OWNER, True
    devices = [Device(id=1, name=None, created=now, last_seen=now)]
    if device_id != 1:
        devices.append(Device(id=device_id, name=device_name, created=now, last_seen=now))
    account = Account(uuid=person.uuid, number=number, device_id=device_id, devices=devices, packs={INSTALLED_PACK})
    for other in world.people.values():
        if other.uuid == person.uuid:
            continue
        account.contacts[other.uuid] = Contact(given_name=other.given_name, family_name=other.family_name)
        changed = other.number == NEWKEY
        account.identities[other.uuid] = Identity(
            key=other.key, trust=Trust.UNTRUSTED if changed else Trust.TRUSTED_UNVERIFIED, added=_BIRTH
        )
    world.accounts[person.uuid] = account
    return account


def first_world() -> World:
    """The network as it is before anybody has done anything."""
    world = World()
    for person in _people():
        world.people[person.uuid] = person
    for pack in _packs():
        world.packs[pack.id] = pack
    for number in (HOME, SECOND):
        new_account(world, number)
    roles: Mapping[str, bool] = {uuid_of(HOME): True, uuid_of(SECOND): False, uuid_of(ECHO): False, uuid_of(POLLY): False, SHADE: False}
    world.groups[DEMO_GROUP] = Group(
        id=DEMO_GROUP,
        name="Demo",
        description="A group to try things in",
        members={member: Member(admin=admin) for member, admin in roles.items()},
        has_avatar=True,
    )
    return world


def _people() -> list[Person]:
    def person(number: str, given: str, family: str | None, part: Part, about: str, *, avatar: bool = False, key: int = 1) -> Person:
        return Person(
            uuid=uuid_of(number), number=number, given_name=given, family_name=family, part=part, about=about, has_avatar=avatar, key=key,
            profile_updated=_BIRTH,
        )  # fmt: skip

    return [
        person(HOME, "Home", None, Part.OWNER, "The house"),
        person(SECOND, "Second", None, Part.OWNER, "The other account"),
        person(ECHO, "Echo", "Hill", Part.ECHO, "Says what you say", avatar=True),
        person(POLLY, "Polly", "Vote", Part.POLLS, "Votes for the first option"),
        person(NEWKEY, "Newkey", None, Part.ECHO, "Has a new phone", key=2),
        person(LIMITED, "Limited", None, Part.LIMITED, "Not before a challenge"),
        Person(
            uuid=SHADE,
            number=None,
            given_name="Shade",
            username="shade.01",
            part=Part.ECHO,
            about="Hides the number",
            profile_updated=_BIRTH,
        ),
    ]


def _packs() -> list[Pack]:
    def pack(identifier: str, title: str, emojis: str) -> Pack:
        stickers = [Sticker(id=number, emoji=emoji, content_type="image/png", data=PIXEL) for number, emoji in enumerate(emojis)]
        return Pack(id=identifier, key=hashlib.sha256(identifier.encode()).hexdigest(), title=title, author="Simulator", stickers=stickers)

    return [pack(INSTALLED_PACK, "Weather", "☀☔"), pack(OTHER_PACK, "Animals", "🐈🐕🐟")]
