"""`/v1/groups`: an account's groups.

A group id is taken in every form: `group.…` or without that prefix, raw base64 as signal-cli prints it (with its slashes, percent-encoded,
or with `_` and `-` for `/` and `+`).
"""

from collections.abc import Sequence
from typing import Annotated, cast
from urllib.parse import unquote

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.engine.answers import Group, Member, Person
from signal_courier.engine.commands import GroupLinkState, GroupPermission
from signal_courier.engine.errors import NotFound
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.avatars import Avatar, picture, staged_avatar
from signal_courier.http.compat.dialects import deleted_group_answer
from signal_courier.http.compat.examples import EXPIRATION, GROUP, INTERNAL_GROUP, INVITE_LINK, PERSON, PERSON_UUID, refusal
from signal_courier.http.compat.targets import person
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.integers import Int64
from signal_courier.model.recipients import GroupId, parse_group_id

routes = RouteTable("Groups")

# -- what is answered


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


class GroupCreated(msgspec.Struct):
    """The new group's id, under both names that clients look for."""

    id: str
    group_id: str


_ENTRY = {
    "name": "Family", "description": "All of us", "id": GROUP, "internal_id": INTERNAL_GROUP, "members": [PERSON, PERSON_UUID],
    "blocked": False, "member": True, "pending_invites": [], "pending_requests": [], "invite_link": INVITE_LINK, "admins": [PERSON],
    "permissions": {"add_members": "every-member", "edit_group": "only-admins", "send_messages": "every-member"},
    "message_expiration_timer": 0, "banned": [],
}  # fmt: skip
_CREATED = {"id": GROUP, "group_id": GROUP}
_NOT_THERE = "No group with that group id ({}) found"
_UNKNOWN = refusal("There is no such group.", _NOT_THERE.format(GROUP), 404)
_INVALID = refusal("The id is none, or Signal refused.", "Invalid group id")
_NAMES = {"EVERY_MEMBER": "every-member", "ONLY_ADMINS": "only-admins"}


def _entry(group: Group, *, expand: bool = False) -> GroupEntry:
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


# -- which group


def _group_id[B, Q](call: Call[B, Q]) -> GroupId:
    """The group named in the path. Raises `InvalidValue`."""
    return parse_group_id(unquote(call.path["groupid"]))


async def _listed[B, Q](call: Call[B, Q]) -> Group:
    """The group named in the path, as signal-cli knows it. Raises `MissingThing`."""
    named = unquote(call.path["groupid"])
    try:
        group_id = parse_group_id(named).internal
        for group in await call.services.commands.list_groups(call.account, group_id=[group_id]):
            if group.id == group_id:
                return group
    except (InvalidValue, NotFound):
        raise MissingThing("groupid", _NOT_THERE.format(named)) from None
    raise MissingThing("groupid", _NOT_THERE.format(named))


# -- reading


class GroupsQuery(msgspec.Struct):
    """How much to tell."""

    expand: Annotated[bool, msgspec.Meta(description="Tell people as `{number, uuid}`.")] = False


@routes.add(
    "GET", "/v1/groups/{number}", scope=Scope.GROUPS, query=GroupsQuery,
    answers=[Answer(200, "The groups.", list[GroupEntry], example=[_ENTRY])],
)  # fmt: skip
async def get_groups(call: Call[None, GroupsQuery]) -> web.StreamResponse:
    """List an account's groups.

    Those too that the account has left (`member` is false). With `expand` people are told with number and UUID.
    """
    groups = await call.services.commands.list_groups(call.account)
    return json_answer([_entry(group, expand=call.query.expand) for group in groups])


@routes.add(
    "GET", "/v1/groups/{number}/{groupid:path}", scope=Scope.GROUPS, query=GroupsQuery,
    answers=[Answer(200, "The group.", GroupEntry, example=_ENTRY), _UNKNOWN],
)  # fmt: skip
async def get_group(call: Call[None, GroupsQuery]) -> web.StreamResponse:
    """Show one group.

    By its id in any of its forms.
    """
    return json_answer(_entry(await _listed(call), expand=call.query.expand))


@routes.add(
    "GET", "/v1/groups/{number}/{groupid:path}/avatar", scope=Scope.GROUPS,
    answers=[Answer(200, "The picture.", bytes, media="image/*"), _INVALID, refusal("There is none.", "No avatar found.", 404)],
)  # fmt: skip
async def get_group_avatar(call: Call[None, None]) -> web.StreamResponse:
    """Get a group's picture.

    404 where there is none.
    """
    try:
        return picture(await call.services.commands.get_avatar(call.account, group_id=_group_id(call).internal))
    except NotFound as error:
        raise MissingThing("groupid", "No avatar found.") from error


# -- creating and changing


class PermissionsBody(msgspec.Struct):
    """Who may do what; what is left out stays as it is."""

    add_members: Annotated[str, msgspec.Meta(examples=["only-admins", "every-member"])] = ""
    edit_group: Annotated[str, msgspec.Meta(examples=["only-admins", "every-member"])] = ""
    send_messages: Annotated[str, msgspec.Meta(examples=["only-admins", "every-member"])] = ""

    def checked(self) -> "tuple[GroupPermission | None, GroupPermission | None, GroupPermission | None]":
        """To add members, to edit the group, to send. Raises `InvalidValue`."""
        return (
            _permission(self.add_members, "add members permission"),
            _permission(self.edit_group, "edit group permissions"),
            _permission(self.send_messages, "send messages permissions"),
        )


def _permission(value: str, name: str) -> GroupPermission | None:
    if value not in ("", "every-member", "only-admins"):
        raise InvalidValue("permissions", f"Invalid {name} provided - only 'every-member' and 'only-admins' allowed!")
    return cast("GroupPermission", value) if value else None


_NO_LINK_STATE = "Invalid group link provided - only 'enabled', 'enabled-with-approval' and 'disabled' allowed!"


def _link_state(value: str | None) -> GroupLinkState | None:
    if value not in (None, "", "unchanged", "enabled", "enabled-with-approval", "disabled"):
        raise InvalidValue("group_link", _NO_LINK_STATE)
    return cast("GroupLinkState", value) if value and value != "unchanged" else None


def _persons(texts: Sequence[str] | None, field: str) -> list[str]:
    """People as signal-cli spells them. Raises `InvalidValue`."""
    return [str(person(text, field)) for text in texts or ()]


_LINK = msgspec.Meta(description="disabled, enabled, or enabled-with-approval; empty or `unchanged` leaves it.", examples=["enabled"])
_PEOPLE = msgspec.Meta(description="Numbers, UUIDs or usernames.", examples=[[PERSON]])


class CreateGroup(msgspec.Struct, kw_only=True):
    """A new group."""

    name: str = ""
    members: Annotated[list[str] | None, _PEOPLE] = None
    admins: Annotated[list[str] | None, _PEOPLE] = None
    description: str = ""
    permissions: PermissionsBody = msgspec.field(default_factory=PermissionsBody)
    group_link: Annotated[str, _LINK] = ""
    expiration_time: Annotated[int, EXPIRATION] | None = None
    message_expiration_timer: Annotated[int, EXPIRATION] | None = None
    """The same as `expiration_time`."""
    base64_avatar: Avatar | None = None


@routes.add(
    "POST", "/v1/groups/{number}", scope=Scope.GROUPS, body=CreateGroup,
    body_example={"name": "Family", "members": [PERSON], "description": "All of us", "group_link": "disabled", "expiration_time": 0,
                  "permissions": {"add_members": "only-admins", "edit_group": "only-admins", "send_messages": "every-member"}},
    answers=[
        Answer(201, "The group.", GroupCreated, example=_CREATED),
        refusal("A value is none, or Signal refused.", _NO_LINK_STATE),
    ],
)  # fmt: skip
async def create_group(call: Call[CreateGroup, None]) -> web.StreamResponse:
    """Create a group.

    The account is its first administrator. People who do not know the account are invited, and have to accept.
    """
    body = call.body
    add_members, edit_group, send_messages = body.permissions.checked()
    async with staged_avatar(call, body.base64_avatar) as avatar:
        answer = await call.services.commands.update_group(
            call.account,
            name=body.name or None,
            description=body.description or None,
            avatar=avatar,
            member=_persons(body.members, "members"),
            admin=_persons(body.admins, "admins"),
            link=_link_state(body.group_link),
            set_permission_add_member=add_members,
            set_permission_edit_details=edit_group,
            set_permission_send_messages=send_messages,
            expiration=body.expiration_time if body.expiration_time is not None else body.message_expiration_timer,
        )
    group_id = GroupId(answer.group_id or "").external
    return json_answer(GroupCreated(group_id, group_id), 201)


class UpdateGroup(msgspec.Struct, kw_only=True):
    """What to change; what is left out stays as it is."""

    name: str | None = None
    description: Annotated[str | None, msgspec.Meta(description="Empty removes it.")] = None
    base64_avatar: Avatar | None = None
    expiration_time: Annotated[int, EXPIRATION] | None = None
    message_expiration_timer: Annotated[int, EXPIRATION] | None = None
    """The same as `expiration_time`."""
    group_link: Annotated[str | None, _LINK] = None
    permissions: PermissionsBody = msgspec.field(default_factory=PermissionsBody)


@routes.add(
    "PUT", "/v1/groups/{number}/{groupid:path}", scope=Scope.GROUPS, body=UpdateGroup,
    body_example={"name": "Family", "description": "All of us", "expiration_time": 604800, "group_link": "enabled"},
    answers=[Answer(204, "Changed."), _INVALID],
)  # fmt: skip
async def update_group(call: Call[UpdateGroup, None]) -> web.StreamResponse:
    """Change a group.

    What is left out stays as it is. Most changes want an administrator, as the group's permissions say.
    """
    body = call.body
    group_id = _group_id(call)
    add_members, edit_group, send_messages = body.permissions.checked()
    link = _link_state(body.group_link)
    async with staged_avatar(call, body.base64_avatar) as avatar:
        await call.services.commands.update_group(
            call.account,
            group_id=group_id.internal,
            name=body.name,
            description=body.description,
            avatar=avatar,
            link=link,
            set_permission_add_member=add_members,
            set_permission_edit_details=edit_group,
            set_permission_send_messages=send_messages,
            expiration=body.expiration_time if body.expiration_time is not None else body.message_expiration_timer,
        )
    return empty()


class PatchGroup(msgspec.Struct):
    """What to change; what is left out stays as it is."""

    group_link: Annotated[str | None, _LINK] = None
    add_admins: Annotated[list[str] | None, _PEOPLE] = None
    add_members: Annotated[list[str] | None, _PEOPLE] = None


@routes.add(
    "PATCH", "/v1/groups/{number}/{groupid:path}", scope=Scope.GROUPS, body=PatchGroup,
    body_example={"group_link": "enabled", "add_members": [PERSON]},
    answers=[Answer(200, "The group as it is now.", GroupEntry, example=_ENTRY), _INVALID, _UNKNOWN],
)  # fmt: skip
async def patch_group(call: Call[PatchGroup, None]) -> web.StreamResponse:
    """Change a group's link, add members and admins; tells the group.

    The way of python-signal-cli-rest-api. Unlike `PUT` it can add people and administrators in one go.
    """
    group_id = _group_id(call).internal
    members, admins = _persons(call.body.add_members, "add_members"), _persons(call.body.add_admins, "add_admins")
    link = _link_state(call.body.group_link)
    if members or admins or link:
        await call.services.commands.update_group(call.account, group_id=group_id, member=members, admin=admins, link=link)
    return json_answer(_entry(await _listed(call)))


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/reset-link", scope=Scope.GROUPS,
    answers=[Answer(204, "The old invitation link no longer works."), _INVALID],
)  # fmt: skip
async def reset_group_link(call: Call[None, None]) -> web.StreamResponse:
    """Give a group a new invitation link.

    The old link stops working at once. Only an administrator can do that.
    """
    await call.services.commands.update_group(call.account, group_id=_group_id(call).internal, reset_link=True)
    return empty()


# -- coming and going


class JoinGroup(msgspec.Struct):
    """How to get in."""

    group_link: Annotated[
        str, msgspec.Meta(description="Invitation link; without it an invitation is accepted.", examples=[INVITE_LINK])
    ] = ""


_NO_INVITE = "group_link: this is no invitation link, which begins with https://signal.group/#"
_JOINED = Answer(204, "Joined, or asked to be let in.")


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/join", scope=Scope.GROUPS, body=JoinGroup, body_optional=True, bodiless_upstream=True,
    body_example={"group_link": INVITE_LINK}, answers=[_JOINED, _INVALID],
)  # fmt: skip
async def join_group(call: Call[JoinGroup, None]) -> web.StreamResponse:
    """Join a group.

    By its id a group that the account is invited to; by an invite link, in the path or in the body, any.
    """
    link = call.body.group_link or unquote(call.path["groupid"])
    if _is_invite(link):
        await call.services.commands.join_group(call.account, uri=link)
    elif call.body.group_link:
        raise InvalidValue("group_link", _NO_INVITE)
    else:
        await call.services.commands.update_group(call.account, group_id=_group_id(call).internal)
    return empty()


@routes.add(
    "POST", "/v1/groups/{number}/join", scope=Scope.GROUPS, body=JoinGroup, body_example={"group_link": INVITE_LINK},
    answers=[_JOINED, refusal("The link is none.", _NO_INVITE)],
)  # fmt: skip
async def join_group_by_link(call: Call[JoinGroup, None]) -> web.StreamResponse:
    """Join a group by its invitation link.

    Where the group wants its administrators to agree, the account waits until one has.
    """
    if not _is_invite(call.body.group_link):
        raise InvalidValue("group_link", _NO_INVITE)
    await call.services.commands.join_group(call.account, uri=call.body.group_link)
    return empty()


def _is_invite(text: str) -> bool:
    return text.startswith(("https://signal.group/#", "sgnl://signal.group/#"))


class LeaveGroup(msgspec.Struct):
    """Who stays behind."""

    admins: Annotated[list[str] | None, msgspec.Meta(description="New admins, when the only one leaves.", examples=[[PERSON]])] = None


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/quit", scope=Scope.GROUPS, body=LeaveGroup, body_optional=True, bodiless_upstream=True,
    body_example={"admins": [PERSON]}, answers=[Answer(204, "Left."), _INVALID],
)  # fmt: skip
async def quit_group(call: Call[LeaveGroup, None]) -> web.StreamResponse:
    """Leave a group.

    What was written stays; the group is listed with `member` false.
    """
    await call.services.commands.quit_group(
        call.account, group_id=_group_id(call).internal, admin=_persons(call.body.admins, "admins")
    )  # fmt: skip
    return empty()


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}", scope=Scope.GROUPS, body=LeaveGroup, body_optional=True, bodiless_upstream=True,
    body_example={"admins": [PERSON]},
    answers=[Answer(200, "Left and deleted here."), Answer(204, "The same in the dialect morph027."), _INVALID],
)  # fmt: skip
async def delete_group(call: Call[LeaveGroup, None]) -> web.StreamResponse:
    """Leave a group and delete what is here of it.

    The others' copies stay. An account that is no longer a member only forgets.
    """
    await call.services.commands.quit_group(
        call.account, group_id=_group_id(call).internal, admin=_persons(call.body.admins, "admins"), delete=True
    )
    return deleted_group_answer(call.dialect)


@routes.add("POST", "/v1/groups/{number}/{groupid:path}/block", scope=Scope.GROUPS, answers=[Answer(204, "Blocked."), _INVALID])
async def block_group(call: Call[None, None]) -> web.StreamResponse:
    """Block a group: its messages are not taken any more.

    On all of the account's devices.
    """
    await call.services.commands.block(call.account, group_id=[_group_id(call).internal])
    return empty()


@routes.add("POST", "/v1/groups/{number}/{groupid:path}/unblock", scope=Scope.GROUPS, answers=[Answer(204, "No longer blocked."), _INVALID])
async def unblock_group(call: Call[None, None]) -> web.StreamResponse:
    """Unblock a group.

    What was sent in between does not come any more.
    """
    await call.services.commands.unblock(call.account, group_id=[_group_id(call).internal])
    return empty()


# -- members, admins, the banned


class Members(msgspec.Struct):
    """People."""

    members: Annotated[list[str] | None, _PEOPLE] = None


class Admins(msgspec.Struct):
    """People."""

    admins: Annotated[list[str] | None, _PEOPLE] = None


_MEMBERS_EXAMPLE = {"members": [PERSON]}
_NO_MEMBERS = "Couldn't process request - group members missing"


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/members", scope=Scope.GROUPS, body=Members, body_example=_MEMBERS_EXAMPLE,
    answers=[Answer(204, "Added, or invited."), refusal("Nobody was named.", _NO_MEMBERS), _UNKNOWN],
)  # fmt: skip
async def add_members(call: Call[Members, None]) -> web.StreamResponse:
    """Add members to a group.

    By number, UUID or username. Who does not know the account is invited, and has to accept.
    """
    people = _persons(call.body.members, "members")
    if not people:
        raise InvalidValue("members", _NO_MEMBERS)
    await call.services.commands.update_group(call.account, group_id=(await _listed(call)).id, member=people)
    return empty()


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}/members", scope=Scope.GROUPS, body=Members, body_example=_MEMBERS_EXAMPLE,
    answers=[Answer(204, "Removed."), _UNKNOWN],
)  # fmt: skip
async def remove_members(call: Call[Members, None]) -> web.StreamResponse:
    """Remove members from a group.

    They see that they were removed, and get no more messages. Only administrators can do that.
    """
    if people := _persons(call.body.members, "members"):
        await call.services.commands.update_group(call.account, group_id=(await _listed(call)).id, remove_member=people)
    return empty()


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/admins", scope=Scope.GROUPS, body=Admins, body_example={"admins": [PERSON]},
    answers=[Answer(204, "They are admins now."), _UNKNOWN],
)  # fmt: skip
async def add_admins(call: Call[Admins, None]) -> web.StreamResponse:
    """Make members admins.

    They have to be members. Only administrators can do that.
    """
    if people := _persons(call.body.admins, "admins"):
        await call.services.commands.update_group(call.account, group_id=(await _listed(call)).id, admin=people)
    return empty()


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}/admins", scope=Scope.GROUPS, body=Admins, body_example={"admins": [PERSON]},
    answers=[Answer(204, "They are members now."), _UNKNOWN],
)  # fmt: skip
async def remove_admins(call: Call[Admins, None]) -> web.StreamResponse:
    """Make admins members.

    They stay members. Only administrators can do that.
    """
    if people := _persons(call.body.admins, "admins"):
        await call.services.commands.update_group(call.account, group_id=(await _listed(call)).id, remove_admin=people)
    return empty()


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/banned", scope=Scope.GROUPS, body=Members, body_example=_MEMBERS_EXAMPLE,
    answers=[Answer(204, "Banned."), refusal("Nobody was named.", _NO_MEMBERS), _UNKNOWN],
)  # fmt: skip
async def ban_members(call: Call[Members, None]) -> web.StreamResponse:
    """Ban people from a group: they cannot come in by its link any more.

    Only administrators can do that.
    """
    people = _persons(call.body.members, "members")
    if not people:
        raise InvalidValue("members", _NO_MEMBERS)
    await call.services.commands.update_group(call.account, group_id=(await _listed(call)).id, ban=people)
    return empty()


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}/banned", scope=Scope.GROUPS, body=Members, body_example=_MEMBERS_EXAMPLE,
    answers=[Answer(204, "No longer banned."), _UNKNOWN],
)  # fmt: skip
async def unban_members(call: Call[Members, None]) -> web.StreamResponse:
    """Let people come in again.

    They are not members by that; they may come in by the link, or be added.
    """
    if people := _persons(call.body.members, "members"):
        await call.services.commands.update_group(call.account, group_id=(await _listed(call)).id, unban=people)
    return empty()


class MemberLabel(msgspec.Struct):
    """What stands beside the account's name in a group."""

    label: Annotated[str, msgspec.Meta(examples=["House"])] = ""
    emoji: Annotated[str, msgspec.Meta(examples=["🏠"])] = ""


@routes.add(
    "PUT", "/v1/groups/{number}/{groupid:path}/member-label", scope=Scope.GROUPS, body=MemberLabel,
    body_example={"label": "House", "emoji": "🏠"}, answers=[Answer(204, "Changed; empty texts remove it."), _INVALID],
)  # fmt: skip
async def set_member_label(call: Call[MemberLabel, None]) -> web.StreamResponse:
    """Change the account's own label in a group (signal-cli 0.14.1).

    A short text and an emoji that all members see beside its name.
    """
    await call.services.commands.update_group(
        call.account, group_id=_group_id(call).internal, member_label=call.body.label, member_label_emoji=call.body.emoji
    )
    return empty()


# -- pinned messages


class PinMessage(msgspec.Struct):
    """Which message, and for how long."""

    target_author: Annotated[str, msgspec.Meta(description="Who wrote it: number or UUID.", examples=[PERSON])] = ""
    timestamp: Annotated[Int64, msgspec.Meta(description="The message's timestamp.", examples=[1700000000123])] = 0
    duration: Annotated[int, msgspec.Meta(description="Seconds; -1 = for ever.", ge=-1, le=2**31 - 1)] | None = None


class UnpinMessage(msgspec.Struct):
    """Which message."""

    target_author: Annotated[str, msgspec.Meta(description="Who wrote it: number or UUID.", examples=[PERSON])] = ""
    timestamp: Annotated[Int64, msgspec.Meta(description="The message's timestamp.", examples=[1700000000123])] = 0


_MESSAGE = {"target_author": PERSON, "timestamp": 1700000000123}
_NO_AUTHOR = refusal("The message is not named.", "Couldn't process request - target author missing")


def _target(body: PinMessage | UnpinMessage) -> tuple[str, int]:
    if not body.target_author:
        raise InvalidValue("target_author", "Couldn't process request - target author missing")
    if body.timestamp <= 0:
        raise InvalidValue("timestamp", "Couldn't process request - timestamp missing")
    return _persons([body.target_author], "target_author")[0], body.timestamp


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/pin-message", scope=Scope.GROUPS, body=PinMessage,
    body_example=_MESSAGE | {"duration": -1}, answers=[Answer(201, "Pinned."), _NO_AUTHOR],
)  # fmt: skip
async def pin_message(call: Call[PinMessage, None]) -> web.StreamResponse:
    """Pin a message in a group (signal-cli 0.14.0).

    All members see it at the top. The message is named by its author and its timestamp.
    """
    group_id = _group_id(call).internal
    author, timestamp = _target(call.body)
    await call.services.commands.send_pin_message(
        call.account,
        group_id=[group_id],
        target_author=author,
        target_timestamp=timestamp,
        pin_duration=-1 if call.body.duration is None else call.body.duration,
    )
    return empty(201)


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}/pin-message", scope=Scope.GROUPS, body=UnpinMessage, body_example=_MESSAGE,
    answers=[Answer(201, "No longer pinned."), _NO_AUTHOR],
)  # fmt: skip
async def unpin_message(call: Call[UnpinMessage, None]) -> web.StreamResponse:
    """Take a message's pin away (signal-cli 0.14.0).

    The message itself stays where it is.
    """
    group_id = _group_id(call).internal
    author, timestamp = _target(call.body)
    await call.services.commands.send_unpin_message(
        call.account, group_id=[group_id], target_author=author, target_timestamp=timestamp
    )  # fmt: skip
    return empty(201)
