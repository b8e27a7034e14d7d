"""Members, admins, the banned, and the account's label."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import PERSON, refusal
from signal_courier.http.compat.groups.entries import INVALID, PEOPLE, UNKNOWN, listed_group, named_group, persons
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Groups")


class Members(msgspec.Struct):
    """People."""

    members: Annotated[list[str] | None, PEOPLE] = None


class Admins(msgspec.Struct):
    """People."""

    admins: Annotated[list[str] | None, PEOPLE] = None


_MEMBERS_EXAMPLE = {"members": [PERSON]}
_NO_MEMBERS = "Couldn't process request - group members missing"


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/members", scope=Scope.GROUPS, body=Members, body_example=_MEMBERS_EXAMPLE,
    answers=[Answer(204, "Added, or invited."), refusal("Nobody was named.", _NO_MEMBERS), UNKNOWN],
)  # fmt: skip
async def add_members(call: Call[Members, None]) -> web.StreamResponse:
    """Add members to a group.

    By number, UUID or username. Who does not know the account is invited, and has to accept.
    """
    people = persons(call.body.members, "members")
    if not people:
        raise InvalidValue("members", _NO_MEMBERS)
    await call.services.commands.update_group(call.account, group_id=(await listed_group(call)).id, member=people)
    return empty()


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}/members", scope=Scope.GROUPS, body=Members, body_example=_MEMBERS_EXAMPLE,
    answers=[Answer(204, "Removed."), UNKNOWN],
)  # fmt: skip
async def remove_members(call: Call[Members, None]) -> web.StreamResponse:
    """Remove members from a group.

    They see that they were removed, and get no more messages. Only administrators can do that.
    """
    if people := persons(call.body.members, "members"):
        await call.services.commands.update_group(call.account, group_id=(await listed_group(call)).id, remove_member=people)
    return empty()


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/admins", scope=Scope.GROUPS, body=Admins, body_example={"admins": [PERSON]},
    answers=[Answer(204, "They are admins now."), UNKNOWN],
)  # fmt: skip
async def add_admins(call: Call[Admins, None]) -> web.StreamResponse:
    """Make members admins.

    They have to be members. Only administrators can do that.
    """
    if people := persons(call.body.admins, "admins"):
        await call.services.commands.update_group(call.account, group_id=(await listed_group(call)).id, admin=people)
    return empty()


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}/admins", scope=Scope.GROUPS, body=Admins, body_example={"admins": [PERSON]},
    answers=[Answer(204, "They are members now."), UNKNOWN],
)  # fmt: skip
async def remove_admins(call: Call[Admins, None]) -> web.StreamResponse:
    """Make admins members.

    They stay members. Only administrators can do that.
    """
    if people := persons(call.body.admins, "admins"):
        await call.services.commands.update_group(call.account, group_id=(await listed_group(call)).id, remove_admin=people)
    return empty()


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/banned", scope=Scope.GROUPS, body=Members, body_example=_MEMBERS_EXAMPLE,
    answers=[Answer(204, "Banned."), refusal("Nobody was named.", _NO_MEMBERS), UNKNOWN],
)  # fmt: skip
async def ban_members(call: Call[Members, None]) -> web.StreamResponse:
    """Ban people from a group: they cannot come in by its link any more.

    Only administrators can do that.
    """
    people = persons(call.body.members, "members")
    if not people:
        raise InvalidValue("members", _NO_MEMBERS)
    await call.services.commands.update_group(call.account, group_id=(await listed_group(call)).id, ban=people)
    return empty()


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}/banned", scope=Scope.GROUPS, body=Members, body_example=_MEMBERS_EXAMPLE,
    answers=[Answer(204, "No longer banned."), UNKNOWN],
)  # fmt: skip
async def unban_members(call: Call[Members, None]) -> web.StreamResponse:
    """Let people come in again.

    They are not members by that; they may come in by the link, or be added.
    """
    if people := persons(call.body.members, "members"):
        await call.services.commands.update_group(call.account, group_id=(await listed_group(call)).id, unban=people)
    return empty()


class MemberLabel(msgspec.Struct):
    """What stands beside the account's name in a group."""

    label: Annotated[str, msgspec.Meta(examples=["House"])] = ""
    emoji: Annotated[str, msgspec.Meta(examples=["🏠"])] = ""


@routes.add(
    "PUT", "/v1/groups/{number}/{groupid:path}/member-label", scope=Scope.GROUPS, body=MemberLabel,
    body_example={"label": "House", "emoji": "🏠"}, answers=[Answer(204, "Changed; empty texts remove it."), INVALID],
)  # fmt: skip
async def set_member_label(call: Call[MemberLabel, None]) -> web.StreamResponse:
    """Change the account's own label in a group (signal-cli 0.14.1).

    A short text and an emoji that all members see beside its name.
    """
    await call.services.commands.update_group(
        call.account, group_id=named_group(call).internal, member_label=call.body.label, member_label_emoji=call.body.emoji
    )
    return empty()
