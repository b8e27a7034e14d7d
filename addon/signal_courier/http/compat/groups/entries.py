"""A group as it is told, and how a request names one.

A group id is taken in every form: `group.…` or without that prefix, raw base64 as signal-cli prints it (with its slashes,
percent-encoded, or with `_` and `-` for `/` and `+`).
"""

from collections.abc import Sequence
from urllib.parse import unquote

import msgspec

from signal_courier.engine.answers import Group, Member, Person
from signal_courier.engine.errors import NotFound
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import GROUP, INTERNAL_GROUP, INVITE_LINK, PERSON, PERSON_UUID, refusal
from signal_courier.http.compat.targets import person
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.recipients import GroupId, parse_group_id


class Permissions(msgspec.Struct):
    """Who may do what: every-member or only-admins."""

    add_members: str
    edit_group: str
    send_messages: str


class Somebody(msgspec.Struct, omit_defaults=True):
    """A person in a group; the number is empty where it is hidden."""

    number: str
    uuid: str
    label: str | None = None
    label_emoji: str | None = None


type People = Sequence[str | Somebody]
"""By number, or by UUID where the number is hidden; with `expand` by both."""


class GroupEntry(msgspec.Struct):
    """A group."""

    name: str
    description: str
    id: str
    """What the other routes and `/v2/send` take."""
    internal_id: str
    """What signal-cli calls it."""
    members: People
    blocked: bool
    member: bool
    """Whether the account (still) is a member."""
    pending_invites: People
    pending_requests: People
    invite_link: str
    admins: People
    permissions: Permissions
    message_expiration_timer: int
    """Seconds after which messages vanish, 0 = never."""
    banned: People


ENTRY = {
    "name": "Family", "description": "All of us", "id": GROUP, "internal_id": INTERNAL_GROUP, "members": [PERSON, PERSON_UUID],
    "blocked": False, "member": True, "pending_invites": [], "pending_requests": [], "invite_link": INVITE_LINK, "admins": [PERSON],
    "permissions": {"add_members": "every-member", "edit_group": "only-admins", "send_messages": "every-member"},
    "message_expiration_timer": 0, "banned": [],
}  # fmt: skip
NOT_THERE = "No group with that group id ({}) found"
UNKNOWN = refusal("There is no such group.", NOT_THERE.format(GROUP), 404)
INVALID = refusal("The id is none, or Signal refused.", "Invalid group id")
_NAMES = {"EVERY_MEMBER": "every-member", "ONLY_ADMINS": "only-admins"}


def entry_of(group: Group, *, expand: bool = False) -> GroupEntry:
    """A group, as the drop-in API tells it; with `expand` people with number and UUID."""
    people = _expanded if expand else _named
    return GroupEntry(
        group.name or "",
        group.description or "",
        GroupId(group.id).external,
        group.id,
        people(group.members),
        group.is_blocked,
        group.is_member,
        people(group.pending_members),
        people(group.requesting_members),
        group.group_invite_link or "",
        people(group.admins),
        _permissions(group),
        group.message_expiration_time,
        people(group.banned),
    )


def _named(people: Sequence[Person]) -> People:
    return [one.number or one.uuid or "" for one in people]


def _expanded(people: Sequence[Person]) -> People:
    return [
        Somebody(one.number or "", one.uuid or "", one.label, one.label_emoji)
        if isinstance(one, Member)
        else Somebody(one.number or "", one.uuid or "")
        for one in people
    ]


def _permissions(group: Group) -> Permissions:
    return Permissions(
        _NAMES.get(group.permission_add_member or "", ""),
        _NAMES.get(group.permission_edit_details or "", ""),
        _NAMES.get(group.permission_send_message or "", ""),
    )


PEOPLE = msgspec.Meta(description="Numbers, UUIDs or usernames.", examples=[[PERSON]])


def named_group[B, Q](call: Call[B, Q]) -> GroupId:
    """The group named in the path. Raises `InvalidValue`."""
    return parse_group_id(unquote(call.path["groupid"]))


async def listed_group[B, Q](call: Call[B, Q]) -> Group:
    """The group named in the path, as signal-cli knows it. Raises `MissingThing`."""
    named = unquote(call.path["groupid"])
    try:
        group_id = parse_group_id(named).internal
        for group in await call.services.commands.list_groups(call.account, group_id=[group_id]):
            if group.id == group_id:
                return group
    except (InvalidValue, NotFound):
        raise MissingThing("groupid", NOT_THERE.format(named)) from None
    raise MissingThing("groupid", NOT_THERE.format(named))


def persons(texts: Sequence[str] | None, field: str) -> list[str]:
    """People as signal-cli spells them. Raises `InvalidValue`."""
    return [str(person(text, field)) for text in texts or ()]
