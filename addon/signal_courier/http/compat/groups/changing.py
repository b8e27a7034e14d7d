"""New groups, and changes of a group."""

from typing import Annotated, cast

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.engine.commands.groups import GroupLinkState, GroupPermission
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.avatars import Avatar, staged_avatar
from signal_courier.http.compat.examples import EXPIRATION, GROUP, PERSON, refusal
from signal_courier.http.compat.groups.entries import (
    ENTRY,
    INVALID,
    PEOPLE,
    UNKNOWN,
    GroupEntry,
    entry_of,
    listed_group,
    named_group,
    persons,
)
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import GroupId

routes = RouteTable("Groups")


class GroupCreated(msgspec.Struct):
    """The new group's id, under both names that clients look for."""

    id: str
    group_id: str


_CREATED = {"id": GROUP, "group_id": GROUP}


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


_LINK = msgspec.Meta(description="disabled, enabled, or enabled-with-approval; empty or `unchanged` leaves it.", examples=["enabled"])


class CreateGroup(msgspec.Struct, kw_only=True):
    """A new group."""

    name: str = ""
    members: Annotated[list[str] | None, PEOPLE] = None
    admins: Annotated[list[str] | None, PEOPLE] = None
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
            member=persons(body.members, "members"),
            admin=persons(body.admins, "admins"),
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
    answers=[Answer(204, "Changed."), INVALID],
)  # fmt: skip
async def update_group(call: Call[UpdateGroup, None]) -> web.StreamResponse:
    """Change a group.

    What is left out stays as it is. Most changes want an administrator, as the group's permissions say.
    """
    body = call.body
    group_id = named_group(call)
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
    add_admins: Annotated[list[str] | None, PEOPLE] = None
    add_members: Annotated[list[str] | None, PEOPLE] = None


@routes.add(
    "PATCH", "/v1/groups/{number}/{groupid:path}", scope=Scope.GROUPS, body=PatchGroup,
    body_example={"group_link": "enabled", "add_members": [PERSON]},
    answers=[Answer(200, "The group as it is now.", GroupEntry, example=ENTRY), INVALID, UNKNOWN],
)  # fmt: skip
async def patch_group(call: Call[PatchGroup, None]) -> web.StreamResponse:
    """Change a group's link, add members and admins; tells the group.

    The way of python-signal-cli-rest-api. Unlike `PUT` it can add people and administrators in one go.
    """
    group_id = named_group(call).internal
    members, admins = persons(call.body.add_members, "add_members"), persons(call.body.add_admins, "add_admins")
    link = _link_state(call.body.group_link)
    if members or admins or link:
        await call.services.commands.update_group(call.account, group_id=group_id, member=members, admin=admins, link=link)
    return json_answer(entry_of(await listed_group(call)))


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/reset-link", scope=Scope.GROUPS,
    answers=[Answer(204, "The old invitation link no longer works."), INVALID],
)  # fmt: skip
async def reset_group_link(call: Call[None, None]) -> web.StreamResponse:
    """Give a group a new invitation link.

    The old link stops working at once. Only an administrator can do that.
    """
    await call.services.commands.update_group(call.account, group_id=named_group(call).internal, reset_link=True)
    return empty()
